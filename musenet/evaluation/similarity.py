"""How alike bars are, by how far they are apart: L(t) and the similarity error of Museformer.

    l(i, j) = |N(i) ∩ N(j)| / |N(i) ∪ N(j)|
    L(t)    = mean of l(i, i + t) over all pairs of bars t apart, of all pieces
    SE      = mean over t of |L(t) − L(t) of real music|

N(i) holds the notes of bar i, which are the same if their onset in the bar, pitch and duration are;
drums and pitched notes never are. Of two empty bars, l is 1. Source: Yu et al. 2022, "Museformer"
(NeurIPS; arXiv:2210.10349).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.score.score import Score
from tokenizer.typing import Floats, Ints, Mask

from .statistics import BarGrid

LAGS = 40
"""Distances between bars: t is 1 to 40."""

_LONGEST = 1 << 13
"""Steps to which durations and onsets in a bar are cut: 340 quarter notes."""


def bar_notes(score: Score, bars: int | None = None) -> Mask:
    """Which notes each bar has, `(bars, different notes)`.

    Args:
        score: the music; times are rounded to the grid of `BarGrid`.
        bars: how many bars to take; by default up to the last in which a note begins.
    """
    grid = BarGrid.of(score)
    count = len(grid.lines) - 1 if bars is None else bars
    inside = grid.bar < count
    bar, notes = grid.bar[inside], grid.score.notes[inside]
    fields = (
        (grid.start[inside] - grid.lines[bar]).clip(0, _LONGEST - 1),
        notes["duration"].astype(np.int64).clip(0, _LONGEST - 1),
        notes["pitch"].astype(np.int64),
        grid.pitched[inside].astype(np.int64),
    )
    code = np.ravel_multi_index(fields, (_LONGEST, _LONGEST, 128, 2))
    different, column = np.unique(code, return_inverse=True)
    found = np.zeros((count, len(different)), dtype=bool)
    found[bar, column] = True
    return found


def jaccard(bars: Mask, others: Mask) -> Floats:
    """Notes in both over notes in either, of each bar `(m, N)` and each other `(n, N)`: `(m, n)`.

    Two empty bars have 1.
    """
    a, b = bars.astype(np.float32), others.astype(np.float32)
    both = a @ b.T
    either = a.sum(axis=1)[:, None] + b.sum(axis=1)[None] - both
    return np.asarray(np.where(either > 0, both / np.maximum(either, 1), 1.0))


@dataclass(frozen=True)
class LagSums:
    """Sums of l(i, i + t) and numbers of pairs by t, `(lags,)`, from t = 1."""

    sums: Floats
    pairs: Ints

    @property
    def curve(self) -> Floats:
        """L(t) for t from 1; NaN where no bars are so far apart."""
        mean: Floats = np.divide(
            self.sums, self.pairs, out=np.full(len(self.sums), np.nan), where=self.pairs > 0
        )
        return mean


def lag_sums(bars: Mask, lags: int = LAGS, first: int = 0) -> LagSums:
    """The similarities of the pairs of bars whose later one is bar `first` or a later one."""
    table = jaccard(bars, bars)
    sums, pairs = np.zeros(lags), np.zeros(lags, dtype=np.int64)
    for t in range(1, min(lags, len(bars) - 1) + 1):
        found = np.diagonal(table, t)[max(0, first - t) :]
        sums[t - 1], pairs[t - 1] = found.sum(), len(found)
    return LagSums(sums, pairs)


def similarity_by_lag(pieces: Sequence[LagSums]) -> Floats:
    """L(t) over the pairs of all pieces, `(lags,)`."""
    return LagSums(
        np.sum([piece.sums for piece in pieces], axis=0),
        np.sum([piece.pairs for piece in pieces], axis=0),
    ).curve


def similarity_error(curve: Floats, real: Floats) -> float:
    """SE: the mean of |L(t) − L(t) of real music| over the t at which both are known."""
    return float(np.nanmean(np.abs(curve - real)))
