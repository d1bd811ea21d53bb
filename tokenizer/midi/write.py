"""From a score to the bytes of a type-1 MIDI file.

Scores of more instruments than a port has channels take as many ports as they need.
Of two notes of a key where one lies inside the other, MIDI cannot say which ends first.
The events of a track are rows of a byte matrix; sorting and flattening it is NumPy's work.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError
from tokenizer.score.columns import NO_TRACK, SUSTAIN
from tokenizer.score.score import Score, Track
from tokenizer.typing import Ints

from .events import text
from .smf import DRUM_CHANNEL, LYRIC, MARKER, NAME

Meta = tuple[int, bytes]  # the tick, and the event's bytes without delta

MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
END_OF_TRACK = b"\x00\xff\x2f\x00"
LONGEST_DELTA = 2**28 - 1
FILLER = b"\xff\x01\x00"  # an empty text: a longer delta is written as several

# The order of events at one tick: what changes a note's sound comes before the note, and one note
# ends before another begins. A note without length is on and off between the two.
STATE, OFF, POINT, ON = range(4)


def score_to_bytes(score: Score) -> bytes:
    """The bytes of a type-1 file: a conductor track, then one track for each of the score's.

    Raises:
        InputError: if the score has more than 65,534 tracks.
    """
    if len(score.tracks) >= NO_TRACK:
        raise InputError(f"a MIDI file holds at most {NO_TRACK - 1} tracks beside the conductor's")
    chunks = [_conductor(score)]
    for number, (port, channel) in enumerate(channels(score.tracks)):
        chunks.append(_track(score, number, port, channel))
    header = b"MThd\x00\x00\x00\x06\x00\x01"
    header += len(chunks).to_bytes(2, "big") + score.ticks_per_quarter.to_bytes(2, "big")
    return header + b"".join(b"MTrk" + len(c).to_bytes(4, "big") + c for c in chunks)


def channels(tracks: tuple[Track, ...]) -> list[tuple[int, int]]:
    """The (port, channel) of each track.

    Each melodic track has a channel of its own, on as many ports as that takes. Drums play on
    channel 10; drum tracks with different kits are on different ports.
    """
    places = []
    melodic = 0
    kits: dict[int, int] = {}
    for track in tracks:
        if track.is_drum:
            places.append((kits.setdefault(track.kit, len(kits)) % 128, DRUM_CHANNEL))
        else:
            port, index = divmod(melodic, len(MELODIC_CHANNELS))
            places.append((port % 128, MELODIC_CHANNELS[index]))
            melodic += 1
    return places


def _conductor(score: Score) -> bytes:
    """Tempos, signatures, markers, and the lyrics that belong to no track."""
    metas: list[Meta] = []
    for time, numerator, denominator in score.time_signatures.tolist():
        power = int(denominator).bit_length() - 1
        metas.append((time, bytes((0xFF, 0x58, 4, numerator, power, 24, 8))))
    for time, fifths, minor in score.key_signatures.tolist():
        metas.append((time, bytes((0xFF, 0x59, 2, fifths & 0xFF, int(minor)))))
    for time, microseconds in score.tempos.tolist():
        metas.append((time, b"\xff\x51\x03" + int(microseconds).to_bytes(3, "big")))
    free = score.lyrics[score.lyrics["track"] == NO_TRACK]
    metas += [(time, text(MARKER, words)) for time, _, words in score.markers.tolist()]
    metas += [(time, text(LYRIC, words)) for time, _, words in free.tolist()]
    metas.sort(key=lambda event: event[0])
    return _assembled(np.empty((0, 3), np.uint8), np.empty(0, np.int64), metas)


def _track(score: Score, number: int, port: int, channel: int) -> bytes:
    """One track's name, port, program, controls, bends, notes and lyrics."""
    track = score.tracks[number]
    start = b"\x00" + text(NAME, track.name) if track.name else b""
    start += b"\x00\xff\x21\x01" + bytes((port,)) if port else b""
    program = track.kit if track.is_drum else track.program
    start += bytes((0, 0xC0 | channel, program))
    lyrics = score.lyrics[score.lyrics["track"] == number]
    texts = [(time, text(LYRIC, words)) for time, _, words in lyrics.tolist()]
    rows, times = _channel_events(score, number, channel)
    return start + _assembled(rows, times, texts)


def _channel_events(score: Score, number: int, channel: int) -> tuple[npt.NDArray[np.uint8], Ints]:
    """(n, 3) bytes and (n,) ticks of a track's channel events, in the order of the file."""
    notes, controls, bends, pedals = (
        array[array["track"] == number]
        for array in (score.notes, score.controls, score.pitch_bends, score.pedals)
    )
    if (controls["number"] == SUSTAIN).any():
        pedals = pedals[:0]  # the controls say more: they keep half-pedalling
    points = notes[notes["duration"] == 0]
    notes = notes[notes["duration"] > 0]
    bend = bends["value"].astype(np.int64) + 8192
    down = pedals["time"].astype(np.int64)
    on, off, control = 0x90 | channel, 0x80 | channel, 0xB0 | channel
    parts = [
        (controls["time"], STATE, control, controls["number"], controls["value"]),
        (bends["time"], STATE, 0xE0 | channel, bend & 0x7F, bend >> 7),
        (down + pedals["duration"], STATE, control, SUSTAIN, 0),
        (down, STATE, control, SUSTAIN, 127),
        (notes["start"].astype(np.int64) + notes["duration"], OFF, off, notes["pitch"], 64),
        (points["start"], POINT, on, points["pitch"], points["velocity"]),
        (points["start"], POINT, off, points["pitch"], 64),
        (notes["start"], ON, on, notes["pitch"], notes["velocity"]),
    ]
    sizes = [len(part[0]) for part in parts]
    times = np.concatenate([part[0] for part in parts]).astype(np.int64)
    ranks = np.repeat([part[1] for part in parts], sizes)
    rows = np.empty((len(times), 3), np.uint8)
    for column in range(3):
        values = (np.broadcast_to(part[2 + column], len(part[0])) for part in parts)
        rows[:, column] = np.concatenate(list(values))
    order = np.argsort(times * 4 + ranks, kind="stable")
    return rows[order], times[order]


def _assembled(rows: npt.NDArray[np.uint8], times: Ints, metas: list[Meta]) -> bytes:
    """A track's body with deltas and its end; metas come before channel events of their tick."""
    metas = _with_fillers(times, metas)
    ticks = np.array([tick for tick, _ in metas], np.int64)
    places = np.searchsorted(times, ticks, side="left")
    moments = np.insert(times, places, ticks)
    deltas = moments - np.append(0, moments)[:-1]
    is_meta = np.zeros(len(deltas), bool)
    is_meta[places + np.arange(len(places))] = True
    matrix = np.empty((len(deltas), 7), np.uint8)  # four bytes of delta, three of event
    used = np.ones((len(deltas), 7), bool)
    for byte in range(3):
        rest = deltas >> 7 * (3 - byte)
        matrix[:, byte] = rest & 0x7F | 0x80
        used[:, byte] = rest > 0
    matrix[:, 3] = deltas & 0x7F
    matrix[~is_meta, 4:] = rows
    used[is_meta, 4:] = False
    flat = matrix[used].tobytes()
    pieces = []
    done = 0
    for offset, (_, data) in zip(np.cumsum(used.sum(axis=1))[is_meta].tolist(), metas, strict=True):
        pieces += [flat[done:offset], data]
        done = offset
    return b"".join([*pieces, flat[done:], END_OF_TRACK])


def _with_fillers(times: Ints, metas: list[Meta]) -> list[Meta]:
    """Add empty texts where two events are further apart than a delta can say."""
    ticks = np.unique(np.concatenate([[0], times, [tick for tick, _ in metas]])).astype(np.int64)
    wide = np.flatnonzero(np.diff(ticks) > LONGEST_DELTA)
    if not len(wide):
        return metas
    added = [
        (tick, FILLER)
        for i in wide.tolist()
        for tick in range(int(ticks[i]) + LONGEST_DELTA, int(ticks[i + 1]), LONGEST_DELTA)
    ]
    return sorted([*metas, *added], key=lambda event: event[0])
