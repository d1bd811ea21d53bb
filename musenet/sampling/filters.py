"""Sampling values from logits: temperature, top-k, top-p and min-p, for a batch of rows.

The arithmetic is NumPy in float64, independent for each row, and every row has its own uniform
number: what is sampled for a row does not depend on the other rows. The filters apply in the usual
order: mask, temperature, min-p (Nguyen et al. 2024, arXiv:2407.01082), top-k (Fan et
al. 2018, arXiv:1805.04833), top-p (Holtzman et al. 2020, arXiv:1904.09751).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Floats, Ints, Logits, Mask


@dataclass(frozen=True)
class FieldFilter:
    """How the values of a field are filtered before one is sampled.

    Attributes:
        temperature: 1 is the model's distribution, lower is more predictable, 0 is greedy.
        top_k: sample only from the k most likely values; 0 means all.
        top_p: sample only from the smallest set with this probability mass.
        min_p: sample only values at least this fraction as likely as the most likely one.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Reject settings out of range."""
        if not 0 <= self.temperature <= 10:
            raise InputError(
                f"temperature {self.temperature:g} is outside 0 to 10; 1 is the default"
            )
        if self.top_k < 0:
            raise InputError(f"top-k {self.top_k} is negative; give 1 or more, or 0 for all")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top-p {self.top_p:g} is outside 0 to 1; 1 keeps everything")
        if not 0 <= self.min_p <= 1:
            raise InputError(f"min-p {self.min_p:g} is outside 0 to 1; 0 keeps everything")


def filtered(logits: Logits, allowed: Mask, how: FieldFilter) -> Floats:
    """Probabilities `(B, V)` after mask, temperature and filters; each row sums to 1.

    Args:
        logits: `(B, V)`, unnormalised log probabilities.
        allowed: `(B, V)`; at least one value per row.
        how: the filters. Temperature 0 leaves only the most likely value.

    Raises:
        InputError: if the logits are not finite, as with damaged weights.
    """
    weights = _weights(logits, allowed, how)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def draw(
    logits: Logits,
    allowed: Mask,
    how: FieldFilter,
    uniform: Floats,
) -> Ints:
    """Sample one value per row, `(B,)`, by inverting the distribution function.

    Args:
        logits: `(B, V)`.
        allowed: `(B, V)`; at least one value per row.
        how: the filters.
        uniform: `(B,)` numbers in [0, 1), one per row.

    Raises:
        InputError: if the logits are not finite.
    """
    cumulative = np.add.accumulate(_weights(logits, allowed, how), axis=1)
    # A value without weight is never chosen: its cumulative sum is that of the value before.
    target = uniform[:, None] * cumulative[:, -1:]
    return (cumulative > target).argmax(axis=1)


def _weights(logits: Logits, allowed: Mask, how: FieldFilter) -> Floats:
    """The result of `filtered`, unnormalised."""
    z = np.where(allowed, logits, -np.inf).astype(np.float64, copy=False)
    top = np.maximum.reduce(z, axis=1, keepdims=True)
    if not math.isfinite(np.add.reduce(top, axis=None)):
        raise InputError(
            "the model's output is not finite: its weights are damaged; download them again"
        )
    z -= top
    if how.temperature == 0:
        likeliest = np.zeros_like(z)
        likeliest[np.arange(len(z)), z.argmax(axis=1)] = 1.0
        return likeliest
    if how.temperature != 1:
        z /= how.temperature
    p = np.exp(z, out=z)
    if how.min_p > 0:
        p[p < how.min_p] = 0.0
    if 0 < how.top_k < p.shape[1] or how.top_p < 1:
        _keep_top(p, how.top_k, how.top_p)
    return p


def _keep_top(p: Floats, top_k: int, top_p: float) -> None:
    """Keep the k most likely values, then the smallest set with mass top_p; ties by value."""
    falling = -p  # negative, so that the most likely come first
    ranked = np.sort(falling, axis=1)
    if 0 < top_k < p.shape[1]:
        ranked[:, top_k:] = 0.0
    before = np.add.accumulate(ranked, axis=1)
    enough = top_p * before[:, -1:]
    before -= ranked
    inside = before > enough
    least = np.maximum.reduce(np.where(inside, ranked, -np.inf), axis=1, keepdims=True)
    kept = falling <= least
    if np.count_nonzero(kept) == np.count_nonzero(inside):
        p *= kept
        return
    # Of the values tied with the last one kept, the first are kept.
    ranked[~inside] = 0.0
    np.put_along_axis(p, np.argsort(falling, axis=1, kind="stable"), -ranked, axis=1)
