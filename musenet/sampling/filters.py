"""Sampling values from logits: temperature, top-k, top-p and min-p, for a batch of rows.

The arithmetic is NumPy in float64, independent for each row, and every row has its own uniform
number: what is sampled for a row does not depend on the other rows. The filters apply in the usual
order: mask, temperature, min-p (Nguyen et al. 2024, arXiv:2407.01082), top-k (Fan et
al. 2018, arXiv:1805.04833), top-p (Holtzman et al. 2020, arXiv:1904.09751).

Top-k and top-p need values in order of probability, which takes longer than all else. So `draw`
first draws from all values. A value whose probability is above 1 − top-p is always kept, and most
are; only for another one are those kept found, and if it is not among them, a second draw is from
these alone. The result has the distribution of `filtered`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Floats, Ints, Logits, Mask

_NEVER = np.float64(-np.inf)
_BELOW_ONE = math.nextafter(1.0, 0.0)


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

    @property
    def sorts(self) -> bool:
        """Whether top-k or top-p leave out any value."""
        return self.top_k > 0 or self.top_p < 1

    def __post_init__(self) -> None:
        """Reject settings out of range."""
        if not 0 <= self.temperature <= 10:
            raise InputError(
                f"temperature {self.temperature:g} is outside 0 to 10; 1 is the default"
            )
        if self.top_k < 0:
            raise InputError(f"top-k {self.top_k} is negative; give 1 or more, or 0 for all")
        if not 0 < self.top_p <= 1:
            raise InputError(
                f"top-p must be above 0 and at most 1, not {self.top_p:g}; 1 keeps everything"
            )
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
    z = _log_weights(logits, allowed)
    if how.temperature == 0:
        likeliest = np.zeros_like(z)
        likeliest[np.arange(len(z)), z.argmax(axis=1)] = 1.0
        return likeliest
    weights = _weights(z, how)
    if how.sorts:
        weights *= np.stack([_kept(row, how) for row in weights])
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
    z = _log_weights(logits, allowed)
    if how.temperature == 0:
        return z.argmax(axis=1)
    weights = _weights(z, how)
    values = [_draw_one(row, how, u) for row, u in zip(weights, uniform.tolist(), strict=True)]
    return np.array(values, dtype=np.int64)


def _log_weights(logits: Logits, allowed: Mask) -> Floats:
    """Logits `(B, V)` of the allowed values less the largest; −∞ for the others."""
    z: Floats = np.where(allowed, logits, _NEVER)
    top = np.maximum.reduce(z, axis=1, keepdims=True)
    if not math.isfinite(np.add.reduce(top, axis=None)):
        raise InputError(
            "the model's output is not finite: its weights are damaged; download them again"
        )
    z -= top
    return z


def _weights(z: Floats, how: FieldFilter) -> Floats:
    """Probabilities `(B, V)` after temperature and min-p, unnormalised, in the place of `z`."""
    if how.temperature != 1:
        z /= how.temperature
    p = np.exp(z, out=z)
    if how.min_p > 0:
        p[p < how.min_p] = 0.0
    return p


def _draw_one(weights: Floats, how: FieldFilter, uniform: float) -> int:
    """Sample a value from unnormalised probabilities `(V,)`, after top-k and top-p."""
    value, place, total = _inverted(weights, uniform)
    if not how.sorts or (how.top_k == 0 and weights[value] > (1 - how.top_p) * total):
        return value
    kept = _kept(weights, how)
    # The place of a number in the interval of the value that it fell on is uniform once more.
    return value if kept[value] else _inverted(weights * kept, place)[0]


def _inverted(weights: Floats, uniform: float) -> tuple[int, float, float]:
    """The value on which a number in [0, 1) falls, its place there in [0, 1), and the sum."""
    sums = np.add.accumulate(weights)
    total = float(sums[-1])
    # A value without weight is never chosen: its sum is that of the value before.
    value = int(sums.searchsorted(uniform * total, side="right"))
    weight = float(weights[value])
    place = (uniform * total - (float(sums[value]) - weight)) / weight
    return value, min(max(place, 0.0), _BELOW_ONE), total


def _kept(weights: Floats, how: FieldFilter) -> Mask:
    """The k most likely values of `(V,)`, of these the smallest set with mass top_p.

    Of values that are equally likely the first are kept.
    """
    order = np.argsort(-weights, kind="stable")
    ranked = weights[order]
    if how.top_k:
        ranked[how.top_k :] = 0.0
    sums = np.add.accumulate(ranked)
    kept = np.zeros(len(weights), dtype=bool)
    kept[order] = (sums - ranked < how.top_p * sums[-1]) & (ranked > 0)
    return kept
