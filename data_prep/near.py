"""Which pieces are near-duplicates: pairs of sketches that contain each other, and their groups.

Two pieces are near-duplicates when the longer holds at least `CONTAINMENT` of the shorter's
hashes, and at least `SHARED` of them (or both hold the same few). Hashes that many pieces share (a
scale, a cadence) say nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .fingerprint import Sketch, threshold

CONTAINMENT = 0.5
SHARED = 8
COMMONPLACE = 64
"""A hash found in more pieces than this is a commonplace of music."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Links:
    """Pairs of near-duplicates: `first < second`, and the share of the shorter that is shared."""

    first: Indices
    second: Indices
    containment: npt.NDArray[np.float64]


def near_duplicates(
    sketches: Sequence[Sketch], *, containment: float = CONTAINMENT, shared: int = SHARED
) -> Links:
    """Every pair of near-duplicates among N sketches.

    Sketches that share fewer than `shared` hashes are linked only if they are the same.
    """
    lengths = np.array([len(sketch) for sketch in sketches], dtype=np.int64)
    pieces = np.repeat(np.arange(len(sketches)), lengths)
    hashes = np.concatenate([*sketches, np.zeros(0, dtype=np.uint32)]).astype(np.uint32)
    first, second, common = _common(hashes, pieces, len(sketches))
    limits = np.array([threshold(sketch) for sketch in sketches], dtype=np.int64)
    limit = np.minimum(limits[first], limits[second])
    smaller = np.minimum(
        _below(hashes, lengths, first, limit), _below(hashes, lengths, second, limit)
    )
    share = common / np.maximum(smaller, 1)
    same = (common == lengths[first]) & (common == lengths[second])
    near = (share >= containment) & ((common >= shared) | same)
    return Links(first[near], second[near], share[near])


def _common(hashes: Sketch, pieces: Indices, count: int) -> tuple[Indices, Indices, Indices]:
    """Pairs of pieces with the number of hashes they share."""
    order = np.argsort(hashes, kind="stable")
    hashes, pieces = hashes[order], pieces[order]
    begin = np.flatnonzero(np.diff(hashes.astype(np.int64), prepend=-1))
    size = np.diff(begin, append=len(hashes))
    kept = np.repeat((size > 1) & (size <= COMMONPLACE), size)
    hashes, pieces = hashes[kept], pieces[kept]
    pairs: list[Indices] = []
    for distance in range(1, COMMONPLACE):
        same = np.flatnonzero(hashes[distance:] == hashes[:-distance])
        if len(same) == 0:
            break
        pairs.append(pieces[same] * count + pieces[same + distance])
    packed, common = np.unique(
        np.concatenate([*pairs, np.zeros(0, dtype=np.int64)]), return_counts=True
    )
    first, second = np.divmod(packed, max(count, 1))
    return first, second, common


def _below(hashes: Sketch, lengths: Indices, pieces: Indices, limit: Indices) -> Indices:
    """How many hashes below a limit the sketches of some pieces hold."""
    ends = np.cumsum(lengths)
    whole = np.repeat(np.arange(len(lengths)), lengths) << 32 | hashes.astype(np.int64)
    return np.searchsorted(whole, (pieces << 32) + limit) - (ends - lengths)[pieces]


def groups(count: int, links: Links) -> Indices:
    """The group `(count,)` of each piece: the lowest index it is linked to, however far."""
    group = np.arange(count)
    while True:
        low = np.minimum(group[links.first], group[links.second])
        new = group.copy()
        np.minimum.at(new, links.first, low)
        np.minimum.at(new, links.second, low)
        new = new[new]
        if np.array_equal(new, group):
            return group
        group = new
