"""Validation: the same held-out windows of every corpus, scored periodically.

The windows are chosen once, with a separate seed, so two validations or runs differ only in the
model. Every corpus contributes the same number of windows, so the mean does not depend on their
sizes.

Each task of the training mix has windows of its own besides: the bits of what is to be written
there, per note written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from data_prep.dataset.augment import NO_AUGMENTATION, Dropout
from data_prep.dataset.loops import Loops
from data_prep.dataset.pieces import Pieces
from data_prep.dataset.spelled import open_windows
from data_prep.dataset.tasks import Tasks
from musenet.evaluation.likelihood import (
    Conditions,
    Piece,
    PieceWindows,
    Scores,
    Span,
    SpelledWindows,
    WindowArrays,
    batch_nats,
    batch_of,
    count_notes,
)
from musenet.model.likelihood import BITS, Batch, field_nats
from musenet.model.transformer import Transformer
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.tokenizer import Tokenizer

from .batches import to_batch
from .metrics import MetricsRow, by_field
from .settings import Settings

_SEED = 20_190_425
_BATCH = 8


@dataclass(frozen=True)
class Validation:
    """Held-out windows by corpus, and by task."""

    tokenizer: Tokenizer
    windows: Mapping[str, Sequence[WindowArrays]]
    tasks: Mapping[str, Sequence[Batch]] = field(default_factory=dict)

    def scores(self, model: Transformer) -> dict[str, Scores]:
        """The scores of the windows of each corpus."""
        return {
            corpus: _score(model, self.tokenizer, windows)
            for corpus, windows in self.windows.items()
        }

    def task_bits(self, model: Transformer) -> dict[str, float]:
        """Bits per written note in the windows of each task."""
        return {task: _bits(model, batches) for task, batches in self.tasks.items()}


def choose_windows(
    pieces: Sequence[Piece],
    tokenizer: Tokenizer,
    *,
    context: int,
    windows: int,
    tasks: Mapping[str, Sequence[Batch]] | None = None,
    encoding: LearnedTokenizer | None = None,
) -> Validation:
    """Choose `windows` windows of each corpus, or all it has; those of tasks are `task_windows`.

    With an encoding they are windows of its ids.
    """
    by_corpus: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_corpus.setdefault(piece.source, []).append(piece)
    return Validation(
        tokenizer,
        {
            corpus: _choose(found, tokenizer, context, windows, encoding)
            for corpus, found in sorted(by_corpus.items())
        },
        tasks or {},
    )


_ONLY_METER = Dropout(
    composer=1.0,
    styles=1.0,
    instruments=1.0,
    tempo=1.0,
    time_signature=0.0,
    key=1.0,
    density=1.0,
    polyphony=1.0,
    everything=0.0,
    length=1.0,
)


def task_windows(
    dataset: Path, settings: Settings, split: str = "validation"
) -> dict[str, list[Batch]]:
    """Windows of every task in the training mix, as many as all corpora have together.

    Each has that task alone: no augmentation, no label but the meter (but for `labels`).
    """
    mix = {
        "fill": (Tasks(fill=1.0), Loops()),
        "accompany": (Tasks(accompany=1.0), Loops()),
        "labels": (Tasks(labels=1.0), Loops()),
        "chords": (Tasks(chords=1.0), Loops()),
        "loops": (Tasks(), Loops(rate=1.0, exact=1.0)),
    }
    return {
        name: _task_batches(dataset, split, settings, tasks, loops)
        for name, (tasks, loops) in mix.items()
        if getattr(settings, name) > 0
    }


def _task_batches(
    dataset: Path, split: str, settings: Settings, tasks: Tasks, loops: Loops
) -> list[Batch]:
    pieces = Pieces(dataset, split)
    rows: Counter[str] = Counter()
    for corpus, length in zip(pieces.corpora, pieces.lengths.tolist(), strict=True):
        rows[corpus] += length
    windows = open_windows(
        dataset,
        split,
        settings.context,
        seed=_SEED,
        weights={corpus: 1 / count for corpus, count in rows.items()},
        augmentation=NO_AUGMENTATION,
        dropout=_ONLY_METER,
        loops=loops,
        tasks=tasks,
        only_holes=True,
        pack=False,
    )
    count = -(-settings.validate_windows * len(rows) // _BATCH)
    return [to_batch(windows.batch(k, _BATCH)) for k in range(count)]


@torch.inference_mode()
def _bits(model: Transformer, batches: Sequence[Batch]) -> float:
    device = model.embedding.weight.device
    nats, notes = 0.0, 0
    for batch in batches:
        nats += float(field_nats(model, batch.to(device)).double().sum())
        notes += batch.notes
    return nats * BITS / max(1, notes)


def _choose(
    pieces: list[Piece],
    tokenizer: Tokenizer,
    context: int,
    windows: int,
    encoding: LearnedTokenizer | None,
) -> list[WindowArrays]:
    """Windows from as many pieces as possible, several per piece only if there are too few."""
    generator = np.random.default_rng(_SEED)
    cut: list[PieceWindows | SpelledWindows]
    if encoding is None:
        cut = [PieceWindows(piece, tokenizer, Conditions()) for piece in pieces]
    else:
        cut = [SpelledWindows(piece, encoding) for piece in pieces]
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


def validation_row(
    scores: Mapping[str, Scores], tasks: Mapping[str, float] | None = None
) -> MetricsRow:
    """The figures of a validation: in total, by corpus, and bits per written note by task."""
    total = Scores(
        np.concatenate([s.nats for s in scores.values()]),
        np.concatenate([s.notes for s in scores.values()]),
    )
    return {
        "bits_per_note": round(total.bits_per_note, 4),
        "per_field": by_field(list(total.per_field.values())),
        "per_source": {name: round(s.bits_per_note, 4) for name, s in scores.items()},
        "per_task": {name: round(bits, 4) for name, bits in (tasks or {}).items()},
    }
