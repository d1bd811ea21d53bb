"""The order in which a dataset's rows are read: at random, or everything once per epoch.

An order gives the passages that a window of a given number contains. Both orders follow from a seed
alone, so that any window can be made at any time, by any process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from tokenizer import InputError
from tokenizer.errors import unknown
from tokenizer.typing import Floats

from .pieces import Pieces

SHORTEST = 32
"""Fewer rows than this at a window's end are left empty and not packed with another piece."""


class Passage(NamedTuple):
    """Rows of a piece for a window, as far as they fit behind their prefix."""

    piece: int
    start: int
    stop: int


class WindowRandom:
    """The random numbers of one window at a time: a new bit generator takes a tenth of its time."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.Philox(key=[seed, 0])
        self._begin: Any = self._bits.state
        self._random = np.random.Generator(self._bits)

    def of(self, k: int) -> np.random.Generator:
        """The generator of window k, at its beginning; that of the window before is gone."""
        self._begin["state"]["key"][1] = k
        self._bits.state = self._begin
        return self._random


class RandomOrder:
    """Windows drawn at random, with every row equally likely except for its corpus's weight.

    A window may extend over either end of its piece by half, and is then moved inside: a piece's
    first and last rows are drawn as often as its others.
    """

    def __init__(self, pieces: Pieces, rows: int, weights: Mapping[str, float]) -> None:
        self._pieces = pieces
        self._rows = rows
        self._edges = np.cumsum(weighted_rows(pieces, weights))

    def passages(self, k: int, random: np.random.Generator) -> Iterator[Passage]:
        """A passage from anywhere, then beginnings of pieces without end."""
        del k  # the generator depends on it
        piece, where = self._drawn(random), random.random()
        length = int(self._pieces.lengths[piece])
        last = length - self._rows + self._pieces.most_prefix_rows(piece)
        start = round(where * length - self._rows / 2)
        yield Passage(piece, max(0, min(start, last)), length)
        while True:
            piece = self._drawn(random)
            yield Passage(piece, 0, int(self._pieces.lengths[piece]))

    def _drawn(self, random: np.random.Generator) -> int:
        return int(self._edges.searchsorted(random.random() * self._edges[-1], side="right"))


class EpochOrder:
    """Everything once per epoch, in an order and with cuts that differ between epochs.

    Pieces are concatenated in a random order and cut into windows, which are then shuffled.
    """

    def __init__(self, pieces: Pieces, rows: int, seed: int, *, pack: bool) -> None:
        self._pieces = pieces
        self._rows = rows
        self._seed = seed
        self._pack = pack
        self._first = [0]
        self._epoch = -1
        self._windows: list[list[Passage]] = []

    def passages(self, k: int, random: np.random.Generator) -> Iterator[Passage]:
        """The passages of window k."""
        del random  # the epoch is planned as a whole
        epoch = self.epoch_of(k)
        return iter(self._planned(epoch)[k - self._first[epoch]])

    def epoch_of(self, k: int) -> int:
        """The epoch that window k is in, from 0."""
        while k >= self._first[-1]:
            self._planned(len(self._first) - 1)
        return int(np.searchsorted(self._first, k, side="right")) - 1

    def first_window(self, epoch: int) -> int:
        """The number of an epoch's first window."""
        while epoch >= len(self._first):
            self._planned(len(self._first) - 1)
        return self._first[epoch]

    def _planned(self, epoch: int) -> list[list[Passage]]:
        if epoch != self._epoch:
            random = np.random.default_rng([self._seed, epoch])
            windows = self._cut(random.permutation(len(self._pieces)).tolist())
            self._windows = [windows[i] for i in random.permutation(len(windows)).tolist()]
            self._epoch = epoch
            if epoch == len(self._first) - 1:
                self._first.append(self._first[-1] + len(windows))
        return self._windows

    def _cut(self, pieces: list[int]) -> list[list[Passage]]:
        """Pieces end to end, cut where a window is full."""
        windows: list[list[Passage]] = [[]]
        room = self._rows
        for piece in pieces:
            prefix, length = self._pieces.most_prefix_rows(piece), int(self._pieces.lengths[piece])
            start = 0
            while start < length:
                if windows[-1] and (not self._pack or room < max(SHORTEST, prefix + 1)):
                    windows.append([])
                    room = self._rows
                stop = min(length, start + room - prefix)
                windows[-1].append(Passage(piece, start, stop))
                room -= prefix + stop - start
                start = stop
        return windows


def weighted_rows(pieces: Pieces, weights: Mapping[str, float]) -> Floats:
    """The rows of each piece times the weight of its corpus, `(N,)`.

    Raises:
        InputError: if a weight is negative or names no corpus, or if all are 0.
    """
    known = set(pieces.corpora)
    for corpus, weight in weights.items():
        if corpus not in known:
            raise unknown("corpus", corpus, sorted(known))
        if not weight >= 0:
            raise InputError(f"the weight of {corpus} is {weight}; it must not be negative")
    factor = np.array([weights.get(corpus, 1.0) for corpus in pieces.corpora])
    rows: Floats = pieces.lengths * factor
    if not rows.sum() > 0:
        raise InputError("every corpus has the weight 0; give one a positive weight")
    return rows
