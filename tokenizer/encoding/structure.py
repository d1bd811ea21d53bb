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

from dataclasses import dataclass
from functools import cache

import numpy as np

from tokenizer.typing import Integers, Ints, Mask, Steps, Structure, Tokens

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


@dataclass
class _Place:
    """Where each of B pieces stands after its last row: arrays `(B,)`, times in steps."""

    time: Steps
    begin: Steps
    bar_steps: Steps
    bars_before: Steps
    notes_now: Steps
    in_prefix: Mask

    def at(self, pieces: Integers) -> _Place:
        """Those of some pieces."""
        return _Place(*(getattr(self, name)[pieces] for name in self.__dataclass_fields__))

    def where(self, pieces: Mask, other: _Place) -> _Place:
        """This for the pieces of a mask `(B,)`, the other for the rest."""
        names = self.__dataclass_fields__
        return _Place(*(np.where(pieces, getattr(self, n), getattr(other, n)) for n in names))


_Peeked = tuple[Integers, _Place, Structure]
"""Field 0 of rows, where the pieces stand after these, and the rows' structure."""


class StructureState:
    """Structure row by row, for B pieces side by side.

    `push` of row after row gives what `structure` gives for the whole, and `peek` says what a row
    will have once only its field 0 is known.
    """

    def __init__(self, vocabulary: Vocabulary, batch: int, length: int | None = None) -> None:
        self._vocabulary = vocabulary
        self._edges = _elapsed_edges(vocabulary.grid.beat)
        self._length = length
        zeros = np.zeros(batch, dtype=np.int64)
        self._place = _Place(
            time=zeros,
            begin=zeros,
            bar_steps=np.full(batch, 4 * vocabulary.grid.beat),
            bars_before=zeros,
            notes_now=zeros,
            in_prefix=np.ones(batch, dtype=bool),
        )
        self._marked = self._place
        self._peeked: _Peeked | None = None

    @property
    def time(self) -> Steps:
        """The time `(B,)` reached, in steps."""
        return self._place.time

    @property
    def bar_steps(self) -> Steps:
        """The length `(B,)` of the current bar, in steps."""
        return self._place.bar_steps

    @property
    def position(self) -> Steps:
        """Steps `(B,)` since the last bar line."""
        return (self._place.time - self._place.begin) % self._place.bar_steps

    def select(self, rows: Integers) -> None:
        """Keep the pieces at these indices, in this order; an index may stand twice."""
        self._place, self._marked = self._place.at(rows), self._marked.at(rows)
        self._peeked = None

    def peek(self, first: Integers) -> Structure:
        """The structure `(B, 8)` of a next row whose field 0 is `first`, `(B,)`."""
        self._peeked = self._after(first)
        return self._peeked[2]

    def push(self, rows: Tokens, roles: Integers | None = None) -> Structure:
        """Go on by a row `(B, F)` each, and give the rows' structure `(B, 8)`.

        Args:
            rows: one of each piece.
            roles: of the rows, `(B,)`; all are written if None.
        """
        first = rows[:, WAIT]
        known = self._peeked  # a row that was drawn has been peeked at
        if known is None or not np.array_equal(known[0], first):
            known = self._after(first)
        _, place, columns = known
        place.notes_now = place.notes_now + self._vocabulary.is_note(rows)
        self._place, self._peeked = place, None
        mark = first == self._vocabulary.mark
        if mark.any():
            self._marked = place.where(mark, self._marked)
        if roles is not None:
            columns[:, ROLE] = np.where(columns[:, ROLE] > 0, roles, 0)
        return columns

    def _after(self, first: Integers) -> _Peeked:
        place = self._next(first)
        return first.copy(), place, self._columns(first, place)

    def _next(self, first: Integers) -> _Place:
        old, vocabulary = self._place, self._vocabulary
        time = old.time + vocabulary.steps[first]
        bar_steps = vocabulary.bar_steps[first]
        change = bar_steps > 0
        bars = -(-(time - old.begin) // old.bar_steps)
        place = _Place(
            time=time,
            begin=np.where(change, time, old.begin),
            bar_steps=np.where(change, bar_steps, old.bar_steps),
            bars_before=np.where(change, old.bars_before + bars, old.bars_before),
            notes_now=np.where(time == old.time, old.notes_now, 0),
            in_prefix=old.in_prefix & vocabulary.opens[first],
        )
        back = first == vocabulary.return_
        if back.any():
            place = self._marked.where(back, place)
            place.notes_now = np.where(place.time == old.time, old.notes_now, 0)
            place.in_prefix = old.in_prefix & ~back
        return place

    def _columns(self, first: Integers, place: _Place) -> Structure:
        columns = np.zeros((len(place.time), len(COLUMNS)), dtype=np.int32)
        columns[:, ELAPSED] = np.searchsorted(self._edges, place.time, "right") + 1
        if self._vocabulary.grid.is_beat:
            bar, position = np.divmod(place.time - place.begin, place.bar_steps)
            columns[:, BAR] = (bar + place.bars_before) % _BARS + 1
            columns[:, POSITION] = np.minimum(position, STRUCTURE_SIZES[POSITION] - 2) + 1
        columns[:, CHORD] = np.minimum(place.notes_now, STRUCTURE_SIZES[CHORD] - 2) + 1
        if self._length is not None:
            columns[:, PART], columns[:, COUNTDOWN] = _towards_end(
                place.time, self._length, self._vocabulary
            )
        columns[:, ROLE] = WRITTEN
        columns[place.in_prefix | (first == 0)] = 0
        columns[:, TIME] = place.time
        return columns
