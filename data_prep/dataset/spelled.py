"""Windows on a dataset in a learned encoding: its rows are changed first and spelled then.

What is drawn, transposed, disguised and left out is compound music as in `windows`; only what goes
into a window are ids. A token may begin several notes or none, so the structure has one more column
here: the notes that begin with each token, of which losses are a mean.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer import InputError, Score
from tokenizer.encoding.learned.learned import NOTES_BEGUN, LearnedTokenizer
from tokenizer.encoding.structure import TIME, length_of
from tokenizer.encoding.vocabulary import WAIT
from tokenizer.typing import Structure, Tokens

from .shards import ENCODING
from .window_order import Passage, WindowRandom
from .windows import Dataset, PlacedPassage, Window

_NOTES_PER_TOKEN = 4
"""So many rows are drawn for a token of a window: what does not fit is left out."""


class SpelledDataset(Dataset):
    """Endless windows of ids `(T + 1, 1)` on a split of a dataset that has an encoding.

    It takes what `Dataset` does, but for tasks in which rows are given, which ids have no sign for.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self.pieces.encoding is None:
            raise InputError(
                f"{self.pieces.folder} has no learned encoding; prepare it with --encoding"
            )
        self._encoding = encoding = self.pieces.encoding
        tasks = self._tasks
        if tasks.fill or tasks.accompany or tasks.chords:
            raise InputError(
                f"the {encoding.encoding} encoding has no holes and no chords to follow; "
                "leave out fill, accompany and chords, or prepare the data as compound"
            )

    def score(self, k: int) -> Score:
        """The music of window k."""
        return self._encoding.decode(self[k].tokens)

    def _empty(self, size: int) -> Window:
        shape = (size, self.context + 1)
        return Window(
            np.zeros((*shape, 1), dtype=np.int16),
            np.zeros((*shape, NOTES_BEGUN + 1), dtype=np.int32),
            np.zeros((*shape, 1), dtype=bool),
        )

    def _windows(self, numbers: range) -> Window:
        windows = self._empty(len(numbers))
        random = WindowRandom(self._seed)
        for place, k in enumerate(numbers):
            music, _ = self._filled(k, windows, place, random.of(k))
            windows.counted[place, :, 0] = music
        windows.counted[:, 0] = False  # nothing predicts a window's first token
        return windows

    def _write_passage(
        self, passage: Passage, random: np.random.Generator, tokens: Tokens, columns: Structure
    ) -> PlacedPassage:
        """Write as much of a passage into a window as fits."""
        room, encoding = len(tokens), self._encoding
        task, _ = self._tasks.draw(random)
        drawn = self._drawn(passage, room * _NOTES_PER_TOKEN, task, random)
        known = drawn.labels if task == "labels" else self._dropout.labels(drawn.labels, random)
        prefix = encoding.prefix(known, start=drawn.start == 0)[:room]
        knows_length = random.random() >= self._dropout.length and not drawn.placed.loop
        length = length_of(drawn.body, self.tokenizer.vocabulary) if knows_length else None
        before = drawn.body[: drawn.start]
        ids = self._spelled(drawn.music.tokens, room - len(prefix))
        begin, end = len(prefix), len(prefix) + len(ids)
        tokens[:begin], tokens[begin:end] = prefix, ids
        meter = drawn.labels.time_signature
        columns[begin:end] = encoding.window_columns(ids, length, before=before, meter=meter)
        columns[:begin, TIME] = _begin_time(encoding, columns[begin:end], ids)
        return drawn.placed._replace(
            stop=drawn.start + len(drawn.music.tokens), prefix=begin, rows=end - begin
        )

    def _spelled(self, rows: Tokens, room: int) -> Tokens:
        """The first `room` ids of rows; few rows are spelled that do not fit."""
        count = max(room, 1)
        while True:
            ids = self._encoding.spelled(rows[:count], cut=True)
            if len(ids) >= room or count >= len(rows):
                return ids[:room]
            count *= 2


def _begin_time(encoding: LearnedTokenizer, columns: Structure, ids: Tokens) -> int:
    """The time at which the first token of music begins to wait."""
    return int(columns[0, TIME] - encoding.steps_of_id[ids[0, WAIT]]) if len(ids) else 0


def open_windows(path: str | os.PathLike[str], split: str, context: int, **options: Any) -> Dataset:
    """Windows on a split: of ids where the dataset has an encoding, else of compound rows.

    The options are those of `Dataset`.
    """
    spelled = (Path(path) / ENCODING).exists()
    return (SpelledDataset if spelled else Dataset)(path, split, context, **options)
