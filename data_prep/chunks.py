"""Chunks: the records of one batch of files as one Arrow file, written whole or not at all.

They are what a run has already done: a run that is started again finds its chunks by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tokenizer.files import replacing

from .examine import Batch, Recipe, Record, examine_batch
from .find import MidiFile

CHUNK_FILES = 64
"""Files in a batch, at most."""

CHUNK_BYTES = 4 << 20
"""Bytes of MIDI in a batch, at most (but one file at least)."""


@cache
def record_schema() -> Any:
    """The columns of a chunk: those of `Record`, the instruments a byte each."""
    import pyarrow as pa

    return pa.schema(
        [
            ("corpus", pa.string()),
            ("name", pa.string()),
            ("refused", pa.string()),
            ("detail", pa.string()),
            ("notes", pa.int32()),
            ("rows", pa.int32()),
            ("clipped", pa.int32()),
            ("quarters", pa.float64()),
            ("seconds", pa.float64()),
            ("instruments", pa.binary()),
            ("tempo", pa.float64()),
            ("time_signature", pa.string()),
            ("fifths", pa.int8()),
            ("minor", pa.bool_()),
            ("content_hash", pa.binary()),
            ("sketch", pa.binary()),
            ("tokens", pa.binary()),
        ]
    )


def chunk_key(files: Sequence[MidiFile], recipe_key: str) -> str:
    """A name for the result of a batch: other files, other bytes or another recipe change it."""
    digest = hashlib.blake2b(recipe_key.encode(), digest_size=8)
    for file in files:
        digest.update(f"\0{file.corpus}\0{file.name}\0{file.size}\0".encode())
        if file.data is not None:
            digest.update(hashlib.blake2b(file.data).digest())
        elif file.path is not None:
            digest.update(str(file.modified).encode())
    return digest.hexdigest()


def write_chunk(path: Path, records: Sequence[Record]) -> None:
    """Write records as a chunk."""
    import pyarrow as pa

    schema = record_schema()
    columns = {name: [getattr(record, name) for record in records] for name in schema.names}
    columns["instruments"] = [bytes(programs) for programs in columns["instruments"]]
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema) as file:
        file.write(pa.record_batch(columns, schema=schema))


def read_chunk(path: Path, *, tokens: bool) -> Iterator[Record]:
    """The records of a chunk, with or without their tokens."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        batch = pa.ipc.open_file(file).get_batch(0)
        names = [name for name in record_schema().names if tokens or name != "tokens"]
        columns = [batch.column(name).to_pylist() for name in names]
    programs = names.index("instruments")
    columns[programs] = map(tuple, columns[programs])
    yield from map(Record, *columns)


def make_chunk(batch: Batch, recipe: Recipe, begun: Callable[[int], object] = int) -> Path:
    """Examine a batch and write its chunk: the whole work of a worker."""
    write_chunk(batch.target, examine_batch(batch, recipe, begun))
    return batch.target
