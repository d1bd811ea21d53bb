"""What tests of editing share: a song, its filled takes, and mido's reading of both.

Outside of the holes nothing may change: every event of every track, as mido reads them, and the
bytes of the tracks that are not written.
"""

from __future__ import annotations

import io
from pathlib import Path

import mido

from musenet.editing.fill import Fill, Take
from musenet.editing.piece import Piece
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import FillOptions

ROOT = Path(__file__).parents[3]
PROMPTS = sorted((ROOT / "examples" / "prompts").glob("*.mid"))
FIXTURES = sorted((ROOT / "tests" / "fixtures" / "midi").glob("*.mid"))
BAR = 4 * 480
Message = tuple[int, bytes]


def filled(tiny: Checkpoint, piece: Piece, options: FillOptions) -> list[Take]:
    request = Fill(tiny, piece, options)
    for _ in request.steps():
        pass
    return request.results()


def tracks_of(data: bytes) -> list[list[Message]]:
    """Absolute time and bytes of each track's messages, as mido reads them."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks:
        now, own = 0, []
        for message in track:
            now += message.time
            own.append((now, bytes(message.bytes())))
        found.append(own)
    return found


Played = tuple[int, int, int, int, int]
"""Start, end, channel, pitch, velocity."""


def notes_and_rest(messages: list[Message]) -> tuple[list[Played], list[Message]]:
    """The notes of a track, first in first out, and its other messages in order."""
    sounding: dict[tuple[int, int], list[tuple[int, int]]] = {}
    notes, rest = [], []
    for time, data in messages:
        kind, key = data[0] & 0xF0, (data[0] & 0x0F, data[1] if len(data) > 1 else 0)
        if kind == 0x90 and data[2]:
            sounding.setdefault(key, []).append((time, data[2]))
        elif kind in (0x80, 0x90) and sounding.get(key):
            start, velocity = sounding[key].pop(0)
            notes.append((start, time, *key, velocity))
        elif b"\x7dMuseNet" not in data and data[:2] != b"\xff\x2f":
            rest.append((time, data))
    return sorted(notes), rest


def check_outside(
    before: bytes, after: bytes, holes: list[tuple[int, int]], written: set[int] | None = None
) -> int:
    """Nothing has changed but notes in the holes; the number of notes there now.

    Args:
        before: the user's file.
        after: the filled one.
        holes: in ticks.
        written: the tracks that may have changed, or None for all.
    """
    old, new = tracks_of(before), tracks_of(after)
    count = 0
    for number, own in enumerate(old):
        notes, rest = notes_and_rest(own)
        now, rest_now = notes_and_rest(new[number])
        assert rest_now == rest
        # A track ends where it did, unless a new note lasts longer.
        assert new[number][-1][0] == max(own[-1][0], *(end for _, end, *_ in now), 0)

        def outside(played: list[Played]) -> list[Played]:
            return [n for n in played if not any(b <= n[0] < e for b, e in holes)]

        assert outside(now) == outside(notes)
        inside = [n for n in now if n not in outside(now)]
        for start, end, *_ in inside if written is None or number in written else ():
            assert start < end
        if written is not None and number not in written:
            assert now == notes
            if number:  # the first track has the recipe
                assert chunks(after)[number] == chunks(before)[number]
        count += len(inside)
    for extra in new[len(old) :]:
        notes, _ = notes_and_rest(extra)
        assert all(any(b <= n[0] < n[1] <= e for b, e in holes) for n in notes)
        count += len(notes)
    return count


def chunks(data: bytes) -> list[bytes]:
    """The bytes of each track chunk."""
    found, at = [], 14
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if data[at : at + 4] == b"MTrk":
            found.append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return found


def song() -> Piece:
    """Eight bars: piano, two violins in two registers, drums; pedals and bends in between."""
    file = mido.MidiFile(ticks_per_beat=480)
    meta = file.add_track("Conductor")
    meta.append(mido.MetaMessage("set_tempo", tempo=600_000))
    parts = [("Keys", 0, 0, 60), ("Violin I", 1, 40, 88), ("Violin II", 2, 40, 62)]
    for name, channel, program, pitch in [*parts, ("Kit", 9, 0, 38)]:
        track = file.add_track(name)
        track.append(mido.Message("program_change", channel=channel, program=program))
        for beat in range(32):
            track.append(
                mido.Message("control_change", channel=channel, control=64, value=127 * (beat % 2))
            )
            on = mido.Message("note_on", channel=channel, note=pitch + beat % 5, velocity=70)
            track.extend([on, on.copy(velocity=0, time=400)])
            track.append(mido.Message("pitchwheel", channel=channel, pitch=beat, time=80))
    buffer = io.BytesIO()
    file.save(file=buffer)
    return Piece("song", "song.mid", buffer.getvalue(), "0" * 12)
