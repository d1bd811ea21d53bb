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
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, WAIT
from tokenizer.typing import Floats, Integers, Logits, Mask

from .histogram import Histogram
from .processor import RowState, SamplerContext
from .repeated_pitches import RepeatedPitches
from .style_features import style_features

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
        features = style_features(
            prompt,
            vocabulary,
            self._repeated,
            key=config.keep_key,
            texture=config.keep_texture,
            register=config.register,
            durations=config.durations,
            velocities=config.velocities,
        )
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
            columns = self._columns[INSTRUMENT].take(state.position_or_zero, axis=0)
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
        pitched, before = state.pitched_note, self._repeated.before(state)
        columns = np.array(
            [
                self._columns_of(row, time, position, again)
                for row, time, position, again in zip(
                    state.rows.tolist(),
                    state.time.tolist(),
                    state.position_or_zero.tolist(),
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


def _among_waits(penalty: Floats, logits: Logits, allowed: Mask) -> Floats:
    """Penalties `(B, W)` less what they cost all waits together: rests stay as likely."""
    waits, usable = logits[:, : penalty.shape[1]], allowed[:, : penalty.shape[1]]
    weights = np.exp(waits - waits.max(axis=1, keepdims=True)) * usable
    before, after = (np.add.reduce(w, axis=1) for w in (weights, weights * np.exp(-penalty)))
    cost = np.log(np.divide(before, after, out=np.ones_like(after), where=after > 0))
    return penalty - cost[:, None]
