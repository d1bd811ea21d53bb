"""Merging datasets: one folder out of several, with splits that stay leak-proof.

Tokens are copied as they are. A piece that two datasets have is kept once; a piece in the training
split of one whose arrangement another holds out is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep.corpus.decide import Plan, Survey, decide
from data_prep.corpus.sketch_store import SketchStore
from data_prep.dataset.shards import open_shards, read_index, table_rows
from data_prep.report.report import DatasetReport
from data_prep.sources.label import Metadata
from data_prep.worker.worker import FileRecord
from tokenizer import InputError, Tokenizer

from .output import DatasetWriter, work_folder

OPEN_KINDS = ("style:", "composer:")


def merge(
    folders: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
) -> DatasetReport:
    """Write the pieces of several datasets as one.

    Every piece keeps its split. The vocabulary is the first dataset's, with the labels of the
    others added.

    Args:
        folders: dataset folders; where they share a piece, the first one's is kept.
        out: the folder to write.
        overwrite: whether a finished dataset in `out` is replaced.

    Raises:
        InputError: if a folder is no dataset, or their tokens do not mean the same.
    """
    paths = [Path(folder) for folder in folders]
    for path in paths:
        read_index(path)
    tokenizer = merged_tokenizer(paths)
    with work_folder(Path(out), overwrite=overwrite) as work:
        with SketchStore(work / "sketches") as sketches:
            survey = Survey(sketches)
            for record, metadata in _pieces(paths, tokens=False):
                survey.add(record, metadata, stated_splits=True)
            decisions = decide(survey, Plan(), work)
        labels = tuple(c for c in tokenizer.vocabulary.controls if c.startswith(OPEN_KINDS))
        output = DatasetWriter(work, replace(decisions, labels=labels), tokenizer)
        for record, metadata in _pieces(paths, tokens=True):
            output.add(record, metadata)
        output.finish(Path(out))
    return output.report


def merged_tokenizer(paths: Sequence[Path]) -> Tokenizer:
    """The first dataset's tokenizer with the labels of all.

    Raises:
        InputError: if the tokens of two datasets do not mean the same.
    """
    tokenizers = [Tokenizer.load(path / "tokenizer.json") for path in paths]
    first = tokenizers[0]
    for path, other in zip(paths, tokenizers, strict=True):
        if _closed(first) != _closed(other):
            raise InputError(
                f"{path} was made with another tokenizer than {paths[0]}; "
                "prepare one of them again with the other's tokenizer.json"
            )
        first = first.extended(
            label for label in other.vocabulary.controls if label.startswith(OPEN_KINDS)
        )
    return first


def _closed(tokenizer: Tokenizer) -> dict[str, Any]:
    """All that decides what a body's tokens mean."""
    plain = tokenizer.to_json()
    plain["controls"] = [c for c in plain["controls"] if not c.startswith(OPEN_KINDS)]
    return plain


def _pieces(paths: Sequence[Path], *, tokens: bool) -> Iterator[tuple[FileRecord, Metadata]]:
    """Every piece of every dataset in order, with or without its tokens."""
    for path in paths:
        shards = open_shards(path, read_index(path))
        for row in table_rows(path):
            rows = shards[row["shard"]][row["offset"] : row["offset"] + row["length"]]
            yield _record(row, rows.tobytes() if tokens else b""), _metadata(row)


def _record(row: dict[str, Any], tokens: bytes) -> FileRecord:
    return FileRecord(
        corpus=row["corpus"],
        name=row["source"],
        notes=row["notes"],
        rows=row["length"],
        clipped=row["clipped"],
        quarters=row["quarters"],
        seconds=row["seconds"],
        instruments=tuple(row["instruments"]),
        tempo=row["tempo"],
        time_signature=row["time_signature"],
        fifths=row["key_fifths"],
        minor=row["key_minor"],
        content_hash=row["content_hash"],
        sketch=row["fingerprint"],
        tokens=tokens,
    )


def _metadata(row: dict[str, Any]) -> Metadata:
    return Metadata(
        row["composer"], row["title"], tuple(row["styles"]), row["licence"], row["split"]
    )
