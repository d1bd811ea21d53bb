"""Pieces to score: from a split of a dataset, or from folders and archives of MIDI."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep.dataset.pieces import Pieces
from data_prep.dataset.shards import read_index
from data_prep.sources.find import find_midi_files
from data_prep.worker.clean import Thresholds
from data_prep.worker.worker import FileRecord, Preprocessing, examine
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.instruments import name as program_name
from tokenizer.labels import Labels
from tokenizer.typing import Tokens

from .likelihood import Piece

_ANY_MUSIC = Thresholds(
    min_notes=1,
    min_seconds=0.0,
    max_seconds=float("inf"),
    max_notes=2**31,
    max_repeated=1.0,
    max_notes_per_second=2**31,
    max_silence=float("inf"),
    max_out_of_range=1.0,
)
"""No cleaning rules: only files that cannot be read or have no notes are left out."""


@dataclass(frozen=True)
class Found:
    """Pieces, and the files that could not be read, with reasons."""

    pieces: tuple[Piece, ...]
    refused: dict[str, str]


def is_dataset(path: Path) -> bool:
    """Whether a folder is a dataset that `musenet prepare` wrote."""
    return (path / "dataset.json").is_file()


def find_pieces(paths: Sequence[Path], tokenizer: Tokenizer, split: str) -> Found:
    """The pieces of folders, archives, files and datasets (of a dataset, one split).

    Raises:
        InputError: if a path does not exist or holds no music, or a dataset has other tokens.
    """
    pieces: list[Piece] = []
    for path in paths:
        if is_dataset(path):
            check_same(tokenizer, dataset_tokenizer(path), path)
            pieces += dataset_pieces(path, split, tokenizer)
    folders = [os.fspath(path) for path in paths if not is_dataset(path)]
    found = _midi_pieces(folders, tokenizer) if folders else Found((), {})
    result = Found((*pieces, *found.pieces), found.refused)
    if not result.pieces:
        first = next(iter(result.refused.items()), None)
        why = f"; {first[0]}: {first[1]}" if first else ""
        raise InputError(f"no music to score in {', '.join(map(str, paths))}{why}")
    return result


def check_same(model: Tokenizer, dataset: Tokenizer, path: Path) -> None:
    """Reject a dataset whose tokens have a different meaning than the model's.

    Composers and styles may differ: they are not predicted.
    """
    ours, theirs = model.to_json(), dataset.to_json()
    for key in ours.keys() - {"controls"}:
        if ours[key] != theirs[key]:
            raise InputError(
                f"{path} was tokenized with {key} {theirs[key]}, but the model needs {ours[key]}; "
                "give the folder of MIDI files instead"
            )


def dataset_tokenizer(dataset: Path) -> Tokenizer:
    """The tokenizer of a dataset folder."""
    read_index(dataset)
    return Tokenizer.load(dataset / "tokenizer.json")


def dataset_pieces(dataset: Path, split: str, tokenizer: Tokenizer | None = None) -> list[Piece]:
    """The pieces of one split of a dataset, in the order of its table.

    Args:
        dataset: the folder.
        split: train, validation or test.
        tokenizer: of the model that reads the prefixes, whose composers and styles may be others;
            by default the dataset's.

    Raises:
        InputError: if there is no such split, or nothing is in it.
    """
    held = Pieces(dataset, split)
    return [
        _piece(
            f"{held.corpora[i]}/{held.sources[i]}",
            held.corpora[i],
            held.labels(i),
            held.tokens(i),
            tokenizer or held.tokenizer,
        )
        for i in range(len(held))
    ]


def _midi_pieces(paths: Iterable[str], tokenizer: Tokenizer) -> Found:
    preprocessing = Preprocessing(tokenizer, _ANY_MUSIC)
    pieces: list[Piece] = []
    refused: dict[str, str] = {}
    for file in find_midi_files(list(paths)):
        record = examine(file, preprocessing)
        name = f"{record.corpus}/{record.name}"
        if record.refused:
            refused[name] = record.detail or record.refused
        else:
            pieces.append(_piece_of_record(name, record, tokenizer))
    return Found(tuple(pieces), refused)


def _piece_of_record(name: str, record: FileRecord, tokenizer: Tokenizer) -> Piece:
    labels = Labels(
        instruments=record.instruments,
        tempo=record.tempo,
        time_signature=_meter(record.time_signature),
        key=None if record.fifths is None else (record.fifths, bool(record.minor)),
    )
    body = np.frombuffer(record.tokens, dtype="<i2").reshape(-1, len(FIELDS)).astype(np.int16)
    return _piece(name, record.corpus, labels, body, tokenizer)


def _piece(name: str, corpus: str, labels: Labels, body: Tokens, tokenizer: Tokenizer) -> Piece:
    return Piece(
        name=name,
        source=corpus,
        prefix=tokenizer.prefix(labels),
        body=body,
        composer=labels.composer,
        instruments=tuple(program_name(program) for program in labels.instruments),
    )


def _meter(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    numerator, _, denominator = text.partition("/")
    return int(numerator), int(denominator)
