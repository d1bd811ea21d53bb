"""The sketches of many pieces in one memory-mapped file, so that memory does not grow with them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from data_prep.worker.fingerprint import Sketch
from tokenizer.typing import Ints


class SketchStore:
    """A file of sketches: all are appended first, then read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._ends = array("q", [0])
        self._map: Sketch | None = None

    @classmethod
    def of(cls, path: Path, sketches: Iterable[Sketch]) -> SketchStore:
        """A file of the given sketches."""
        store = cls(path)
        for sketch in sketches:
            store.append(sketch)
        return store

    def append(self, sketch: Sketch) -> None:
        """Add the next piece's sketch."""
        self._file.write(sketch.astype("<u4", copy=False).tobytes())
        self._ends.append(self._ends[-1] + len(sketch))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, piece: int) -> Sketch:
        """The sketch of a piece."""
        return self._hashes()[self._ends[piece] : self._ends[piece + 1]]

    @property
    def lengths(self) -> Ints:
        """How many hashes each piece has, `(N,)`."""
        ends = np.frombuffer(self._ends, dtype=np.int64)
        return ends[1:] - ends[:-1]

    @property
    def total(self) -> int:
        """How many hashes there are."""
        return self._ends[-1]

    def part(self, number: int, parts: int, block: int = 1 << 20) -> tuple[Sketch, Ints]:
        """Every hash h with h mod parts = number, `(M,)`, and the piece it belongs to."""
        hashes: list[Sketch] = [np.zeros(0, dtype=np.uint32)]
        places: list[Ints] = [np.zeros(0, dtype=np.int64)]
        for begin, values in self._blocks(block):
            chosen = np.flatnonzero(values % np.uint32(parts) == number)
            hashes.append(values[chosen])
            places.append(chosen + begin)
        ends = np.frombuffer(self._ends, dtype=np.int64)[1:]
        return np.concatenate(hashes), np.searchsorted(ends, np.concatenate(places), side="right")

    def _blocks(self, block: int) -> Iterator[tuple[int, Sketch]]:
        hashes = self._hashes()
        for begin in range(0, self.total, block):
            yield begin, np.array(hashes[begin : begin + block])

    def _hashes(self) -> Sketch:
        """Every hash, mapped at the first reading."""
        if self.total == 0:  # an empty file cannot be mapped
            return np.zeros(0, dtype=np.uint32)
        if self._map is None:
            self._file.flush()
            mapped = np.memmap(self._path, dtype="<u4", mode="r", shape=(self.total,))
            self._map = np.asarray(mapped)  # a plain array: its slices are made in no time
        return self._map

    def __enter__(self) -> SketchStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
