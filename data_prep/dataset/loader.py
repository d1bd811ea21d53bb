"""A loader: batches of a dataset one after another, for one of several processes, resumable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tokenizer import InputError

from .windows import Dataset, Window


@dataclass
class Loader:
    """Endless batches of windows.

    Step s of R processes takes windows s·R·size … (s + 1)·R·size − 1, and process r the r-th equal
    share of them. The whole state is `step`: a loader made with it goes on with the very next
    window, also on another number of processes if R·size stays the same.

    Attributes:
        dataset: where windows come from.
        size: windows in a batch of one process.
        rank: which process this is, from 0.
        ranks: how many there are.
        step: the next step.
    """

    dataset: Dataset
    size: int
    rank: int = 0
    ranks: int = 1
    step: int = 0

    def __post_init__(self) -> None:
        """Refuse numbers that make no share."""
        if self.size < 1 or self.step < 0:
            raise InputError(f"a batch of {self.size} from step {self.step} on is none")
        if not 0 <= self.rank < self.ranks:
            raise InputError(f"there is no process {self.rank} of {self.ranks}; count from 0")

    def __iter__(self) -> Iterator[Window]:
        return self

    def __next__(self) -> Window:
        """The batch of the next step."""
        batch = self.dataset.batch(self.step * self.ranks + self.rank, self.size)
        self.step += 1
        return batch
