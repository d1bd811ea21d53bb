"""Validation: the same held-out windows of every corpus, scored periodically.

The windows are chosen once, with a separate seed, so two validations or runs differ only in the
model. Every corpus contributes the same number of windows, so the mean does not depend on their
sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from musenet.evaluation.likelihood import (
    Conditions,
    Piece,
    PieceWindows,
    Scores,
    Span,
    WindowArrays,
    batch_nats,
    batch_of,
    count_notes,
)
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer

from .metrics import MetricsRow, by_field

_SEED = 20_190_425
_BATCH = 8


@dataclass(frozen=True)
class Validation:
    """Held-out windows by corpus."""

    tokenizer: Tokenizer
    windows: Mapping[str, Sequence[WindowArrays]]

    def scores(self, model: Transformer) -> dict[str, Scores]:
        """The scores of the windows of each corpus."""
        return {
            corpus: _score(model, self.tokenizer, windows)
            for corpus, windows in self.windows.items()
        }


def choose_windows(
    pieces: Sequence[Piece], tokenizer: Tokenizer, *, context: int, windows: int
) -> Validation:
    """Choose `windows` windows of each corpus, or all it has."""
    by_corpus: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_corpus.setdefault(piece.source, []).append(piece)
    return Validation(
        tokenizer,
        {
            corpus: _choose(found, tokenizer, context, windows)
            for corpus, found in sorted(by_corpus.items())
        },
    )


def _choose(
    pieces: list[Piece], tokenizer: Tokenizer, context: int, windows: int
) -> list[WindowArrays]:
    """Windows from as many pieces as possible, several per piece only if there are too few."""
    generator = np.random.default_rng(_SEED)
    cut = [PieceWindows(piece, tokenizer, Conditions()) for piece in pieces]
    left = [_shuffled(one.spans(context), generator) for one in cut]
    chosen: list[WindowArrays] = []
    order = generator.permutation(len(pieces)).tolist()
    while len(chosen) < windows and any(left):
        for index in order:
            if left[index] and len(chosen) < windows:
                chosen.append(cut[index].arrays(left[index].pop()))
    return chosen


def _shuffled(found: list[Span], generator: np.random.Generator) -> list[Span]:
    return [found[i] for i in generator.permutation(len(found)).tolist()]


def _score(model: Transformer, tokenizer: Tokenizer, windows: Sequence[WindowArrays]) -> Scores:
    nats, notes = [], []
    for i in range(0, len(windows), _BATCH):
        group = windows[i : i + _BATCH]
        nats.append(batch_nats(model, batch_of(group)).sum(axis=1))
        notes += [count_notes(window, tokenizer.vocabulary) for window in group]
    return Scores(np.concatenate(nats), np.array(notes))


def validation_row(scores: Mapping[str, Scores]) -> MetricsRow:
    """The figures of a validation, in total and by corpus."""
    total = Scores(
        np.concatenate([s.nats for s in scores.values()]),
        np.concatenate([s.notes for s in scores.values()]),
    )
    return {
        "bits_per_note": round(total.bits_per_note, 4),
        "per_field": by_field(list(total.per_field.values())),
        "per_source": {name: round(s.bits_per_note, 4) for name, s in scores.items()},
    }
