"""Which MIDI files symusic reads exactly: a few looks at the bytes that cost less than reading.

At the bottom of the ground floor. symusic takes some broken events for sound ones, overflows after
2**31 ticks and drops what is no UTF-8; a file in which that might matter is not plain, and
`tokenizer.midi` reads it with `tokenizer.smf`. A doubt counts as no.
"""

from __future__ import annotations

import re

import numpy as np

from . import smf

END_OF_TRACK = b"\xff\x2f\x00"
SYSTEM_MESSAGES = tuple(bytes((status,)) for status in range(0xF0, 0xF8))
TICKS = 2**31  # a sum of long deltas from which on 32 bits may overflow

# A tempo or signature that is not as long as it should be.
MISSHAPEN = re.compile(rb"\xff(?:\x51[^\x03]|\x58[^\x04]|\x59[^\x02])", re.DOTALL)
DELTA = rb"[\x80-\xff]{0,3}[\x00-\x7f]"
# As many channel events, tempos and time signatures as follow each other, with running status.
# The repeats are bounded because the engine remembers each one.
EVENTS = re.compile(
    rb"(?:DELTA(?:"
    rb"([\x80-\xbf\xe0-\xef])[\x00-\x7f]{2}(?:DELTA[\x00-\x7f]{2}){0,99}"
    rb"|([\xc0-\xdf])[\x00-\x7f](?:DELTA[\x00-\x7f]){0,99}"
    rb"|\xff\x51\x03.{3}|\xff\x58\x04.{4})){1,99}".replace(b"DELTA", DELTA),
    re.DOTALL,
)
# What may follow under running status, by the group of EVENTS that its status was in.
RUNNING = {
    1: re.compile(rb"(?:DELTA[\x00-\x7f]{2}){1,999}".replace(b"DELTA", DELTA)),
    2: re.compile(rb"(?:DELTA[\x00-\x7f]){1,999}".replace(b"DELTA", DELTA)),
}


def is_plain(data: bytes) -> bool:
    """Whether symusic reads these bytes as `tokenizer.smf` does."""
    if data[:9] != b"MThd\x00\x00\x00\x06\x00" or len(data) < 14 or data[9] > 1:
        return False
    if data[12] >= 0x80 or not data[12] | data[13]:
        return False
    tracks = []
    at = 14
    for _ in range(data[10] << 8 | data[11]):
        stop = at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] != b"MTrk" or data.find(END_OF_TRACK, at + 8, stop) != stop - 3:
            return False
        tracks.append((at + 8, stop))
        at = stop
    return (
        at == len(data)
        and MISSHAPEN.search(data) is None
        and _deltas_are_plain(data)
        and all(_system_messages_are_plain(data, start, stop) for start, stop in tracks)
    )


def _deltas_are_plain(data: bytes) -> bool:
    """Whether no sum of deltas can overflow; a delta of four bytes begins with three high ones."""
    array = np.frombuffer(data, np.uint8)
    high = array[:-2] & array[1:-1] & array[2:]
    if high.max() < 0x80:
        return True
    ticks = 0
    for at in np.flatnonzero(high >= 0x80).tolist():
        in_tempo = any(data[at - back : at - back + 3] == b"\xff\x51\x03" for back in (3, 4, 5))
        if not in_tempo and data[at + 3] < 0x80:
            ticks += smf.read_length(data, at, at + 4)[0]
    return ticks < TICKS


def _system_messages_are_plain(data: bytes, start: int, stop: int) -> bool:
    """Whether a track holds no system message, or System Exclusive without running status after.

    Bytes from 0xF0 on are also found in deltas, so where there is one the events are walked over.
    """
    last = max(data.rfind(status, start, stop) for status in SYSTEM_MESSAGES)
    if last < 0:
        return True
    at = start
    status = 0
    while at <= last:
        match = EVENTS.match(data, at, stop)
        if match is None and status:
            match = RUNNING[status].match(data, at, stop)
        if match is not None:
            at = match.end()
            status = match.lastindex or status
            continue
        while data[at] >= 0x80:
            at += 1
        at += 1
        if data[at] == 0xFF:
            size, at = smf.read_length(data, at + 2, stop)
            at += size
        elif data[at] == 0xF0:
            size, at = smf.read_length(data, at + 1, stop)
            at += size
            if at >= stop or data[smf.read_length(data, at, stop)[1]] < 0x80:
                return False
        else:
            return False
    return True
