"""Excerpts of a MIDI file's events: up to a tick, or from a tick on."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizer.midi.events import Event, File
from tokenizer.midi.smf import BEND, CONTROL, KEY, NAME, NOTE_OFF, NOTE_ON, PROGRAM, TEMPO, TIME

_STATE_METAS = (NAME, TEMPO, TIME, KEY)


def cut(file: File, at: int) -> File:
    """The file up to a tick; a note that sounds there keeps its end."""
    tracks = []
    for track in file.tracks:
        kept: list[Event] = []
        sounding: dict[bytes, int] = {}
        for event in track:
            on = event.kind == NOTE_ON and event.data[2] > 0
            off = event.kind == NOTE_OFF or (event.kind == NOTE_ON and not on)
            key = bytes((event.data[0] & 0x0F, event.data[1])) if on or off else b""
            if event.tick < at:
                kept.append(event)
                sounding[key] = max(0, sounding.get(key, 0) + on - off) if key else 0
            elif off and sounding.get(key, 0) > 0:
                kept.append(event)
                sounding[key] -= 1
        tracks.append(kept)
    return File(file.division, tracks, min(file.end, at))


def tail(file: File, at: int) -> File:
    """The file from a tick on, which becomes tick 0.

    Programs, controllers, tempo, meter, key and names in force there move to its beginning, and so
    do all earlier System Exclusive messages; notes that started earlier are left out.
    """
    tracks = [_tail(track, at) for track in file.tracks]
    return File(file.division, tracks, max(0, file.end - at))


def _tail(track: Sequence[Event], at: int) -> list[Event]:
    state: dict[bytes, Event] = {}
    after: list[Event] = []
    sounding: set[bytes] = set()
    for number, event in enumerate(track):
        if event.kind in (NOTE_OFF, NOTE_ON):
            key = bytes((event.data[0] & 0x0F, event.data[1]))
            on = event.kind == NOTE_ON and event.data[2] > 0
            if event.tick < at or not (on or key in sounding):
                continue
            (sounding.add if on else sounding.discard)(key)
        if event.tick >= at:
            after.append(Event(event.tick - at, event.data))
        elif (state_key := _state_key(event, number)) is not None:
            state.pop(state_key, None)
            state[state_key] = Event(0, event.data)
    return [*state.values(), *after]


def _state_key(event: Event, number: int) -> bytes | None:
    """A key for what an event sets; a later event with the same key replaces it."""
    if event.kind in (0xA0, CONTROL):
        return event.data[:2]
    if event.kind in (PROGRAM, 0xD0, BEND):
        return event.data[:1]
    if event.kind in (0xF0, 0xF7):
        return b"exclusive" + number.to_bytes(4, "big")
    return event.data[:2] if event.meta in _STATE_METAS else None
