"""Shares of classes in a prompt and of late, against counts note by note."""

from __future__ import annotations

import numpy as np

from musenet.sampling.processors.histogram import Histogram

HALF_LIFE = 32
KEEP = 0.5 ** (1 / HALF_LIFE)


def recent_share(prompt: list[int], new: list[int], classes: int) -> list[float]:
    """The recent share of each class, note by note from the module's words."""
    # The prompt goes on for ever before the new notes, of which the latest counts most.
    share = [KEEP ** len(new) * prompt.count(c) / len(prompt) for c in range(classes)]
    for ago, played in enumerate(reversed(new)):
        share[played] += (1 - KEEP) * KEEP**ago
    return share


def counts(notes: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(notes, minlength=classes)


def test_groups_are_each_what_the_definition_says() -> None:
    """Two continuations and two groups, of which not every note counts in each."""
    random = np.random.default_rng(1)
    prompt = [random.integers(1, 5, 40), random.integers(1, 3, 10)]
    histogram = Histogram([counts(prompt[0], 5), counts(prompt[1], 4)], 2, HALF_LIFE)
    new: list[list[list[int]]] = [[[], []], [[], []]]
    for _ in range(60):
        classes, counted = random.integers(1, 4, (2, 2)), random.random((2, 2)) < 0.6
        histogram.push(histogram.first + classes, counted)
        for lane, group in zip(*np.nonzero(counted), strict=True):
            new[lane][group].append(int(classes[lane, group]))
    for lane in range(2):
        for group, size in ((0, 5), (1, 4)):
            columns = histogram.first[group] + np.arange(size)
            assert (histogram.group[columns] == group).all()
            notes = prompt[group].tolist()
            expected = recent_share(notes, new[lane][group], size)
            np.testing.assert_allclose(histogram.recent[lane, columns], expected, atol=1e-12)
            share = [notes.count(c) / len(notes) for c in range(size)]
            np.testing.assert_allclose(histogram.share[lane, columns], share, atol=1e-12)
            assert (histogram.total[lane, columns] == len(notes)).all()
            assert not np.allclose(expected, share, atol=0.01)


def test_what_was_counted_is_the_prompt_once_it_is_settled_and_in_that_continuation_alone() -> None:
    random = np.random.default_rng(2)
    prompt, later, new = (random.integers(1, 5, n) for n in (12, 50, 30))
    histogram = Histogram([counts(prompt, 5)], 2, HALF_LIFE)
    both = np.array([[True], [True]])
    for one in later:
        histogram.count(np.full((2, 1), one), both)
    histogram.settle(np.array([1]))
    for one in new:
        histogram.push(np.full((2, 1), one), both)
    for lane, known in enumerate((prompt, np.concatenate([prompt, later]))):
        expected = recent_share(known.tolist(), new.tolist(), 5)
        np.testing.assert_allclose(histogram.recent[lane], expected, atol=1e-12)
        np.testing.assert_allclose(histogram.share[lane], counts(known, 5) / len(known))


def test_the_half_life_is_the_number_of_notes_after_which_one_counts_half() -> None:
    histogram = Histogram([np.array([0, 1, 0])], 1, 7)
    for _ in range(7):
        histogram.push(np.array([[2]]), np.array([[True]]))
    np.testing.assert_allclose(histogram.recent, [[0, 0.5, 0.5]])


def test_a_group_without_notes_in_the_prompt_has_no_shares() -> None:
    histogram = Histogram([np.zeros(3, dtype=int), np.array([0, 2])], 1, HALF_LIFE)
    assert histogram.share.tolist() == [[0, 0, 0, 0, 1]]
    assert histogram.total.tolist() == [[0, 0, 0, 2, 2]]
