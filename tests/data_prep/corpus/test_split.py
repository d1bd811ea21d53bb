from __future__ import annotations

import numpy as np

from data_prep.corpus.split import LEAKS, TEST, TRAIN, VALIDATION, Shares, joined, split

CONTENT = np.random.default_rng(0).integers(0, 1 << 64, 4000, dtype=np.uint64)
ALONE = np.arange(4000)
NOTHING: list[str | None] = [None] * 4000


def test_shares_are_kept() -> None:
    place = split(ALONE, CONTENT, NOTHING, Shares(0.1, 0.2))
    assert abs((place == VALIDATION).mean() - 0.1) < 0.02
    assert abs((place == TEST).mean() - 0.2) < 0.02


def test_a_piece_keeps_its_place_when_others_come_and_go() -> None:
    place = split(ALONE, CONTENT, NOTHING, Shares(0.1, 0.1))
    some = np.arange(0, 4000, 3)
    fewer = split(np.arange(len(some)), CONTENT[some], NOTHING[: len(some)], Shares(0.1, 0.1))
    np.testing.assert_array_equal(fewer, place[some])


def test_groups_are_not_divided() -> None:
    group = np.arange(4000) // 4 * 4
    place = split(group, CONTENT, NOTHING, Shares(0.2, 0.2)).reshape(-1, 4)
    assert (place == place[:, :1]).all()
    assert len(np.unique(place)) == 3


def test_stated_splits_are_kept_and_their_leaks_left_out() -> None:
    group = np.array([0, 0, 2, 2, 2, 5, 5])
    stated = ["train", None, "test", "train", None, "validation", "test"]
    place = split(group, CONTENT[:7], stated, Shares(0, 0))
    assert place.tolist() == [TRAIN, TRAIN, TEST, LEAKS, TEST, LEAKS, TEST]


def test_joined_groups_share_either_number() -> None:
    one = np.array([0, 0, 2, 3, 4])
    other = np.array([7, -1, -1, 7, -1])
    assert joined(one, other).tolist() == [0, 0, 2, 0, 4]
