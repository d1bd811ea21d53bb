"""Verifying a dataset folder: every byte against its hash, every piece against the table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.sources.manifest import SPLITS
from data_prep.worker.worker import content_hash
from tokenizer import InputError, Tokenizer
from tokenizer.typing import Tokens

from .shards import Index, file_hash, open_shards, read_index, table_rows


def verify(folder: str | os.PathLike[str]) -> list[str]:
    """The problems of a dataset, one sentence each; empty if it is undamaged.

    Raises:
        InputError: if the folder is no dataset or lacks a shard.
    """
    path = Path(folder)
    index = read_index(path)
    return list(_problems(path, index))


def _problems(folder: Path, index: Index) -> Iterator[str]:
    for name, expected in index.files.items():
        if not (folder / name).is_file():
            yield f"{name} is missing"
        elif file_hash(folder / name) != expected:
            yield f"{name} is damaged"
    damaged = [s.file for s in index.shards if file_hash(folder / s.file) != s.blake2b]
    yield from (f"{file} is damaged" for file in damaged)
    try:
        yield from _piece_problems(folder, index)
    except (InputError, OSError, ValueError) as error:
        yield f"the table of pieces cannot be read: {error}"


def _piece_problems(folder: Path, index: Index) -> Iterator[str]:
    """Pieces that are not where the table says, or not what they were."""
    sizes = np.array(Tokenizer.load(folder / "tokenizer.json").vocabulary.sizes)
    shards = open_shards(folder, index)
    reached = [0] * len(shards)
    pieces = 0
    for row in table_rows(folder):
        pieces += 1
        problem = _piece_problem(row, shards, reached, sizes)
        if problem:
            yield f"{row['corpus']}/{row['source']} {problem}"
    if pieces != index.pieces:
        yield f"pieces.parquet has {pieces:,} pieces; dataset.json says {index.pieces:,}"
    for shard, rows in zip(index.shards, reached, strict=True):
        if rows != shard.rows:
            yield f"{shard.file} has {shard.rows:,} rows; the pieces in it have {rows:,}"


def _piece_problem(
    row: dict[str, Any], shards: list[Tokens], reached: list[int], sizes: np.ndarray
) -> str:
    """What is wrong with a piece, or nothing; `reached` grows by its rows."""
    number, offset, length = row["shard"], row["offset"], row["length"]
    if number >= len(shards) or offset != reached[number]:
        return "is not where the piece before it ends"
    tokens = np.asarray(shards[number][offset : offset + length])
    reached[number] += length
    if len(tokens) != length:
        return "continues past the end of its shard"
    if content_hash(tokens.tobytes(), row["time_signature"], row["tempo"]) != row["content_hash"]:
        return "is damaged: its tokens have another hash"
    if ((tokens < 0) | (tokens >= sizes)).any():
        return "has a value that the vocabulary lacks"
    return "" if row["split"] in SPLITS else f"is in a split called '{row['split']}'"
