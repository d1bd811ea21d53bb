"""The parts of a pattern, pair by pair: together they are `allowed`, and no pair comes twice."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import pytest
import torch

from musenet.attention.decompose import parts
from musenet.attention.patterns import PATTERNS, mask

BATCH, HEADS = 2, 3
SEES: dict[str, Callable[[int, int], bool]] = {
    "full": lambda query, key: True,
    "causal": lambda query, key: key <= query,
    "after": lambda query, key: key >= query,
}


def pairs(pattern: str, length: int, row: int) -> Counter[tuple[int, int, int, int]]:
    """How often a query (sequence, position, head) meets a key at another position.

    Each place of the array holds its own index, so a fold tells which places it put together.
    """
    shape = (BATCH, length, HEADS, 1)
    places = torch.arange(BATCH * length * HEADS).view(shape)
    met: Counter[tuple[int, int, int, int]] = Counter()
    for part in parts(pattern, length, row):
        queries, keys = part.queries(places, row)[..., 0], part.keys(places, row)[..., 0]
        shared = queries.shape[2] // keys.shape[2]
        for n, s, h in itertools.product(*map(range, queries.shape)):
            for k in range(keys.shape[1]):
                if SEES[part.sees](s, k):
                    batch, position, head = where(int(queries[n, s, h]), length)
                    other, key, key_head = where(int(keys[n, k, h // shared]), length)
                    assert (batch, head) == (other, key_head), "another sequence or head"
                    met[batch, head, position, key] += 1
    return met


def where(place: int, length: int) -> tuple[int, int, int]:
    rest, head = divmod(place, HEADS)
    return *divmod(rest, length), head


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), [(4, 4), (12, 4), (3, 1), (32, 16)])
def test_each_allowed_pair_is_in_one_part(pattern: str, length: int, row: int) -> None:
    seen = mask(pattern, length, row)
    expected = {
        (b, h, i, j): 1
        for b, h, i, j in itertools.product(
            range(BATCH), range(HEADS), range(length), range(length)
        )
        if seen[i, j]
    }
    assert pairs(pattern, length, row) == expected


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_written_to_a_view_is_written_to_the_array(pattern: str) -> None:
    """Results are gathered through views of the queries, gradients through those of the keys."""
    for part in parts(pattern, 12, 4):
        for fold in (part.queries, part.keys):
            array = torch.zeros(BATCH, 12, HEADS, 2)
            view = fold.view(array, 4)
            view += 1
            assert array.sum() == view.numel()
