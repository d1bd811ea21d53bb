"""Rendering: as long as the score, loud where notes are, silent where none is.

The SoundFont is a looped square wave of 441 Hz on key 69.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
import wave
from pathlib import Path

import mido
import numpy as np
import numpy.typing as npt
import pytest

from musenet.export import audio
from tokenizer.errors import InputError
from tokenizer.midi.events import Event, File, dump

MIDI = list[tuple[int, mido.Message | mido.MetaMessage]]


def midi(*tracks: MIDI, end: int) -> bytes:
    """A file at 96 ticks a quarter, of tracks of (tick, message)."""
    file = mido.MidiFile(ticks_per_beat=96, type=1)
    for messages in tracks:
        track, now = mido.MidiTrack(), 0
        for tick, message in messages:
            track.append(message.copy(time=tick - now))
            now = tick
        track.append(mido.MetaMessage("end_of_track", time=end - now))
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def note(start: int, stop: int, pitch: int = 69, channel: int = 0) -> MIDI:
    return [
        (start, mido.Message("note_on", note=pitch, velocity=100, channel=channel)),
        (stop, mido.Message("note_off", note=pitch, velocity=0, channel=channel)),
    ]


def rendered(data: bytes, path: Path, soundfont: Path) -> npt.NDArray[np.int16]:
    """Samples `(n, 2)` of a WAV file, read by the standard library."""
    audio.save(data, path, soundfont)
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44_100)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def loudness(samples: npt.NDArray[np.int16], start: float, stop: float) -> float:
    """Root mean square between two times in seconds, where full scale is 1."""
    part = samples[round(start * 44_100) : round(stop * 44_100)].astype(np.float64) / 32768
    return float(np.sqrt((part**2).mean()))


def test_it_is_loud_where_notes_are_and_as_long_as_the_score(
    soundfont: Path, tmp_path: Path
) -> None:
    """120 quarters a minute, from the second quarter on 60: mido says when that is."""
    tempo: MIDI = [(96, mido.MetaMessage("set_tempo", tempo=1_000_000))]
    data = midi(tempo, [*note(96, 192), *note(288, 384)], end=480)
    now, onsets = 0.0, []
    file = mido.MidiFile(file=io.BytesIO(data))
    for message in file:
        now += message.time
        if message.type == "note_on":
            onsets.append(now)
    assert onsets == pytest.approx([0.5, 2.5])
    samples = rendered(data, tmp_path / "a.wav", soundfont)
    assert len(samples) == round((file.length + audio.TAIL) * 44_100)
    loud = np.flatnonzero(np.abs(samples[:, 0].astype(int)) > 3000)
    assert loud[0] == pytest.approx(onsets[0] * 44_100, abs=3 * 64)
    second = loud[loud > 2 * 44_100][0]
    assert second == pytest.approx(onsets[1] * 44_100, abs=3 * 64)
    assert loudness(samples, 0, 0.49) < 1e-3
    assert loudness(samples, 0.6, 1.4) > 0.2
    assert loudness(samples, 1.9, 2.4) < 0.05
    assert np.abs(samples.astype(int)).max() == pytest.approx(0.89 * 32767, abs=2)
    assert not samples[-1].any(), "faded out"


def test_pedals_and_controllers_are_heard(soundfont: Path, tmp_path: Path) -> None:
    pedal: MIDI = [(0, mido.Message("control_change", control=64, value=127))]
    dry = rendered(midi(note(0, 96), end=384), tmp_path / "d.wav", soundfont)
    held = rendered(midi([*pedal, *note(0, 96)], end=384), tmp_path / "p.wav", soundfont)
    assert loudness(held, 1.0, 1.5) > 10 * loudness(dry, 1.0, 1.5)
    left: MIDI = [(0, mido.Message("control_change", control=10, value=0))]
    panned = rendered(midi([*left, *note(0, 96)], end=96), tmp_path / "l.wav", soundfont)
    assert np.abs(panned[:, 0].astype(int)).max() > 3 * np.abs(panned[:, 1].astype(int)).max()


def test_a_note_that_starts_where_another_track_ends_it_is_heard(
    soundfont: Path, tmp_path: Path
) -> None:
    """The end stands in the later track; in the order of tracks it would cut the new note."""
    data = midi(note(96, 192), note(0, 96), end=192)
    samples = rendered(data, tmp_path / "a.wav", soundfont)
    assert loudness(samples, 0.6, 0.9) > 0.2
    struck_and_let_go = midi([*note(96, 96), (192, mido.Message("note_on", note=40))], end=960)
    samples = rendered(struck_and_let_go, tmp_path / "b.wav", soundfont)
    high = np.fft.rfft(samples[round(1.2 * 44_100) : round(2.2 * 44_100), 0].astype(float))
    assert np.abs(high[:200]).max() > 5 * np.abs(high[430:450]).max(), "no note is stuck"


def test_flac_holds_the_same_samples(soundfont: Path, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    data = midi(note(0, 96), end=192)
    expected = rendered(data, tmp_path / "a.wav", soundfont)
    audio.save(data, tmp_path / "a.flac", soundfont)
    got, rate = soundfile.read(tmp_path / "a.flac", dtype="int16")
    assert rate == 44_100
    assert np.array_equal(got, expected)


def test_the_same_file_gives_the_same_samples(soundfont: Path, tmp_path: Path) -> None:
    data = midi(note(0, 300), end=400)
    first = rendered(data, tmp_path / "a.wav", soundfont)
    assert np.array_equal(first, rendered(data, tmp_path / "b.wav", soundfont))


def test_what_is_no_soundfont_is_said_and_nothing_is_left(soundfont: Path, tmp_path: Path) -> None:
    soundfont.write_bytes(b"RIFF but not much else")
    with pytest.raises(InputError, match=r"square\.sf2 is not a SoundFont"):
        audio.save(midi(note(0, 96), end=96), tmp_path / "a.wav", soundfont)
    assert [path.name for path in tmp_path.iterdir()] == ["square.sf2"]


def test_names_of_other_formats_are_refused() -> None:
    with pytest.raises(InputError, match=r"\.wav or \.flac, not 'a\.mp3'"):
        audio.check_format("a.mp3")


def test_what_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fluidsynth", None)
    with pytest.raises(InputError, match=r'pip install "musenet\[render\]"'):
        audio.check_installed("wav")
    monkeypatch.delitem(sys.modules, "fluidsynth")
    (tmp_path / "fluidsynth.py").write_text("raise ImportError('no library')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(InputError, match="brew install fluid-synth"):
        audio.check_installed("wav")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match="FLAC needs soundfile"):
        audio.check_installed("flac")


def test_where_soundfonts_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = [tmp_path / "own", tmp_path / "system"]
    monkeypatch.setattr(audio, "soundfont_folders", lambda: system)
    monkeypatch.delenv(audio.VARIABLE, raising=False)
    with pytest.raises(InputError, match="no SoundFont found; give one with --soundfont"):
        audio.find_soundfont()
    system[1].mkdir()
    for name, size in (("small.sf2", 1), ("large.sf3", 9), ("readme.txt", 99)):
        (system[1] / name).write_bytes(bytes(size))
    assert audio.find_soundfont().name == "large.sf3"
    (system[1] / "FluidR3_GM.sf2").touch()
    assert audio.find_soundfont().name == "FluidR3_GM.sf2"
    system[0].mkdir()
    (system[0] / "mine.sf2").touch()
    assert audio.find_soundfont().name == "mine.sf2"
    monkeypatch.setenv(audio.VARIABLE, str(system[1] / "small.sf2"))
    assert audio.find_soundfont().name == "small.sf2"
    assert audio.find_soundfont(system[0] / "mine.sf2").name == "mine.sf2"
    with pytest.raises(InputError, match="--soundfont takes"):
        audio.find_soundfont(tmp_path / "gone.sf2")
    monkeypatch.setenv(audio.VARIABLE, "gone.sf2")
    with pytest.raises(InputError, match=f"{audio.VARIABLE} takes"):
        audio.find_soundfont()


def test_fluidsynth_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    font, heard = tmp_path / "a.sf2", tmp_path / "heard"
    font.write_bytes(b"")
    program = tmp_path / "fluidsynth"
    program.write_text(f'#!/bin/sh\nshift 2\necho "$1" >{heard}\ncat "$2" >>{heard}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    audio.player(font)(b"MThd")
    assert heard.read_text() == f"{font}\nMThd"
    program.write_text("#!/bin/sh\necho 'no audio device' >&2\nexit 1\n")
    with pytest.raises(InputError, match="cannot play here: no audio device"):
        audio.player(font)(b"MThd")


def test_a_port_plays_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[float, bytes]] = []

    class Port:
        def __enter__(self) -> Port:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def send(self, message: mido.Message) -> None:
            sent.append((time.monotonic(), bytes(message.bytes())))

        def reset(self) -> None:
            sent.append((time.monotonic(), b"reset"))

    monkeypatch.setattr(mido, "get_output_names", lambda: ["Synth", "Other"])
    monkeypatch.setattr(mido, "open_output", lambda name: {"Synth": Port()}[name])
    monkeypatch.setattr(shutil, "which", lambda _: None)
    track = [Event(0, b"\x93\x3c\x40"), Event(96, b"\x83\x3c\x40")]  # a tenth of a second
    data = dump(File(480, [track]))
    audio.player()(data)
    assert [data for _, data in sent] == [b"\x93\x3c\x40", b"\x83\x3c\x40", b"reset"]
    assert 0.09 < sent[1][0] - sent[0][0] < 2
    with pytest.raises(InputError, match="no MIDI output port called 'Snth'; did you mean 'Synth'"):
        audio.player(port="Snth")


def test_nothing_to_play_with_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mido, "get_output_names", list)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InputError, match="nothing to play with: the program fluidsynth is not"):
        audio.player()
    with pytest.raises(InputError, match="no MIDI output port, and so none called 'X'"):
        audio.player(port="X")
