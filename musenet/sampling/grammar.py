"""Masks of the values that may come next: every sampled row is valid and meets the constraints.

There are two layers. The grammar itself always holds: a row is a note or a rest, time never runs
backwards, simultaneous notes are sorted by instrument and pitch (so none occurs twice), and nothing
starts before the continuation. `Constraints` are the user's: if one would leave nothing to sample,
it is relaxed for that value and counted in `Grammar.relaxed`.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_left, insort
from collections import Counter, deque

import numpy as np

from tokenizer.encoding.grid import REST_UNITS
from tokenizer.encoding.vocabulary import (
    DURATION,
    INSTRUMENT,
    PITCH,
    VELOCITY_BINS,
    WAIT,
    Vocabulary,
)
from tokenizer.instruments import DRUMS, range_of
from tokenizer.typing import Integers, Mask, Steps, Tokens

from .constraints import MOST_NOTES, Constraints
from .processors.processor import RowState

PROGRAMS = 129

_NEVER = -(1 << 40)


class Grammar:
    """The masks for a batch of continuations, and their state.

    Args:
        vocabulary: of the rows.
        constraints: set by the user.
        batch: the number of continuations.
        not_before: the first step at which a note may start, after the end of the prompt, or 0.
        prompt: the prompt's rows `(T, 5)`; it extends the range of its instruments, which count
            among the allowed ones.
        may_end_at: the first step at which the piece may end, or None if it may not.

    Attributes:
        relaxed: how often each constraint had to be relaxed.
        not_before: the first step at which a note may start, of each continuation.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        constraints: Constraints,
        batch: int,
        *,
        not_before: int = 0,
        prompt: Tokens | None = None,
        may_end_at: int | None = None,
    ) -> None:
        self.relaxed: Counter[str] = Counter()
        self._constraints = constraints
        self.not_before = [not_before] * batch
        self._may_end_at = may_end_at
        self._end = vocabulary.end
        self._waits = slice(1, vocabulary.first_rest)
        self._rests = slice(vocabulary.first_rest, vocabulary.first_control)
        self._long_rests = _long_rests(constraints.rest, vocabulary)
        self._wait_count, self._beat = vocabulary.grid.wait_count, vocabulary.grid.beat
        notes = prompt[vocabulary.is_note(prompt)] if prompt is not None else _no_rows()
        playable = _playable(constraints, notes)
        self._highest = np.where(playable.any(axis=1), 127 - playable[:, ::-1].argmax(axis=1), -1)
        self._can = np.tile(self._highest >= 0, (batch, 1))
        self._used = np.zeros((batch, PROGRAMS), dtype=bool)
        self._used[:, np.unique(notes[:, INSTRUMENT]) - 1] = True
        # Allowed values by the fields before: a row without instrument has only zeros.
        self._first = _first_fields(vocabulary)
        self._pitches_of = _or_nothing(playable)
        self._durations_of = _or_nothing(_durations(vocabulary))
        self._velocities_of = _or_nothing(np.ones((PROGRAMS, VELOCITY_BINS), dtype=bool))
        # What values mean.
        self._short = range(vocabulary.first_rest, vocabulary.first_control - 1)
        self._lengths = np.concatenate([[1], np.maximum(vocabulary.grid.durations, 1)])
        # The last row of each continuation.
        self._program = [-1] * batch
        self._pitch = [-1] * batch
        self._lowest = [0] * batch
        self._after_short_rest = [False] * batch
        self._time = [-1] * batch
        self._sounded = np.zeros((batch, 128), dtype=bool)
        self._starts = [_Latest() for _ in range(batch)]
        self._ends = [_Latest() for _ in range(batch)]
        self._given_now: Mask | None = None
        self._update_usable()

    def allowed(self, field: int, state: RowState) -> Mask:
        """The values `(B, V)` allowed for `field`, given the fields before it.

        For the first field these are the values up to `end`; the controls after it never occur.
        """
        rows = state.rows
        if field == WAIT:
            return self._first_field(state.time)
        if field == INSTRUMENT:
            return self._instruments(rows)
        if field == PITCH:
            return self._pitches(rows)
        table = self._durations_of if field == DURATION else self._velocities_of
        return table.take(rows[:, INSTRUMENT], axis=0)

    def room_after(self, rows: Integers) -> Mask:
        """The pitches `(B, 129)` of the last rows above which another simultaneous note fits."""
        program = rows[:, INSTRUMENT].astype(np.int64) - 1
        lower = np.arange(129) <= self._highest[program][:, None]
        return lower | (program < self._top)[:, None]

    def push(self, state: RowState) -> None:
        """Advance by the sampled rows, and by given ones, which stand in no order with them."""
        moved, used = [], True
        for lane, ((first, instrument, pitch, duration, _), time, note, written) in enumerate(
            zip(
                state.rows.tolist(),
                state.time.tolist(),
                state.note.tolist(),
                state.written_note.tolist(),
                strict=True,
            )
        ):
            moved.append(time != self._time[lane])
            self._time[lane] = time
            if written:
                self._program[lane], self._pitch[lane] = instrument - 1, pitch - 1
            elif moved[lane]:
                self._program[lane] = self._pitch[lane] = -1
            full = self._pitch[lane] >= self._highest[self._program[lane]]
            self._lowest[lane] = max(0, self._program[lane] + int(full))
            self._after_short_rest[lane] = first in self._short
            if note:
                used &= bool(self._used[lane, instrument - 1])
                self._used[lane, instrument - 1] = True
            self._starts[lane].push(time if note else _NEVER)
            self._ends[lane].push(time + int(self._lengths[duration]) if note else _NEVER)
        if not used:
            self._update_usable()
        if not self._constraints.unisons:
            self._sounded[moved] = False
            index = np.flatnonzero(state.note)
            self._sounded[index, np.array(self._pitch)[index]] = True
        if state.written is not None:
            self._push_given(state, state.written, moved)

    def _push_given(self, state: RowState, written: Mask, moved: list[bool]) -> None:
        """Remember the given notes of the current time: none is written a second time."""
        rows, given = state.rows, state.note & ~written
        if self._given_now is None:
            if not given.any():
                return
            self._given_now = np.zeros((len(moved), PROGRAMS + 1, 129), dtype=bool)
        self._given_now[moved] = False
        self._given_now[given, rows[given, INSTRUMENT], rows[given, PITCH]] = True

    def _update_usable(self) -> None:
        """Update which instruments may play: those with a playable pitch, within the limit."""
        room = (self._used.sum(axis=1) < self._constraints.instruments)[:, None]
        usable = self._can & (self._used | room)
        self._roomless = ~usable.any(axis=1)
        usable[self._roomless] = self._can[self._roomless]
        self._usable = usable
        self._top = PROGRAMS - 1 - usable[:, ::-1].argmax(axis=1)

    def _first_field(self, time: Steps) -> Mask:
        """Waits after which a note may start; rests; the end if it is allowed."""
        count = self._wait_count
        mask = self._first.take(self._after_short_rest, axis=0)
        for lane, now in enumerate(time.tolist()):
            allowed = mask[lane]
            allowed[1 : 1 + min(max(0, self._earliest(lane) - now), count)] = False
            if self._lowest[lane] > self._top[lane]:
                allowed[1] = False
            if (missing := self.not_before[lane] - now) > 0:
                units = np.arange(1, REST_UNITS + 1)
                long = (units * count + count - 1 >= missing) | (units == REST_UNITS)
                allowed[self._rests] &= long
            else:
                allowed[self._long_rests] = False
            if self._may_end_at is not None:
                allowed[self._end] = now >= self._may_end_at
            if self._after_short_rest[lane] and not allowed.any():
                # If no wait is long enough, a rest is allowed even after another.
                allowed[self._rests] = True
        return mask

    def _earliest(self, lane: int) -> int:
        """The first step at which a note may start, given the limits of polyphony and density.

        From the n-th latest end onwards fewer than n notes sound; from a quarter note after the
        n-th latest start onwards fewer than n have started within a quarter note.
        """
        constraints, earliest = self._constraints, self.not_before[lane]
        if constraints.polyphony is not None:
            earliest = max(earliest, self._ends[lane].nth(constraints.polyphony))
        if constraints.density is not None:
            earliest = max(earliest, self._starts[lane].nth(constraints.density) + self._beat)
        return earliest

    def _instruments(self, rows: Integers) -> Mask:
        """Instruments that may follow at the same time: the last unless it is full, or later."""
        mask = np.zeros((len(rows), PROGRAMS + 1), dtype=bool)
        for lane, first in enumerate(rows[:, WAIT].tolist()):
            if not 0 < first < self._waits.stop:
                mask[lane, 0] = True
                continue
            lowest = self._lowest[lane] if first == 1 else 0
            mask[lane, 1 + lowest :] = self._usable[lane, lowest:]
            if self._roomless[lane]:
                self.relaxed["number of instruments"] += 1
        return mask

    def _pitches(self, rows: Integers) -> Mask:
        """Pitches that the instrument can play, above its last one at this time."""
        instrument = rows[:, INSTRUMENT]
        mask = self._pitches_of.take(instrument, axis=0)
        for lane, (first, playing) in enumerate(rows[:, : INSTRUMENT + 1].tolist()):
            if first == 1 and playing == self._program[lane] + 1:
                mask[lane, : self._pitch[lane] + 2] = False
        now = rows[:, WAIT] == 1
        if self._given_now is not None:
            given = self._given_now[np.arange(len(rows)), instrument] & now[:, None]
            if given.any():
                mask = self._narrowed(mask, ~given, "notes that are given")
        if not self._constraints.unisons:
            free = np.ones_like(mask)
            free[:, 1:] = ~(self._sounded & now[:, None])
            free[instrument == DRUMS + 1] = True
            mask = self._narrowed(mask, free, "no unisons")
        return mask

    def _narrowed(self, mask: Mask, wanted: Mask, reason: str) -> Mask:
        """Both masks combined, except in rows where that leaves nothing: those keep `mask`."""
        both = mask & wanted
        empty = mask.any(axis=1) & ~both.any(axis=1)
        if empty.any():
            both[empty] = mask[empty]
            self.relaxed[reason] += int(empty.sum())
        return both


def _long_rests(longest: float | None, vocabulary: Vocabulary) -> slice:
    """The values of field 0 that rest for longer than so many quarter notes."""
    end = vocabulary.first_control
    if longest is None:
        return slice(end, end)
    units = math.ceil(longest * vocabulary.grid.beat / vocabulary.grid.wait_count)
    return slice(min(end, vocabulary.first_rest + max(1, units)), end)


def _no_rows() -> Tokens:
    return np.empty((0, 5), dtype=np.int16)


def _playable(constraints: Constraints, notes: Tokens) -> Mask:
    """Which instrument may play which pitch, `(129, 128)`."""
    playable = np.ones((PROGRAMS, 128), dtype=bool)
    pitches = np.arange(128)
    if constraints.in_range:
        for program in range(PROGRAMS):
            low, high = range_of(program)
            played = (notes[notes[:, INSTRUMENT] == program + 1, PITCH] - 1).tolist()
            low, high = min([low, *played]), max([high, *played])
            playable[program] = (pitches >= low) & (pitches <= high)
    if constraints.pitch_classes is not None:
        playable[:DRUMS] &= np.isin(pitches % 12, constraints.pitch_classes)
    if constraints.programs is not None:
        others = np.setdiff1d(np.arange(PROGRAMS), constraints.programs)
        playable[others] = False
    return playable


def _durations(vocabulary: Vocabulary) -> Mask:
    """Which instrument may play which duration: only drums have "no length"."""
    durations = np.ones((PROGRAMS, vocabulary.sizes[DURATION] - 1), dtype=bool)
    durations[:DRUMS, 0] = False
    return durations


def _or_nothing(mask: Mask) -> Mask:
    """Allowed values by the value of the instrument field; 0 goes only with 0."""
    allowed = np.pad(mask, ((1, 0), (1, 0)))
    allowed[0, 0] = True
    return allowed


def _first_fields(vocabulary: Vocabulary) -> Mask:
    """Allowed first fields: in general, and after a rest that is not the longest."""
    mask = np.zeros((2, vocabulary.end + 1), dtype=bool)
    mask[:, 1 : vocabulary.first_rest] = True
    mask[0, vocabulary.first_rest : vocabulary.first_control] = True
    return mask


class _Latest:
    """The last `MOST_NOTES` times of a continuation, also in order of time."""

    def __init__(self) -> None:
        self._times = deque([_NEVER] * MOST_NOTES)
        self._sorted = [_NEVER] * MOST_NOTES

    def __deepcopy__(self, memo: dict[int, object]) -> _Latest:
        """A copy that goes on alone."""
        other = copy.copy(self)
        other._times, other._sorted = self._times.copy(), self._sorted.copy()
        return other

    def push(self, time: int) -> None:
        """Add a time in the place of the one added longest ago."""
        del self._sorted[bisect_left(self._sorted, self._times.popleft())]
        insort(self._sorted, time)
        self._times.append(time)

    def nth(self, number: int) -> int:
        """The n-th latest; 1 is the latest."""
        return self._sorted[-number]
