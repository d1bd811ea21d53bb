"""Keeping the prompt's manner: what has come to be played much more than before is held back.

A small model that has slipped out of the key, off the beat, into ever shorter or softer notes goes
on there, for it hears itself. The prompt says how its notes are shared out among

    the twelve pitch classes                    (held when the pitch is drawn)
    pitches struck again, and others            (the same)
    each drum, and half octaves by instrument   (the same; of the prompt's instruments)
    note lengths, two classes an octave         (when the duration is)
    eight degrees of loudness                   (when the velocity is)
    the places within a beat where they start   (when the wait is)

and a class that takes a larger share of the late notes than that is held back by as much
(`musenet.sampling.histogram`): its logit is

    logit − strength · max(0, ln (share of late + ε) / (share before + ε))

So a chromatic note or a triplet costs nothing, and a foreign key or a broken rhythm establishes
itself only where the model is sure of it. Drums have neither key nor length: of them only places,
loudness and which drum it is count.

A piece from nothing has its own opening for a prompt: what its first notes were like is its manner
from then on. Until then one thing is known of it: how often real music strikes a pitch again.
"""

from __future__ import annotations

import numpy as np

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.vocabulary import (
    DURATION,
    INSTRUMENT,
    PITCH,
    VELOCITY,
    VELOCITY_BINS,
    WAIT,
    Vocabulary,
)
from tokenizer.instruments import DRUMS
from tokenizer.typing import Integers, Logits, Mask, Tokens

from .histogram import Shares
from .struck import MOVED, REPEATED, Struck

_OPENING = 64
"""Notes of a piece from nothing that are its opening."""

_ORDINARY = np.repeat([MOVED, REPEATED], [39, 11])
"""Strokes of real music, for a piece that has none yet: 22 % of them strike a pitch again."""

_PLACE, _LOUDNESS, _REGISTER, _PITCH_CLASS, _LENGTH, _REPEAT = range(6)
_WAYS = 6
_OF_ALL, _OF_PITCHED = slice(_PLACE, _PITCH_CLASS), slice(_PITCH_CLASS, _REPEAT)

_DRUM_VALUE = DRUMS + 1
_DEGREES = 8
_DEGREE_OF_VALUE = np.arange(-1, VELOCITY_BINS).clip(0) * _DEGREES // VELOCITY_BINS


class Manner:
    """The manner of `batch` continuations side by side.

    Args:
        heard: the prompt's rows `(T, 5)`; without notes the opening of each takes their place.
        vocabulary: what the rows mean.
        batch: how many continuations.
        strength: 0 is none.
        keep_key: whether the prompt's pitch classes are part of it.
    """

    def __init__(
        self,
        heard: Tokens,
        vocabulary: Vocabulary,
        batch: int,
        strength: float,
        keep_key: bool = True,
    ) -> None:
        self._on = strength > 0
        note, times = vocabulary.is_note(heard), row_times(heard, vocabulary)
        self._opening = np.full(batch, 0 if note.any() else _OPENING)
        self._beat, self._steps = vocabulary.grid.beat, vocabulary.steps
        notes, times = heard[note], times[note]
        pitched = notes[:, INSTRUMENT] != _DRUM_VALUE
        tunes = notes[pitched]
        self._struck = Struck(tunes, times[pitched], vocabulary, batch)
        registers, lengths = _registers(notes, vocabulary), _lengths(vocabulary)
        ways = (
            (times % self._beat, self._beat),
            (_DEGREE_OF_VALUE[notes[:, VELOCITY]], _DEGREES),
            (registers[notes[:, INSTRUMENT], notes[:, PITCH]], int(registers.max()) + 1),
            (_pitch_class(tunes[:, PITCH] if keep_key else tunes[:0, PITCH]), 12),
            (lengths[tunes[:, DURATION]], int(lengths.max()) + 1),
            (self._struck.classes if note.any() else _ORDINARY, 2),
        )
        heard_classes, counts = zip(*ways, strict=True)
        self._shares = Shares(heard_classes, counts, batch, strength)
        first = self._shares.first
        # The columns of a field's values, by what else they depend on.
        place = np.arange(self._beat)[:, None] + np.arange(vocabulary.grid.wait_count)
        self._place_columns = first[_PLACE] + place % self._beat
        self._loudness_columns = first[_LOUDNESS] + _DEGREE_OF_VALUE
        self._register_columns = np.where(registers < 0, 0, first[_REGISTER] + registers)
        classes = _pitch_class(np.arange(vocabulary.sizes[PITCH]))
        self._class_columns = _but_for_drums(first[_PITCH_CLASS] + classes)
        self._length_columns = _but_for_drums(first[_LENGTH] + lengths)
        self._moved_column = first[_REPEAT]

    def applied(self, field: int, logits: Logits, rows: Integers, times: Integers) -> Logits:
        """Logits `(B, V)` of a field with what is too much held back.

        Args:
            field: which one.
            logits: of the model.
            rows: the new rows `(B, 5)` up to this field.
            times: the times `(B,)` in steps from the prompt's beginning that the rows before have
                reached.
        """
        if not self._on or field == INSTRUMENT:
            return logits
        held = self._shares.held_at
        if field == WAIT:
            columns = self._place_columns[times % self._beat]
            logits = logits.astype(np.float64)
            logits[:, 1 : 1 + columns.shape[1]] -= held(columns)
            return logits
        if field == VELOCITY:
            return logits - held(self._loudness_columns)
        instruments = rows[:, INSTRUMENT]
        if field == DURATION:
            return logits - held(self._length_columns[instruments])
        again = self._struck.repeated(instruments, times + self._steps[rows[:, WAIT]])
        strokes = (self._moved_column + again) * (instruments != _DRUM_VALUE)[:, None]
        both = held(self._class_columns[instruments]) + held(strokes)
        return logits - (both + held(self._register_columns[instruments]))

    def push(self, rows: Integers, note: Mask, times: Integers) -> None:
        """Go on by rows `(B, 5)`, of which `note` says which are notes, that begin at `times`."""
        if not self._on:
            return
        instruments, pitches = rows[:, INSTRUMENT], rows[:, PITCH]
        pitched = note & (instruments != _DRUM_VALUE)
        columns = np.zeros((len(rows), _WAYS), dtype=np.int64)
        columns[:, _PLACE] = self._place_columns[times % self._beat, 0]
        columns[:, _LOUDNESS] = self._loudness_columns[rows[:, VELOCITY]]
        columns[:, _REGISTER] = self._register_columns[instruments, pitches]
        columns[:, _PITCH_CLASS] = self._class_columns[instruments, pitches]
        columns[:, _LENGTH] = self._length_columns[instruments, rows[:, DURATION]]
        counted = np.zeros((len(rows), _WAYS), dtype=bool)
        counted[:, _OF_ALL] = note[:, None]
        counted[:, _OF_PITCHED] = pitched[:, None]
        lanes = np.flatnonzero(pitched)
        again, strokes = self._struck.push(lanes, instruments[lanes], pitches[lanes], times[lanes])
        columns[again, _REPEAT] = self._moved_column + strokes
        counted[again, _REPEAT] = True
        if self._opening.any():
            self._open(columns, counted, note)
        self._shares.push(columns, counted)

    def _open(self, columns: Integers, counted: Mask, note: Mask) -> None:
        """A note of openings: the last of an opening makes it the manner."""
        counted = counted & (self._opening > 0)[:, None]
        self._shares.add(columns, counted)
        last = note & (self._opening == 1)
        self._opening = np.maximum(self._opening - note, 0)
        if last.any():
            self._shares.settle(np.flatnonzero(last))


def _registers(notes: Tokens, vocabulary: Vocabulary) -> Integers:
    """Classes of instruments' and pitches' values: half octaves, and drums; −1 where not heard.

    Args:
        notes: the prompt's `(N, 5)`, whose instruments have classes.
        vocabulary: what the rows mean.
    """
    pitches = np.arange(vocabulary.sizes[PITCH])
    halves = (pitches - 1).clip(0) // 6
    registers = np.full((vocabulary.sizes[INSTRUMENT], len(pitches)), -1)
    count = 0
    for instrument in np.unique(notes[:, INSTRUMENT]):
        registers[instrument] = count + (pitches if instrument == _DRUM_VALUE else halves)
        count = int(registers[instrument].max()) + 1
    return registers


def _but_for_drums(columns: Integers) -> Integers:
    """The same columns `(V,)` for every value of the instrument field, and column 0 for drums."""
    return np.outer(np.arange(_DRUM_VALUE + 1) != _DRUM_VALUE, columns)


def _pitch_class(values: Integers) -> Integers:
    """Pitch classes of the pitch field's values, 0 being C."""
    return (values - 1) % 12


def _lengths(vocabulary: Vocabulary) -> Integers:
    """Two classes an octave for each value of the duration field; the shortest is half a step."""
    steps = np.maximum(vocabulary.grid.durations, 0.5)
    classes = np.rint(2 * np.log2(steps / 0.5)).astype(np.int64)
    return np.concatenate([[0], classes])
