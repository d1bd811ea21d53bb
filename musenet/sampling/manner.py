"""Keeping the prompt's manner: what has come to be played much more than before is held back.

A small model that has slipped out of the key, off the beat, into ever shorter or softer notes goes
on there, for it hears itself. The prompt says how its notes are shared out among

    the twelve pitch classes                    (held when the pitch is drawn)
    pitches struck again, and others            (the same)
    each drum, and half octaves by instrument   (the same; of the prompt's instruments)
    note lengths, two classes an octave         (when the duration is)
    eight degrees of loudness                   (when the velocity is)
    the places within a beat where they start   (when the wait is)

and a class that takes a larger share of the late notes than that is held back by as much:

    logit − strength · max(0, ln (share of late + ε) / (share before + ε))

So a chromatic note or a triplet costs nothing, and a foreign key or a broken rhythm establishes
itself only where the model is sure of it. Drums have neither key nor length: of them only places,
loudness and which drum it is count.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tokenizer.compound import row_times
from tokenizer.instruments import DRUMS
from tokenizer.vocabulary import (
    DURATION,
    INSTRUMENT,
    PITCH,
    VELOCITY,
    VELOCITY_BINS,
    WAIT,
    Tokens,
    Vocabulary,
)

from .logits import Logits
from .struck import Struck

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

_HALF_LIFE = 32
_KEEP = 0.5 ** (1 / _HALF_LIFE)
_FLOOR = 0.04
_ENOUGH = 24
"""Notes that say as much about a manner as the model's own opinion."""

_AT_ONE = 1.5
"""Nats by which strength 1 holds an e-fold excess: continuations of held-out pieces then keep to
the prompt's pitch classes as closely as the pieces themselves do."""

_DRUM_VALUE = DRUMS + 1
_HALF_OCTAVES = 22
_FIRST_DRUM = _DRUM_VALUE * _HALF_OCTAVES
_DEGREES = 8
_DEGREE_OF_VALUE = np.arange(-1, VELOCITY_BINS).clip(0) * _DEGREES // VELOCITY_BINS


class Shares:
    """How the notes of `batch` continuations are shared out among classes, of late and before.

    Args:
        heard: the class of each note of the prompt.
        classes: how many there are.
        batch: how many continuations.
        strength: 0 holds nothing back.
    """

    def __init__(self, heard: Ints, classes: int, batch: int, strength: float) -> None:
        counts = np.bincount(heard, minlength=classes).astype(np.float64)
        total = counts.sum()
        self.strength = _AT_ONE * strength * total / (total + _ENOUGH)
        self._share = counts / max(1.0, total)
        # As if the prompt had gone on for as long as is remembered.
        self._late = np.tile(self._share / (1 - _KEEP), (batch, 1))

    def held(self, chosen: Ints | None = None) -> Floats:
        """By how many nats each class, or those of `chosen` `(B, C)`, are held back, `(B, C)`."""
        late, share = self._late, self._share
        if chosen is not None:
            late, share = np.take_along_axis(late, chosen, axis=1), share[chosen]
        late = late / np.maximum(self._late.sum(axis=1, keepdims=True), 1e-12)
        return self.strength * np.log((late + _FLOOR) / (share + _FLOOR)).clip(0.0)

    def push(self, index: Ints, classes: Ints) -> None:
        """Count a note of a class in each continuation of `index`."""
        self._late[index] *= _KEEP
        self._late[index, classes] += 1.0


class Manner:
    """The manner of `batch` continuations side by side.

    Args:
        heard: the prompt's rows `(T, 5)`; without notes there is nothing to keep.
        vocabulary: what the rows mean.
        batch: how many continuations.
        strength: 0 is none.
    """

    def __init__(self, heard: Tokens, vocabulary: Vocabulary, batch: int, strength: float) -> None:
        self._on = strength > 0
        self._beat = vocabulary.grid.beat
        self._length_of_value = _lengths(vocabulary)
        self._class_of_value = _pitch_class(np.arange(vocabulary.sizes[PITCH]))
        self._waits = vocabulary.grid.wait_count
        self._steps = vocabulary.steps
        note, times = vocabulary.is_note(heard), row_times(heard, vocabulary)
        with_pitch = note & (heard[:, INSTRUMENT] != _DRUM_VALUE)
        pitched, places = heard[with_pitch], times[note] % self._beat
        self._struck = Struck(pitched, times[with_pitch], vocabulary, batch)
        lengths = self._length_of_value[pitched[:, DURATION]]
        self._pitches = Shares(_pitch_class(pitched[:, PITCH]), 12, batch, strength)
        self._known = np.isin(np.arange(_DRUM_VALUE + 1), heard[note, INSTRUMENT])
        self._register_of = _registers(vocabulary)
        registers = self._register_of[heard[note, INSTRUMENT], heard[note, PITCH]]
        self._registers = Shares(registers, int(self._register_of.max()) + 1, batch, strength)
        self._repeats = Shares(self._struck.classes, 2, batch, strength)
        self._lengths = Shares(lengths, int(self._length_of_value.max()) + 1, batch, strength)
        self._places = Shares(places, self._beat, batch, strength)
        loudness = _DEGREE_OF_VALUE[heard[note, VELOCITY]]
        self._loudness = Shares(loudness, _DEGREES, batch, strength)

    def applied(self, field: int, logits: Logits, rows: Tokens, times: Ints) -> Logits:
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
        if field == WAIT:
            held = np.zeros(logits.shape)
            place = (times[:, None] + np.arange(self._waits)) % self._beat
            held[:, 1 : 1 + self._waits] = np.take_along_axis(self._places.held(), place, axis=1)
            return logits - held
        if field == VELOCITY:
            return logits - self._loudness.held()[:, _DEGREE_OF_VALUE]
        if field == PITCH:
            held = self._pitches.held()[:, self._class_of_value]
            now = times + self._steps.take(rows[:, WAIT])
            again = self._struck.repeated(rows[:, INSTRUMENT], now)
            held += np.take_along_axis(self._repeats.held(), again.astype(np.int64), axis=1)
        else:
            held = self._lengths.held()[:, self._length_of_value]
        held[rows[:, INSTRUMENT] == _DRUM_VALUE] = 0.0
        if field == PITCH:
            register = self._register_of[rows[:, INSTRUMENT]]
            held += self._registers.held(register) * self._known[rows[:, INSTRUMENT], None]
        return logits - held

    def push(self, rows: Tokens, note: npt.NDArray[np.bool_], times: Ints) -> None:
        """Go on by rows `(B, 5)`, of which `note` says which are notes, that begin at `times`."""
        if not self._on:
            return
        sounding = np.flatnonzero(note)
        self._places.push(sounding, times[sounding] % self._beat)
        self._loudness.push(sounding, _DEGREE_OF_VALUE[rows[sounding, VELOCITY]])
        played = self._register_of[rows[sounding, INSTRUMENT], rows[sounding, PITCH]]
        self._registers.push(sounding, played)
        index = sounding[rows[sounding, INSTRUMENT] != _DRUM_VALUE]
        instruments, pitches = rows[index, INSTRUMENT], rows[index, PITCH]
        self._repeats.push(*self._struck.push(index, instruments, pitches, times[index]))
        self._pitches.push(index, _pitch_class(pitches))
        self._lengths.push(index, self._length_of_value[rows[index, DURATION]])


def _registers(vocabulary: Vocabulary) -> Ints:
    """Classes of values of two fields `(instruments, pitches)`: half octaves of each, and drums."""
    pitches = np.arange(vocabulary.sizes[PITCH])
    halves = (pitches - 1).clip(0) // 6
    instruments = np.arange(_DRUM_VALUE)[:, None]
    return np.vstack([instruments * _HALF_OCTAVES + halves, _FIRST_DRUM + pitches])


def _pitch_class(values: Ints) -> Ints:
    """Pitch classes of the pitch field's values, 0 being C."""
    return (values - 1) % 12


def _lengths(vocabulary: Vocabulary) -> Ints:
    """Two classes an octave for each value of the duration field; the shortest is half a step."""
    steps = np.maximum(vocabulary.grid.durations, 0.5)
    classes = np.rint(2 * np.log2(steps / 0.5)).astype(np.int64)
    return np.concatenate([[0], classes])
