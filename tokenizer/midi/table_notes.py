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
    order = key.astype(np.uint16, copy=False).argsort(kind="stable")
    if key.itemsize > 2:
        order = _then_by(key >> 16, order)
    order = order[: np.count_nonzero(table.status < 0xA0)]
    begins = table.second > 0
    begins &= table.status >= smf.NOTE_ON
    begins = begins.take(order)
    key = key.take(order)
    on, off = _paired(key, begins)
    first, last, key = order.take(on), order.take(off), key.take(on)
    start = table.time.take(first)
    duration = table.time.take(last)
    duration -= start
    place = key >> 7
    pitch = key.astype(np.uint8)
    pitch &= 127
    codes, part = _parts(table, places, place, first)
    parts = _Parts(joined, places.take(codes >> 7), codes & 127, part)
    return parts.sorted(start, duration, pitch, table.second.take(first))


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


def _paired(key: Words, begins: Mask) -> tuple[Ints, Ints]:
    """The note-on and the note-off of each note, as indices.

    Args:
        key: of note-ons and note-offs, ascending, those of the same in their order in the file.
        begins: whether each is a note-on.
    """
    on, off = begins.nonzero()[0], (~begins).nonzero()[0]
    # Where each key has as many of both, and none too early, the first goes with the first.
    if len(on) == len(off) and (on < off).all() and (key.take(on) == key.take(off)).all():
        return on, off
    # Keys under which a note-on follows a note-on, a note-off a note-off, or one is alone.
    same = key[1:] == key[:-1]
    ends = np.append(~same, True)
    odd = ends & begins
    odd[:-1] |= same & (begins[1:] == begins[:-1])
    odd[1:] |= ends[:-1] & ~begins[1:]
    odd[0] |= not begins[0]
    is_odd = np.zeros(int(key[-1]) + 1, bool)
    is_odd[key[odd]] = True
    is_odd = is_odd.take(key)
    on, off = (begins & ~is_odd).nonzero()[0], (~begins & ~is_odd).nonzero()[0]
    index = is_odd.nonzero()[0]
    odd_on, odd_off = _first_in_first_out(begins.take(index), key.take(index))
    return np.append(on, index.take(odd_on)), np.append(off, index.take(odd_off))


def _first_in_first_out(begins: Mask, key: Words) -> tuple[Ints, Ints]:
    """The note-on and the note-off of each note, as indices, of events in order of key and time.

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
    return on[rank < offs[number[on]]], off


def _parts(
    table: EventTable, places: Ints, place: Words, first: Ints
) -> tuple[Ints, npt.NDArray[np.intp]]:
    """What plays the notes: each program of each place.

    Args:
        table: the events.
        places: `track << 4 | channel` of all places that may have notes.
        place: of each note, among `places`.
        first: the row of each note's note-on.

    Returns:
        `place << 7 | program` of each part, ascending, and the part of each note.
    """
    has_notes = np.zeros(len(places), bool)
    has_notes[place] = True
    played = has_notes.nonzero()[0]
    codes = played << 7
    if not len(played):
        return codes, place.astype(np.intp)
    changes = _Changes(table)
    codes |= changes.last.take(places.take(played))
    part_of = np.zeros(len(places), np.intp)
    part_of[played] = np.arange(len(played))
    late = changes.late.take(places) & has_notes
    if not late.any():
        return codes, part_of.take(place)
    notes = late.take(place).nonzero()[0]
    code = place.take(notes).astype(np.int64)
    programs = changes.programs(places.take(code), first.take(notes))
    code <<= 7
    code |= programs
    used = np.zeros(len(places) << 7, bool)
    used[codes] = ~late.take(played)
    used[code] = True
    codes = used.nonzero()[0]
    part_of[codes >> 7] = np.arange(len(codes))
    part = part_of.take(place)
    part[notes] = codes.searchsorted(code)
    return codes, part


class _Changes:
    """The program changes of a table that has notes.

    Attributes:
        last: the program set last, 0 if none, at `track << 4 | channel`.
        late: whether it is not the program of all notes, at `track << 4 | channel`.
    """

    def __init__(self, table: EventTable) -> None:
        others, count = table.others, len(table.row) - 1
        changes = (others.status & 0xF0 == smf.PROGRAM).nonzero()[0]
        track = others.track.take(changes)
        self._place = track << 4
        self._place |= others.status.take(changes) & 15
        self._row, self._program = others.row.take(changes), others.kind.take(changes)
        self.last = np.zeros(count << 4, np.int64)
        self.last[self._place] = self._program
        self.late = np.bincount(self._place, minlength=count << 4) > 1
        rows = (table.status < 0xA0).nonzero()[0]
        first_note = rows.take(rows.searchsorted(table.row[:-1]), mode="clip")
        self.late[self._place[self._row > first_note.take(track)]] = True

    def programs(self, place: Ints, row: Ints) -> Ints:
        """The programs of places, as `track << 4 | channel`, at some rows."""
        times = self._place << 32 | self._row
        order = times.argsort()
        at = times.take(order).searchsorted(place << 32 | row) - 1
        change = order.take(at, mode="clip")
        is_set = (at >= 0) & (self._place.take(change) == place)
        programs: Ints = self._program.take(change) * is_set
        return programs


class _Parts:
    """What plays the notes of joined files.

    Args:
        joined: the files.
        place: `track << 4 | channel` of each part.
        program: of each part.
        part: of each note.
    """

    def __init__(
        self, joined: Joined, place: Ints, program: Ints, part: npt.NDArray[np.intp]
    ) -> None:
        track, channel = place >> 4, place & 15
        file = joined.file.take(track)
        bounds = file.searchsorted(np.arange(len(joined.files) + 1))
        self._bounds = bounds.tolist()
        self._columns = track.tolist(), channel.tolist(), program.tolist()
        self._part = part
        self._files = len(joined.files)
        self._file = file.take(part) if self._files > 1 else None
        number = np.arange(len(place)) - bounds.take(file)
        self._number = number.astype(np.uint16)
        sound = np.where(channel == smf.DRUM_CHANNEL, DRUMS, program) << 7
        self._sound = sound.astype(np.uint16)

    def tracks(self) -> list[list[Place]]:
        """The track, channel and program of each track of the scores."""
        found = list(zip(*self._columns, strict=True))
        return [found[begin:end] for begin, end in pairwise(self._bounds)]

    def sorted(self, start: Array, duration: Array, pitch: Array, velocity: Array) -> TableNotes:
        """The notes in the order of scores, file after file."""
        sound = self._sound.take(self._part)
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
        notes["track"] = self._number.take(self._part.take(order))
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
