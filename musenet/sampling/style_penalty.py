"""Style penalty: what occurs much more often than in the prompt becomes less likely.

A small model that drifts out of the key, off the beat, or into ever shorter or softer notes does
not come back, because it reads its output. The prompt gives the distribution of notes over

    the twelve pitch classes                          (applied when the pitch is sampled)
    pitches that an instrument repeats, and others    (the same)
    each drum, and half octaves of each instrument    (the same; of the prompt's instruments)
    durations, two classes per octave                 (when the duration is)
    eight classes of velocity                         (when the velocity is)
    positions within a beat where notes start         (when the wait is)

and a class with a larger share of the recent notes is penalised by

    logit − strength · max(0, ln (recent share + ε) / (share in the prompt + ε))

So a chromatic note or a triplet costs nothing, but a different key or an irregular rhythm can only
establish itself if the model is sure of it. Drums have neither key nor duration.

Without a prompt, the first notes of the piece take its place once there are enough of them. Until
then only one thing is known: how often instruments in real music repeat a pitch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

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
from tokenizer.typing import Integers, Ints, Logits, Mask

from .histogram import Histogram
from .processor import RowState, SamplerContext

_DRUMS_VALUE = DRUMS + 1
_LAST, _BEFORE = 0, 1


@dataclass(frozen=True)
class StylePenalty:
    """Strength and constants.

    `benchmarks/ranges.py` counts how often real music repeats a pitch. The other constants are
    chosen so that the statistics of `musenet evaluate` are the same for continuations of held-out
    pieces as for the pieces themselves.

    Attributes:
        strength: 0 turns it off.
        keep_key: whether the prompt's pitch classes count.
        nats: penalty for an e-fold excess at strength 1, after a long prompt.
        half_life: half-life of the recent shares, in notes.
        floor: the share ε.
        enough: notes at which a prompt counts half as much as a long one.
        opening: notes that take the place of a prompt if there is none.
        repeats: ratio of notes in real music that do not repeat a pitch to those that do.
        register: width of a register class in semitones.
        durations: duration classes per octave.
        velocities: number of velocity classes.
    """

    strength: float = 1.0
    keep_key: bool = True
    nats: float = 1.5
    half_life: float = 32
    floor: float = 0.04
    enough: float = 24
    opening: int = 64
    repeats: tuple[int, int] = (39, 11)
    register: int = 6
    durations: int = 2
    velocities: int = 8

    def build(self, context: SamplerContext) -> StylePenaltyProcessor:
        """The processor of a batch."""
        return StylePenaltyProcessor(self, context)


@dataclass(frozen=True)
class Feature:
    """One classification of notes, with classes from 1; class 0 is never penalised.

    Attributes:
        field: the field whose logits are penalised.
        prompt: counts of the classes in the prompt, `(C,)`.
        classes_of_value: the classes of the field's first values, `(B, V)` or `(V,)`, given the
            fields before.
        classes_of_row: the classes `(B,)` of notes.
        counted: which rows it counts, `(B,)`.
    """

    field: int
    prompt: Ints
    classes_of_value: Callable[[RowState], Integers]
    classes_of_row: Callable[[RowState], Integers]
    counted: Callable[[RowState], Mask]


class StylePenaltyProcessor:
    """The processor of a batch."""

    def __init__(self, config: StylePenalty, context: SamplerContext) -> None:
        vocabulary, batch = context.vocabulary, context.batch
        note = vocabulary.is_note(context.prompt)
        notes, times = context.prompt[note], row_times(context.prompt, vocabulary)[note]
        prompt = RowState.of(notes, times, vocabulary)
        self._config = config
        self._repeated = RepeatedPitches(prompt, vocabulary, batch, config.repeats)
        self._features = _features(config, prompt, vocabulary, self._repeated)
        self._opening = np.full(batch, 0 if note.any() else config.opening)
        self._histogram = Histogram([f.prompt for f in self._features], batch, config.half_life)
        first = self._histogram.first
        self._width = len(self._histogram.group)
        self._column = first + (np.arange(batch) * self._width)[:, None]  # in the flat array
        self._penalty = np.zeros((batch, self._width))
        self._settle()

    def apply(self, field: int, logits: Logits, _allowed: Mask, state: RowState) -> Logits:
        """The logits `(B, V)` of a field minus the penalties of the classes of its values."""
        penalties = [
            self._penalty.take(self._column[:, index, None] + feature.classes_of_value(state))
            for index, feature in enumerate(self._features)
            if feature.field == field
        ]
        if not penalties or self._config.strength == 0:
            return logits
        penalty = reduce(np.add, penalties)
        logits = logits.astype(np.float64)
        logits[:, : penalty.shape[1]] -= penalty
        return logits

    def push(self, state: RowState) -> None:
        """Count the classes of rows that are notes."""
        if self._config.strength == 0:
            return
        classes = np.stack([f.classes_of_row(state) for f in self._features], axis=1)
        counted = np.stack([f.counted(state) for f in self._features], axis=1)
        self._repeated.push(state)
        if self._opening.any():
            self._open(classes, counted, state.note)
        self._histogram.push(classes, counted)
        config, histogram = self._config, self._histogram
        excess = (histogram.recent + config.floor) / (histogram.share + config.floor)
        self._penalty = self._nats * np.log(np.maximum(excess, 1.0))

    def _settle(self) -> None:
        """Compute how much an e-fold excess of each class costs, in nats."""
        config, total = self._config, self._histogram.total
        self._nats = config.strength * config.nats * total / (total + config.enough)
        self._nats[:, self._histogram.first] = 0.0

    def _open(self, classes: Integers, counted: Mask, note: Mask) -> None:
        """Count a note of the opening; after the last one the opening replaces the prompt."""
        self._histogram.count(classes, counted & (self._opening > 0)[:, None])
        last = note & (self._opening == 1)
        self._opening = np.maximum(self._opening - note, 0)
        if last.any():
            self._histogram.settle(np.flatnonzero(last))
            self._settle()


class RepeatedPitches:
    """Which pitches each instrument played at its last onset, for a batch of pieces.

    A chord is one onset: its notes repeat the pitches that they share with the onset before.

    Args:
        prompt: the notes with which all pieces begin.
        vocabulary: of the rows.
        batch: the number of pieces.
        usual: assumed counts of notes that do not repeat a pitch, and that do, without a prompt.

    Attributes:
        prompt: counts of the classes among notes after an instrument's first onset.
    """

    MOVED, REPEATED = 1, 2

    def __init__(
        self, prompt: RowState, vocabulary: Vocabulary, batch: int, usual: tuple[int, int]
    ) -> None:
        instruments, pitches = vocabulary.sizes[INSTRUMENT], vocabulary.sizes[PITCH]
        pitched = _pitched(prompt)
        by = prompt.rows[pitched, INSTRUMENT].astype(np.int64)
        pitch, times = prompt.rows[pitched, PITCH], prompt.time[pitched]
        # Onsets are numbered instrument by instrument, so that those of one are consecutive.
        _, onset = np.unique(np.stack([by, times]), axis=1, return_inverse=True)
        first, latest = np.full(instruments, len(by)), np.full(instruments, -1)
        np.minimum.at(first, by, onset)
        np.maximum.at(latest, by, onset)
        played = onset * pitches + pitch
        repeated = np.isin(played - pitches, played)[onset > first[by]]
        counts = np.bincount(self.MOVED + repeated.astype(np.int64), minlength=3)
        self.prompt = counts if len(prompt.rows) else np.array([0, *usual])
        self._lanes = np.arange(batch)
        self._onsets = np.zeros((batch, 2, instruments, pitches), dtype=bool)
        self._time = np.full((batch, instruments), -1, dtype=np.int64)
        now, ago = onset == latest[by], (onset == latest[by] - 1) & (onset >= first[by])
        self._onsets[:, _LAST, by[now], pitch[now]] = True
        self._onsets[:, _BEFORE, by[ago], pitch[ago]] = True
        self._time[:, by[now]] = times[now]

    def before(self, state: RowState) -> Mask:
        """The pitches `(B, 129)` of the previous onset of each row's instrument."""
        instruments = state.rows[:, INSTRUMENT]
        again = state.time <= self._time[self._lanes, instruments]
        return self._onsets[self._lanes, again.astype(np.int64), instruments]

    def classes_of_value(self, state: RowState) -> Ints:
        """The classes `(B, 129)` of pitches; 0 for drums."""
        pitched = state.rows[:, INSTRUMENT] != _DRUMS_VALUE
        return (self.MOVED + self.before(state)) * pitched[:, None]

    def classes_of_row(self, state: RowState) -> Ints:
        """The classes `(B,)` of notes."""
        return self.classes_of_value(state)[self._lanes, state.rows[:, PITCH]]

    def counted(self, state: RowState) -> Mask:
        """Which rows `(B,)` are notes after an onset of their pitched instrument."""
        return _pitched(state) & self.before(state).any(axis=1)

    def push(self, state: RowState) -> None:
        """Advance by one row in each piece."""
        lanes = np.flatnonzero(_pitched(state))
        by, times = state.rows[lanes, INSTRUMENT], state.time[lanes]
        new = times > self._time[lanes, by]
        if new.any():
            self._onsets[lanes[new], _BEFORE, by[new]] = self._onsets[lanes[new], _LAST, by[new]]
            self._onsets[lanes[new], _LAST, by[new]] = False
            self._time[lanes[new], by[new]] = times[new]
        self._onsets[lanes, _LAST, by, state.rows[lanes, PITCH]] = True


def _features(
    config: StylePenalty, prompt: RowState, vocabulary: Vocabulary, repeated: RepeatedPitches
) -> list[Feature]:
    """All features, with the counts of their classes in the prompt."""
    found = [
        _place_in_beat(prompt, vocabulary),
        _velocity(prompt, config),
        _duration(prompt, vocabulary, config),
        _pitch_class(prompt, vocabulary),
        Feature(
            PITCH,
            repeated.prompt,
            repeated.classes_of_value,
            repeated.classes_of_row,
            repeated.counted,
        ),
        _register(prompt, vocabulary, config),
    ]
    return found if config.keep_key else [*found[:3], *found[4:]]


def _place_in_beat(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """The steps since the last beat; a rest has none."""
    beat, waits = vocabulary.grid.beat, np.arange(vocabulary.grid.wait_count)
    places = 1 + (np.arange(beat)[:, None] + waits) % beat
    table = np.pad(places, ((0, 0), (1, 0)))

    def of_row(state: RowState) -> Ints:
        return 1 + state.time % beat

    counts = np.bincount(of_row(prompt), minlength=1 + beat)
    return Feature(WAIT, counts, lambda state: table[state.time % beat], of_row, _note)


def _velocity(prompt: RowState, config: StylePenalty) -> Feature:
    """Velocity classes."""
    classes = 1 + np.arange(VELOCITY_BINS) * config.velocities // VELOCITY_BINS
    table = np.concatenate([[0], classes])

    def of_row(state: RowState) -> Ints:
        return table[state.rows[:, VELOCITY]]

    counts = np.bincount(of_row(prompt), minlength=1 + config.velocities)
    return Feature(VELOCITY, counts, lambda _: table, of_row, _note)


def _duration(prompt: RowState, vocabulary: Vocabulary, config: StylePenalty) -> Feature:
    """Duration classes on a logarithmic scale; the shortest is half a step."""
    octaves = np.log2(np.maximum(vocabulary.grid.durations, 0.5) / 0.5)
    classes = 1 + np.rint(config.durations * octaves).astype(np.int64)
    return _by_instrument(DURATION, prompt, _for_pitched(classes), _pitched)


def _pitch_class(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """Pitch classes; C is 1."""
    classes = 1 + np.arange(vocabulary.sizes[PITCH] - 1) % 12
    return _by_instrument(PITCH, prompt, _for_pitched(classes), _pitched)


def _register(prompt: RowState, vocabulary: Vocabulary, config: StylePenalty) -> Feature:
    """Registers of each instrument in the prompt; every drum is a class."""
    pitches = np.arange(vocabulary.sizes[PITCH] - 1)
    table = np.zeros((vocabulary.sizes[INSTRUMENT], 1 + len(pitches)), dtype=np.int64)
    for instrument in np.unique(prompt.rows[:, INSTRUMENT]):
        classes = pitches if instrument == _DRUMS_VALUE else pitches // config.register
        table[instrument, 1:] = table.max() + 1 + classes
    return _by_instrument(PITCH, prompt, table, _note)


def _by_instrument(
    field: int, prompt: RowState, table: Ints, counted: Callable[[RowState], Mask]
) -> Feature:
    """A feature with a table of classes by instrument and value of its field."""

    def of_value(state: RowState) -> Ints:
        return table[state.rows[:, INSTRUMENT]]

    def of_row(state: RowState) -> Ints:
        return table[state.rows[:, INSTRUMENT], state.rows[:, field]]

    counts = np.bincount(of_row(prompt)[counted(prompt)], minlength=1 + int(table.max()))
    return Feature(field, counts, of_value, of_row, counted)


def _for_pitched(classes: Ints) -> Ints:
    """The classes of a field's values from 1 on, by instrument; 0 for drums."""
    instruments = np.arange(_DRUMS_VALUE + 1)
    return np.outer(instruments != _DRUMS_VALUE, np.concatenate([[0], classes]))


def _note(state: RowState) -> Mask:
    return state.note


def _pitched(state: RowState) -> Mask:
    """Which rows are pitched notes, not drums."""
    return state.note & (state.rows[:, INSTRUMENT] != _DRUMS_VALUE)
