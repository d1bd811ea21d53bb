"""A dataset folder in formats that other libraries read.

    parquet   TRAIN.parquet, …: a row per piece, all columns of the table and its tokens
    jsonl     the same as lines of JSON
    hf        data/train.parquet, … and a card, as Hugging Face `datasets` and its Hub read them

`tokenizer.json` goes along, so that the tokens can be read back.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from data_prep.sources.manifest import SPLITS
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError, unknown
from tokenizer.files import replacing_folder

from .shards import TABLE_ROWS, open_shards, piece_schema, read_index, table_rows

FORMATS = ("parquet", "jsonl", "hf")
_LEFT_OUT = ("shard", "offset", "content_hash", "fingerprint")
"""Columns that mean something in a dataset folder only."""

Write = Callable[[list[dict[str, Any]]], None]


def export(folder: str | os.PathLike[str], out: str | os.PathLike[str], to: str) -> dict[str, int]:
    """Write the pieces of a dataset with their tokens; returns the pieces of each split.

    Args:
        folder: the dataset.
        out: the folder to write, which must not exist.
        to: one of `FORMATS`.

    Raises:
        InputError: if the folder is no dataset, the format is unknown, or `out` exists.
    """
    source, target = Path(folder), Path(out)
    if to not in FORMATS:
        raise unknown("format", to, FORMATS)
    if target.exists():
        raise InputError(f"{target} already exists; choose another folder")
    read_index(source)
    with replacing_folder(target) as fresh:
        data = fresh / "data" if to == "hf" else fresh
        data.mkdir(exist_ok=True)
        counts = _write_splits(source, data, "jsonl" if to == "jsonl" else "parquet")
        shutil.copyfile(source / "tokenizer.json", fresh / "tokenizer.json")
        if to == "hf":
            card = _card(target.name, source, counts)
            (fresh / "README.md").write_text(card, encoding="utf-8")
    return counts


def _write_splits(source: Path, data: Path, kind: str) -> dict[str, int]:
    """Write every split that has pieces, a row group of pieces at a time."""
    writer = {"parquet": _parquet, "jsonl": _jsonl}[kind]
    counts: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        writes: dict[str, Write] = {}
        rows = _rows(source)
        while group := list(islice(rows, TABLE_ROWS)):
            for split in SPLITS:
                own = [row for row in group if row["split"] == split]
                if not own:
                    continue
                if split not in writes:
                    writes[split] = stack.enter_context(writer(data / f"{split}.{kind}"))
                writes[split](own)
                counts[split] = counts.get(split, 0) + len(own)
    return counts


def _rows(source: Path) -> Iterator[dict[str, Any]]:
    """Every piece as a row of the table with its tokens, `(T, 5)`."""
    shards = open_shards(source, read_index(source))
    for row in table_rows(source):
        tokens = shards[row["shard"]][row["offset"] : row["offset"] + row["length"]]
        kept = {name: value for name, value in row.items() if name not in _LEFT_OUT}
        yield {**kept, "tokens": tokens}


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    kept = [field for field in piece_schema() if field.name not in _LEFT_OUT]
    schema = pa.schema([*kept, ("tokens", pa.list_(pa.list_(pa.int16(), len(FIELDS))))])
    with parquet.ParquetWriter(path, schema, compression="zstd") as stream:

        def write(rows: list[dict[str, Any]]) -> None:
            plain = {name: [row[name] for row in rows] for name in schema.names}
            plain["tokens"] = [row["tokens"].tolist() for row in rows]
            stream.write_table(pa.table(plain, schema=schema))

        yield write


@contextlib.contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="\n") as stream:

        def write(rows: list[dict[str, Any]]) -> None:
            for row in rows:
                plain = {**row, "tokens": row["tokens"].tolist()}
                stream.write(json.dumps(plain, ensure_ascii=False) + "\n")

        yield write


def _card(name: str, source: Path, counts: dict[str, int]) -> str:
    """The README of a dataset on the Hub: what its files are, as YAML and in words."""
    licences = json.loads((source / "report.json").read_text(encoding="utf-8"))["licences"]
    files = "".join(f"  - split: {split}\n    path: data/{split}.parquet\n" for split in counts)
    listed = "".join(f"- {licence or 'not stated'}: {n:,}\n" for licence, n in licences.items())
    return (
        f"---\npretty_name: {name}\ntags:\n- music\n- midi\nconfigs:\n- config_name: default\n"
        f"  data_files:\n{files}---\n\n# {name}\n\n"
        f"{sum(counts.values()):,} pieces of music as tokens, "
        "exported by `musenet dataset export`. `tokens` has a row per note, "
        f"({', '.join(FIELDS)}); `tokenizer.json` says what the values mean:\n\n"
        "```python\nfrom tokenizer import Tokenizer\n\n"
        'score = Tokenizer.load("tokenizer.json").decode(np.array(row["tokens"], np.int16))\n```\n'
        f"\nPieces by licence:\n\n{listed}"
    )
