"""Drawing values from logits: temperature, top-k, top-p and min-p, for a batch of rows at once.

The arithmetic is NumPy in float64, row by row independent, and every row brings its own uniform
number: what is drawn for a row does not depend on which rows stand beside it. The filters act in
the usual order: mask, temperature, min-p (Nguyen et al. 2024, arXiv:2407.01082), top-k (Fan et
al. 2018, arXiv:1805.04833), top-p (Holtzman et al. 2020, arXiv:1904.09751).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Floats, Ints, Logits, Mask


@dataclass(frozen=True)
class FieldFilter:
    """How the values of a field are filtered before one is drawn.

    Attributes:
        temperature: 1 draws as the model thinks, lower is safer, 0 takes the likeliest.
        top_k: only the k likeliest values may be drawn; 0 is all.
        top_p: only the fewest values that hold this share of the probability may be drawn.
        min_p: only values at least this many times as likely as the likeliest may be drawn.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not 0 <= self.temperature <= 10:
            raise InputError(f"temperature {self.temperature:g} is outside 0 to 10; 1 is natural")
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
        allowed: `(B, V)`; at least one value a row.
        how: the filters. Temperature 0 leaves the likeliest value alone.

    Raises:
        InputError: if the logits are not numbers, as those of damaged weights are.
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
    """Draw one value a row, `(B,)`, by inverting the distribution function.

    Args:
        logits: `(B, V)`.
        allowed: `(B, V)`; at least one value a row.
        how: the filters.
        uniform: `(B,)` numbers in [0, 1), one a row.

    Raises:
        InputError: if the logits are not numbers.
    """
    cumulative = _weights(logits, allowed, how).cumsum(axis=1)
    # A value without weight is never the first: its sum is that of the value before.
    target = uniform[:, None] * cumulative[:, -1:]
    return (cumulative > target).argmax(axis=1)


def _weights(logits: Logits, allowed: Mask, how: FieldFilter) -> Floats:
    """What `filtered` gives, times a number for each row."""
    z = np.where(allowed, logits, -np.inf).astype(np.float64, copy=False)
    top = z.max(axis=1, keepdims=True)
    if not np.isfinite(top).all():
        raise InputError("the weights give no numbers (NaN or infinite); fetch them again")
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
        p = _keep_top(p, how.top_k, how.top_p)
    return p


def _keep_top(p: Floats, top_k: int, top_p: float) -> Floats:
    """Keep the k likeliest, and of those the fewest that hold the share top_p; ties by value."""
    ranked = np.sort(-p, axis=1)  # negative, so that the likeliest come first
    if 0 < top_k < p.shape[1]:
        ranked[:, top_k:] = 0.0
    before = ranked.cumsum(axis=1)
    enough = top_p * before[:, -1:]
    before -= ranked
    inside = before > enough
    least = np.where(inside, ranked, -np.inf).max(axis=1, keepdims=True)
    kept = p >= -least
    if np.count_nonzero(kept) == np.count_nonzero(inside):
        return np.where(kept, p, 0.0)
    # Values as likely as the last that is kept: the first of them are.
    ranked[~inside] = 0.0
    result = np.empty_like(p)
    np.put_along_axis(result, np.argsort(-p, axis=1, kind="stable"), -ranked, axis=1)
    return result
