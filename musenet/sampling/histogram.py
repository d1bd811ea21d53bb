"""How notes are shared out among classes, of late and before, and what that holds back.

A class that takes a larger share of the late notes than of those before is held back by as much:

    strength · max(0, ln (share of late + ε) / (share before + ε))
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.typing import Floats, Integers, Mask

_HALF_LIFE = 32
_KEEP = 0.5 ** (1 / _HALF_LIFE)
_FLOOR = 0.04
_ENOUGH = 24
"""Notes that say as much about a manner as the model's own opinion."""

_AT_ONE = 1.5
"""Nats by which strength 1 holds an e-fold excess: continuations of held-out pieces then keep to
the prompt's pitch classes as closely as the pieces themselves do."""


class Shares:
    """How the notes of `batch` continuations are shared out, of late and before, in many ways.

    Each way has a range of columns for its classes. Column 0 belongs to none: nothing that is
    counted there is ever held back.

    Args:
        heard: for each way the class of each note of the prompt that it counts.
        classes: for each way, how many there are.
        batch: how many continuations.
        strength: 0 holds nothing back.

    Attributes:
        first: for each way the column of its class 0.
        held: by how many nats each column is held back, `(B, columns)`.
    """

    def __init__(
        self, heard: Sequence[Integers], classes: Sequence[int], batch: int, strength: float
    ) -> None:
        counts = [np.bincount(h, minlength=n) for h, n in zip(heard, classes, strict=True)]
        self.first = np.cumsum([1, *classes[:-1]])
        self._way = np.concatenate([[0], np.repeat(np.arange(len(classes)), classes)])
        self._at_one = np.where(np.arange(len(self._way)) > 0, _AT_ONE * strength, 0.0)
        self._counts = np.tile(np.concatenate([[0.0], *counts]), (batch, 1))
        self._strength, self._share, self._late, self.held = np.zeros((4, *self._counts.shape))
        self._lanes = np.arange(batch)[:, None]
        self._row = self._lanes * len(self._way)
        self.settle(np.arange(batch))

    def settle(self, lanes: Integers) -> None:
        """What was counted so far in these continuations is from now on what they were before."""
        counts = self._counts[lanes]
        of_way = self._way == np.arange(self._way.max() + 1)[:, None]
        total = (counts @ of_way.T)[:, self._way]
        self._strength[lanes] = self._at_one * total / (total + _ENOUGH)
        # As if that had gone on for ever: the late shares begin as, and stay, a whole.
        self._share[lanes] = self._late[lanes] = counts / np.maximum(1, total)

    def held_at(self, columns: Integers) -> Floats:
        """How much columns `(B, n)`, or `(n,)` for all, are held back, `(B, n)`."""
        return self.held.take(self._row + columns)

    def add(self, columns: Integers, counted: Mask) -> None:
        """Count a note for `settle`; the arguments are those of `push`."""
        self._counts[self._lanes, columns] += counted & (columns > 0)

    def push(self, columns: Integers, counted: Mask) -> None:
        """Count a note of late in each continuation.

        Args:
            columns: that of the note's class for each way `(B, ways)`.
            counted: which ways count it, `(B, ways)`.
        """
        self._late *= np.where(counted, _KEEP, 1.0)[:, self._way]
        self._late[self._lanes, columns] += np.where(counted, 1.0 - _KEEP, 0.0)
        excess = (self._late + _FLOOR) / (self._share + _FLOOR)
        self.held = self._strength * np.log(np.maximum(excess, 1.0))
