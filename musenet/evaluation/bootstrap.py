"""Intervals by the percentile bootstrap (Efron & Tibshirani 1993, ch. 13).

Whole pieces are resampled, or whole groups of pieces from one prompt, because the notes of one
piece are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.typing import Floats, Ints

Interval = tuple[float, float]

DRAWS = 2000
_PERCENTILES = (2.5, 97.5)


def bootstrap(
    values: Floats,
    weights: Ints | None = None,
    *,
    size: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of a mean, or of a ratio of sums, over resampled items.

    Args:
        values: of each item, `(N,)`.
        weights: where given, the figure is Σ values / Σ weights, such as the bits of pieces over
            their notes; else it is the mean of the values.
        size: items per resample; by default as many as there are.
        draws: number of resamples.
        seed: random seed.
    """
    picks = resamples(len(values), size=size, draws=draws, seed=seed)
    if weights is None:
        return interval(values[picks].mean(axis=1))
    return interval(values[picks].sum(axis=1) / weights[picks].sum(axis=1).clip(1))


def resamples(count: int, *, size: int | None = None, draws: int = DRAWS, seed: int = 0) -> Ints:
    """Indices of items drawn with replacement out of `count`, `(draws, size)`."""
    return np.random.default_rng(seed).integers(0, count, (draws, size or count))


def interval(statistics: Sequence[float] | Floats) -> Interval:
    """The middle 95 % of a statistic's values over all draws."""
    low, high = np.percentile(statistics, _PERCENTILES)
    return float(low), float(high)
