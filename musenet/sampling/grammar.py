"""Masks of the values that may come next: every sampled row is valid and meets the constraints.

There are two layers. The grammar itself always holds: a row is a note or a rest, time never runs
backwards, simultaneous notes are sorted by instrument and pitch (so none occurs twice), and nothing
starts before the continuation. `Constraints` are the user's: if one would leave nothing to sample,
it is relaxed for that value and counted in `Grammar.relaxed`.
"""

from __future__ import annotations

from collections import Counter

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
from .processor import RowState

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
        not_before: the first step at which a note may start, of all or of each continuation.
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
        self.not_before: Steps | int = not_before
        self._may_end_at = may_end_at
        self._end = vocabulary.end
        self._waits = slice(1, vocabulary.first_rest)
        self._rests = slice(vocabulary.first_rest, vocabulary.first_control)
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
        self._steps = vocabulary.steps
        self._short = np.zeros(vocabulary.sizes[WAIT], dtype=bool)
        self._short[vocabulary.first_rest : vocabulary.first_control - 1] = True
        self._lengths = np.maximum(np.concatenate([[0], vocabulary.grid.durations]), 1)
        self._program = np.full(batch, -1, dtype=np.int64)
        self._pitch = np.full(batch, -1, dtype=np.int64)
        self._lowest = np.zeros(batch, dtype=np.int64)
        self._after_short_rest = np.zeros(batch, dtype=np.int64)
        self._sounded = np.zeros((batch, 128), dtype=bool)
        self._starts = np.full((batch, MOST_NOTES), _NEVER, dtype=np.int64)
        self._ends = np.full((batch, MOST_NOTES), _NEVER, dtype=np.int64)
        self._count = 0
        self._time = np.full(batch, -1, dtype=np.int64)
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
        rows, note = state.rows, state.note
        first, program = rows[:, WAIT], rows[:, INSTRUMENT].astype(np.int64) - 1
        moved = state.time != self._time
        self._time = state.time
        sorted_ = state.written_note
        self._program = np.where(sorted_, program, np.where(moved, -1, self._program))
        self._pitch = np.where(sorted_, rows[:, PITCH] - 1, np.where(moved, -1, self._pitch))
        self._lowest = self._program + (self._pitch >= self._highest[self._program])
        self._after_short_rest = self._short[first].astype(np.int64)
        index = np.flatnonzero(note)
        if not self._used[index, program[index]].all():
            self._used[index, program[index]] = True
            self._update_usable()
        if not self._constraints.unisons:
            self._sounded[moved] = False
            self._sounded[index, self._pitch[index]] = True
        if state.written is not None:
            self._push_given(state, state.written, moved)
        slot = self._count % MOST_NOTES
        self._count += 1
        self._starts[:, slot] = np.where(note, state.time, _NEVER)
        ends = state.time + self._lengths[rows[:, DURATION]]
        self._ends[:, slot] = np.where(note, ends, _NEVER)

    def _push_given(self, state: RowState, written: Mask, moved: Mask) -> None:
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
        waits, rests = mask[:, self._waits], mask[:, self._rests]
        waits &= np.arange(count) >= (self._earliest() - time)[:, None]
        waits[:, 0] &= self._lowest <= self._top
        if not (time >= self.not_before).all():
            units, missing = np.arange(1, REST_UNITS + 1), (self.not_before - time)[:, None]
            rests &= (units * count + count - 1 >= missing) | (units == REST_UNITS)
        if self._may_end_at is not None:
            mask[:, self._end] = time >= self._may_end_at
        some = mask.any(axis=1)
        if not some.all():
            # If no wait is long enough, a rest is allowed even after another.
            mask[~some, self._rests] = True
        return mask

    def _earliest(self) -> Steps | int:
        """The first step at which a note may start, given the limits of polyphony and density.

        From the n-th latest end onwards fewer than n notes sound; from a quarter note after the
        n-th latest start onwards fewer than n have started within a quarter note.
        """
        constraints = self._constraints
        earliest: Steps | int = self.not_before
        if constraints.polyphony is not None:
            earliest = np.maximum(earliest, _latest(self._ends, constraints.polyphony))
        if constraints.density is not None:
            earliest = np.maximum(earliest, _latest(self._starts, constraints.density) + self._beat)
        return earliest

    def _instruments(self, rows: Integers) -> Mask:
        """Instruments that may follow at the same time: the last unless it is full, or later."""
        first = rows[:, WAIT]
        plays = (first > 0) & (first < self._waits.stop)
        lowest = np.where(first == 1, self._lowest, np.where(plays, 0, PROGRAMS))
        mask = np.empty((len(rows), PROGRAMS + 1), dtype=bool)
        mask[:, 0] = ~plays
        np.logical_and(self._usable, np.arange(PROGRAMS) >= lowest[:, None], out=mask[:, 1:])
        if self._roomless.any():
            self.relaxed["number of instruments"] += int((self._roomless & plays).sum())
        return mask

    def _pitches(self, rows: Integers) -> Mask:
        """Pitches that the instrument can play, above its last one at this time."""
        instrument, now = rows[:, INSTRUMENT], rows[:, WAIT] == 1
        mask = self._pitches_of.take(instrument, axis=0)
        above = np.where(now & (instrument == self._program + 1), self._pitch + 1, -1)
        mask &= np.arange(129) > above[:, None]
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


def _latest(times: Steps, number: int) -> Steps:
    """The n-th latest `(B,)` of times `(B, MOST_NOTES)`; 1 is the latest."""
    place = times.shape[1] - number
    return np.partition(times, place, axis=1)[:, place]
