"""The dataset folder: memory-mapped token shards, the table of pieces, and the index of both.

dataset.json       format, version, token type, shards with their lengths and hashes
tokens/00000.bin   rows of five little-endian int16, piece after piece, no headers
pieces.parquet     one row per piece: where its tokens are, and its metadata
tokenizer.json     what the tokens mean
encoding.json      what models are trained in, where that is an encoding learned from the pieces
report.json        what came in, what was kept, and why the rest was not
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.files import write_text
from tokenizer.records import from_data, to_json
from tokenizer.typing import Tokens

FORMAT = "musenet-dataset"
VERSION = 1
ROW_BYTES = 2 * len(FIELDS)
LEFT_OUT = "left_out.jsonl"
ENCODING = "encoding.json"
SHARD_ROWS = 64 << 20
"""Rows in a shard, at most (640 MB), unless one piece is longer."""

TABLE_ROWS = 512
"""Pieces in a row group of the table."""


@dataclass(frozen=True)
class Shard:
    """One file of tokens."""

    file: str
    rows: int
    blake2b: str


def piece_schema() -> Any:
    """The columns of the table of pieces.

    `shard`, `offset` and `length` say where its rows are. `id` is `content_hash` in hexadecimal,
    `source` the name of its file within the corpus, `fingerprint` the sketch that
    `worker.fingerprint` computes, and `group` the corpus and file (`corpus/name`) of the first of
    its near-duplicates.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("shard", pa.int32()),
            ("offset", pa.int64()),
            ("length", pa.int64()),
            ("notes", pa.int32()),
            ("split", pa.string()),
            ("corpus", pa.string()),
            ("source", pa.string()),
            ("title", pa.string()),
            ("composer", pa.string()),
            ("styles", pa.list_(pa.string())),
            ("instruments", pa.list_(pa.uint8())),
            ("tempo", pa.float64()),
            ("time_signature", pa.string()),
            ("key_fifths", pa.int8()),
            ("key_minor", pa.bool_()),
            ("quarters", pa.float64()),
            ("seconds", pa.float64()),
            ("clipped", pa.int32()),
            ("licence", pa.string()),
            ("content_hash", pa.binary()),
            ("fingerprint", pa.binary()),
            ("group", pa.string()),
        ]
    )


class ShardWriter:
    """Writes pieces one after another into shards and the table, holding one row group."""

    def __init__(self, folder: Path, shard_rows: int = SHARD_ROWS) -> None:
        import pyarrow.parquet as parquet

        (folder / "tokens").mkdir(parents=True)
        self._folder = folder
        self._shard_rows = shard_rows
        self._shards: list[Shard] = []
        self._stream: Any = None
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows = 0
        self._table = parquet.ParquetWriter(
            folder / "pieces.parquet", piece_schema(), compression="zstd"
        )
        self._waiting: list[dict[str, Any]] = []

    def add(self, tokens: bytes, columns: dict[str, Any]) -> None:
        """Append a piece: its tokens, and its columns but for shard, offset and length."""
        rows = len(tokens) // ROW_BYTES
        if self._stream is not None and self._rows + rows > self._shard_rows:
            self._close_shard()
        if self._stream is None:
            self._open_shard()
        place = {"shard": len(self._shards), "offset": self._rows, "length": rows}
        self._stream.write(tokens)
        self._digest.update(tokens)
        self._rows += rows
        self._waiting.append(columns | place)
        if len(self._waiting) == TABLE_ROWS:
            self._write_table()

    def close(self) -> list[Shard]:
        """Finish the last shard and the table, and say what was written."""
        self._write_table()
        self._table.close()
        if self._stream is not None:
            self._close_shard()
        return self._shards

    def _open_shard(self) -> None:
        path = self._folder / "tokens" / f"{len(self._shards):05}.bin"
        self._stream = path.open("wb", buffering=1 << 20)
        self._digest = hashlib.blake2b(digest_size=16)
        self._rows = 0

    def _close_shard(self) -> None:
        self._stream.close()
        self._stream = None
        name = f"tokens/{len(self._shards):05}.bin"
        self._shards.append(Shard(name, self._rows, self._digest.hexdigest()))

    def _write_table(self) -> None:
        import pyarrow as pa

        if self._waiting:
            schema = piece_schema()
            columns = {name: [row[name] for row in self._waiting] for name in schema.names}
            self._table.write_table(pa.table(columns, schema=schema))
            self._waiting = []


@dataclass(frozen=True)
class Index:
    """What `dataset.json` holds.

    Attributes:
        pieces: how many there are.
        shards: in order.
        files: the hashes of the other files, by name.
        format, version: of this kind of folder.
        dtype: of a token's fields.
        fields: of a token, in order.
    """

    pieces: int
    shards: tuple[Shard, ...]
    files: dict[str, str]
    format: str = FORMAT
    version: int = VERSION
    dtype: str = "<i2"
    fields: tuple[str, ...] = FIELDS


def write_index(folder: Path, shards: Iterable[Shard], pieces: int) -> None:
    """Write `dataset.json`, which makes a folder a dataset: last of all."""
    names = ["pieces.parquet", "tokenizer.json", "report.json", "report.html"]
    names += [name for name in (ENCODING, LEFT_OUT) if (folder / name).exists()]
    index = Index(pieces, tuple(shards), {name: file_hash(folder / name) for name in names})
    write_text(folder / "dataset.json", to_json(index, indent=1) + "\n")


def file_hash(path: Path) -> str:
    """The hash of a file as `dataset.json` keeps it."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_index(folder: Path) -> Index:
    """Read `dataset.json`.

    Raises:
        InputError: if the folder is no dataset, a damaged one, or one of another version.
    """
    path = folder / "dataset.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        what = "it is a file" if folder.is_file() else "it has no dataset.json"
        raise InputError(
            f"{folder} is not a dataset: {what}; make one with `musenet prepare`"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: it is not JSON") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"{path} does not describe a dataset of this program")
    if data.get("version") != VERSION:
        raise InputError(
            f"{folder} is a dataset of version {data.get('version')}, and this program reads "
            f"version {VERSION}; prepare it again"
        )
    index = from_data(Index, data, str(path))
    for shard in index.shards:
        file = folder / shard.file
        size = file.stat().st_size if file.is_file() else -1
        if size != shard.rows * ROW_BYTES:
            raise InputError(f"{file} is missing or cut short; prepare the dataset again")
    return index


def open_shards(folder: Path, index: Index) -> list[Tokens]:
    """The tokens of each shard, `(rows, 5)`, on disk until they are looked at."""
    return [
        np.asarray(np.memmap(folder / s.file, dtype="<i2", mode="r", shape=(s.rows, len(FIELDS))))
        for s in index.shards
    ]


def table_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of the table of pieces, in order.

    Raises:
        InputError: if it is missing or damaged.
    """
    import pyarrow.parquet as parquet

    with _readable(folder):
        for batch in parquet.ParquetFile(folder / "pieces.parquet").iter_batches(1024):
            yield from batch.to_pylist()


def piece_table(folder: Path, columns: Iterable[str]) -> Any:
    """Columns of the table of pieces, as an Arrow table.

    Raises:
        InputError: if it is missing or damaged.
    """
    import pyarrow.parquet as parquet

    with _readable(folder):
        return parquet.read_table(folder / "pieces.parquet", columns=list(columns))


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Within the context, a table of pieces that cannot be read is an InputError."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise InputError(
            f"the dataset {folder} is incomplete: it has no pieces.parquet; prepare it again"
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{folder / 'pieces.parquet'} cannot be read ({error}); prepare the dataset again"
        ) from error
