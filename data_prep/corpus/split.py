"""Splitting: which pieces are for training, and which for validation and test.

Pieces that are near-duplicates of each other, however many steps apart, are one group, and a group
is never divided: no arrangement of a held-out piece is trained on. The split of a group follows
from a hash of its content, so that it stays the same when other pieces are added or removed. A
split given in a manifest is kept, and what would leak is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from data_prep.sources.manifest import SPLITS
from tokenizer import InputError
from tokenizer.typing import Ints

from .near_duplicates import Links, groups

SplitBy = Literal["piece", "composer"]


@dataclass(frozen=True)
class Shares:
    """The shares of the groups for validation and test; the rest is for training."""

    validation: float = 0.03
    test: float = 0.03

    def __post_init__(self) -> None:
        """Reject negative shares and those over 1."""
        if min(self.validation, self.test) < 0 or self.validation + self.test > 1:
            raise InputError(
                f"validation takes {self.validation:g} and test {self.test:g} of the pieces; "
                "neither may be negative, nor both together more than 1"
            )


TRAIN, VALIDATION, TEST = range(3)
LEAKS = -1
"""Instead of a split: its source has it in `train`, and a near-duplicate in another split."""


def split(
    group: Ints,
    content: npt.NDArray[np.uint64],
    stated: Sequence[str | None],
    shares: Shares,
) -> npt.NDArray[np.int8]:
    """The split `(N,)` of each piece: `TRAIN`, `VALIDATION`, `TEST` or `LEAKS`.

    Args:
        group: `(N,)`, the same number for pieces that belong together.
        content: `(N,)`, the first eight bytes of each piece's content hash.
        stated: the split given in the piece's manifest, or None.
        shares: of the groups without a given split.
    """
    place = np.array([-1 if name is None else SPLITS.index(name) for name in stated], dtype=np.int8)
    most_held_out = np.full(len(group), -1, dtype=np.int8)
    np.maximum.at(most_held_out, group, place)
    key = np.full(len(group), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(key, group, content)
    by_hash = _by_hash(key, shares)
    result = np.where(most_held_out >= 0, most_held_out, by_hash)[group].astype(np.int8)
    leaks = (place >= 0) & (place < result)
    result[leaks] = LEAKS
    return result


def _by_hash(key: npt.NDArray[np.uint64], shares: Shares) -> npt.NDArray[np.int8]:
    """The lowest hashes go to test, the next to validation."""
    mixed = key * np.uint64(0x9E3779B97F4A7C15)
    part = (mixed ^ (mixed >> np.uint64(32))).astype(np.float64) / 2.0**64
    place = np.full(len(key), TRAIN, dtype=np.int8)
    place[part < shares.test + shares.validation] = VALIDATION
    place[part < shares.test] = TEST
    return place


def joined(group: Ints, other: Ints) -> Ints:
    """Groups of pieces linked by an equal number in `group` or `other` (-1 in `other` links none).

    The number of a resulting group is the lowest index in it.
    """
    first: list[int] = []
    second: list[int] = []
    for labels in (group, other):
        lead: dict[int, int] = {}
        for piece, label in enumerate(labels.tolist()):
            if label >= 0:
                first.append(lead.setdefault(label, piece))
                second.append(piece)
    links = Links(np.array(first), np.array(second), np.ones(len(first)))
    return groups(len(group), links)
