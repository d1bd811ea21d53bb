"""What each instrument struck last: whether a note repeats a pitch or moves to another.

A chord counts as one stroke: its notes repeat what they share with the stroke before.
"""

from __future__ import annotations

import numpy as np

from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.typing import Integers, Mask, Tokens

MOVED, REPEATED = 0, 1

_LAST, _BEFORE = 0, 1


class Struck:
    """The pitches of the last stroke, and of the one before, by instrument, of `batch` pieces.

    Args:
        heard: the notes `(N, 5)` that all of them begin with.
        times: when these begin `(N,)`, in steps.
        vocabulary: what the rows mean.
        batch: how many pieces.

    Attributes:
        classes: of each note heard after its instrument's first stroke, MOVED or REPEATED.
    """

    def __init__(self, heard: Tokens, times: Integers, vocabulary: Vocabulary, batch: int) -> None:
        instruments, pitches = vocabulary.sizes[INSTRUMENT], vocabulary.sizes[PITCH]
        by, pitch = heard[:, INSTRUMENT].astype(np.int64), heard[:, PITCH]
        # Strokes counted instrument after instrument; each instrument's come one after another.
        _, stroke = np.unique(np.stack([by, times]), axis=1, return_inverse=True)
        first, latest = np.full(instruments, len(heard)), np.full(instruments, -1)
        np.minimum.at(first, by, stroke)
        np.maximum.at(latest, by, stroke)
        played = stroke * pitches + pitch
        repeated = np.isin(played - pitches, played)
        self.classes = repeated[stroke > first[by]].astype(np.int64)
        self._lanes = np.arange(batch)
        self._strokes = np.zeros((batch, 2, instruments, pitches), dtype=bool)
        self._time = np.full((batch, instruments), -1, dtype=np.int64)
        now, ago = stroke == latest[by], (stroke == latest[by] - 1) & (stroke >= first[by])
        self._strokes[:, _LAST, by[now], pitch[now]] = True
        self._strokes[:, _BEFORE, by[ago], pitch[ago]] = True
        self._time[:, by[now]] = times[now]

    def repeated(self, instruments: Integers, times: Integers) -> Mask:
        """Which pitches `(B, pitches)` notes of `instruments` at `times` `(B,)` would repeat."""
        within = times <= self._time[self._lanes, instruments]
        return self._strokes[self._lanes, within.astype(np.int64), instruments]

    def push(
        self, index: Integers, instruments: Integers, pitches: Integers, times: Integers
    ) -> tuple[Integers, Integers]:
        """Go on by a note in each piece of `index`; which are no first strokes, and their class."""
        new = times > self._time[index, instruments]
        if new.any():
            begun, by = index[new], instruments[new]
            self._strokes[begun, _BEFORE, by] = self._strokes[begun, _LAST, by]
            self._strokes[begun, _LAST, by] = False
            self._time[begun, by] = times[new]
        before = self._strokes[index, _BEFORE, instruments]
        self._strokes[index, _LAST, instruments, pitches] = True
        known = before.any(axis=1)
        return index[known], before[known, pitches[known]].astype(np.int64)
