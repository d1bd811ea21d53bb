"""Given rows: notes and controls that stand already and are fed when the clock reaches them.

The rule is that of training: draw a wait; where the next given row comes no later, feed that and
draw anew. So the waits that a network learned beside given rows, as the times that it waits if
nothing else happens, are drawn as they were learned. Each continuation follows the rule for itself.

Several holes are written one after another: what lies between them, and the header of each
(`tokenizer.encoding.holes`), is fed row by row.
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.encoding.compound import Events
from tokenizer.encoding.grid import REST_UNITS
from tokenizer.encoding.holes import Hole, between, header, no_events, woven
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT, Vocabulary
from tokenizer.typing import Integers, Ints, Mask, Steps, Tokens

from .kept_pitches import PitchOrder, Progress, bar
from .replacements import Replaced, Replacements

_NEVER = 1 << 60


@dataclass(frozen=True)
class Rhythm:
    """Notes whose pitch alone is drawn, in order of time, instrument and pitch.

    Attributes:
        events: the notes.
        barred: values of the pitch field that each may not have.
        beside: the earlier ones whose pitches each may not have.
    """

    events: Events
    barred: tuple[tuple[int, ...], ...]
    beside: tuple[tuple[int, ...], ...]

    def above(self, index: int) -> int:
        """How many more notes the instrument of a note starts at the same time, all higher."""
        times, instruments = self.events.times, self.events.notes[:, INSTRUMENT]
        last = int(np.searchsorted(times, times[index], side="right"))
        return int((instruments[index + 1 : last] == instruments[index]).sum())


@dataclass(frozen=True)
class Stretch:
    """A stretch of time in which rows are drawn.

    Attributes:
        begin: its first step.
        end: the first step after it.
        given: what stands in it already.
        hole: what its header tells; None for a continuation, which has no header.
        before: the music between the stretch before and this one. A stretch after another has
            a hole.
        rhythm: all that is written in it, but for its pitches; None if everything is drawn.
        order: the pitches that are written in it; None if they are drawn.
        replaced: where notes may be written, and how many; None if anywhere.
        own: whether what is given is told as the piece's own music, as in an earlier section that
            comes again; else as parts beside it.
    """

    begin: int
    end: int
    given: Events
    hole: Hole | None = None
    before: Events | None = None
    rhythm: Rhythm | None = None
    order: PitchOrder | None = None
    replaced: Replacements | None = None
    own: bool = False

    @classmethod
    def of(
        cls,
        hole: Hole,
        before: Events | None = None,
        rhythm: Rhythm | None = None,
        order: PitchOrder | None = None,
        replaced: Replacements | None = None,
    ) -> Stretch:
        """The stretch of a hole."""
        return cls(hole.begin, hole.end, hole.given, hole, before, rhythm, order, replaced)

    def after(self, step: int) -> Stretch:
        """The stretch from a step in it on."""
        return replace(self, begin=step, given=between(self.given, step, self.end))

    def opening(self, time: int, vocabulary: Vocabulary, most: int) -> tuple[Tokens, Ints]:
        """The rows `(T, 5)` from step `time` to the stretch, and their roles `(T,)`.

        The header has at most `most` of them, if it can.
        """
        rows, given = woven(no_events(), self.before or no_events(), time, vocabulary)
        roles = np.where(given, GIVEN, WRITTEN)
        if self.hole is None:
            return rows, roles
        reached = time + int(vocabulary.steps[rows[:, WAIT]].sum())
        told = header(self.hole, reached, vocabulary, most)
        return np.concatenate([rows, told]), np.concatenate([roles, np.full(len(told), GIVEN)])


@dataclass(frozen=True)
class Decision:
    """Which continuations are fed a row instead of drawing one.

    Attributes:
        fed: `(B,)`.
        rows: `(B, 5)`, the rows where `fed`.
        roles: `(B,)` of all rows.
        openings: the rows to the next stretch of the continuations that go on to it.
        pitches: the pitches that each continuation may not draw, and how many higher ones it must
            leave, where only the pitch of the row that is fed is drawn.
        kept: where pitches are kept, the pitch of each instrument that each continuation may draw.
        players: where notes are replaced, the instruments that each continuation may draw.
    """

    fed: Mask
    rows: Tokens
    roles: Ints
    openings: dict[int, deque[_Row]]
    pitches: dict[int, tuple[tuple[int, ...], int]]
    kept: dict[int, dict[int, int]]
    players: dict[int, list[int]]

    @property
    def written(self) -> Mask:
        """`(B,)`, of which continuations the row is written, with all fields or the pitch alone."""
        written = ~self.fed
        written[list(self.pitches)] = True
        return written

    def narrow(self, field: int, allowed: Mask, rows: Integers) -> None:
        """Restrict the values `(B, V)` of a field to those of the rows that are fed, in place.

        Rows `(B, 5)` hold the fields before it.
        """
        if not (self.kept or self.players or self.fed.any()):
            return
        for lane, pitches in self.kept.items():
            if field in (INSTRUMENT, PITCH):
                allowed[lane] = False
                playing = int(rows[lane, INSTRUMENT])
                allowed[lane, [*pitches] if field == INSTRUMENT else pitches[playing]] = True
        for lane, players in self.players.items():
            if field == INSTRUMENT and allowed[lane, players].any():
                others = np.delete(np.arange(allowed.shape[1]), players)
                allowed[lane, others] = False
        fixed = self.fed.copy()
        if field == PITCH:
            fixed[list(self.pitches)] = False
            for lane, (barred, above) in self.pitches.items():
                bar(allowed[lane], barred, above)
        allowed[fixed] = False
        allowed[fixed, self.rows[fixed, field]] = True


_Row = tuple[Tokens, int, bool]
"""A row `(5,)`, its role, and whether it is of a header."""


class GivenRows:
    """What is given to each of B continuations, and how far it has been fed.

    Args:
        stretches: in order of time.
        vocabulary: of the rows.
        batch: B.
        most: rows that a header has at most, if it can.

    Attributes:
        decided: the decisions for rows that are drawn and not yet pushed, in order.
        told: whether the last row of each was of a header, `(B,)`: not of the music yet.
        begins: the first step `(B,)` of the stretch that each continuation is in.
        next_times: the steps `(B,)` of the next given rows of each continuation's stretch.
    """

    def __init__(
        self, stretches: tuple[Stretch, ...], vocabulary: Vocabulary, batch: int, most: int
    ) -> None:
        self._stretches, self._most = stretches, most
        self._vocabulary = vocabulary
        self._events = [_in_order(stretch.given, stretch.rhythm) for stretch in stretches]
        self._pitches: list[list[int]] = [[] for _ in range(batch)]  # drawn to the rhythm
        self._progress = [Progress() for _ in range(batch)]
        self._replaced = [Replaced() for _ in range(batch)]
        self._stretch = [0] * batch
        self._event = [0] * batch
        self._queues: list[deque[_Row]] = [deque() for _ in range(batch)]
        self.decided: deque[Decision] = deque()
        self._none = np.zeros(batch, dtype=bool)
        self.told: Mask = self._none
        self._reaches = vocabulary.steps.copy()
        self._reaches[vocabulary.end] = _NEVER
        self._all_drawn = Decision(
            self._none, np.zeros((batch, 5), np.int16), np.full(batch, WRITTEN), {}, {}, {}, {}
        )
        self._plain = not any(
            stretch.rhythm or stretch.order or stretch.replaced for stretch in stretches
        )
        self._update_next()

    def __deepcopy__(self, memo: dict[int, object]) -> GivenRows:
        """A copy that is fed on its own; what is given is shared."""
        other = copy.copy(self)
        other._stretch, other._event = [*self._stretch], [*self._event]
        other._queues = [queue.copy() for queue in self._queues]
        other._pitches = [[*pitches] for pitches in self._pitches]
        other._progress = [progress.copy() for progress in self._progress]
        other._replaced = [replaced.copy() for replaced in self._replaced]
        other.decided = self.decided.copy()
        return other

    def _update_next(self) -> None:
        """Update what comes next, after rows were fed."""
        lanes, last = range(len(self._stretch)), len(self._stretches) - 1
        self.begins: Steps = np.array([self._stretches[k].begin for k in self._stretch])
        self.next_times: Steps = np.array([self._next_time(lane) for lane in lanes])
        ends = [_NEVER if k == last else self._stretches[k].end for k in self._stretch]
        # The first step at which a row may be fed.
        queued = [len(queue) > 0 for queue in self._queues]
        self._due = np.where(queued, -1, np.minimum(self.next_times, ends))

    def _next_time(self, lane: int) -> int:
        times, at = self._events[self._stretch[lane]][0], self._event[lane]
        return int(times[at]) if at < len(times) else _NEVER

    def stretch_of(self, lane: int) -> Stretch:
        """The stretch that a continuation is in."""
        return self._stretches[self._stretch[lane]]

    def header(self, lane: int, time: int) -> Tokens:
        """The header `(H, 5)` of the hole that a continuation is in, said at a time in steps.

        It has no rows on the way to a hole, before the header itself is fed.
        """
        hole = self.stretch_of(lane).hole
        ahead = any(row[WAIT] == self._vocabulary.mark for row, *_ in self._queues[lane])
        if hole is None or ahead:
            return np.empty((0, 5), np.int16)
        return header(hole, time, self._vocabulary, self._most)

    def narrow_waits(self, time: Steps, allowed: Mask) -> None:
        """Restrict field 0 `(B, V)`, drawn at `time` `(B,)`, to what leaves room, in place."""
        if self._plain:
            return
        for lane, now in enumerate(time.tolist()):
            stretch = self.stretch_of(lane)
            if stretch.order is not None:
                self._progress[lane].narrow(stretch.order, now, allowed[lane], self._vocabulary)
            elif stretch.replaced is not None:
                self._replaced[lane].narrow(
                    stretch.replaced, now, self._next_time(lane), allowed[lane], self._vocabulary
                )

    def decide(self, first: Integers, time: Steps) -> Decision:
        """Which rows are fed, where field 0 was drawn as `first` `(B,)` at `time` `(B,)`."""
        if self._plain and (time + self._reaches.take(first) < self._due).all():
            return self._all_drawn
        rows = np.zeros((len(first), 5), dtype=np.int16)
        roles = np.full(len(first), WRITTEN)
        fed = np.zeros(len(first), dtype=bool)
        openings: dict[int, deque[_Row]] = {}
        pitches: dict[int, tuple[tuple[int, ...], int]] = {}
        kept: dict[int, dict[int, int]] = {}
        players: dict[int, list[int]] = {}
        for lane, (value, now) in enumerate(zip(first.tolist(), time.tolist(), strict=True)):
            found = self._next(lane, value, now)
            if found is None and self._is_over(lane, value, now):
                following = self._stretches[self._stretch[lane] + 1]
                opening, kinds = following.opening(now, self._vocabulary, self._most)
                told = np.cumsum(opening[:, WAIT] == self._vocabulary.mark) > 0
                openings[lane] = deque(zip(opening, kinds.tolist(), told.tolist(), strict=True))
                found = openings[lane][0]
            if found is not None:
                rows[lane], roles[lane], _ = found
                fed[lane] = True
                if lane not in openings and self._is_rhythm(lane, rows[lane]):
                    pitches[lane] = self._limits(lane)
            elif value < self._vocabulary.first_rest:
                wait, stretch = int(self._vocabulary.steps[value]), self.stretch_of(lane)
                if stretch.order is not None:
                    kept[lane] = self._progress[lane].next(stretch.order, now + wait, wait > 0)
                elif stretch.replaced is not None and now + wait < stretch.end:
                    players[lane] = self._replaced[lane].open_at(stretch.replaced, now + wait)
        return Decision(fed, rows, roles, openings, pitches, kept, players)

    def push(self, rows: Tokens, time: Steps) -> Ints:
        """Advance by the rows of the oldest decision, drawn at `time` `(B,)`.

        Returns:
            Their roles `(B,)`.
        """
        decision = self.decided.popleft()
        if decision is self._all_drawn:
            self.told = self._none
            return decision.roles
        for lane, queue in decision.openings.items():
            self._stretch[lane] += 1
            self._event[lane] = 0
            self._pitches[lane] = []
            self._progress[lane] = Progress()
            self._replaced[lane] = Replaced()
            self._queues[lane] = queue.copy()
        self.told = np.zeros(len(rows), dtype=bool)
        for lane, row in enumerate(rows):
            moved = bool(self._vocabulary.steps[row[WAIT]] > 0)
            self._progress[lane].push(row, moved, lane in decision.kept)
            wanted = self.stretch_of(lane).replaced
            if wanted is not None and lane in decision.players:
                step = int(time[lane] + self._vocabulary.steps[row[WAIT]])
                self._replaced[lane].push(wanted, int(row[INSTRUMENT]), step)
        for lane in np.flatnonzero(decision.fed).tolist():
            if self._queues[lane]:
                self.told[lane] = self._queues[lane].popleft()[2]
            elif self._is_event(rows[lane]):
                if lane in decision.pitches:
                    self._pitches[lane].append(int(rows[lane, PITCH]))
                self._event[lane] += 1
        self._update_next()
        return decision.roles

    def _next(self, lane: int, value: int, now: int) -> _Row | None:
        """The row that is fed to a continuation in its stretch, or None."""
        if self._queues[lane]:
            return self._queues[lane][0]
        times, events, written = self._events[self._stretch[lane]]
        at, fixed = self._event[lane], self.stretch_of(lane).rhythm is not None
        if at < len(times) and (fixed or times[at] <= self._reached(value, now)):
            own = written[at] or (self.stretch_of(lane).own and bool(events[at, INSTRUMENT]))
            role = WRITTEN if own else GIVEN
            return self._towards(events[at], int(times[at]) - now), role, False
        if fixed and self._stretch[lane] + 1 == len(self._stretches):
            return self._towards(np.zeros(5, np.int16), _NEVER), WRITTEN, False
        return None

    def _is_rhythm(self, lane: int, row: Tokens) -> bool:
        """Whether a row that is fed in a stretch is a note whose pitch is drawn."""
        if self._queues[lane] or not row[INSTRUMENT]:
            return False
        return bool(self._events[self._stretch[lane]][2][self._event[lane]])

    def _limits(self, lane: int) -> tuple[tuple[int, ...], int]:
        """The pitches that the next note of the rhythm may not have, and how many come above."""
        rhythm, drawn = self.stretch_of(lane).rhythm, self._pitches[lane]
        assert rhythm is not None
        index = len(drawn)
        beside = tuple(drawn[other] for other in rhythm.beside[index])
        return rhythm.barred[index] + beside, rhythm.above(index)

    def _is_over(self, lane: int, value: int, now: int) -> bool:
        """Whether a continuation goes on to its next stretch."""
        last, stretch = self._stretch[lane] + 1 == len(self._stretches), self.stretch_of(lane)
        return not last and (stretch.rhythm is not None or self._reached(value, now) >= stretch.end)

    def _reached(self, value: int, now: int) -> int:
        """The step that a value of field 0 leads to."""
        if value == self._vocabulary.end:
            return _NEVER
        return now + int(self._vocabulary.steps[value])

    def _towards(self, event: Tokens, wait: int) -> Tokens:
        """An event's row after a wait, or the rest or advance that leads to it."""
        vocabulary, row = self._vocabulary, np.zeros(5, dtype=np.int16)
        units, left = divmod(wait, vocabulary.grid.wait_count)
        if units:
            row[WAIT] = vocabulary.first_rest - 1 + min(units, REST_UNITS)
        elif event[INSTRUMENT]:
            row[:] = event
            row[WAIT] = left + 1
        elif left:
            row[WAIT] = left + 1
        else:
            row[:] = event
        return row

    def _is_event(self, row: Tokens) -> bool:
        return bool(row[INSTRUMENT] or row[WAIT] >= self._vocabulary.first_control)


def _in_order(events: Events, rhythm: Rhythm | None) -> tuple[Steps, Tokens, Mask]:
    """Times `(N,)` and rows `(N, 5)`, and which are of the rhythm: last at equal times.

    Controls come first.
    """
    controls = np.zeros((len(events.controls), 5), dtype=np.int16)
    controls[:, WAIT] = events.controls
    own = no_events() if rhythm is None else rhythm.events
    times = np.concatenate([events.control_times, events.times, own.times])
    order = times.argsort(kind="stable")
    rows = np.concatenate([controls, events.notes, own.notes])
    return times[order], rows[order], order >= len(times) - len(own.times)
