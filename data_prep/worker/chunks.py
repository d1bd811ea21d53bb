"""Chunks: the records of one batch of files as one file, written whole or not at all.

They are the finished work of a run: a run that is started again finds its chunks by name. A chunk
is one line of JSON, with a list for each column, followed by the columns that are bytes, tokens
last; the line has their lengths. Plain `json` reads and writes it, because an object per file
would be slow for millions of files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

from data_prep.sources.find import MidiFile
from tokenizer.files import write_bytes

from .worker import FileBatch, FileRecord, Preprocessing, examine_batch

CHUNK_FILES = 128
"""Files in a batch, at most."""

CHUNK_BYTES = 4 << 20
"""Bytes of MIDI in a batch, at most (but one file at least)."""

BLOBS = ("content_hash", "sketch", "tokens")
"""The columns that are bytes."""


def chunk_key(files: Sequence[MidiFile], preprocessing_key: str) -> str:
    """A name for the result of a batch, which other files, bytes or preprocessing change."""
    digest = hashlib.blake2b(preprocessing_key.encode(), digest_size=8)
    for file in files:
        digest.update(f"\0{file.corpus}\0{file.name}\0{file.size}\0".encode())
        if file.data is not None:
            digest.update(hashlib.blake2b(file.data).digest())
        elif file.path is not None:
            digest.update(str(file.modified).encode())
        if file.refused is not None:
            digest.update("\0".join(file.refused).encode())
    return digest.hexdigest()


def write_chunk(path: Path, records: Sequence[FileRecord]) -> None:
    """Write records as a chunk."""
    columns = dict(zip(FileRecord._fields, zip(*records, strict=True), strict=True))
    blobs = [columns[name] for name in BLOBS]
    for name in BLOBS:
        columns[name] = tuple(map(len, columns[name]))
    head = json.dumps(columns, separators=(",", ":")).encode()
    write_bytes(path, b"".join([head, b"\n", *chain(*blobs)]))


def read_chunk(path: Path, *, tokens: bool) -> Iterator[FileRecord]:
    """The records of a chunk, with or without their tokens."""
    with path.open("rb") as file:
        columns: dict[str, Any] = json.loads(file.readline())
        for name in BLOBS:
            wanted = tokens or name != "tokens"
            sizes = columns[name] if wanted else [0] * len(columns[name])
            blob = file.read(sum(sizes))
            ends = [0, *accumulate(sizes)]
            columns[name] = [blob[begin:end] for begin, end in pairwise(ends)]
    columns["instruments"] = map(tuple, columns["instruments"])
    yield from map(FileRecord, *columns.values())


def make_chunk(
    batch: FileBatch, preprocessing: Preprocessing, begun: Callable[[int], object] = int
) -> Path:
    """Examine a batch and write its chunk: the whole work of a worker."""
    write_chunk(batch.target, examine_batch(batch, preprocessing, begun))
    return batch.target
