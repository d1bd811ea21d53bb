"""Which pieces are near-duplicates: pairs of sketches that contain each other, and their groups.

Two pieces are near-duplicates when the longer holds at least `CONTAINMENT` of the shorter's
hashes, and at least `SHARED` of them; or when their sketches are equal. Hashes that many pieces
share (a scale, a cadence) are no evidence and are left out.

Hashes are taken in parts that fit in memory, and the pairs that share one go through files, sorted
by piece: memory use does not grow with the corpus.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np

from data_prep.worker.fingerprint import Sketch, threshold
from tokenizer.typing import Floats, Ints

from .sketch_store import SketchStore

CONTAINMENT = 0.5
SHARED = 8
COMMONPLACE = 48
"""A hash found in more pieces than this is no evidence."""

PART = 1 << 18
"""Hashes processed at a time, approximately."""

BLOCK = 1 << 20
"""Pairs held in memory; if there are more, they go through files."""

PAIR_FILES = 64


@dataclass(frozen=True)
class Links:
    """Pairs of near-duplicates: `first < second`, and the share of the shorter that is shared."""

    first: Ints
    second: Ints
    containment: Floats


def near_duplicates(
    sketches: SketchStore | Sequence[Sketch],
    *,
    containment: float = CONTAINMENT,
    shared: int = SHARED,
    scratch: Path | None = None,
) -> Links:
    """Every pair of near-duplicates among N sketches, in order.

    Args:
        sketches: the pieces.
        containment: the least share of the shorter sketch that the longer holds.
        shared: the fewest hashes in common. Sketches that share fewer are linked only if they
            are equal.
        scratch: a folder for temporary files; by default the system's.
    """
    if not isinstance(sketches, SketchStore):
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            store = SketchStore.of(Path(folder) / "sketches", sketches)
            return near_duplicates(store, containment=containment, shared=shared, scratch=scratch)
    first, second, common = _common(sketches, shared, scratch)
    found = dict(_same(sketches))
    for one, other, count in zip(first.tolist(), second.tolist(), common.tolist(), strict=True):
        a, b = sketches[one], sketches[other]
        limit = min(threshold(a), threshold(b))
        smaller = min(int(np.searchsorted(a, limit)), int(np.searchsorted(b, limit)))
        if count >= containment * smaller:
            found[one, other] = count / max(smaller, 1)
    columns = np.array([(*pair, found[pair]) for pair in sorted(found)]).reshape(-1, 3)
    return Links(columns[:, 0].astype(np.int64), columns[:, 1].astype(np.int64), columns[:, 2])


def _same(sketches: SketchStore) -> Iterator[tuple[tuple[int, int], float]]:
    """Each piece whose whole sketch an earlier one has, with the first that has it."""
    first: dict[bytes, int] = {}
    for piece in range(len(sketches)):
        data = sketches[piece].tobytes()
        if data:
            earlier = first.setdefault(blake2b(data, digest_size=16).digest(), piece)
            if earlier != piece:
                yield (earlier, piece), 1.0


def _common(sketches: SketchStore, shared: int, scratch: Path | None) -> tuple[Ints, Ints, Ints]:
    """Pairs of pieces that share enough hashes, with how many."""
    blocks = _blocks(_pairs(sketches))
    first, second = next(blocks), next(blocks, None)
    parts = iter([first]) if second is None else _parted(chain((first, second), blocks), scratch)
    counted = [_counted(part, shared) for part in parts]
    packed, common = np.concatenate(counted, axis=1)
    order = np.argsort(packed)
    one, other = np.divmod(packed[order], max(len(sketches), 1))
    return one, other, common[order]


def _blocks(arrays: Iterator[Ints]) -> Iterator[Ints]:
    """The same numbers in arrays of about `BLOCK`, one at least."""
    held = [np.zeros(0, dtype=np.int64)]
    size = 0
    for some in arrays:
        held.append(some)
        size += len(some)
        if size >= BLOCK:
            yield np.concatenate(held)
            held, size = [], 0
    if held:
        yield np.concatenate(held)


def _parted(blocks: Iterator[Ints], scratch: Path | None) -> Iterator[Ints]:
    """The same numbers in `PAIR_FILES` parts, equal ones in the same part, by way of files."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        files = [(Path(folder) / str(i)).open("w+b") for i in range(PAIR_FILES)]
        for block in blocks:
            file_of = (block % PAIR_FILES).astype(np.uint8)
            edges = np.bincount(file_of, minlength=PAIR_FILES).cumsum()[:-1]
            parts = np.split(block[file_of.argsort(kind="stable")], edges)
            for part, file in zip(parts, files, strict=True):
                part.tofile(file)
        for file in files:
            file.seek(0)
            yield np.fromfile(file, dtype=np.int64)
            file.close()


def _counted(packed: Ints, shared: int) -> Ints:
    """The numbers that come often enough, and how often, `(2, N)`."""
    found, times = np.unique(packed, return_counts=True)
    return np.stack([found, times])[:, times >= shared]


def _pairs(sketches: SketchStore) -> Iterator[Ints]:
    """Every two pieces that share a hash, once for each, packed as first · N + second."""
    parts = -(-sketches.total // PART)
    for part in range(parts):
        found, places = sketches.part(part, parts)
        packed = places | found.astype(np.int64) << 31
        packed.sort()
        hashes, pieces = packed >> 31, packed & (1 << 31) - 1
        begin = np.flatnonzero(np.diff(hashes, prepend=-1))
        size = np.diff(begin, append=len(hashes))
        kept = np.repeat((size > 1) & (size <= COMMONPLACE), size)
        hashes, pieces = hashes[kept], pieces[kept]
        for distance in range(1, COMMONPLACE):
            same = np.flatnonzero(hashes[distance:] == hashes[:-distance])
            if len(same) == 0:
                break
            yield pieces[same] * len(sketches) + pieces[same + distance]


def groups(count: int, links: Links) -> Ints:
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
