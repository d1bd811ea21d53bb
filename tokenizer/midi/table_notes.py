"""The notes of an event table: note-ons and note-offs paired, with programs, sorted as in scores.

Sorting is by 16 bits at a time: NumPy's stable sort of 16-bit numbers is a radix sort, ten times as
fast as that of longer ones.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS
from tokenizer.score.columns import NOTES
from tokenizer.typing import Array, Ints, Mask

from . import smf
from .event_table import EventTable
from .sound_files import Joined

Words = npt.NDArray[np.integer]
Place = tuple[int, int, int]  # track of the joined files, channel, program

MOST_PLACES = 511  # whose numbers go with a pitch into 16 bits, below that of what is no note


class TableNotes(NamedTuple):
    """The notes of joined files.

    Attributes:
        notes: the notes of each file as a sorted, read-only column of NOTES.
        tracks: of each file, the track among all, channel and program of each track of its score.
    """

    notes: list[Array]
    tracks: list[list[Place]]


def table_notes(joined: Joined, table: EventTable) -> TableNotes:
    """Pair the note-ons of each track, channel and pitch with its note-offs, first with first."""
    count = len(joined.begin)
    code = (np.arange(count) << 8).repeat(table.row[1:] - table.row[:-1])
    code += table.status
    if count << 4 <= MOST_PLACES:
        places, keys = _all_places(count)
    else:
        seen = np.zeros(count << 8, bool)
        seen[code] = True
        kinds = seen.reshape(-1, 16, 16)
        places = (kinds[:, smf.NOTE_OFF >> 4] | kinds[:, smf.NOTE_ON >> 4]).ravel().nonzero()[0]
        keys = _keys(count, places)
    key = keys.take(code)
    key |= table.first
    order = key.argsort(kind="stable")
    order = order[: np.count_nonzero(table.status < 0xA0)]
    begins = table.second > 0
    begins &= table.status >= smf.NOTE_ON
    begins = begins.take(order)
    key = key.take(order)
    order, key = _paired(order, key, begins)
    first, last, key = order[::2], order[1::2], key[::2]
    start = table.time.take(first)
    duration = table.time.take(last)
    duration -= start
    place = key >> 7
    pitch = key.astype(np.uint8)
    pitch &= 127
    rows = _NoteRows(joined, places, place, _programs(table, places, place, first))
    return rows.sorted(start, duration, pitch, table.second.take(first))


@lru_cache
def _all_places(count: int) -> tuple[Ints, Words]:
    """Every channel of so many tracks, and the keys of events there."""
    places = np.arange(count << 4)
    return places, _keys(count, places)


def _keys(count: int, places: Ints) -> Words:
    """What events are sorted by, without the pitch, at `track << 8 | status`.

    Args:
        count: how many tracks there are.
        places: `track << 4 | channel` of all that have note-ons or note-offs.
    """
    dtype = np.uint16 if len(places) <= MOST_PLACES else np.uint32
    keys = np.full((count, 16, 16), np.iinfo(dtype).max, dtype)
    for kind in (smf.NOTE_OFF, smf.NOTE_ON):
        keys[places >> 4, kind >> 4, places & 15] = np.arange(len(places)) << 7
    return keys.ravel()


def _paired(order: Ints, key: Words, begins: Mask) -> tuple[Ints, Words]:
    """Note-ons and note-offs, each note-on before its own note-off, and their keys.

    Args:
        order: the rows of note-ons and note-offs, sorted by key.
        key: their keys.
        begins: whether each is a note-on.
    """
    same = key[1:] == key[:-1]
    half = len(order) // 2
    if len(order) % 2 == 0:
        if begins[::2].all() and not begins[1::2].any() and same[::2].all():
            return order, key
        # Where each key has as many of both, and none too early, the first goes with the first.
        on, off = begins.nonzero()[0], (~begins).nonzero()[0]
        if len(on) == half and (key.take(on) == key.take(off)).all() and (on < off).all():
            pairs = np.stack([on, off], axis=1).ravel()
            return order.take(pairs), key.take(pairs)
    # Keys under which a note-on follows a note-on, a note-off a note-off, or one is alone.
    ends = np.append(~same, True)
    odd = ends & begins
    odd[:-1] |= same & (begins[1:] == begins[:-1])
    odd[1:] |= ends[:-1] & ~begins[1:]
    odd[0] |= not begins[0]
    is_odd = np.zeros(int(key[-1]) + 1, bool)
    is_odd[key[odd]] = True
    chosen = is_odd.take(key)
    even, index = (~chosen).nonzero()[0], chosen.nonzero()[0]
    index = index.take(_first_in_first_out(begins.take(index), key.take(index)))
    chosen = np.concatenate([even, index])
    return order.take(chosen), key.take(chosen)


def _first_in_first_out(begins: Mask, key: Words) -> Ints:
    """Pairs of a note-on and a note-off, as indices, of events in order of key and time.

    A note-off while nothing sounds is left out, and so is a note-on that never ends.
    """
    change = np.where(begins, 1, -1)
    first = np.append(True, key[1:] != key[:-1])
    number = first.cumsum() - 1
    sounding = change.cumsum()
    sounding -= (sounding - change)[first][number]
    apart = number * (2 * len(begins))
    # How often a group's count of what sounds would have gone below 0 so far.
    least = np.minimum.accumulate(np.minimum(sounding, 0) - apart) + apart
    lost = least < np.where(first, 0, np.append(0, least[:-1]))
    on = begins.nonzero()[0]
    off = (~begins & ~lost).nonzero()[0]
    ons, offs = (np.bincount(number[i], minlength=number[-1] + 1) for i in (on, off))
    rank = np.arange(len(on)) - (ons.cumsum() - ons)[number[on]]
    on = on[rank < offs[number[on]]]
    pairs = np.empty(2 * len(off), np.int64)
    pairs[::2], pairs[1::2] = on, off
    return pairs


def _programs(table: EventTable, places: Ints, place: Words, first: Ints) -> Ints:
    """`place << 7 | program` of each note.

    Args:
        table: the events.
        places: `track << 4 | channel` of all places that have notes.
        place: of each note, among `places`.
        first: the row of each note's note-on.
    """
    result = place.astype(np.int64)
    result <<= 7
    others = table.others
    changes = (others.status & 0xF0 == smf.PROGRAM).nonzero()[0]
    at = others.track.take(changes) << 4 | others.status.take(changes) & 15
    index = places.searchsorted(at)
    played = np.append(places, -1).take(index) == at
    changes, index = changes[played], index[played]
    if not len(changes):
        return result
    row, program = others.row.take(changes), others.kind.take(changes)
    # A channel whose program is set once, before the first note of its track, needs no look.
    set_late = np.zeros(len(places), bool)
    set_late[index[row > _first_notes(table).take(places.take(index) >> 4)]] = True
    set_late |= np.bincount(index, minlength=len(places)) > 1
    once = np.zeros(len(places), np.uint8)
    once[index] = program
    once[set_late] = 0
    result |= once.take(place)
    if set_late.any():
        notes = set_late.take(place).nonzero()[0]
        times = np.append(-1, index << 32 | row)
        order = times.argsort()
        when = times[order]
        last = when.searchsorted(place[notes].astype(np.int64) << 32 | first[notes]) - 1
        program = np.append(np.uint8(0), program)[order][last]
        result[notes] |= np.where(when[last] >> 32 == place[notes], program, 0)
    return result


def _first_notes(table: EventTable) -> Ints:
    """The row of the first note-on or note-off at or after the beginning of each track."""
    rows = (table.status < 0xA0).nonzero()[0]
    return np.append(rows, len(table.status)).take(rows.searchsorted(table.row[:-1]))


class _NoteRows:
    """What the notes of joined files are sorted and numbered by.

    Args:
        joined: the files.
        places: `track << 4 | channel` of all places that have notes.
        place: of each note, among `places`.
        code: `place << 7 | program` of each note.
    """

    def __init__(self, joined: Joined, places: Ints, place: Words, code: Ints) -> None:
        used = np.zeros(len(places) << 7, bool)
        used[code] = True
        self.codes = used.nonzero()[0]
        self.place = places.take(self.codes >> 7)
        self.file = joined.file.take(self.place >> 4)
        self.bounds = self.file.searchsorted(np.arange(len(joined.files) + 1))
        is_drum = self.place & 15 == smf.DRUM_CHANNEL
        self._code = code
        self._file = joined.file.take(places >> 4).take(place) if len(joined.files) > 1 else None
        self._files = len(joined.files)
        number = np.arange(len(self.codes)) - self.bounds.take(self.file)
        self._number = np.zeros(len(used), np.uint16)
        self._number[self.codes] = number
        self._program = np.zeros(len(used), np.uint16)
        self._program[self.codes] = np.where(is_drum, DRUMS, self.codes & 127)

    def tracks(self) -> list[list[Place]]:
        """The track, channel and program of each track of the scores."""
        found = list(
            zip(
                (self.place >> 4).tolist(),
                (self.place & 15).tolist(),
                (self.codes & 127).tolist(),
                strict=True,
            )
        )
        return [found[begin:end] for begin, end in pairwise(self.bounds.tolist())]

    def sorted(self, start: Array, duration: Array, pitch: Array, velocity: Array) -> TableNotes:
        """The notes in the order of scores, file after file."""
        sound = self._program.take(self._code)
        sound <<= 7
        sound |= pitch
        order = sound.argsort(kind="stable")
        order = _then_by(start, order)
        late = start >> 16
        bits = int(late.max(initial=0)).bit_length()
        bounds = [0, len(order)]
        if self._file is not None:
            bounds = [0, *np.bincount(self._file, minlength=self._files).cumsum().tolist()]
            if bits + self._files.bit_length() > 16:
                order = _then_by(late, order)
                late = self._file
            else:
                late |= self._file.astype(np.int32) << bits
        if self._file is not None or bits:
            order = _then_by(late, order)
        notes = np.empty(len(order), NOTES)
        notes["start"] = start = start.take(order)
        notes["duration"] = duration.take(order)
        sound = sound.take(order)
        notes["program"] = sound >> 7
        notes["pitch"] = sound & 127
        notes["velocity"] = velocity.take(order)
        notes["track"] = self._number.take(self._code.take(order))
        same = start[1:] == start[:-1]
        same &= sound[1:] == sound[:-1]
        for bound in bounds[1:-1]:
            same[bound - 1 : bound] = False  # the next is another file's
        _settle(notes, same.nonzero()[0])
        notes.flags.writeable = False
        return TableNotes([notes[begin:end] for begin, end in pairwise(bounds)], self.tracks())


def _then_by(values: Array, order: Ints) -> Ints:
    """An order kept where the low 16 bits of values are equal, and else by these."""
    return order.take(values.astype(np.uint16).take(order).argsort(kind="stable"))


def _settle(notes: Array, tied: Ints) -> None:
    """Put notes in order of duration, velocity and track, where their other fields are equal.

    Args:
        notes: sorted by start, program and pitch.
        tied: those that have the same as the next.
    """
    if not len(tied):
        return
    member = np.zeros(len(notes), bool)
    member[tied] = member[tied + 1] = True
    members = member.nonzero()[0]
    chosen = notes.take(members)
    rank = chosen["duration"].astype(np.int64) << 24
    rank |= chosen["velocity"].astype(np.int64) << 16
    rank |= chosen["track"]
    group = np.ones(len(notes), bool)
    group[tied + 1] = False
    notes[members] = chosen.take(np.lexsort((rank, group.take(members).cumsum())))
