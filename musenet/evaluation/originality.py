"""Originality: the longest run of notes that music shares with a library, in any key.

A piece becomes the sequence of its steps from note to note, in order of time and pitch: how long
until the next note, and how many semitones up or down. Runs of notes are shared if these
steps are equal, hence in any transposition and for any instruments; drums are left out, because
their patterns are common. A run of n equal steps is n + 1 notes.

Windows are compared by a polynomial hash modulo 2⁶⁴ of mixed symbols, so that a library of tens of
millions of notes is searched with a few passes; every run that is reported has been compared note
by note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.instruments import DRUMS
from tokenizer.typing import Ints, Mask, Tokens

Hashes = npt.NDArray[np.uint64]

SHORTEST = 8
"""The shortest run to find, in steps."""

COVERED = 16
"""The shortest run that counts as covered by the library, in steps."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_GROWTH = 1.25


@dataclass(frozen=True)
class Shared:
    """What a piece shares with a library.

    Attributes:
        notes: notes of the piece, drums left out.
        longest: notes of the longest shared run, or 0 if none is longer than `SHORTEST`.
        at: where in the piece it begins.
        name: the piece of the library that shares it, or "".
        covered: the share of the piece's notes in shared runs of more than `COVERED` notes.
    """

    notes: int
    longest: int
    at: int
    name: str
    covered: float


def steps_of(tokens: Tokens, vocabulary: Vocabulary) -> Hashes:
    """The steps from note to note of tokens `(T, 5)`, each as one mixed number."""
    note = vocabulary.is_note(tokens) & (tokens[:, INSTRUMENT] != DRUMS + 1)
    time, pitch = row_times(tokens, vocabulary)[note], tokens[note, PITCH].astype(np.int64)
    order = np.lexsort((pitch, time))
    wait, interval = np.diff(time[order]), np.diff(pitch[order])
    return _mixed(((wait << 9) + interval + 256).astype(np.uint64))


def _mixed(values: Hashes) -> Hashes:
    """Spread numbers over 64 bits (Steele et al. 2014, splitmix64)."""
    with np.errstate(over="ignore"):
        z = values * np.uint64(0xBF58476D1CE4E5B9) + _BASE
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


class Sequences:
    """Many step sequences in one array, with the hash of any window of them."""

    def __init__(self, sequences: Sequence[Hashes], seed: int) -> None:
        """Join sequences; between them stand numbers that occur nowhere else."""
        walls = np.random.default_rng(seed).integers(0, 2**64, len(sequences), dtype=np.uint64)
        parts = [part for s, wall in zip(sequences, walls, strict=True) for part in (s, [wall])]
        self.values = np.concatenate([np.asarray(p, dtype=np.uint64) for p in parts or [[]]])
        lengths = [len(s) + 1 for s in sequences]
        self.begins = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        with np.errstate(over="ignore"):
            base = np.full(len(self.values), _BASE)
            power = np.concatenate([np.ones(1, dtype=np.uint64), np.cumprod(base)])
            inverse = np.full(len(self.values), _inverse(_BASE))
            self._inverse = np.concatenate([np.ones(1, dtype=np.uint64), np.cumprod(inverse)])
            zero = np.zeros(1, dtype=np.uint64)
            self._sums = np.concatenate([zero, np.cumsum(self.values * power[:-1])])

    def hashes(self, length: int) -> Hashes:
        """The hash of the window of `length` steps that begins at each place."""
        count = max(0, len(self.values) - length + 1)
        with np.errstate(over="ignore"):
            inside = self._sums[length : length + count] - self._sums[:count]
            return inside * self._inverse[:count]

    def owner(self, places: Ints) -> Ints:
        """The sequence that each place belongs to, `(N,)`."""
        return np.searchsorted(self.begins, places, side="right") - 1


def _inverse(odd: np.uint64) -> np.uint64:
    return np.uint64(pow(int(odd), -1, 1 << 64))


class Library:
    """Pieces to be compared with."""

    def __init__(self, pieces: Iterable[tuple[str, Hashes]]) -> None:
        """Take pieces by name, as `steps_of` gives them."""
        found = list(pieces)
        self._names = [name for name, _ in found]
        self._sequences = Sequences([steps for _, steps in found], seed=1)

    def shared(self, pieces: Sequence[Hashes]) -> list[Shared]:
        """What each of some pieces shares with the library."""
        ours = Sequences(pieces, seed=2)
        best = np.zeros((len(pieces), 3), dtype=np.int64)
        covered = self._covered(ours)
        length = SHORTEST
        while True:
            pairs = self._pairs(ours, length)
            if len(pairs) == 0:
                break
            self._lengthen(ours, pairs, best)
            length = max(length + 1, int(length * _GROWTH))
        self._finish(ours, best)
        result = []
        for i, steps in enumerate(pieces):
            longest, at, place = best[i].tolist()
            begin, end = ours.begins[i], ours.begins[i + 1] - 1
            name = ""
            if longest:
                name = self._names[int(self._sequences.owner(np.array([place]))[0])]
            inside = covered[begin : end + 1]
            notes = len(steps) + 1 if len(steps) else 0
            result.append(
                Shared(
                    notes=notes,
                    longest=longest + 1 if longest else 0,
                    at=at - int(begin) if longest else 0,
                    name=name,
                    covered=float(inside.mean()) if notes else 0.0,
                )
            )
        return result

    def _finish(self, ours: Sequences, best: Ints) -> None:
        """Search for one step more than the best of each piece, until no piece has it.

        If a window occurs in the library more than once, only one place was followed so far.
        """
        pending = set(np.flatnonzero(best[:, 0]).tolist())
        while pending:
            wanted = min(int(best[i, 0]) + 1 for i in pending)
            group = {i for i in pending if best[i, 0] + 1 == wanted}
            pairs = self._pairs(ours, wanted)
            self._lengthen(ours, pairs[np.isin(ours.owner(pairs[:, 0]), list(group))], best)
            pending -= {i for i in group if best[i, 0] < wanted}

    def _pairs(self, ours: Sequences, length: int) -> Ints:
        """`(P, 2)`: places of ours and of the library with equal windows, one of each hash."""
        mine, theirs = ours.hashes(length), self._sequences.hashes(length)
        known = np.sort(mine)
        if len(known) == 0 or len(theirs) == 0:
            return np.zeros((0, 2), dtype=np.int64)
        place = np.minimum(np.searchsorted(known, theirs), len(known) - 1)
        hits = np.flatnonzero(known[place] == theirs)
        value, first = np.unique(theirs[hits], return_index=True)
        if len(value) == 0:
            return np.zeros((0, 2), dtype=np.int64)
        where = np.minimum(np.searchsorted(value, mine), len(value) - 1)
        found = np.flatnonzero(value[where] == mine)
        return np.stack([found, hits[first[where[found]]]], axis=1)

    def _lengthen(self, ours: Sequences, pairs: Ints, best: Ints) -> None:
        """Extend pairs while their steps are equal; keep the longest per piece."""
        mine, theirs = ours.values, self._sequences.values
        alive = np.arange(len(pairs))
        run = np.zeros(len(pairs), dtype=np.int64)
        while len(alive):
            a, b = pairs[alive, 0] + run[alive], pairs[alive, 1] + run[alive]
            inside = (a < len(mine)) & (b < len(theirs))
            alive, a, b = alive[inside], a[inside], b[inside]
            alive = alive[mine[a] == theirs[b]]
            run[alive] += 1
        owner = ours.owner(pairs[:, 0])
        for index in np.argsort(run, kind="stable"):
            if run[index] > best[owner[index], 0]:
                best[owner[index]] = run[index], pairs[index, 0], pairs[index, 1]

    def _covered(self, ours: Sequences) -> Mask:
        """Which notes of ours lie in shared runs of `COVERED` steps; a step joins two notes."""
        places = self._pairs(ours, COVERED)[:, 0]
        edges = np.zeros(len(ours.values) + COVERED + 2, dtype=np.int64)
        np.add.at(edges, places, 1)
        np.add.at(edges, places + COVERED + 1, -1)
        return edges.cumsum()[: len(ours.values)] > 0
