"""The whole structure of a file checked at once, in NumPy: which files symusic may read.

`scan` accepts a file only if `tokenizer.midi.smf` would accept each of its events and symusic reads
them alike; a doubt counts as no, and the file is left to `smf`. So both give the same verdict.

An event with a status of 0x80–0xBF or 0xE0–0xEF has three bytes below 128: the last of its delta
and two of data. Counted from the first event of a run of such events, the number of low bytes
before a byte above 127 therefore tells what it is: with rest 0 by division by three a part of a
delta, with rest 1 a status, with rest 2 an error. Only the other events, which are few, are walked
over one by one; each ends a run.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer.errors import MidiError
from tokenizer.typing import Ints, Mask

from . import smf

HIGH_BYTES = bytes(range(128, 256))
Bytes = npt.NDArray[np.uint8]

TICKS = 2**31  # from here on 32 bits overflow
DELTA_PART, STATUS, ERROR, OUTSIDE = range(4)  # what a high byte of a run, or outside of runs, is

TEMPO = re.compile(rb"([\x80-\xff]{0,1}[\x00-\x7f])\xff\x51\x03(.{3})", re.DOTALL)
TEMPOS = re.compile(rb"(?:[\x80-\xff]{0,1}[\x00-\x7f]\xff\x51\x03.{3}){1,9999}", re.DOTALL)
LENGTHS = {smf.TEMPO: 3, smf.TIME: 4, smf.KEY: 2, smf.END: 0}  # as symusic takes these to be
SAFE_BYTES, LONG_DELTAS = 2**17, 2**8  # a file with fewer has fewer ticks, but for longer deltas

# Whether a status is not of three low bytes.
OTHER = np.array([status >= 0xC0 and status & 0xF0 != 0xE0 for status in range(256)])
# What a high byte is, by four times the low bytes before it modulo 3, plus the run's own rest.
PHASES = np.array([(low - first) % 3 if first < 3 else 3 for low in range(3) for first in range(4)])
PHASES = PHASES.astype(np.uint8)
# Whether it is wrong: by the same, and by 16 if another high byte follows at once.
WRONG = np.concatenate([PHASES == ERROR, (PHASES == ERROR) | (PHASES == STATUS)])
WRONG = np.append(WRONG[:12], [False] * 4 + WRONG[12:].tolist())


Other = tuple[int, int, int, int, int, int, bytes, bytes]
"""An event that ends a run: a meta, a System Exclusive, or one with a single data byte.

The number of its track; how many low and how many high bytes of the file stand before the run that
it ends; how many low bytes before the event itself, its delta included; its status; the kind of a
meta, else 0; its data; and the tempos that follow at once, with their deltas, as in the file.
"""


class Scan(NamedTuple):
    """A file whose every byte is where it should be.

    Attributes:
        data: the file.
        tracks: how many it has.
        value: its bytes above 127, `(H,)` uint8.
        low: how many bytes below 128 stand before each of them, `(H,)`.
        place: for each, the latter modulo 3 times four, plus the same of its run; see `PHASES`.
        others: what ends each run; the last of a track is its end.
    """

    data: bytes
    tracks: int
    value: Bytes
    low: Ints
    place: Bytes
    others: list[Other]

    def phase(self) -> Bytes:
        """What each high byte is, `(H,)` uint8."""
        return PHASES.take(self.place)

    def statuses(self, kinds: Mask) -> Ints:
        """The indices of the statuses of three-byte events whose value is among the kinds."""
        found = np.flatnonzero(kinds.take(self.value))
        return found[PHASES.take(self.place.take(found)) == STATUS]


def scan(data: bytes) -> Scan | None:
    """The structure of a file, or None where symusic might not read it as `smf` does."""
    tracks = _tracks(data)
    if not tracks:
        return None
    high = np.flatnonzero(np.frombuffer(data, np.int8) < 0)
    value = np.frombuffer(data, np.uint8).take(high)
    low = high - np.arange(len(high))
    marks = np.flatnonzero(OTHER.take(value))
    walk = _Walk(data, high.take(marks).tolist(), marks.tolist())
    try:
        for number, (start, stop) in enumerate(tracks):
            if not walk.track(number, start, stop):
                return None
    except (IndexError, MidiError):  # an event reaches past the end, or its length is none
        return None
    found = Scan(data, len(tracks), value, low, _places(low, walk), walk.others)
    return found if _is_sound(found) else None


def deltas(scan: Scan) -> Ints:
    """What each high byte adds to its delta, `(H,)`: 0 for those that are no part of one."""
    same = scan.low[1:] == scan.low[:-1]
    part = scan.phase() == DELTA_PART
    added = (scan.value & 0x7F).astype(np.int64) << 7
    added[:-1][same] <<= 7
    added[:-2][same[1:] & same[:-1]] <<= 7
    added *= part
    return added


def tempos_of(run: bytes) -> list[tuple[int, bytes]]:
    """The tempos of a run, each with the ticks since the event before it."""
    return [
        (delta[0] if len(delta) == 1 else (delta[0] & 127) << 7 | delta[1], body)
        for delta, body in TEMPO.findall(run)
    ]


def ticks_of(run: bytes) -> int:
    """How long a run of tempos is."""
    deltas = b"".join([delta for delta, _ in TEMPO.findall(run)])
    low = sum(deltas.translate(None, HIGH_BYTES))
    high = len(deltas) - len(deltas.translate(None, HIGH_BYTES))
    return low + (sum(deltas) - low - 128 * high << 7)


def _tracks(data: bytes) -> list[tuple[int, int]] | None:
    """Where the events of each track begin and end, if nothing about the chunks is odd."""
    if data[:9] != b"MThd\x00\x00\x00\x06\x00" or len(data) < 14 or data[9] > 1:
        return None
    if data[12] >= 0x80 or not data[12] | data[13]:
        return None
    tracks = []
    at = 14
    for _ in range(data[10] << 8 | data[11]):
        start = at + 8
        stop = start + int.from_bytes(data[at + 4 : start], "big")
        if data[at : at + 4] != b"MTrk" or stop > len(data) or stop < start + 4:
            return None
        tracks.append((start, stop))
        at = stop
    return tracks if at == len(data) else None


class _Walk:
    """The walk from one event that is not of three low bytes to the next."""

    def __init__(self, data: bytes, at: list[int], marks: list[int]) -> None:
        self.data = data
        self.at = at  # the offset of every byte that such an event may begin with
        self.marks = marks  # how many high bytes stand before each
        self.others: list[Other] = []
        self.bounds: list[int] = []  # each run's first high byte, and the one after its last
        self.next = 0  # among `at`
        self.end = 0  # of the track before
        self.count = 0  # low bytes before it

    def track(self, number: int, start: int, stop: int) -> bool:
        """Walk over a track; whether all that was met is sound and it ends where it should."""
        data, keep, bounds = self.data, self.others.append, self.bounds
        at = start
        run = self.count + len(data[self.end : start].translate(None, HIGH_BYTES))
        running = last = 0  # the data bytes of an event without status, and the status of one byte
        while True:
            place = at + 1 if data[at] < 128 else _after_delta(data, at)
            status, low = data[place], run + 1
            if status < 128:
                if running != 1:
                    return False  # running status of two data bytes, resumed after a meta, too
                bounds += (at - run, place - low)
                keep((number, run, at - run, low, last, 0, data[place : place + 1], b""))
                at, run = place + 1, run + 2
                continue
            if status < 0xC0 or status & 0xF0 == 0xE0:
                place = self._mark(at, run)
                if not 0 < place < stop:
                    return False
                status, low, running = data[place], place - self.marks[self.next], 2
            bounds += (at - run, place - low)
            kind, tempos = 0, b""
            if status < 0xE0:
                begin, end, running, last = place + 1, place + 2, 1, status
                if data[begin] > 127:
                    return False
            else:
                kind, begin, end = _system(data, place, stop)
                if kind < 0 or (status == 0xF0 and smf.changes_drums(data[begin:end])):
                    return False
                running = running if status == 0xFF else -1
            keep_from = end
            if kind == smf.TEMPO:
                tempos = _tempos_after(data, end, stop)
                end += len(tempos)
            keep((number, run, at - run, low, status, kind, data[begin:keep_from], tempos))
            at, run = end, low + len(data[place:end].translate(None, HIGH_BYTES))
            if at == stop:
                self.end, self.count = at, run
                return True

    def _mark(self, at: int, run: int) -> int:
        """The offset of the event that ends the run which begins at `at`, or −1 in doubt."""
        index = bisect_left(self.at, at, self.next)
        while True:
            rest = (self.at[index] - self.marks[index] - run) % 3
            if rest:
                self.next = index
                return self.at[index] if rest == STATUS else -1
            index += 1


def _after_delta(data: bytes, at: int) -> int:
    while data[at] > 127:
        at += 1
    return at + 1


def _system(data: bytes, place: int, stop: int) -> tuple[int, int, int]:
    """The kind of a meta (0 of System Exclusive, −1 in doubt), and where its data are."""
    kind, at = data[place + 1], place + 2
    if data[place] != 0xFF:
        kind, at = 0 if data[place] == 0xF0 else 128, place + 1
    size, begin = data[at], at + 1
    if size > 127:
        size, begin = smf.read_length(data, at, stop)
    end = begin + size
    is_end = kind == smf.END
    if kind > 127 or end > stop or is_end != (end == stop) or LENGTHS.get(kind, size) != size:
        return -1, begin, end
    if kind == smf.TIME and data[begin + 1] > 15:
        return -1, begin, end  # symusic takes the power of two modulo 32
    return kind, begin, end


def _tempos_after(data: bytes, at: int, stop: int) -> bytes:
    """The tempos that follow at once."""
    found = TEMPOS.match(data, at, stop)
    return b"" if found is None else found[0]


def _places(low: Ints, walk: _Walk) -> Bytes:
    """Where each high byte stands in its run; see `Scan.place`."""
    bounds = np.array([0, *walk.bounds, len(low)])
    firsts = np.full(len(bounds) - 1, 3, np.uint8)
    firsts[1::2] = [other[1] % 3 for other in walk.others]
    count = low.astype(np.uint32)
    count -= count // 3 * 3
    place = count.astype(np.uint8)
    place <<= 2
    place |= firsts.repeat(np.diff(bounds))
    return place


def _is_sound(scan: Scan) -> bool:
    """Whether every high byte of the runs may be where it is, and no time overflows."""
    same = scan.low[1:] == scan.low[:-1]  # the next high byte follows at once
    key = scan.place.copy()
    key[:-1] |= same.view(np.uint8) << 4
    if WRONG.take(key).any():
        return False
    if np.count_nonzero(same) > LONG_DELTAS:
        same &= scan.phase()[:-1] == DELTA_PART
    long = np.count_nonzero(same)
    three = long > 1 and (same[1:] & same[:-1]).any()
    if not three and long <= LONG_DELTAS and len(scan.data) < SAFE_BYTES:
        return True
    same &= scan.phase()[:-1] == DELTA_PART
    if (same[2:] & same[1:-1] & same[:-2]).any():
        return False  # a delta of more than four bytes
    ticks = int(deltas(scan).sum()) + sum(ticks_of(other[-1]) for other in scan.others if other[-1])
    return ticks + 128 * len(scan.data) < TICKS
