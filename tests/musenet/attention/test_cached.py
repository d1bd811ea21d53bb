"""Attention to a cache against a loop over the positions that a query may see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from musenet.attention.cached import attend_cached, attend_one
from musenet.attention.kv_cache import LayerCache
from musenet.attention.patterns import PATTERNS, allowed

ROW, ROWS = 4, 3
LENGTH = 29
HEADS, GROUPS, CHANNELS = 4, 2, 6
DIVISIONS = {
    "one by one": [1] * LENGTH,
    "a prompt, then one by one": [9] + [1] * (LENGTH - 9),
    "odd pieces": [3, 5, 1, 7, 2, 11],
    "all at once": [LENGTH],
}


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return tuple(  # type: ignore[return-value]
        torch.randn(2, LENGTH, heads, CHANNELS, generator=generator, dtype=torch.float64)
        for heads in (HEADS, GROUPS, GROUPS)
    )


def new_cache(pattern: str) -> LayerCache:
    shape = (2, GROUPS, ROW * ROWS, CHANNELS)
    return LayerCache(pattern, ROW, shape, torch.float64, torch.device("cpu"))


def expected(pattern: str) -> Tensor:
    """Each query with the keys of its pattern in its own row and the ROWS − 1 rows before."""
    q, k, v = inputs()
    out = torch.zeros_like(q)
    for i in range(LENGTH):
        within = np.arange(LENGTH) // ROW > i // ROW - ROWS
        seen = allowed(pattern, np.array(i), np.arange(LENGTH), ROW) & within
        keys = np.flatnonzero(seen).tolist()
        for head in range(HEADS if keys else 0):
            group = head * GROUPS // HEADS
            scores = torch.einsum("bjd,bd->bj", k[:, keys, group], q[:, i, head])
            weights = (scores / CHANNELS**0.5).softmax(-1)
            out[:, i, head] = torch.einsum("bj,bjd->bd", weights, v[:, keys, group])
    return out


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("division", DIVISIONS.values(), ids=DIVISIONS)
def test_any_division_sees_the_pattern_in_the_rows_kept(pattern: str, division: list[int]) -> None:
    """The sequence is more than twice as long as the cache."""
    q, k, v = inputs()
    cache, start, found = new_cache(pattern), 0, []
    for size in division:
        here = slice(start, start + size)
        found.append(attend_cached(q[:, here], k[:, here], v[:, here], cache, start))
        start += size
    assert start == LENGTH
    assert torch.allclose(torch.cat(found, 1), expected(pattern), atol=1e-12)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_single_step_is_a_chunk_of_one(pattern: str) -> None:
    q, k, v = inputs()
    cache = new_cache(pattern)
    found = [attend_one(q[:, i], k[:, i], v[:, i], cache, i) for i in range(LENGTH)]
    assert torch.allclose(torch.cat(found, 2).transpose(1, 2), expected(pattern), atol=1e-12)
