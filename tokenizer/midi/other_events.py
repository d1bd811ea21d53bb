"""Where the events of joined files are that are not of three bytes below 128.

An event with a status of 0x80–0xBF or 0xE0–0xEF has three such bytes: the last of its delta and
two of data. Between the others, metas, System Exclusives, program changes and channel pressures,
the number of low bytes therefore tells where an event begins. Where few bytes may begin one of
them, the tracks are walked over from each to the next. Of many bytes each is taken for the
beginning of one, and where three does not divide what is between them, a track is walked over: a
part of a delta was taken for a status.

`tokenizer.midi.event_table` checks afterwards every byte that is not of these events.
"""

from __future__ import annotations

from bisect import bisect_left
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from tokenizer.typing import Ints, Mask

from . import smf
from .sound_files import Joined, SoundFile, with_statuses

HIGH_BYTES = bytes(range(128, 256))
META = 0xFF
FEW = 250  # bytes that may begin an event: so many are walked over as fast as they are guessed
NOWHERE = 1 << 40  # further than any file reaches
# Whether a byte may begin an event that is not of three low bytes.
OTHERS = {*range(0xC0, 0xE0), 0xF0, 0xF7, META}
OTHER = np.isin(np.arange(256), [*OTHERS])

FIELDS = 7  # of an event


class Others(NamedTuple):
    """The K events that are not of three low bytes, in order; the last of each track is its end.

    Attributes:
        at: the offset of the status, `(K,)`.
        status: `(K,)`.
        kind: the byte after it: the program, the kind of a meta, `(K,)`.
        body: the offset of the body of a meta or System Exclusive, `(K,)`.
        stop: the offset after the event, `(K,)`; of a track's end, where the next track begins.
        track: `(K,)`.
        row: how many events stand before it, `(K,)`.
    """

    at: Ints
    status: Ints
    kind: Ints
    body: Ints
    stop: Ints
    track: Ints
    row: Ints


def others_of(joined: Joined) -> tuple[Others, dict[int, SoundFile | None]]:
    """The other events of joined files.

    Returns:
        The events, and the files in which they were not found, by number: as a file that says the
        same with a status for each event, or None. With any such file, the events are of no use.
    """
    high = (joined.array.view(np.int8) < 0).nonzero()[0]
    value = joined.array.take(high)
    index = ((value >= 0xF0) | (value & 0xE0 == 0xC0)).nonzero()[0]
    at = high.take(index)
    low = at - index  # as many as are not high
    walk = _Walk(joined, high, at, low)
    others = _walked(joined, walk) if len(at) <= FEW else _guessed(joined, at, low, walk)
    odd: dict[int, SoundFile | None] = {
        number: None if added is None else with_statuses(joined.files[number], added)
        for number, added in walk.odd.items()
    }
    return others, odd


def _walked(joined: Joined, walk: _Walk) -> Others:
    """The events of all tracks, walked over."""
    events: list[int] = []
    for track in range(len(joined.begin)):
        events += walk.events(track)
    # A flat list becomes an array in half of the time that one of tuples takes.
    *columns, count = np.fromiter(events, np.int64, len(events)).reshape(-1, FIELDS).T
    return Others._make([*columns, _rows(count)])


def _rows(count: Ints) -> Ints:
    """How many events stand before each other one, by the low bytes from one to the next."""
    rows: Ints = ((count + 2) // 3).cumsum()
    rows -= 1
    return rows


class _Walk:
    """Walks over tracks.

    Attributes:
        high: the offsets of the bytes above 127, ascending.
        low: the low bytes of the files before the events of each track, `(T,)`.
        odd: of files with statuses left out where they should not be, the offset in the file and
            the status; None for files of which a track could not be walked over.
    """

    def __init__(self, joined: Joined, high: Ints, at: Ints, low: Ints) -> None:
        """Take the offsets of high bytes, of those that may begin an event, and the low before."""
        self.high = high
        self.low = joined.begin - high.searchsorted(joined.begin)
        self.odd: dict[int, list[tuple[int, int]] | None] = {}
        self._joined = joined
        self._at, self._low = at, low
        begins = [*joined.begin.tolist(), len(joined.array)]
        self._bounds = list(zip(begins, joined.end.tolist(), begins[1:], strict=False))
        self._marks = at.searchsorted(begins).tolist()

    def events(self, track: int) -> list[int]:
        """The other events of a track, up to its end, one after another.

        Each is seven numbers, as of `Others` but for the row: there it is the low bytes since the
        event before, or since the beginning of the track.
        """
        limit = self._bounds[track][1] - 3
        found: list[int] = []
        added: list[tuple[int, int]] = []
        with suppress(IndexError):  # a track may end in the middle of an event
            self._find(track, limit, found, added)
        joined = self._joined
        number = int(joined.file[track])
        before = self.odd.get(number, [])
        if limit not in found[-FIELDS : -FIELDS + 1]:
            self.odd[number] = None
        elif added and before is not None:
            base = self._bounds[joined.first_track[number]][0] - joined.files[number].tracks[0][0]
            self.odd[number] = before + [(at - base, status) for at, status in added]
        return found

    def _find(self, track: int, limit: int, found: list[int], added: list[tuple[int, int]]) -> None:
        data = self._joined.data
        mine = slice(self._marks[track], self._marks[track + 1])
        marks, lows = self._at[mine].tolist(), self._low[mine].tolist()
        at, _, following = self._bounds[track]
        low = before = int(self.low[track])
        size = last = index = 0  # the data bytes and the status of the channel event before
        while True:
            place = at
            while data[place] > 127:
                place += 1
            place += 1
            low += 1
            status = data[place]
            if status < 128 and size == 1:
                added.append((place, last))
                at, low = place + 1, low + 1
                continue
            if status < 0xC0 or status & 0xF0 == 0xE0:
                size, low = 2, low - 1
                index = bisect_left(marks, at, index)
                while (lows[index] - low) % 3 != 1:
                    index += 1
                place, low = marks[index], lows[index]
                status = data[place]
                if data[place - 1] > 127:
                    return  # a status in place of a data byte
            kind, after = data[place + 1], low + 1
            if status < 0xE0:
                size, last = 1, status
                body, stop = place + 1, place + 2
            else:
                body, stop = _body(data, place, status)
                after = low + len(data[place:stop].translate(None, HIGH_BYTES))
                if stop > limit and place != limit:
                    return
            if (kind > 127 and (status < 0xE0 or status == META)) or (
                kind == smf.END and status == META and place != limit
            ):
                return
            if place == limit:
                found += (place, status, kind, body, following, track, low - before)
                return
            found += (place, status, kind, body, stop, track, low - before)
            at, low = stop, after
            before = after


def _body(data: bytes, at: int, status: int) -> tuple[int, int]:
    """Where the body of a meta or System Exclusive begins and ends; nowhere if in doubt."""
    body = at + 2 if status < META else at + 3
    size = data[body - 1]
    if size > 127:
        size = (size & 127) << 7 | data[body] if data[body] < 128 else NOWHERE
        body += 1
    return body, body + size if status in OTHERS else NOWHERE


def _guessed(joined: Joined, at: Ints, low: Ints, walk: _Walk) -> Others:
    """The events of all tracks, guessed, and where the guess is wrong walked over."""
    found = _candidates(joined, at, low)
    before = found.row
    after = found.stop - walk.high.searchsorted(found.stop)

    def since(index: Ints) -> Ints:
        """The low bytes from the end of each chosen event to the next one."""
        count: Ints = before.take(index)
        count[1:] -= after.take(index[:-1])
        count[0] -= walk.low[0]
        return count

    chosen = _outside_of_bodies(found.at, found.stop)
    index = chosen.nonzero()[0]
    count = since(index)
    wrong = (count % 3 != 1).nonzero()[0]
    if len(wrong):
        for track in np.unique(found.track.take(index.take(wrong))).tolist():
            mine = slice(*found.track.searchsorted([track, track + 1]).tolist())
            real = walk.events(track)[::FIELDS]
            chosen[mine] = False
            chosen[found.at.searchsorted(real)] = True
            chosen[mine.stop - 1] = True
        index = chosen.nonzero()[0]
        count = since(index)
        for track in found.track.take(index[count % 3 != 1]).tolist():
            walk.odd[int(joined.file[track])] = None
    return Others._make([*(column.take(index) for column in found[:-1]), _rows(count)])


def _outside_of_bodies(at: Ints, stop: Ints) -> Mask:
    """Which candidates begin after the end of every one before them that is not inside itself."""
    outside = np.append(True, at[1:] >= np.maximum.accumulate(stop)[:-1])
    reach = np.maximum.accumulate(np.where(outside, stop, 0))
    index = (~outside & (at >= reach)).nonzero()[0]  # inside of what is inside
    found, last = [], 0
    for number, begin, end in zip(
        *[x.tolist() for x in (index, at[index], stop[index])], strict=True
    ):
        if begin >= last:
            found.append(number)
            last = end
    outside[found] = True
    return outside


def _candidates(joined: Joined, at: Ints, low: Ints) -> Others:
    """Every byte that may begin another event, described as if it did.

    Args:
        joined: the files.
        at: the offsets of these bytes.
        low: the low bytes before each, which are given in place of the rows.
    """
    array = joined.array
    first = at.searchsorted(joined.begin[0])
    at, low = at[first:], low[first:]
    track = joined.begin.searchsorted(at, side="right") - 1
    status, kind = array.take(at), array.take(at + 1, mode="clip")
    is_channel, is_meta = status < 0xE0, status == META
    length_at = at + 1 + is_meta
    length = array.take(length_at, mode="clip").astype(np.int64)
    body = length_at + 1
    long = ((length > 127) & ~is_channel).nonzero()[0]
    if len(long):
        more = array.take(body[long], mode="clip").astype(np.int64)
        length[long] = np.where(more < 128, (length[long] & 127) << 7 | more, NOWHERE)
        body[long] += 1
    body -= is_channel  # that of a channel event is its data byte
    stop = body + np.where(is_channel, 1, length)
    limit = joined.end.take(track) - 3
    is_end = at == limit
    sound = (array.take(at - 1) < 128) & (stop <= limit) & OTHER.take(status)
    sound &= (kind < 128) | ~(is_channel | is_meta)
    sound &= (kind != smf.END) | ~is_meta  # a track ends once
    sound |= is_end
    stop[is_end] = np.append(joined.begin[1:], len(array))
    index = sound.nonzero()[0]
    columns = (at, status, kind, body, stop, track, low)
    return Others._make(column.take(index) for column in columns)
