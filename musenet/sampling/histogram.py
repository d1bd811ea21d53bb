"""Histograms of notes: the shares of classes in the prompt, and a moving average of recent ones.

Several groups of classes stand side by side as columns of one array, so that a note is counted in
all of them at once. Within a group, class 0 is for what belongs to no class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.typing import Array, Integers, Ints, Mask


class Histogram:
    """How the notes of `batch` continuations are distributed over classes.

    Args:
        prompt: for each group, how often each of its classes is in the prompt, `(C,)`.
        batch: how many continuations.
        half_life: notes of a group after which one counts half in the recent shares.

    Attributes:
        first: for each group, the column of its class 0.
        group: the group of each column.
        total: how many notes before those that are recent each column's group counts,
            `(B, columns)`.
        share: what part of them each class has, `(B, columns)`.
        recent: the same of the recent notes, an exponential moving average.
    """

    def __init__(self, prompt: Sequence[Array], batch: int, half_life: float) -> None:
        sizes = [len(counts) for counts in prompt]
        self.first: Ints = np.cumsum([0, *sizes[:-1]])
        self.group: Ints = np.repeat(np.arange(len(sizes)), sizes)
        self._keep = 0.5 ** (1 / half_life)
        self._counts = np.tile(np.concatenate(prompt).astype(np.float64), (batch, 1))
        self._lanes = np.arange(batch)[:, None]
        self.total, self.share, self.recent = np.zeros((3, *self._counts.shape))
        self.settle(np.arange(batch))

    def settle(self, lanes: Integers) -> None:
        """Take all that `count` has counted in some continuations as what their prompt has."""
        counts = self._counts[lanes]
        groups = np.split(counts, self.first[1:], axis=1)
        total = np.stack([of.sum(axis=1) for of in groups], axis=1)[:, self.group]
        self.total[lanes] = total
        # As if the prompt had gone on for ever: the recent shares begin as, and stay, a whole.
        self.share[lanes] = self.recent[lanes] = counts / np.maximum(1.0, total)

    def count(self, classes: Integers, counted: Mask) -> None:
        """Count a note for `settle`; the arguments are those of `push`."""
        self._counts[self._lanes, self.first + classes] += counted

    def push(self, classes: Integers, counted: Mask) -> None:
        """Add a note to the recent ones of each continuation.

        Args:
            classes: the note's class in each group, `(B, groups)`.
            counted: which groups count it, `(B, groups)`.
        """
        self.recent *= np.where(counted, self._keep, 1.0)[:, self.group]
        self.recent[self._lanes, self.first + classes] += np.where(counted, 1.0 - self._keep, 0.0)
