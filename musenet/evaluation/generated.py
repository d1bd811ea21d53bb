"""Evaluation of generated music: statistics compared with real music, and originality."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.sources.find import MidiFile, find_midi_files
from tokenizer import read
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.score.score import Score

from .inputs import dataset_pieces, dataset_tokenizer
from .likelihood import Piece
from .originality import COVERED, Library, Shared, steps_of
from .statistics import compare_statistics, statistics_of

NamedScore = tuple[str, Score]


def read_scores(paths: Sequence[Path]) -> list[NamedScore]:
    """The scores of all MIDI files in folders and archives that can be read and have notes.

    Raises:
        InputError: if there are none.
    """
    found: list[NamedScore] = []
    for file in find_midi_files(paths):
        found += _read(file)
    if not found:
        raise InputError(f"no MIDI file with notes found in {', '.join(map(str, paths))}")
    return found


def _read(file: MidiFile) -> list[NamedScore]:
    try:
        score = read(file.data if file.data is not None else str(file.path))
    except InputError:
        return []
    return [(file.name, score)] if len(score.notes) else []


def decoded(pieces: Iterable[Piece], tokenizer: Tokenizer) -> list[NamedScore]:
    """The scores of tokenized pieces: real music at the model's own resolution."""
    return [
        (piece.name, tokenizer.decode(np.concatenate([piece.prefix, piece.body])))
        for piece in pieces
    ]


def statistics_figures(made: Sequence[NamedScore], real: Sequence[NamedScore]) -> dict[str, Any]:
    """Every statistic of generated music beside that of real music, as plain data."""
    compared = compare_statistics(
        [statistics_of(s) for _, s in made], [statistics_of(s) for _, s in real]
    )
    return {
        "made": len(made),
        "real": len(real),
        "statistics": {
            name: {key: _plain(value) for key, value in part.items()}
            for name, part in compared.items()
        },
    }


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def originality_figures(
    made: Sequence[NamedScore], held_out: Sequence[Piece], dataset: Path
) -> dict[str, Any]:
    """The longest runs that generated music shares with a dataset's training split.

    They are compared with what held-out real music shares with it: a generated piece is `too_close`
    if its longest run is longer than that of 99 % of the held-out pieces.
    """
    tokenizer = dataset_tokenizer(dataset)
    vocabulary = tokenizer.vocabulary
    training = dataset_pieces(dataset, "train")
    library = Library((piece.name, steps_of(piece.body, vocabulary)) for piece in training)
    ours = library.shared([steps_of(tokenizer.body(score), vocabulary) for _, score in made])
    real = library.shared([steps_of(piece.body, vocabulary) for piece in held_out])
    usual = float(np.percentile([s.longest for s in real], 99))
    return {
        "library": len(training),
        "covered_means_more_than": COVERED,
        "made": _summary(ours),
        "held_out": _summary(real),
        "usual_longest": usual,
        "too_close": [
            {"name": name, "longest": s.longest, "at_note": s.at, "piece": s.name}
            for (name, _), s in zip(made, ours, strict=True)
            if s.longest > usual
        ],
    }


def _summary(found: Sequence[Shared]) -> dict[str, float]:
    longest = np.array([s.longest for s in found])
    return {
        "pieces": len(found),
        "median_longest": float(np.median(longest)),
        "percentile_99": float(np.percentile(longest, 99)),
        "longest": float(longest.max()),
        "mean_covered": float(np.mean([s.covered for s in found])),
    }
