"""Manifests: tables with each file's composer, title, style and licence.

A manifest is JSON lines, CSV or Parquet with a column `file`; every other column is optional and is
read by `label`. During a run the rows are stored in a small database on disk, because an archive
may contain its manifest after its files and because a corpus may have more rows than fit in memory.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizer.errors import InputError

ManifestRow = dict[str, Any]

MANIFEST_SUFFIXES = (".jsonl", ".csv", ".parquet")
MANIFEST_NAMES = tuple(f"manifest{suffix}" for suffix in MANIFEST_SUFFIXES)

SPLITS = ("train", "validation", "test")

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "eval": "test",
}

_FILE_COLUMNS = ("file", "path", "filename", "midi_filename")


def file_of(row: ManifestRow) -> str:
    """The file that a manifest row is about, as the manifest writes it.

    Raises:
        InputError: if no column names a file.
    """
    for column in _FILE_COLUMNS:
        if row.get(column):
            return str(row[column]).replace("\\", "/")
    raise InputError(
        f"there is no column 'file', or nothing in it; the columns are {', '.join(map(str, row))}"
    )


def split_name(written: str) -> str | None:
    """`train`, `validation` or `test` for what a source calls it, None for nothing.

    Raises:
        InputError: for a name that is none of them.
    """
    if not written:
        return None
    known = _SPLIT_NAMES.get(written.strip().casefold())
    if known is None:
        raise InputError(
            f"there is no split called '{written}'; it is {', '.join(SPLITS)}, or empty"
        )
    return known


def read_manifest(path: Path) -> Iterator[ManifestRow]:
    """The rows of a manifest, as dictionaries from column to value.

    Raises:
        InputError: if the file is not what its suffix says.
    """
    if path.suffix == ".parquet":
        with path.open("rb") as stream:
            yield from _parquet_rows(stream, str(path))
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield from _text_rows(text, str(path), path.suffix)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason}") from error


def read_manifest_bytes(data: bytes, where: str, name: str) -> Iterator[ManifestRow]:
    """The rows of a manifest that was found inside an archive.

    Raises:
        InputError: if it is not UTF-8 text, or a line is not a JSON object.
    """
    if name.endswith(".parquet"):
        yield from _parquet_rows(io.BytesIO(data), where)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text: {error.reason}") from error
    yield from _text_rows(io.StringIO(text, newline=""), where, Path(name).suffix)


def _text_rows(text: Any, where: str, suffix: str) -> Iterator[ManifestRow]:
    if suffix == ".csv":
        try:
            yield from _with_file(csv.DictReader(text), where)
        except csv.Error as error:
            raise InputError(f"{where} is not a CSV file: {error}") from error
        return
    yield from _with_file(_json_rows(text, where), where)


def _with_file(rows: Iterable[ManifestRow], where: str) -> Iterator[ManifestRow]:
    """Rows as they are, each of which names a file and, if any, a known split.

    Raises:
        InputError: if one names no file, or a split that there is not.
    """
    for number, row in enumerate(rows, start=1):
        try:
            file_of(row)
            split_name(str(row.get("split") or "").strip())
        except InputError as error:
            raise InputError(f"{where}, row {number}: {error}") from error
        yield row


def _json_rows(text: Any, where: str) -> Iterator[ManifestRow]:
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            what = getattr(error, "msg", "it is nested too deeply")
            raise InputError(f"{where} line {number} is not JSON: {what}") from error
        if not isinstance(row, dict):
            raise InputError(f"{where} line {number} is not a JSON object")
        yield row


def _parquet_rows(stream: Any, where: str) -> Iterator[ManifestRow]:
    import pyarrow
    import pyarrow.parquet as parquet

    try:
        table = parquet.ParquetFile(stream)
        for batch in table.iter_batches(1024):
            yield from _with_file(batch.to_pylist(), where)
    except pyarrow.ArrowInvalid as error:
        raise InputError(f"{where} is not a Parquet file: {error}") from error


class ManifestStore:
    """Manifest rows on disk, by corpus and file; a later row of the same file wins.

    A row with only its file, as in a plain list of files, is not stored.
    """

    def __init__(self, path: Path) -> None:
        self.is_empty = True
        self._database = sqlite3.connect(path)
        self._database.execute("pragma journal_mode = off")
        self._database.execute("pragma synchronous = off")
        self._database.execute(
            "create table if not exists manifest "
            "(corpus text, name text, row text, matched integer default 0, "
            "primary key (corpus, name)) without rowid"
        )

    def put(self, corpus: str, name: str, row: ManifestRow) -> None:
        """Store a row."""
        corpus, name = (
            text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            for text in (corpus, name)
        )
        if not any(value for column, value in row.items() if column not in _FILE_COLUMNS):
            return
        self.is_empty = False
        self._database.execute(
            "insert or replace into manifest (corpus, name, row) values (?, ?, ?)",
            (corpus, name, json.dumps(row, default=str)),
        )

    def get(self, corpus: str, name: str) -> ManifestRow:
        """The row of a file, or an empty one."""
        if self.is_empty:
            return {}
        found = self._database.execute(
            "select row from manifest where corpus = ? and name = ?", (corpus, name)
        ).fetchone()
        return {} if found is None else json.loads(found[0])

    def mark(self, files: Iterable[tuple[str, str]]) -> None:
        """Note that files, by corpus and name, exist."""
        self._database.executemany(
            "update manifest set matched = 1 where corpus = ? and name = ?", files
        )

    def unmatched(self) -> Iterator[tuple[str, int, list[str]]]:
        """Each corpus with rows without a file: its name, its number of rows, and their files."""
        counts = self._database.execute(
            "select corpus, count(*), sum(matched) from manifest group by corpus order by corpus"
        )
        for corpus, rows, matched in counts.fetchall():
            if matched < rows:
                names = self._database.execute(
                    "select name from manifest where corpus = ? and matched = 0 order by name",
                    (corpus,),
                )
                yield corpus, rows, [name for (name,) in names]

    def __enter__(self) -> ManifestStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
