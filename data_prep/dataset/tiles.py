"""Tiles: windows that cover every row of a split once, for evaluation.

Each piece is cut from its beginning. With an overlap a tile begins with rows that an earlier tile
has counted, so that what it counts is predicted with that much context at least.
"""

from __future__ import annotations

import os

import numpy as np

from tokenizer import InputError, Labels
from tokenizer.encoding.structure import length_of, structure
from tokenizer.typing import Structure, Tokens

from .pieces import Pieces
from .windows import Window, count, empty_windows


class Tiles:
    """The tiles of a split, in the order of its pieces.

    Attributes:
        pieces: the pieces of the split.
        context: T, the rows that a model reads at a time.
        index: `(N, 3)`: of each tile its piece, its first row there, and the first row that counts.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        split: str,
        context: int,
        *,
        overlap: int = 0,
        labels: bool = True,
        pieces: Pieces | None = None,
    ) -> None:
        """Cut a split into tiles.

        Args:
            path: the dataset folder.
            split: `train`, `validation` or `test`.
            context: T.
            overlap: rows that a tile repeats of the one before.
            labels: whether the prefix says all that is known, or the time signature alone.
            pieces: the pieces, if they have been opened already.

        Raises:
            InputError: if the folder is no dataset, the split is empty or the overlap too long.
        """
        self.pieces = pieces or Pieces(path, split)
        self.context = context
        self._all_labels = labels
        tiles = []
        for piece, length in enumerate(self.pieces.lengths.tolist()):
            start = 0
            counted = 0
            while counted < length:
                room = context + 1 - len(self._prefix(piece, start))
                if room <= overlap:
                    raise InputError(
                        f"an overlap of {overlap} leaves no room in a context of {context}"
                    )
                tiles.append((piece, start, counted))
                counted = min(length, start + room)
                start = counted - overlap
        self.index = np.array(tiles, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, k: int) -> Window:
        """Tile k."""
        return Window(*(array[0] for array in self.batch(k, 1)))

    def batches(self, size: int) -> int:
        """How many batches of a size there are; the last may be smaller."""
        return -(-len(self) // size)

    def batch(self, k: int, size: int) -> Window:
        """Tiles k·size … (k + 1)·size − 1, or fewer at the end."""
        chosen = self.index[k * size : (k + 1) * size]
        windows = empty_windows(len(chosen), self.context)
        music = np.zeros(windows.tokens.shape[:2], dtype=bool)
        for place, (piece, start, counted) in enumerate(chosen.tolist()):
            prefix = self._prefix(piece, start)
            stop = min(int(self.pieces.lengths[piece]), start + self.context + 1 - len(prefix))
            begin, end = len(prefix), len(prefix) + stop - start
            windows.tokens[place, :begin] = prefix
            windows.tokens[place, begin:end] = self.pieces.tokens(piece)[start:stop]
            windows.structure[place, begin:end] = self._structure(piece, start, stop)
            music[place, begin + counted - start : end] = True
        count(windows, music, self.pieces.tokenizer)
        return windows

    def _structure(self, piece: int, start: int, stop: int) -> Structure:
        body, vocabulary = self.pieces.tokens(piece), self.pieces.tokenizer.vocabulary
        meter = self.pieces.labels(piece).time_signature
        length = length_of(body, vocabulary)
        return structure(body[:stop], vocabulary, length, start=start, meter=meter)

    def _prefix(self, piece: int, start: int) -> Tokens:
        labels = self.pieces.labels(piece)
        if not self._all_labels:
            labels = Labels(time_signature=labels.time_signature)
        return self.pieces.tokenizer.prefix(labels, start=start == 0)
