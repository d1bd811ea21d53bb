"""Windows on a dataset: what a training loop reads.

    row     0 … p−1          p … T
            control prefix   rows of a piece, from its beginning or from its middle

A window has T + 1 rows, and row i predicts row i + 1. Labels of the prefix are dropped at random,
so that a model learns to work with any subset of them. The content of a window follows from the
dataset's seed and the window's number alone: windows can be read in any order, by any process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tokenizer import InputError, Labels, Score, Tokenizer
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.holes import header_mask, predicted
from tokenizer.encoding.structure import COLUMNS, ROLE, TIME, length_of, structure
from tokenizer.encoding.vocabulary import DURATION, FIELDS, WAIT, Vocabulary
from tokenizer.labels import texture
from tokenizer.typing import Mask, Structure, Tokens

from .augment import (
    NO_AUGMENTATION,
    NO_DROPOUT,
    Augmentation,
    Change,
    Dropout,
    apply,
    changed_labels,
    draw_change,
    stretched,
)
from .disguise import Disguise, apply_disguise, disguised_labels, draw_disguise
from .loops import Loops, looped
from .parts import Missing, draw_missing, labels_without, without
from .pieces import Pieces
from .tasks import Music, Tasks, arranged
from .window_order import SHORTEST, EpochOrder, Passage, RandomOrder, WindowRandom

SHORTEST_CONTEXT, LONGEST_CONTEXT = 64, 2**20


class Window(NamedTuple):
    """One window, or with a leading axis a batch of them.

    Attributes:
        tokens: `(…, T + 1, 5)`, 0 where there is nothing.
        structure: `(…, T + 1, 8)`, that of the whole piece at these rows.
        counted: `(…, T + 1, 5)`, which fields the loss counts. Of a given row that is its wait,
            for which no written row came; see `tokenizer.encoding.holes`.
    """

    tokens: Tokens
    structure: Structure
    counted: Mask


class PlacedPassage(NamedTuple):
    """Rows of one piece in a window, and how they were augmented.

    In a loop `start` and `stop` are rows of the loop, not of the piece. `rows` are those of the
    window, more than the piece's where a task adds some; `in_hole` says which stand in holes.
    """

    piece: int
    start: int
    stop: int
    prefix: int
    rows: int
    change: Change
    loop: bool = False
    disguised: bool = False
    missing: int = 0
    task: str = ""
    in_hole: Mask | None = None

    def __str__(self) -> str:
        rows = f"{self.stop - self.start} rows of a loop" if self.loop else ""
        said = [
            str(self.change),
            "disguised" if self.disguised else "",
            f"without {self.missing} of its instruments" if self.missing else "",
            self.task,
        ]
        return f"{rows or f'rows {self.start}–{self.stop}'}: {', '.join(filter(None, said))}"


class _Drawn(NamedTuple):
    """What was drawn for a passage: a piece or a loop, its changed music, and where that starts."""

    body: Tokens
    music: Music
    start: int
    labels: Labels
    placed: PlacedPassage


class Dataset:
    """Endless windows on a split of a dataset folder, for training.

    Attributes:
        pieces: the pieces of the split.
        context: T, the rows that a model reads at a time.
        order: which passages stand in which window.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        split: str,
        context: int,
        *,
        seed: int = 0,
        weights: Mapping[str, float] | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
        dropout: Dropout = NO_DROPOUT,
        disguise: Disguise | None = None,
        loops: Loops | None = None,
        missing: Missing | None = None,
        tasks: Tasks | None = None,
        only_holes: bool = False,
        pack: bool = True,
        epochs: bool = False,
    ) -> None:
        """Open a split of a dataset folder.

        Args:
            path: the dataset folder.
            split: `train`, `validation` or `test`.
            context: T.
            seed: of all random choices.
            weights: factors for the chance that a corpus's notes are drawn, by corpus; 1 for
                those not named.
            augmentation: what is changed, how often and how far; by default nothing.
            dropout: what is left out, how often; by default nothing.
            disguise: how often windows are played by other instruments, and how differently.
            loops: how often windows are a figure played again and again.
            missing: how often windows lack some of their instruments.
            tasks: how often windows have holes, or parts or chords that are given.
            only_holes: whether in a window with holes the loss counts these alone.
            pack: whether the space after a piece's end is filled with the beginning of another.
            epochs: whether everything is visited once before anything is repeated, instead of
                being drawn at random. (On the `seconds` clock a slower tempo makes passages
                longer, and what then extends over a window's end is left out.)

        Raises:
            InputError: if it is no dataset, the split is empty, the context is too short or too
                long, a weight names no corpus or is given with `epochs`, or the vocabulary has no
                controls for the tasks.
        """
        if context < SHORTEST_CONTEXT:
            raise InputError(f"a context of {context} is too short; use {SHORTEST_CONTEXT} or more")
        if context > LONGEST_CONTEXT:
            raise InputError(f"a context of {context} is too long; use {LONGEST_CONTEXT} or fewer")
        if epochs and weights:
            raise InputError("epochs visit everything once; leave out the weights, or the epochs")
        self.pieces = Pieces(path, split)
        self.context = context
        self._seed = seed
        self._augmentation = augmentation
        self._dropout = dropout
        self._disguise = disguise or Disguise()
        self._loops = loops or Loops()
        self._missing = missing or Missing()
        self._tasks = tasks or Tasks()
        self._only_holes = only_holes
        asked = self._tasks.fill or self._tasks.accompany or self._tasks.chords
        if asked and self.tokenizer.vocabulary.mark < 0:
            raise InputError(
                f"{path} was prepared with a vocabulary without holes and chords; prepare it anew "
                "(without --tokenizer), or leave out fill, accompany and chords"
            )
        self._pack = pack
        self.order: RandomOrder | EpochOrder
        if epochs:
            self.order = EpochOrder(self.pieces, context + 1, seed, pack=pack)
        else:
            self.order = RandomOrder(self.pieces, context + 1, weights or {})

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

    def score(self, k: int) -> Score:
        """The music of window k."""
        return self.tokenizer.decode(self[k].tokens)

    def describe(self, k: int) -> list[str]:
        """What window k contains and how it was augmented, one line per passage."""
        _, placed = self._filled(k, self._empty(1), 0, WindowRandom(self._seed).of(k))
        return [
            f"{self.pieces.corpora[s.piece]}/{self.pieces.sources[s.piece]} {s}" for s in placed
        ]

    def _empty(self, size: int) -> Window:
        """B windows of padding."""
        shape = (size, self.context + 1)
        return Window(
            np.zeros((*shape, len(FIELDS)), dtype=np.int16),
            np.zeros((*shape, len(COLUMNS)), dtype=np.int32),
            np.zeros((*shape, len(FIELDS)), dtype=bool),
        )

    def _windows(self, numbers: range) -> Window:
        windows = self._empty(len(numbers))
        music = np.zeros(windows.tokens.shape[:2], dtype=bool)
        random = WindowRandom(self._seed)
        for place, k in enumerate(numbers):
            music[place], _ = self._filled(k, windows, place, random.of(k))
        _mark_counted(windows, music, self.tokenizer)
        return windows

    def _filled(
        self, k: int, windows: Window, place: int, random: np.random.Generator
    ) -> tuple[Mask, list[PlacedPassage]]:
        """Fill window k into a batch; which rows are music `(T + 1,)`, and what they are."""
        rows = self.context + 1
        music = np.zeros(rows, dtype=bool)
        placed: list[PlacedPassage] = []
        filled = 0
        for passage in self.order.passages(k, random):
            if filled and (not self._pack or rows - filled < SHORTEST):
                break
            room = windows.tokens[place, filled:], windows.structure[place, filled:]
            found = self._write_passage(passage, random, *room)
            placed.append(found)
            end = filled + found.prefix + found.rows
            holes = found.in_hole if self._only_holes else None
            music[filled + found.prefix : end] = True if holes is None else holes
            filled = end
        return music, placed

    def _write_passage(
        self, passage: Passage, random: np.random.Generator, tokens: Tokens, columns: Structure
    ) -> PlacedPassage:
        """Write as much of a passage into rows of a window as fits."""
        room, vocabulary = len(tokens), self.tokenizer.vocabulary
        task, chords = self._tasks.draw(random)
        drawn = self._drawn(passage, room, task, random)
        music, start = drawn.music, drawn.start
        said = drawn.labels
        known = said if task == "labels" else self._dropout.labels(said, random)
        prefix = self.tokenizer.prefix(known, start=start == 0)[:room]
        rows, roles, in_hole = music.tokens, None, None
        if chords or task in ("fill", "accompany"):
            rows, roles, in_hole, task = arranged(
                music, self._tasks, task, chords, vocabulary, random
            )
        begin, end = len(prefix), min(room, len(prefix) + len(rows))
        rows = rows[: end - begin]
        tokens[:begin], tokens[begin:end] = prefix, rows
        knows_length = random.random() >= self._dropout.length and not drawn.placed.loop
        columns[begin:end] = structure(
            np.concatenate([drawn.body[:start], rows]),
            vocabulary,
            length_of(drawn.body, vocabulary) if knows_length else None,
            start=start,
            meter=said.time_signature,
            roles=None if roles is None else roles[: end - begin],
        )
        # A prefix stands where the row behind it begins to wait.
        columns[:begin, TIME] = columns[begin, TIME] - vocabulary.steps[tokens[begin, WAIT]]
        return drawn.placed._replace(
            stop=start + (end - begin if roles is None else len(music.tokens)),
            prefix=begin,
            rows=end - begin,
            task="" if task == "continue" else task,
            in_hole=None if in_hole is None or not in_hole.any() else in_hole[: end - begin],
        )

    def _drawn(self, passage: Passage, room: int, task: str, random: np.random.Generator) -> _Drawn:
        """The music of a passage with all that is changed in it, about as much as has room."""
        piece, start, stop = passage
        body, vocabulary = self.pieces.tokens(piece), self.tokenizer.vocabulary
        labels, on_beats = self.pieces.labels(piece), vocabulary.grid.is_beat
        loop = None
        if task == "labels":
            start = 0
        else:
            loop = self._loop(passage, room, labels, random)
        if loop is not None:
            body, start, stop = loop, 0, len(loop)
        # Stretching moves rows, so that there a transposition must suit the whole piece.
        change = draw_change(
            self._augmentation, body[start : start + room] if on_beats else body, random
        )
        if change.tempo != 1.0 and not on_beats:
            rows = len(body)
            body = stretched(body, change.tempo, vocabulary)
            start, stop = (at * len(body) // rows for at in (start, stop))
        missing: frozenset[int] = frozenset()
        if random.random() < self._missing.rate:
            missing = draw_missing(self._missing, body[start : start + room], random)
        tokens = body[start : min(stop, start + room * (2 if missing else 1))].copy()
        if missing:
            tokens = without(tokens, missing, vocabulary)[:room]
        apply(tokens, change, vocabulary)
        disguised = random.random() < self._disguise.rate
        labels = changed_labels(labels_without(labels, missing), change)
        if disguised:
            tables = draw_disguise(self._disguise, tokens, random)
            apply_disguise(tokens, tables, vocabulary)
            labels = disguised_labels(labels, tables)
        return _Drawn(
            body,
            Music(tokens, body[:start], labels.time_signature or (4, 4)),
            start,
            _with_texture(labels, tokens[:room], vocabulary),
            PlacedPassage(
                piece, start, stop, 0, 0, change, loop is not None, disguised, len(missing)
            ),
        )

    def _loop(
        self, passage: Passage, room: int, labels: Labels, random: np.random.Generator
    ) -> Tokens | None:
        """A figure of a piece played again and again, where the window is to be one."""
        if random.random() >= self._loops.rate:
            return None
        body, vocabulary = self.pieces.tokens(passage.piece), self.tokenizer.vocabulary
        times, meter = row_times(body, vocabulary), labels.time_signature
        return looped(body, times, passage.start, room, self._loops, vocabulary, meter, random)


def _with_texture(labels: Labels, tokens: Tokens, vocabulary: Vocabulary) -> Labels:
    """The labels of rows `(T, 5)`, with their density and polyphony."""
    note = vocabulary.is_note(tokens)
    start = row_times(tokens, vocabulary)[note]
    end = start + vocabulary.grid.durations[tokens[note, DURATION] - 1]
    density, polyphony = texture(start, end, vocabulary.grid.beat)
    return replace(labels, density=density, polyphony=polyphony)


def _mark_counted(windows: Window, music: Mask, tokenizer: Tokenizer) -> None:
    """Set `counted` where rows are `(B, T + 1)` music; nothing predicts a window's first row."""
    tokens, counted, vocabulary = windows.tokens, windows.counted, tokenizer.vocabulary
    first = tokens[..., WAIT]
    music[:, 0] = False
    for window in np.flatnonzero((first == vocabulary.mark).any(axis=1)).tolist():
        music[window] &= ~header_mask(tokens[window], vocabulary)
    counted[:] = predicted(tokens, windows.structure[..., ROLE], music, vocabulary)
