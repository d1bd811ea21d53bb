"""Which MIDI files symusic reads exactly: checks of the bytes that cost less than parsing.

symusic loses its place after some System Exclusive messages and overflows after 2**31 ticks. A file
in which that might happen is left to `tokenizer.midi.smf`; a doubt counts as no.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from tokenizer.typing import Ints

from . import smf

END_OF_TRACK = b"\xff\x2f\x00"
EXCLUSIVE_END = b"\xf7"
TEMPO = b"\xff\x51\x03"
TICKS = 2**31  # a sum of long deltas from which on 32 bits may overflow

# Ends of tracks, and tempos and signatures that are not as long as they should be.
MARKS = re.compile(rb"\xff(?:\x2f\x00|\x51[^\x03]|\x58[^\x04]|\x59[^\x02])", re.DOTALL)
TEMPOS = re.compile(rb"(?:\xff\x51\x03.{3}[\x80-\xff]{0,3}[\x00-\x7f]){1,999}", re.DOTALL)
BLOCK = 1024  # high bytes checked at once


class Exactness(NamedTuple):
    """Which parts of a file symusic reads as `tokenizer.midi.smf` does."""

    notes: bool
    tempos: bool  # and signatures: it reads past those that are not as long as they should be


def notes_are_exact(data: bytes) -> bool:
    """Whether symusic reads the notes of these bytes as `tokenizer.midi.smf` does."""
    return exactness(data).notes


def exactness(data: bytes) -> Exactness:
    """Which parts of these bytes symusic reads exactly."""
    found = MARKS.findall(data)
    ends = found.count(END_OF_TRACK)
    return Exactness(_notes_are_exact(data, ends), ends == len(found))


def _notes_are_exact(data: bytes, ends: int) -> bool:
    if data[:9] != b"MThd\x00\x00\x00\x06\x00" or len(data) < 14 or data[9] > 1:
        return False
    if data[12] >= 0x80 or not data[12] | data[13]:
        return False
    if ends != data[10] << 8 | data[11]:
        return False  # a track has none, or goes on after it
    # 0xF7 ends System Exclusive, or stands alone, or is part of a delta
    exclusive = EXCLUSIVE_END in data
    at = 14
    for _ in range(ends):
        start = at + 8
        stop = start + int.from_bytes(data[at + 4 : start], "big")
        if data[at : at + 4] != b"MTrk" or data[max(start, stop - 3) : stop] != END_OF_TRACK:
            return False
        if exclusive and not _exclusive_is_exact(data, start, stop):
            return False
        at = stop
    return at == len(data) and _deltas_fit(data)


def _deltas_fit(data: bytes) -> bool:
    """Whether no sum of deltas can overflow; a delta of four bytes begins with three high ones."""
    array = np.frombuffer(data, np.uint8)
    high = array[:-2] & array[1:-1]
    high &= array[2:]
    if high.tobytes().isascii():
        return True
    ticks = 0
    for at in np.flatnonzero(high >= 0x80).tolist():
        if data.find(TEMPO, at - 5, at) < 0 and data[at + 3] < 0x80:
            ticks += smf.read_length(data, at, at + 4)[0]
    return ticks < TICKS


def _exclusive_is_exact(data: bytes, start: int, stop: int) -> bool:
    """Whether a track's System Exclusive messages are whole and have no running status after.

    Its last byte, 0xF7, is also found in deltas and tempos. Where the bytes before one do not show
    it to be that, the events up to it are walked over: those with two data bytes together, the
    others, which are few, singly.
    """
    last = -1
    at = data.find(EXCLUSIVE_END, start, stop)
    while at >= 0:
        if data[at - 1] < 0x80 and data.find(TEMPO, at - 5, at) < 0 and not _ends_event(data, at):
            last = at
        at = data.find(EXCLUSIVE_END, at + 1, stop)
    if last < 0:
        return True
    high = np.flatnonzero(np.frombuffer(data, np.uint8, stop - start, start) >= 0x80) + start
    running = 0  # the data bytes of an event under running status
    at = _after_delta(data, start)
    while at <= last:
        status = data[at]
        if status == 0xFF:
            tempos = TEMPOS.match(data, at, stop)
            if tempos is not None:
                at = tempos.end()
                continue
            size, at = smf.read_length(data, at + 2, stop)
            at = _after_delta(data, at + size)
        elif status == 0xF0:
            size, at = smf.read_length(data, at + 1, stop)
            at = _after_delta(data, at + size)
            if data[at] < 0x80:
                return False
        elif status > 0xF0:
            return False
        else:
            if status >= 0x80:
                running = smf.DATA_BYTES[status & 0xF0]
                at += 1
            if running == 0:
                return False
            at += running
            at = _after_pairs(data, at, high) if running == 2 else _after_delta(data, at)
            if at < 0:
                return False
    return True


def _ends_event(data: bytes, at: int) -> bool:
    """Whether an event with its status and two data bytes stands before `at`, so a delta there."""
    status, first, second = data[at - 3 : at]
    return 0x80 <= status < 0xF0 and status & 0xE0 != 0xC0 and first < 0x80 and second < 0x80


def _after_pairs(data: bytes, at: int, high: Ints) -> int:
    """Pass over events with two data bytes; give where the first other one has its status, or −1.

    Each such event has three low bytes, with running status or without: the last of the delta and
    the two data bytes. So a high byte belongs to a delta if the number of low bytes since the first
    event divides by three, is a status if the rest is one, and else cannot be (−1).

    Args:
        data: a file.
        at: where an event begins.
        high: the offsets of all bytes above 127 in the track.
    """
    index = int(np.searchsorted(high, at))
    first = at - index
    while index < len(high):
        block = high[index : index + BLOCK]
        phase = (block - first - np.arange(index, index + len(block))) % 3
        values = np.frombuffer(data, np.uint8)[block]
        other = (phase == 2) | (phase == 1) & (values >= 0xC0) & ((values & 0xF0) != 0xE0)
        if other.any():
            found = int(other.argmax())
            return int(block[found]) if phase[found] == 1 else -1
        index += BLOCK
    return len(data)


def _after_delta(data: bytes, at: int) -> int:
    return smf.read_length(data, at, len(data))[1]
