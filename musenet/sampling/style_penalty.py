"""Style penalty: what occurs much more often than in the prompt becomes less likely.

A small model that drifts out of the key, off the beat, or into ever shorter or softer notes does
not come back, because it reads its output. The prompt gives the distribution of notes over

    the twelve pitch classes                          (applied when the pitch is sampled)
    pitches that an instrument repeats, and others    (the same)
    half octaves of each instrument, and drums        (the same; one class for all that an
                                                      instrument of the prompt does not play in it)
    durations, two classes per octave                 (when the duration is)
    eight classes of velocity                         (when the velocity is)
    positions within a beat where notes start         (when the wait is)
    times since the note before, two classes per      (the same)
    octave, and one for notes that start together
    sixteenths of the bar in which an instrument      (when the instrument is)
    starts notes in the prompt, and others

and a class with a larger share of the recent notes is penalised by

    logit − strength · max(0, ln (recent share + ε) / (share in the prompt + ε))

Penalties of waits are less what they cost all waits together, so that rests stay as likely. So a
chromatic note or a triplet costs nothing, but a different key or an irregular rhythm can only
establish itself if the model is sure of it. Drums have neither key nor duration.

Without a prompt, the first notes of the piece take its place once there are enough of them. Until
then only one thing is known: how often instruments in real music repeat a pitch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.structure import POSITION, STRUCTURE_SIZES
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
from tokenizer.typing import Floats, Integers, Ints, Logits, Mask

from .histogram import Histogram
from .processor import RowState, SamplerContext

_DRUMS_VALUE = DRUMS + 1
_LAST, _BEFORE = 0, 1
_NO_WAIT = 1  # the value of a wait of no steps
_REPEATED = 0  # the feature among those of the pitch


@dataclass(frozen=True)
class StylePenalty:
    """Strength and constants.

    `benchmarks/ranges.py` counts how often real music repeats a pitch. The other constants are
    chosen so that the statistics of `musenet evaluate` are the same for continuations of held-out
    pieces as for the pieces themselves.

    Attributes:
        strength: 0 turns it off.
        keep_key: whether the prompt's pitch classes count.
        keep_texture: whether the times between its notes count, where the same instruments go on.
        nats: penalty for an e-fold excess at strength 1, after a long prompt.
        half_life: half-life of the recent shares, in notes.
        floor: the share ε.
        enough: notes at which a prompt counts half as much as a long one.
        opening: notes that take the place of a prompt if there is none.
        repeats: ratio of notes in real music that do not repeat a pitch to those that do.
        register: width of a register class in semitones.
        durations: classes per octave of durations, and of times between notes.
        velocities: number of velocity classes.
    """

    strength: float = 1.0
    keep_key: bool = True
    keep_texture: bool = False
    nats: float = 1.5
    half_life: float = 32
    floor: float = 0.04
    enough: float = 24
    opening: int = 128
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
        field: the field whose values have classes, and whose logits are penalised.
        prompt: counts of the classes in the prompt, `(C,)`.
        table: the classes `(K, V)` of the field's first values, by the place in the beat of the
            row before for the wait, by the position in the bar for the instrument, and by
            instrument for the other fields.
        pitched: whether it counts pitched notes alone.
    """

    field: int
    prompt: Ints
    table: Ints
    pitched: bool = False


class StylePenaltyProcessor:
    """The processor of a batch."""

    def __init__(self, config: StylePenalty, context: SamplerContext) -> None:
        vocabulary, batch = context.vocabulary, context.batch
        note = vocabulary.is_note(context.prompt)
        notes, times = context.prompt[note], row_times(context.prompt, vocabulary)[note]
        positions = None if context.positions is None else context.positions[note]
        prompt = RowState.of(notes, times, vocabulary, position=positions)
        self._config, self._beat = config, vocabulary.grid.beat
        self._repeated = RepeatedPitches(prompt, vocabulary, batch, config.repeats)
        features = _features(config, prompt, vocabulary, self._repeated)
        self._opening = np.full(batch, 0 if note.any() else config.opening)
        self._histogram = Histogram([f.prompt for f in features], batch, config.half_life)
        first = self._histogram.first
        self._repeated_group = [f.field for f in features].index(PITCH) + _REPEATED
        self._offset = (np.arange(batch) * len(self._histogram.group))[:, None, None]
        # The columns (K, features, V) of the histogram, for each field.
        self._columns = {
            field: np.stack(
                [
                    f.table + begin
                    for f, begin in zip(features, first, strict=True)
                    if f.field == field
                ],
                axis=1,
            )
            for field in sorted({f.field for f in features})
        }
        self._pitched = np.array([f.pitched for f in features])
        self._penalty = np.zeros((batch, len(self._histogram.group)))
        self._settle()

    def apply(self, field: int, logits: Logits, allowed: Mask, state: RowState) -> Logits:
        """The logits `(B, V)` of a field minus the penalties of the classes of its values."""
        if field not in self._columns or self._config.strength == 0:
            return logits
        if field == WAIT:
            columns = self._columns[WAIT].take(state.time % self._beat, axis=0)
        elif field == INSTRUMENT:
            columns = self._columns[INSTRUMENT].take(_positions(state), axis=0)
        else:
            columns = self._columns[field].take(state.rows[:, INSTRUMENT], axis=0)
        if field == PITCH:
            columns[:, _REPEATED] += self._repeated.before(state)
        penalty = np.add.reduce(self._penalty.take(columns + self._offset), axis=1)
        if field == WAIT:
            penalty = _among_waits(penalty, logits, allowed)
        logits = logits.astype(np.float64)
        logits[:, : penalty.shape[1]] -= penalty
        return logits

    def push(self, state: RowState) -> None:
        """Count the classes of rows that are notes."""
        if self._config.strength == 0:
            return
        pitched, before = _pitched(state), self._repeated.before(state)
        columns = np.array(
            [
                self._columns_of(row, time, position, again)
                for row, time, position, again in zip(
                    state.rows.tolist(),
                    state.time.tolist(),
                    _positions(state).tolist(),
                    before,
                    strict=True,
                )
            ]
        )
        counted = np.where(self._pitched, pitched[:, None], state.note[:, None])
        counted[:, self._repeated_group] &= before.any(axis=1)
        self._repeated.push(state, pitched)
        if self._opening.any():
            self._open(columns, counted, state.note)
        self._histogram.push(columns, counted)
        excess = (self._histogram.recent + self._config.floor) / self._floored
        np.log(np.maximum(excess, 1.0, out=excess), out=excess)
        self._penalty = np.multiply(self._nats, excess, out=excess)

    def _columns_of(self, row: list[int], time: int, position: int, before: Mask) -> list[int]:
        """The columns of a row's classes, one of each feature, after an onset `(129,)` before."""
        instrument, pitch = row[INSTRUMENT], row[PITCH]
        wait = row[WAIT] if row[INSTRUMENT] else _NO_WAIT  # other rows are not counted
        began = (time - (wait - _NO_WAIT)) % self._beat
        found: list[int] = self._columns[WAIT][began, :, wait].tolist()
        for field in (VELOCITY, DURATION, PITCH):
            found += self._columns[field][instrument, :, row[field]].tolist()
        found[self._repeated_group] += int(before[pitch])
        found.append(int(self._columns[INSTRUMENT][position, 0, instrument]))
        return found

    def _settle(self) -> None:
        """Compute how much an e-fold excess of each class costs, in nats."""
        config, total = self._config, self._histogram.total
        self._nats = config.strength * config.nats * total / (total + config.enough)
        self._nats[:, self._histogram.first] = 0.0
        self._floored = self._histogram.share + config.floor

    def _open(self, columns: Integers, counted: Mask, note: Mask) -> None:
        """Count a note of the opening; after the last one the opening replaces the prompt."""
        self._histogram.count(columns, counted & (self._opening > 0)[:, None])
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
        table: the classes `(130, 129)` of pitches that are not repeated; 0 for drums.
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
        self.table = _for_pitched(np.full(pitches, self.MOVED))[:, 1:]
        self._onsets = np.zeros((batch, 2, instruments, pitches), dtype=bool)
        self._time = np.full((batch, instruments), -1, dtype=np.int64)
        now, ago = onset == latest[by], (onset == latest[by] - 1) & (onset >= first[by])
        self._onsets[:, _LAST, by[now], pitch[now]] = True
        self._onsets[:, _BEFORE, by[ago], pitch[ago]] = True
        self._time[:, by[now]] = times[now]

    def before(self, state: RowState) -> Mask:
        """The pitches `(B, 129)` of the previous onset of each row's instrument."""
        found = [
            onsets[_BEFORE if now <= time[instrument] else _LAST, instrument]
            for onsets, time, instrument, now in zip(
                self._onsets,
                self._time,
                state.rows[:, INSTRUMENT].tolist(),
                state.time.tolist(),
                strict=True,
            )
        ]
        return np.array(found)

    def push(self, state: RowState, pitched: Mask) -> None:
        """Advance by one row in each piece; `pitched` `(B,)` says which are pitched notes."""
        for lane in np.flatnonzero(pitched).tolist():
            instrument, pitch = state.rows[lane, [INSTRUMENT, PITCH]].tolist()
            onsets, now = self._onsets[lane], int(state.time[lane])
            if now > self._time[lane, instrument]:
                onsets[_BEFORE, instrument] = onsets[_LAST, instrument]
                onsets[_LAST, instrument] = False
                self._time[lane, instrument] = now
            onsets[_LAST, instrument, pitch] = True


def _among_waits(penalty: Floats, logits: Logits, allowed: Mask) -> Floats:
    """Penalties `(B, W)` less what they cost all waits together: rests stay as likely."""
    waits, usable = logits[:, : penalty.shape[1]], allowed[:, : penalty.shape[1]]
    weights = np.exp(waits - waits.max(axis=1, keepdims=True)) * usable
    before, after = (np.add.reduce(w, axis=1) for w in (weights, weights * np.exp(-penalty)))
    cost = np.log(np.divide(before, after, out=np.ones_like(after), where=after > 0))
    return penalty - cost[:, None]


def _features(
    config: StylePenalty, prompt: RowState, vocabulary: Vocabulary, repeated: RepeatedPitches
) -> list[Feature]:
    """All features in the order of their fields, with the counts of their classes in the prompt."""
    return [
        _place_in_beat(prompt, vocabulary),
        *([_wait(prompt, vocabulary, config)] if config.keep_texture else []),
        _velocity(prompt, config),
        _duration(prompt, vocabulary, config),
        Feature(PITCH, repeated.prompt, repeated.table, pitched=True),
        *([_pitch_class(prompt, vocabulary)] if config.keep_key else []),
        _register(prompt, vocabulary, config),
        _position(prompt, vocabulary),
    ]


def _place_in_beat(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """The steps since the last beat; a rest has none."""
    beat, waits = vocabulary.grid.beat, np.arange(vocabulary.grid.wait_count)
    places = 1 + (np.arange(beat)[:, None] + waits) % beat
    counts = np.bincount(1 + prompt.time % beat, minlength=1 + beat)
    return Feature(WAIT, counts, np.pad(places, ((0, 0), (1, 0))))


def _wait(prompt: RowState, vocabulary: Vocabulary, config: StylePenalty) -> Feature:
    """The time since the note before: 1 for none, then classes on a logarithmic scale."""
    octaves = np.log2(np.arange(1, vocabulary.grid.wait_count))
    table = np.concatenate([[0, 1], 2 + np.rint(config.durations * octaves).astype(np.int64)])
    counts = np.bincount(table[prompt.rows[:, WAIT]], minlength=1 + int(table.max()))
    return Feature(WAIT, counts, np.tile(table, (vocabulary.grid.beat, 1)))


def _velocity(prompt: RowState, config: StylePenalty) -> Feature:
    """Velocity classes."""
    classes = 1 + np.arange(VELOCITY_BINS) * config.velocities // VELOCITY_BINS
    table = np.tile(np.concatenate([[0], classes]), (_DRUMS_VALUE + 1, 1))
    return _by_instrument(VELOCITY, prompt, table)


def _duration(prompt: RowState, vocabulary: Vocabulary, config: StylePenalty) -> Feature:
    """Duration classes on a logarithmic scale; the shortest is half a step."""
    octaves = np.log2(np.maximum(vocabulary.grid.durations, 0.5) / 0.5)
    classes = 1 + np.rint(config.durations * octaves).astype(np.int64)
    return _by_instrument(DURATION, prompt, _for_pitched(classes), pitched=True)


def _pitch_class(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """Pitch classes; C is 1."""
    classes = 1 + np.arange(vocabulary.sizes[PITCH] - 1) % 12
    return _by_instrument(PITCH, prompt, _for_pitched(classes), pitched=True)


def _register(prompt: RowState, vocabulary: Vocabulary, config: StylePenalty) -> Feature:
    """What each instrument plays in the prompt, by half octave or drum; 1 is all else for it."""
    pitches = np.arange(vocabulary.sizes[PITCH] - 1)
    table = np.zeros((vocabulary.sizes[INSTRUMENT], 1 + len(pitches)), dtype=np.int64)
    last = 1
    for instrument in np.unique(prompt.rows[:, INSTRUMENT]):
        places = pitches if instrument == _DRUMS_VALUE else pitches // config.register
        played = places[prompt.rows[prompt.rows[:, INSTRUMENT] == instrument, PITCH] - 1]
        table[instrument, 1:] = np.where(np.isin(places, played), last + 1 + places, 1)
        last = int(table.max())
    return _by_instrument(PITCH, prompt, table)


def _position(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """1 for the sixteenths of the bar in which an instrument of the prompt starts no note there."""
    sixteenth = vocabulary.grid.beat // 4
    # A position of 1 is on the bar line; notes up to half a sixteenth early or late belong to one.
    places = (np.arange(STRUCTURE_SIZES[POSITION]) - 1 + sixteenth // 2) // sixteenth
    played = np.zeros((places[-1] + 1, vocabulary.sizes[INSTRUMENT]), dtype=bool)
    played[places[_positions(prompt)], prompt.rows[:, INSTRUMENT]] = True
    table = (played.any(axis=0) & ~played[places]).astype(np.int64)
    return Feature(INSTRUMENT, np.array([len(prompt.rows), 0]), table)


def _by_instrument(field: int, prompt: RowState, table: Ints, *, pitched: bool = False) -> Feature:
    """A feature with a table of classes by instrument and value of its field."""
    rows = prompt.rows[_pitched(prompt)] if pitched else prompt.rows
    counts = np.bincount(table[rows[:, INSTRUMENT], rows[:, field]], minlength=1 + int(table.max()))
    return Feature(field, counts, table, pitched)


def _for_pitched(classes: Ints) -> Ints:
    """The classes of a field's values from 1 on, by instrument; 0 for drums."""
    instruments = np.arange(_DRUMS_VALUE + 1)
    return np.outer(instruments != _DRUMS_VALUE, np.concatenate([[0], classes]))


def _positions(state: RowState) -> Integers:
    """The positions of rows in their bars, 0 where they are unknown."""
    return np.zeros(len(state.rows), np.int64) if state.position is None else state.position


def _pitched(state: RowState) -> Mask:
    """Which rows are pitched notes, not drums."""
    return state.note & (state.rows[:, INSTRUMENT] != _DRUMS_VALUE)
