"""Which values may come next: every sampled row is a valid row, inside the limits asked for.

Two layers of masks. The grammar itself is never given up: a row is a note or a rest, time never
runs backwards, notes of one time stand in order of instrument and pitch (so none stands twice),
and nothing starts before the continuation does. `Limits` are the composer's: where one of them
would leave nothing to draw, it is let go for that draw, and counted in `Grammar.relaxed`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.grid import REST_UNITS
from tokenizer.instruments import DRUMS, range_of
from tokenizer.vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, WAIT, Tokens, Vocabulary

Mask = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int64]

PROGRAMS = 129
MOST_NOTES = 128
"""Notes that are remembered, hence the largest limit of polyphony and density."""


@dataclass(frozen=True)
class Limits:
    """What a composer will not have broken.

    Attributes:
        programs: the only instruments (0–128), or None for any.
        instruments: how many different instruments may sound, the prompt's included. 16 is what
            the channels of a MIDI file hold.
        in_range: whether each instrument keeps to the pitches that it can play.
        unisons: whether two instruments may strike the same pitch at the same time.
        polyphony: how many notes may sound at once, or None for any number.
        density: how many notes may start within a quarter note, or None for any number.
        pitch_classes: the only pitch classes (0 is C), drums aside, or None for any.
    """

    programs: tuple[int, ...] | None = None
    instruments: int = 16
    in_range: bool = True
    unisons: bool = True
    polyphony: int | None = None
    density: int | None = None
    pitch_classes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse limits that leave no music."""
        for name, value in (("polyphony", self.polyphony), ("density", self.density)):
            if value is not None and not 1 <= value <= MOST_NOTES:
                raise InputError(f"--{name} {value} is outside 1 to {MOST_NOTES}")
        if self.programs is not None and not self.programs:
            raise InputError("no instrument is left to play; name at least one")
        if self.pitch_classes is not None and not self.pitch_classes:
            raise InputError("the scale has no note; name at least one")


class Grammar:
    """The masks for `batch` continuations side by side, and what they remember.

    Args:
        vocabulary: what the values mean.
        limits: the composer's limits.
        batch: how many continuations.
        time: the time reached, in steps.
        not_before: the first step at which a note may start; later than `time`, or 0 with it.
        heard: the prompt's note rows `(T, 5)`; the range of an instrument reaches as far as the
            prompt takes it, and its instruments count among the instruments allowed.
        may_end_at: the first step at which the piece may end by itself, or None if it may not.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        limits: Limits,
        batch: int,
        *,
        time: int = 0,
        not_before: int = 0,
        heard: Tokens | None = None,
        may_end_at: int | None = None,
    ) -> None:
        self.relaxed: Counter[str] = Counter()
        self._vocabulary = vocabulary
        self._limits = limits
        self._not_before = not_before
        self._may_end_at = may_end_at
        notes = heard[vocabulary.is_note(heard)] if heard is not None else _no_rows()
        self._playable = _playable(limits, notes)
        self._highest = np.where(
            self._playable.any(axis=1), 127 - self._playable[:, ::-1].argmax(axis=1), -1
        )
        self._can = np.tile(self._highest >= 0, (batch, 1))
        self._used = np.zeros((batch, PROGRAMS), dtype=bool)
        self._used[:, np.unique(notes[:, INSTRUMENT]) - 1] = True
        self._time = np.full(batch, time, dtype=np.int64)
        self._program = np.full(batch, -1, dtype=np.int64)
        self._pitch = np.full(batch, -1, dtype=np.int64)
        self._after_short_rest = np.zeros(batch, dtype=bool)
        self._struck = np.zeros((batch, 128), dtype=bool)
        self._starts = np.full((batch, MOST_NOTES), -(1 << 40), dtype=np.int64)
        self._ends = np.full((batch, MOST_NOTES), -(1 << 40), dtype=np.int64)
        self._count = 0
        self._duration = _durations(vocabulary)
        self._velocity = np.arange(vocabulary.sizes[VELOCITY]) > 0

    @property
    def time(self) -> Steps:
        """The time `(B,)` reached, in steps."""
        return self._time

    def allowed(self, field: int, rows: Tokens) -> Mask:
        """The values `(B, V)` that `field` may take, given the fields of `rows` before it."""
        if field == WAIT:
            return self._first_field()
        plays = (rows[:, WAIT] > 0) & (rows[:, WAIT] < self._vocabulary.first_rest)
        if field == INSTRUMENT:
            mask = self._instruments(rows)
        elif field == PITCH:
            mask = self._pitches(rows)
        elif field == DURATION:
            mask = self._duration[(rows[:, INSTRUMENT] == DRUMS + 1).astype(np.int64)]
        else:
            mask = np.tile(self._velocity, (len(rows), 1))
        mask = mask & plays[:, None]
        mask[:, 0] = ~plays
        return mask

    def push(self, rows: Tokens) -> None:
        """Go on by the sampled rows `(B, 5)`."""
        vocabulary = self._vocabulary
        first = rows[:, WAIT].astype(np.int64)
        passed = vocabulary.steps[first]
        note = vocabulary.is_note(rows)
        self._time = self._time + passed
        moved = passed > 0
        self._struck[moved] = False
        self._program = np.where(note, rows[:, INSTRUMENT].astype(np.int64) - 1, self._program)
        self._pitch = np.where(note, rows[:, PITCH].astype(np.int64) - 1, self._pitch)
        gone = moved & ~note
        self._program[gone] = -1
        self._pitch[gone] = -1
        last_rest = vocabulary.first_control - 1
        self._after_short_rest = (first >= vocabulary.first_rest) & (first < last_rest)
        index = np.flatnonzero(note)
        self._used[index, self._program[index]] = True
        self._struck[index, self._pitch[index]] = True
        slot = self._count % MOST_NOTES
        self._count += 1
        durations = vocabulary.grid.durations[np.maximum(rows[:, DURATION], 1) - 1]
        self._starts[:, slot] = np.where(note, self._time, -(1 << 40))
        self._ends[:, slot] = np.where(note, self._time + np.maximum(durations, 1), -(1 << 40))

    def _first_field(self) -> Mask:
        """Waits that reach the start and have a note to play; rests; the end where it may come."""
        vocabulary, time = self._vocabulary, self._time
        mask = np.zeros((len(time), vocabulary.sizes[WAIT]), dtype=bool)
        waits = mask[:, 1 : vocabulary.first_rest]
        rests = mask[:, vocabulary.first_rest : vocabulary.first_control]
        count = vocabulary.grid.wait_count
        waits[:] = True
        rests[:] = ~self._after_short_rest[:, None]
        if (time < self._not_before).any():
            missing = (self._not_before - time)[:, None]
            waits &= np.arange(count) >= missing
            units = np.arange(1, REST_UNITS + 1)
            rests &= (units * count + count - 1 >= missing) | (units == REST_UNITS)
        waits[:, 0] &= self._has_next()
        if self._may_end_at is not None:
            mask[:, vocabulary.end] = time >= self._may_end_at
        return self._thinned(mask, waits.shape[1])

    def _thinned(self, mask: Mask, count: int) -> Mask:
        """Leave out the waits after which too many notes would sound, or have started."""
        limits = self._limits
        if limits.polyphony is None and limits.density is None:
            return mask
        at = self._time[:, None] + np.arange(count)
        waits = mask[:, 1 : count + 1]
        if limits.polyphony is not None:
            sounding = (self._ends[:, None, :] > at[:, :, None]).sum(axis=2)
            waits &= sounding < limits.polyphony
        if limits.density is not None:
            beat = self._vocabulary.grid.beat
            started = (self._starts[:, None, :] > at[:, :, None] - beat).sum(axis=2)
            waits &= started < limits.density
        # Where no wait is long enough, a rest is, even after another.
        vocabulary = self._vocabulary
        mask[~mask.any(axis=1), vocabulary.first_rest : vocabulary.first_control] = True
        return mask

    def _usable(self) -> Mask:
        """The instruments `(B, 129)` that may play: those that can and for which there is room."""
        full = self._used.sum(axis=1) >= self._limits.instruments
        if not full.any():
            return self._can
        return self._narrowed(self._can, self._used | ~full[:, None], "number of instruments")

    def _has_next(self) -> Mask:
        """Whether a note may still be added at the present time, `(B,)`."""
        usable = self._usable()
        top = PROGRAMS - 1 - usable[:, ::-1].argmax(axis=1)
        higher = (self._program == top) & (self._pitch < self._highest[top])
        return (self._program < top) | higher

    def _instruments(self, rows: Tokens) -> Mask:
        usable = self._usable()
        program = np.arange(PROGRAMS)
        now = (rows[:, WAIT] == 1)[:, None]
        own = self._program[:, None]
        room = (program == own) & (self._pitch[:, None] < self._highest[program])
        mask = np.zeros((len(rows), PROGRAMS + 1), dtype=bool)
        mask[:, 1:] = usable & (~now | (program > own) | room)
        return mask

    def _pitches(self, rows: Tokens) -> Mask:
        program = np.maximum(rows[:, INSTRUMENT].astype(np.int64) - 1, 0)
        now = rows[:, WAIT] == 1
        after = np.where(now & (program == self._program), self._pitch, -1)
        mask = np.zeros((len(rows), 129), dtype=bool)
        mask[:, 1:] = self._playable[program] & (np.arange(128) > after[:, None])
        if not self._limits.unisons:
            free = np.ones_like(mask)
            free[:, 1:] = ~(self._struck & now[:, None])
            free[program == DRUMS] = True
            mask = self._narrowed(mask, free, "no unisons")
        return mask

    def _narrowed(self, mask: Mask, wanted: Mask, reason: str) -> Mask:
        """Both masks, except in rows where nothing would be left: those keep `mask` alone."""
        both = mask & wanted
        empty = ~both.any(axis=1)
        if empty.any():
            both[empty] = mask[empty]
            self.relaxed[reason] += int(empty.sum())
        return both


def _no_rows() -> Tokens:
    return np.empty((0, 5), dtype=np.int16)


def _playable(limits: Limits, notes: Tokens) -> Mask:
    """Which instrument may play which pitch, `(129, 128)`."""
    playable = np.ones((PROGRAMS, 128), dtype=bool)
    pitches = np.arange(128)
    if limits.in_range:
        for program in range(PROGRAMS):
            low, high = range_of(program)
            own = notes[notes[:, INSTRUMENT] == program + 1, PITCH] - 1
            low, high = min([low, *own.tolist()]), max([high, *own.tolist()])
            playable[program] = (pitches >= low) & (pitches <= high)
    if limits.pitch_classes is not None:
        playable[:DRUMS] &= np.isin(pitches % 12, limits.pitch_classes)
    if limits.programs is not None:
        others = np.setdiff1d(np.arange(PROGRAMS), limits.programs)
        playable[others] = False
    return playable


def _durations(vocabulary: Vocabulary) -> Mask:
    """Duration values for melodic instruments and for drums: only drums have "no length"."""
    values = np.arange(vocabulary.sizes[DURATION])
    return np.stack([values > 1, values > 0])
