"""Histograms of notes: the shares of classes in the prompt, and a moving average of recent ones.

Several groups of classes are columns of one array, so that a note is counted in all of them at
once. Within a group, class 0 is for notes without a class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.typing import Array, Integers, Ints, Mask


class Histogram:
    """The distribution of the notes of a batch of continuations over classes.

    Args:
        prompt: for each group, the counts `(C,)` of its classes in the prompt.
        batch: the number of continuations.
        half_life: half-life of the recent shares, in notes of a group.

    Attributes:
        first: for each group, the column of its class 0.
        group: the group of each column.
        total: number of prompt notes in the group of each column, `(B, columns)`.
        share: share of each class among them, `(B, columns)`.
        recent: share among the recent notes, an exponential moving average.
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
        """Use what `count` has counted in some continuations as their prompt."""
        counts = self._counts[lanes]
        groups = np.split(counts, self.first[1:], axis=1)
        total = np.stack([of.sum(axis=1) for of in groups], axis=1)[:, self.group]
        self.total[lanes] = total
        # As if the prompt had lasted for ever: the recent shares always sum to 1.
        self.share[lanes] = self.recent[lanes] = counts / np.maximum(1.0, total)

    def count(self, columns: Integers, counted: Mask) -> None:
        """Count a note for `settle`; same arguments as `push`."""
        self._counts[self._lanes, columns] += counted

    def push(self, columns: Integers, counted: Mask) -> None:
        """Add a note to the recent ones of each continuation.

        Args:
            columns: that of the note's class in each group, `(B, groups)`.
            counted: which groups count it, `(B, groups)`.
        """
        keep = np.where(counted, self._keep, 1.0)
        self.recent *= keep.take(self.group, axis=1)
        self.recent[self._lanes, columns] += 1.0 - keep
