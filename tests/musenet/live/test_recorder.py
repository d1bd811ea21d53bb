"""The recording, read by pretty_midi: every note at the second at which it was played."""

from __future__ import annotations

from io import BytesIO

import mido
import numpy as np
import pretty_midi
import pytest

from musenet.live.recorder import Recorder
from musenet.live.transport import Transport


def played(recorder: Recorder, seconds: float, pitch: int, *, sent: bool, channel: int = 0) -> None:
    add = recorder.sent if sent else recorder.heard
    add(seconds, mido.Message("note_on", note=pitch, velocity=80, channel=channel))
    add(seconds + 0.2, mido.Message("note_off", note=pitch, channel=channel))


def starts(data: bytes) -> dict[str, list[tuple[float, int]]]:
    midi = pretty_midi.PrettyMIDI(BytesIO(data))
    return {
        instrument.name: [(note.start, note.pitch) for note in instrument.notes]
        for instrument in midi.instruments
    }


def test_notes_keep_their_seconds_through_tempo_changes() -> None:
    transport = Transport()
    recorder = Recorder(transport, (4, 4))
    transport.start(100.0, 90)
    transport.change(102.0, 3.0, 150)
    recorder.sent(99.0, mido.Message("program_change", program=33, channel=0))
    random = np.random.default_rng(0)
    moments = np.sort(100 + random.random(20) * 6)
    for place, moment in enumerate(moments.tolist()):
        played(recorder, moment, 40 + place, sent=bool(place % 2))
    found = starts(recorder.data())
    assert sorted(found) == ["Electric Bass (finger)", "You"]
    both = sorted(found["You"] + found["Electric Bass (finger)"], key=lambda n: n[1])
    gaps = np.diff([start for start, _ in both])
    assert gaps == pytest.approx(np.diff(moments), abs=0.003)


def test_music_before_the_first_beat_is_kept_on_whole_bars() -> None:
    transport = Transport()
    recorder = Recorder(transport, (4, 4))
    transport.start(10.0, 120)
    played(recorder, 9.0, 60, sent=False)
    played(recorder, 10.0, 61, sent=False)
    file = mido.MidiFile(file=BytesIO(recorder.data()))
    you = next(track for track in file.tracks if track.name == "You")
    ticks = np.cumsum([message.time for message in you])
    on = [int(t) for t, m in zip(ticks, you, strict=True) if m.type == "note_on"]
    assert on == [2 * 480, 4 * 480]
    assert recorder.beat(10.0) == 4


def test_a_new_beginning_follows_on_a_bar() -> None:
    transport = Transport()
    recorder = Recorder(transport, (3, 4))
    transport.start(0.0, 60)
    played(recorder, 0.0, 60, sent=False)
    played(recorder, 4.0, 62, sent=False)
    transport.start(100.0, 120)
    played(recorder, 100.0, 64, sent=False)
    played(recorder, 100.5, 65, sent=False)
    file = mido.MidiFile(file=BytesIO(recorder.data()))
    you = next(track for track in file.tracks if track.name == "You")
    ticks = np.cumsum([message.time for message in you])
    on = [int(t) // 480 for t, m in zip(ticks, you, strict=True) if m.type == "note_on"]
    assert on == [0, 4, 6, 7]


def test_controllers_and_bends_are_kept_and_clocks_are_not() -> None:
    transport = Transport()
    recorder = Recorder(transport, (4, 4))
    transport.start(0.0, 120)
    played(recorder, 0.0, 60, sent=False)
    recorder.heard(0.1, mido.Message("control_change", control=64, value=127))
    recorder.heard(0.2, mido.Message("pitchwheel", pitch=900))
    recorder.heard(0.3, mido.Message("clock"))
    kinds = [m.type for m in mido.MidiFile(file=BytesIO(recorder.data()))]
    assert kinds.count("control_change") == kinds.count("pitchwheel") == 1
    assert "clock" not in kinds


def test_the_player_alone_and_a_part() -> None:
    transport = Transport()
    recorder = Recorder(transport, (4, 4))
    assert not recorder.has_notes
    transport.start(0.0, 120)
    played(recorder, 0.0, 60, sent=False)
    played(recorder, 1.0, 50, sent=True)
    assert list(starts(recorder.data(heard_alone=True))) == ["You"]
    assert [p for own in starts(recorder.data(until=0.9)).values() for _, p in own] == [60]


def test_without_a_tempo_seconds_are_kept() -> None:
    recorder = Recorder(Transport(), (4, 4))
    played(recorder, 5.0, 60, sent=False)
    played(recorder, 6.5, 62, sent=False)
    assert starts(recorder.data())["You"] == [(0.0, 60), (pytest.approx(1.5), 62)]
