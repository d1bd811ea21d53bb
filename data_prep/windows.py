"""Windows on a dataset: what a training loop and an evaluation read.

    row     0 … p−1          p … T
            control prefix   rows of a piece, from its beginning or from its middle

A window has T + 1 rows, and row i predicts row i + 1. Labels of the prefix are dropped at random,
so that a model learns to do with any of them. What stands in a window follows from the dataset's
seed and the window's number alone: windows can be asked for in any order, by any process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer import InputError, Labels, Tokenizer
from tokenizer.errors import unknown
from tokenizer.structure import COUNTDOWN, PART, STRUCTURE_SIZES, Structure
from tokenizer.vocabulary import FIELDS, INSTRUMENT, PITCH, WAIT, Mask, Tokens

from .augment import Augmentation, Change, apply, changed_labels, draw
from .pieces import Pieces

SHORTEST_CONTEXT = 64

SHORTEST = 32
"""Fewer rows than this at a window's end are left empty and not packed with another piece."""


class Window(NamedTuple):
    """One window, or with a leading axis a batch of them.

    Attributes:
        tokens: `(…, T + 1, 5)`, 0 where there is nothing.
        structure: `(…, T + 1, 6)`, that of the whole piece at these rows.
        counted: `(…, T + 1, 5)`, which fields a model is asked for.
    """

    tokens: Tokens
    structure: Structure
    counted: Mask


@dataclass(frozen=True)
class Dropout:
    """How often what is told of a piece is left out, each for itself.

    Attributes:
        composer, styles, instruments, tempo, time_signature, key: labels of the prefix.
        everything: all labels at once.
        length: how far the piece has come and how long it still is (PART and COUNTDOWN).
    """

    composer: float = 0.3
    styles: float = 0.3
    instruments: float = 0.3
    tempo: float = 0.3
    time_signature: float = 0.1
    key: float = 0.3
    everything: float = 0.1
    length: float = 0.5

    def labels(self, labels: Labels, random: np.random.Generator) -> Labels:
        """The labels that are left."""
        names = ("composer", "styles", "instruments", "tempo", "time_signature", "key")
        drawn = random.random(1 + len(names))
        if drawn[0] < self.everything:
            return Labels()
        empty = Labels()
        gone = {
            name: getattr(empty, name)
            for name, where in zip(names, drawn[1:], strict=True)
            if where < getattr(self, name)
        }
        return replace(labels, **gone)


NO_DROPOUT = Dropout(*(0.0,) * 8)


class Stretch(NamedTuple):
    """A run of rows of one piece in a window, and what was done to it."""

    piece: int
    start: int
    stop: int
    prefix: int
    change: Change


class Dataset:
    """Random windows on a split of a dataset folder, for training.

    Attributes:
        pieces: the pieces of the split.
        context: T, the rows that a model reads at a time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        split: str,
        context: int,
        *,
        seed: int = 0,
        weights: Mapping[str, float] | None = None,
        augmentation: Augmentation | None = None,
        dropout: Dropout | None = None,
        pack: bool = True,
    ) -> None:
        """Open a split of a dataset folder.

        Args:
            path: the dataset folder.
            split: `train`, `validation` or `test`.
            context: T.
            seed: of all that is drawn.
            weights: factors for the chance of a corpus's notes to be drawn, by corpus; 1 where
                not named.
            augmentation: what is changed, how often and how far.
            dropout: what is left out, how often.
            pack: whether the room behind a piece's end is filled with the beginning of another.

        Raises:
            InputError: if it is no dataset, the split is empty, or a weight names no corpus.
        """
        if context < SHORTEST_CONTEXT:
            raise InputError(f"a context of {context} is too short; use {SHORTEST_CONTEXT} or more")
        self.pieces = Pieces(path, split)
        self.context = context
        self._seed = seed
        self._augmentation = augmentation or Augmentation()
        self._dropout = dropout or Dropout()
        self._pack = pack
        self._edges = np.cumsum(weighted_rows(self.pieces, weights or {}))

    @property
    def tokenizer(self) -> Tokenizer:
        """What the tokens mean."""
        return self.pieces.tokenizer

    @property
    def rows(self) -> int:
        """How many rows the split has."""
        return int(self.pieces.lengths.sum())

    def __getitem__(self, k: int) -> Window:
        """Window k, counting from 0 without end."""
        return Window(*(array[0] for array in self._windows(range(k, k + 1))))

    def batch(self, k: int, size: int) -> Window:
        """Windows k·size … (k + 1)·size − 1."""
        return self._windows(range(k * size, (k + 1) * size))

    def describe(self, k: int) -> list[str]:
        """What stands in window k and what was done to it, a line a stretch."""
        _, stretches = self._filled(k, empty_windows(1, self.context), 0)
        return [
            f"{self.pieces.corpora[s.piece]}/{self.pieces.sources[s.piece]} "
            f"rows {s.start}–{s.stop}: {s.change}"
            for s in stretches
        ]

    def _windows(self, numbers: range) -> Window:
        windows = empty_windows(len(numbers), self.context)
        music = np.zeros(windows.tokens.shape[:2], dtype=bool)
        for place, k in enumerate(numbers):
            music[place], _ = self._filled(k, windows, place)
        count(windows, music, self.tokenizer)
        return windows

    def _filled(self, k: int, windows: Window, place: int) -> tuple[Mask, list[Stretch]]:
        """Fill window k into a batch; which rows are music `(T + 1,)`, and what they are."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, k]))
        rows = self.context + 1
        music = np.zeros(rows, dtype=bool)
        stretches: list[Stretch] = []
        filled = 0
        while filled == 0 or (self._pack and rows - filled >= SHORTEST):
            stretch = self._stretch(random, rows - filled, windows, place, filled)
            stretches.append(stretch)
            end = filled + stretch.prefix + stretch.stop - stretch.start
            music[filled + stretch.prefix : end] = True
            filled = end
        return music, stretches

    def _stretch(
        self, random: np.random.Generator, room: int, windows: Window, place: int, at: int
    ) -> Stretch:
        """Draw a piece and put as much of it as fits at a row of a window."""
        pieces = self.pieces
        where = random.random(2)
        piece = int(np.searchsorted(self._edges, where[0] * self._edges[-1], side="right"))
        labels = self._dropout.labels(pieces.labels(piece), random)
        knows_length = random.random() >= self._dropout.length
        length = int(pieces.lengths[piece])
        # A piece's first and last rows are drawn as often as its others: a window may hang over
        # either end by half, and is then moved inside.
        start = 0 if at else round(where[1] * length - room / 2)
        start = max(0, min(start, length - room + prefix_rows(labels)))
        body = pieces.tokens(piece)
        change = draw(self._augmentation, body[start : start + room], random)
        prefix = self.tokenizer.prefix(changed_labels(labels, change), start=start == 0)[:room]
        stop = min(length, start + room - len(prefix))
        begin, end = at + len(prefix), at + len(prefix) + stop - start
        windows.tokens[place, at:begin] = prefix
        music = windows.tokens[place, begin:end]
        music[:] = body[start:stop]
        apply(music, change)
        structure = windows.structure[place, begin:end]
        structure[:] = pieces.structure(piece)[start:stop]
        if not knows_length:
            structure[:, [PART, COUNTDOWN]] = 0
        return Stretch(piece, start, stop, len(prefix), change)


def prefix_rows(labels: Labels) -> int:
    """The most rows that the prefix of labels can take."""
    return 5 + len(labels.styles) + len(labels.instruments)


def weighted_rows(pieces: Pieces, weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """The rows of each piece times the weight of its corpus, `(N,)`."""
    known = set(pieces.corpora)
    for corpus, weight in weights.items():
        if corpus not in known:
            raise unknown("corpus", corpus, sorted(known))
        if not weight >= 0:
            raise InputError(f"the weight of {corpus} is {weight}; it must not be negative")
    factor = np.array([weights.get(corpus, 1.0) for corpus in pieces.corpora])
    rows: npt.NDArray[np.float64] = pieces.lengths * factor
    if not rows.sum() > 0:
        raise InputError("every corpus has the weight 0; give one a positive weight")
    return rows


def empty_windows(size: int, context: int) -> Window:
    """B windows of padding."""
    shape = (size, context + 1)
    return Window(
        np.zeros((*shape, len(FIELDS)), dtype=np.int16),
        np.zeros((*shape, len(STRUCTURE_SIZES)), dtype=np.int16),
        np.zeros((*shape, len(FIELDS)), dtype=bool),
    )


def count(windows: Window, music: Mask, tokenizer: Tokenizer) -> None:
    """Set `counted` where rows are `(B, T + 1)` music; nothing predicts a window's first row."""
    tokens, counted = windows.tokens, windows.counted
    first = tokens[..., WAIT]
    music[:, 0] = False
    counted[..., WAIT] = music
    counted[..., INSTRUMENT] = music & (first < tokenizer.vocabulary.first_rest)
    counted[..., PITCH:] = (music & (tokens[..., INSTRUMENT] > 0))[..., None]
