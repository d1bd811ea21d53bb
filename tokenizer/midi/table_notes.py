"""The notes of an event table: note-ons and note-offs paired, with programs, sorted as in scores.

Pairing sorts by 16 bits at a time: the stable sort of 16-bit numbers is a radix sort. The notes,
in the order of their tracks, are nearly sorted: there a merge sort is faster still.
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
    places, key = _keyed(table)
    first, last = _pairs(table, key)
    key = key.take(first)
    codes, part = _parts(table, places, (key >> 7).astype(np.intp), first)
    key &= 127
    parts = _Parts(joined, places.take(codes >> 7), codes & 127)
    notes = np.empty(len(first), NOTES)
    notes["start"] = start = table.time.take(first)
    notes["duration"] = table.time.take(last) - start
    notes["pitch"], notes["velocity"] = key, table.second.take(first)
    notes["program"], notes["track"] = parts.program.take(part), parts.number.take(part)
    rank = parts.rank.take(part)
    rank |= start.astype(np.int64) << 15
    rank |= key
    order = rank.argsort(kind="stable")
    notes, rank = notes.take(order), rank.take(order)
    _settle(notes, (rank[1:] == rank[:-1]).nonzero()[0])
    notes.flags.writeable = False
    bounds = first.searchsorted(table.row.take(joined.first_track)).tolist()
    return TableNotes([notes[a:b] for a, b in pairwise(bounds)], parts.tracks)


def _keyed(table: EventTable) -> tuple[Ints, Words]:
    """What note-ons and note-offs are paired by.

    Returns:
        `track << 4 | channel` of all places that may have notes, and of each event the place's
        number and the pitch, `place << 7 | pitch`, `(R,)`: of what is no note, more than all.
    """
    count = len(table.row) - 1
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
    return places, key


def _pairs(table: EventTable, key: Words) -> tuple[Ints, Array]:
    """The rows of each note's note-on and note-off, in the order of the note-ons.

    In this order, that of the file, the notes of a track are sorted by time already, or nearly so.
    """
    order = key.astype(np.uint16, copy=False).argsort(kind="stable")
    if key.itemsize > 2:
        order = _then_by(key >> 16, order)
    order = order[: np.count_nonzero(table.status < 0xA0)]
    begins = table.second > 0
    begins &= table.status >= smf.NOTE_ON
    on, off = _paired(key.take(order), begins.take(order))
    last = np.zeros(len(key), np.int32)
    last[order.take(on)] = order.take(off)
    first = (last > 0).nonzero()[0]
    return first, last.take(first)


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
    table: EventTable, places: Ints, place: Ints, first: Ints
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
    count, never = len(table.row) - 1, len(table.status)
    begun = np.full(len(places), never)
    begun[place[::-1]] = first[::-1]  # of several at one place, the last written stays
    played = (begun < never).nonzero()[0]
    changes = _changes(table)
    last = np.zeros(count << 4, np.int64)
    last[changes.place] = changes.program
    codes = played << 7
    codes |= last.take(places.take(played))
    part_of = np.zeros(len(places), np.intp)
    part_of[played] = np.arange(len(played))
    part = part_of.take(place)
    first_note = np.full(count << 4, never)
    first_note[places] = begun
    is_late = changes.row > first_note.take(changes.place)
    if not is_late.any():
        return codes, part
    late = np.zeros(count << 4, bool)
    late[changes.place[is_late]] = True
    late = late.take(places)
    notes = late.take(place).nonzero()[0]
    code = place.take(notes)
    programs = changes.at(places.take(code), first.take(notes))
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


class _Changes(NamedTuple):
    """The C program changes of a table, in order.

    Attributes:
        place: `track << 4 | channel` of each, `(C,)`.
        row: of each, `(C,)`.
        program: that each sets, `(C,)`.
    """

    place: Ints
    row: Ints
    program: Ints

    def at(self, place: Ints, row: Ints) -> Ints:
        """The programs of places, as `track << 4 | channel`, at some rows."""
        times = self.place << 32 | self.row
        order = times.argsort()
        at = times.take(order).searchsorted(place << 32 | row) - 1
        change = order.take(at, mode="clip")
        is_set = (at >= 0) & (self.place.take(change) == place)
        programs: Ints = self.program.take(change) * is_set
        return programs


def _changes(table: EventTable) -> _Changes:
    others = table.others
    index = (others.status & 0xF0 == smf.PROGRAM).nonzero()[0]
    place = others.track.take(index) << 4
    place |= others.status.take(index) & 15
    return _Changes(place, others.row.take(index), others.kind.take(index))


class _Parts:
    """What plays the notes of joined files.

    Args:
        joined: the files.
        place: `track << 4 | channel` of each part, `(P,)`.
        program: of each part, `(P,)`.

    Attributes:
        program: what its notes have, 128 for drums, `(P,)` uint8.
        number: its track in the score, `(P,)` uint16.
        rank: `file << 46 | program << 7`, `(P,)`: with a start between them, and a pitch, what
            notes are sorted by.
        tracks: of each file, the track among all, channel and program of each part.
    """

    def __init__(self, joined: Joined, place: Ints, program: Ints) -> None:
        track, channel = place >> 4, place & 15
        file = joined.file.take(track)
        bounds = file.searchsorted(np.arange(len(joined.files) + 1))
        places = list(zip(track.tolist(), channel.tolist(), program.tolist(), strict=True))
        self.tracks = [places[begin:end] for begin, end in pairwise(bounds.tolist())]
        self.number = (np.arange(len(place)) - bounds.take(file)).astype(np.uint16)
        program[channel == smf.DRUM_CHANNEL] = DRUMS
        self.program = program.astype(np.uint8)
        self.rank = file.astype(np.int64) << 46 | program << 7


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
