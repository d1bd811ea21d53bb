"""Where a token stands in its piece: what the model's structural embeddings and positions read.

    ELAPSED    time since the piece began, in eighths of an octave of bars
    BAR        number of the bar, modulo 16
    POSITION   steps since the bar line
    CHORD      how many notes of the same time stood before
    PART       part of the whole piece, in 128ths
    COUNTDOWN  quarter notes (or half seconds) left, 127 at most
    ROLE       1 for music that is written, 2 for music that is given (`encoding.holes`)
    TIME       steps since the piece began; it has no embedding, but turns the heads that look along
               musical time (`musenet.model.positions`)

Every column but TIME holds 0 where it is unknown: all of them in the prefix, BAR and POSITION on
the `seconds` clock, PART and COUNTDOWN where the piece's length is not given. The first four depend
on the waits and time signatures up to a row alone, so they are known for a new row as soon as its
field 0 is. After MuseNet (Payne 2019) and the timing signal of Jukebox (Dhariwal et al. 2020,
arXiv:2005.00341).

`structure` computes a whole piece at once, `StructureState` the same row by row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from tokenizer.typing import Integers, Ints, Steps, Structure, Tokens

from .compound import marked, row_times
from .vocabulary import DURATION, WAIT, Vocabulary

COLUMNS = ("elapsed", "bar", "position", "chord", "part", "countdown", "role", "time")
ELAPSED, BAR, POSITION, CHORD, PART, COUNTDOWN, ROLE, TIME = range(8)
STRUCTURE_SIZES = (65, 17, 385, 17, 129, 129, 3)
"""How many values each column with an embedding has, "unknown" included."""

WRITTEN, GIVEN = 1, 2
"""Values of ROLE."""

_BARS = 16
_PARTS = 128


@cache
def _elapsed_edges(beat: int) -> Steps:
    """The times, in steps, at which ELAPSED goes up by one: eight to each doubling of bars."""
    octaves = np.arange(1, STRUCTURE_SIZES[ELAPSED] - 1) / 8
    return np.rint(4 * beat * (2.0**octaves - 1)).astype(np.int64)


@cache
def _edge_times(beat: int) -> tuple[int, ...]:
    """The same as plain integers."""
    return tuple(_elapsed_edges(beat).tolist())


def length_of(tokens: Tokens, vocabulary: Vocabulary) -> int:
    """The length of a piece in steps: the latest end of a note of tokens `(T, 5)`."""
    note = vocabulary.is_note(tokens)
    if not note.any():
        return 0
    times, durations = row_times(tokens, vocabulary), vocabulary.grid.durations
    last = len(note) - 1 - int(note[::-1].argmax())
    # Notes that began longer ago than any lasts have ended when the last one begins.
    first = int(np.searchsorted(times, times[last] - durations[-1]))
    late = first + np.flatnonzero(note[first:])
    return int((times[late] + durations[tokens[late, DURATION] - 1]).max())


def structure(
    tokens: Tokens,
    vocabulary: Vocabulary,
    length: int | None = None,
    *,
    start: int = 0,
    meter: tuple[int, int] | None = None,
    roles: Integers | None = None,
) -> Structure:
    """The structure `(T − start, 8)` of a piece's tokens `(T, F)`, prefix and all.

    Args:
        tokens: a piece from its beginning. A time signature in the prefix opens it.
        vocabulary: what the tokens mean.
        length: the piece's length in steps, or None to leave PART and COUNTDOWN unknown.
        start: the first row asked for; those before it only say where it stands.
        meter: the time signature that opens a piece without one in its prefix; 4/4 if None.
        roles: the role `(T − start,)` of each row; all are written if None.
    """
    reached = row_times(tokens, vocabulary)
    times = reached[start:]
    columns = np.zeros((len(times), len(COLUMNS)), dtype=np.int32)
    columns[:, ELAPSED] = np.searchsorted(_elapsed_edges(vocabulary.grid.beat), times, "right") + 1
    if vocabulary.grid.is_beat:
        bar, position = bar_positions(tokens, reached, vocabulary, start=start, meter=meter)
        columns[:, BAR] = bar % _BARS + 1
        columns[:, POSITION] = np.minimum(position, STRUCTURE_SIZES[POSITION] - 2) + 1
    columns[:, CHORD] = _notes_before(tokens, reached, vocabulary, start)
    columns[:, ROLE] = WRITTEN if roles is None else roles
    if length is not None:
        columns[:, PART], columns[:, COUNTDOWN] = _towards_end(times, length, vocabulary)
    if start == 0 or reached[start - 1] == 0:  # in a prefix no time passes
        columns[: max(0, vocabulary.prefix_length(tokens) - start)] = 0
    columns[tokens[start:, WAIT] == 0] = 0
    columns[:, TIME] = times
    return columns


def bar_positions(
    tokens: Tokens,
    times: Steps,
    vocabulary: Vocabulary,
    *,
    start: int = 0,
    meter: tuple[int, int] | None = None,
) -> tuple[Steps, Steps]:
    """The bar of each row from `start` on, from 0, and the steps since its bar line.

    Bars are counted anew from each time signature, wherever it stands; before the first, a bar is
    one of `meter`, or of 4/4. Times are those of `row_times`.
    """
    opening = vocabulary.control("time_signature:{}/{}".format(*meter or (4, 4)))
    first_bar = vocabulary.bar_steps[opening] if opening else 4 * vocabulary.grid.beat
    control = np.flatnonzero(vocabulary.is_control(tokens))
    signature = control[vocabulary.bar_steps[tokens[control, WAIT]] > 0]
    if not len(signature):  # as in most pieces
        bar, position = np.divmod(times[start:], first_bar)
        return bar, position
    first, begins, bar_steps, bars_before = _segments(
        tokens, times, vocabulary, signature.tolist(), int(first_bar)
    )
    segment = np.searchsorted(first, np.arange(start, len(tokens)), side="right") - 1
    bar, position = np.divmod(times[start:] - begins[segment], bar_steps[segment])
    return bar + bars_before[segment], position


def _segments(
    tokens: Tokens, times: Steps, vocabulary: Vocabulary, signatures: list[int], first_bar: int
) -> Ints:
    """Runs of rows within which bars are equal: first row, time, steps per bar, bars before.

    A new one begins at each time signature and, as the one at the mark was, at each `return`.
    """
    before = {back: mark for mark, back in marked(tokens, vocabulary)}
    found = [(0, 0, first_bar, 0)]
    for row in sorted([*signatures, *before]):
        if row in before:
            at_mark = next(segment for segment in reversed(found) if segment[0] <= before[row])
            found.append((row, *at_mark[1:]))
            continue
        _, begin, bar_steps, bars = found[-1]
        time = int(times[row])
        bars -= (begin - time) // bar_steps
        found.append((row, time, int(vocabulary.bar_steps[tokens[row, WAIT]]), bars))
    return np.array(found, dtype=np.int64).T


def _notes_before(tokens: Tokens, times: Steps, vocabulary: Vocabulary, start: int) -> Steps:
    """CHORD: one more than the notes before each row at the row's own time, from `start` on."""
    chord = int(np.searchsorted(times[: start + 1], times[start])) if start < len(times) else start
    note, times = vocabulary.is_note(tokens[chord:]), times[chord:]
    before: Steps = np.cumsum(note)
    before -= note
    earlier = before.copy()
    earlier[1:] *= times[1:] != times[:-1]
    before -= np.maximum.accumulate(earlier)
    return np.minimum(before[start - chord :], STRUCTURE_SIZES[CHORD] - 2) + 1


def _towards_end(times: Steps, length: int, vocabulary: Vocabulary) -> tuple[Steps, Steps]:
    """PART and COUNTDOWN of times in steps; past the end both stay at their last value."""
    part = np.minimum(times * _PARTS // max(length, 1), _PARTS - 1)
    left = np.maximum(length - times, 0) // vocabulary.grid.beat
    return part + 1, np.minimum(left, STRUCTURE_SIZES[COUNTDOWN] - 2) + 1


class _Place(NamedTuple):
    """Where a piece stands after its last row; times in steps."""

    time: int
    begin: int
    bar_steps: int
    bars_before: int
    notes_now: int
    in_prefix: bool


def _times(places: Sequence[_Place]) -> Steps:
    return np.array([place.time for place in places], dtype=np.int64)


class StructureState:
    """Structure row by row, for B pieces side by side.

    `push` of row after row gives what `structure` gives for the whole, and `peek` says what a row
    will have once only its field 0 is known. Each piece is counted in plain integers: for as few
    pieces as are written at once, that takes less time than arrays.
    """

    def __init__(self, vocabulary: Vocabulary, batch: int, length: int | None = None) -> None:
        self._vocabulary = vocabulary
        self._length = length
        self._places = [_Place(0, 0, 4 * vocabulary.grid.beat, 0, 0, in_prefix=True)] * batch
        self._marked = [*self._places]
        self._time = _times(self._places)
        self._peeked: tuple[list[int], list[_Place], Structure] | None = None

    @property
    def time(self) -> Steps:
        """The time `(B,)` reached, in steps."""
        return self._time

    @property
    def bar_steps(self) -> Steps:
        """The length `(B,)` of the current bar, in steps."""
        return np.array([place.bar_steps for place in self._places], dtype=np.int64)

    @property
    def position(self) -> Steps:
        """Steps `(B,)` since the last bar line."""
        begin = np.array([place.begin for place in self._places], dtype=np.int64)
        return (self.time - begin) % self.bar_steps

    def select(self, rows: Integers) -> None:
        """Keep the pieces at these indices, in this order; an index may stand twice."""
        self._places = [self._places[row] for row in rows.tolist()]
        self._marked = [self._marked[row] for row in rows.tolist()]
        self._time = _times(self._places)
        self._peeked = None

    def peek(self, first: Integers) -> Structure:
        """The structure `(B, 8)` of a next row whose field 0 is `first`, `(B,)`."""
        values = first.tolist()
        if self._peeked is None or self._peeked[0] != values:
            self._peeked = self._after(values)
        return self._peeked[2]

    def push(self, rows: Tokens, roles: Integers | None = None) -> Structure:
        """Go on by a row `(B, F)` each, and give the rows' structure `(B, 8)`.

        Args:
            rows: one of each piece.
            roles: of the rows, `(B,)`; all are written if None.
        """
        first = rows[:, WAIT].tolist()
        known = self._peeked  # a row that was drawn has been peeked at
        if known is None or known[0] != first:
            known = self._after(first)
        _, places, columns = known
        self._peeked = None
        notes = self._vocabulary.is_note(rows).tolist()
        self._places = [
            place._replace(notes_now=place.notes_now + 1) if note else place
            for place, note in zip(places, notes, strict=True)
        ]
        self._time = _times(places)
        if self._vocabulary.mark in first:
            for piece, value in enumerate(first):
                if value == self._vocabulary.mark:
                    self._marked[piece] = self._places[piece]
        if roles is not None:
            columns[:, ROLE] = np.where(columns[:, ROLE] > 0, roles, 0)
        return columns

    def _after(self, first: list[int]) -> tuple[list[int], list[_Place], Structure]:
        """Field 0 of rows, where the pieces stand after these, and the rows' structure."""
        places = [self._next(piece, value) for piece, value in enumerate(first)]
        rows = [self._row(value, place) for value, place in zip(first, places, strict=True)]
        columns = np.array(rows, dtype=np.int32)
        if self._length is not None:
            known = columns[:, ROLE] > 0
            for column, values in zip(
                (PART, COUNTDOWN),
                _towards_end(columns[:, TIME].astype(np.int64), self._length, self._vocabulary),
                strict=True,
            ):
                columns[:, column] = values * known
        return first, places, columns

    def _next(self, piece: int, first: int) -> _Place:
        """Where a piece stands after a row with this field 0."""
        old, vocabulary = self._places[piece], self._vocabulary
        if first == vocabulary.return_:
            marked = self._marked[piece]
            notes_now = old.notes_now if marked.time == old.time else 0
            return marked._replace(notes_now=notes_now, in_prefix=False)
        passed, signature = int(vocabulary.steps[first]), int(vocabulary.bar_steps[first])
        time, begin, bar_steps, bars = old.time + passed, *old[1:4]
        if signature:
            bars += -(-(time - begin) // bar_steps)
            begin, bar_steps = time, signature
        notes_now = 0 if passed else old.notes_now
        in_prefix = old.in_prefix and bool(vocabulary.opens[first])
        return _Place(time, begin, bar_steps, bars, notes_now, in_prefix)

    def _row(self, first: int, place: _Place) -> tuple[int, ...]:
        """The structure of a row, but for PART and COUNTDOWN."""
        if place.in_prefix or first == 0:
            return (0,) * TIME + (place.time,)
        bar = position = 0
        if self._vocabulary.grid.is_beat:
            bar, position = divmod(place.time - place.begin, place.bar_steps)
            bar = (bar + place.bars_before) % _BARS + 1
            position = min(position, STRUCTURE_SIZES[POSITION] - 2) + 1
        elapsed = bisect_right(_edge_times(self._vocabulary.grid.beat), place.time) + 1
        chord = min(place.notes_now, STRUCTURE_SIZES[CHORD] - 2) + 1
        return elapsed, bar, position, chord, 0, 0, WRITTEN, place.time
