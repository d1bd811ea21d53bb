"""Shares of classes, of late and before, against counts note by note."""

from __future__ import annotations

import math

import numpy as np

from musenet.sampling.histogram import Shares


def by_definition(
    heard: list[int], new: list[int], classes: int, strength: float = 1.0
) -> np.ndarray:
    """How much each class is held back, note by note from the module's words."""
    share = [heard.count(c) / len(heard) for c in range(classes)]
    keep = 0.5 ** (1 / 32)
    # The prompt goes on for ever before the new notes, of which the latest counts most.
    late = [keep ** len(new) * s for s in share]
    for ago, played in enumerate(reversed(new)):
        late[played] += (1 - keep) * keep**ago
    nats = 1.5 * strength * len(heard) / (len(heard) + 24)
    pairs = zip(late, share, strict=True)
    return np.array([nats * max(0.0, math.log((x + 0.04) / (y + 0.04))) for x, y in pairs])


def test_shares_in_several_ways_are_each_what_the_definition_says() -> None:
    """Two continuations and two ways, of which not every note counts in each."""
    random = np.random.default_rng(1)
    heard = [random.integers(0, 5, 40), random.integers(0, 3, 10)]
    shares = Shares(heard, (5, 4), 2, 0.7)
    new: list[list[list[int]]] = [[[], []], [[], []]]
    for _ in range(60):
        classes, counted = random.integers(0, 4, (2, 2)), random.random((2, 2)) < 0.6
        shares.push(np.where(counted, shares.first + classes, 0), counted)
        for lane, way in zip(*np.nonzero(counted), strict=True):
            new[lane][way].append(int(classes[lane, way]))
    for lane in range(2):
        for way, count in ((0, 5), (1, 4)):
            columns = shares.first[way] + np.arange(count)
            expected = by_definition(heard[way].tolist(), new[lane][way], count, 0.7)
            np.testing.assert_allclose(shares.held_at(columns)[lane], expected, atol=1e-12)
            assert expected.max() > 0.05


def test_the_column_of_no_class_is_never_held_back() -> None:
    shares = Shares([np.arange(12)], [12], 1, 1.0)
    for _ in range(30):
        shares.push(np.array([[0]]), np.array([[True]]))
    assert shares.held_at(np.array([0]))[0, 0] == 0.0


def test_what_was_added_counts_once_it_is_settled_and_in_that_continuation_alone() -> None:
    random = np.random.default_rng(2)
    heard, later, new = (random.integers(0, 5, n) for n in (12, 50, 30))
    shares = Shares([heard], [5], 2, 1.0)
    one = np.array([[True], [True]])
    for classes in later:
        shares.add(np.full((2, 1), 1 + classes), one)
    shares.settle(np.array([1]))
    for classes in new:
        shares.push(np.full((2, 1), 1 + classes), one)
    for lane, known in enumerate((heard, np.concatenate([heard, later]))):
        expected = by_definition(known.tolist(), new.tolist(), 5)
        np.testing.assert_allclose(shares.held[lane, 1:], expected, atol=1e-12)
        assert expected.max() > 0.05
