"""Rendering a MIDI file to audio with FluidSynth and a SoundFont, and playing it.

    events ─▶ FluidSynth, 16 bits, to a temporary file ─▶ louder, faded out ─▶ WAV or FLAC

All channel events of the file (controllers, pedals, bends, banks) go to the synthesiser unchanged,
at the sample of their tick. Memory use does not grow with the length. WAV needs only FluidSynth;
FLAC also needs soundfile. `pip install "musenet[render]"` installs both, except for FluidSynth's
system library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tokenizer.errors import InputError, unknown
from tokenizer.files import format_of, replacing
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.midi.smf import BEND, CONTROL, NOTE_OFF, NOTE_ON, PORT, PROGRAM

RATE = 44_100
"""Samples per second."""

TAIL = 2.0
"""Seconds after the end of the file in which the last notes ring out."""

FORMATS = ("wav", "flac")
VARIABLE = "MUSENET_SOUNDFONT"
"""The environment variable with the path of a SoundFont."""

_GAIN = 0.2
_PEAK = 0.89
_BLOCK = 1 << 16
_INSTALL = {
    "linux": "apt install libfluidsynth3",
    "darwin": "brew install fluid-synth",
    "win32": "choco install fluidsynth",
}
_KNOWN = ("default-GM", "FluidR3_GM", "GeneralUser", "MuseScore_General", "TimGM6mb")

_PLAYER = "fluidsynth"  # the program of that name

Samples = npt.NDArray[np.int16]


class _Message(NamedTuple):
    """A message to the synthesiser: its sample, channel (16 per port) and bytes."""

    at: int
    channel: int
    data: bytes


def soundfont_folders() -> list[Path]:
    """The folders searched for SoundFonts, the user's first."""
    home = Path.home()
    return [
        home / ".local/share/soundfonts",
        home / ".local/share/sounds/sf2",
        home / "Library/Audio/Sounds/Banks",
        home / "soundfonts",
        Path("/usr/share/sounds/sf2"),
        Path("/usr/share/sounds/sf3"),
        Path("/usr/share/soundfonts"),
        Path("/usr/local/share/soundfonts"),
        Path("/opt/homebrew/share/soundfonts"),
        Path("/Library/Audio/Sounds/Banks"),
        Path("C:/soundfonts"),
    ]


def find_soundfont(given: str | os.PathLike[str] | None = None) -> Path:
    """The SoundFont to use: the given one, that of the environment, or one of the system.

    In a folder with several, well-known names come first, then the largest.

    Raises:
        InputError: if there is none, or the given one is missing.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        path = Path(named)
        if not path.is_file():
            source = "--soundfont" if given else VARIABLE
            raise InputError(
                f"the SoundFont {path} does not exist; {source} takes an .sf2 or .sf3 file"
            )
        return path
    for folder in soundfont_folders():
        found = [p for p in folder.glob("*.sf[23]") if p.is_file()]
        if found:
            return min(found, key=_preference)
    raise InputError(
        "no SoundFont found; give one with --soundfont FILE.sf2, or install one "
        "(on Debian and Ubuntu: apt install fluid-soundfont-gm)"
    )


def _preference(path: Path) -> tuple[int, int, str]:
    known = next((i for i, name in enumerate(_KNOWN) if path.stem.startswith(name)), len(_KNOWN))
    return known, -path.stat().st_size, path.name


def check_format(path: str | os.PathLike[str]) -> str:
    """The format given by the suffix of a file.

    Raises:
        InputError: if it is neither WAV nor FLAC.
    """
    return format_of(path, "audio", FORMATS)


def check_installed(form: str, soundfont: str | os.PathLike[str] | None = None) -> None:
    """Check beforehand that a format can be rendered.

    Raises:
        InputError: if a library or the SoundFont is missing.
    """
    if form == "flac":
        _soundfile()
    _fluidsynth()
    find_soundfont(soundfont)


def player(
    soundfont: str | os.PathLike[str] | None = None, port: str | None = None
) -> Callable[[bytes], None]:
    """A function that plays the bytes of a MIDI file: on a port, or through FluidSynth.

    Args:
        soundfont: None searches for one (see `find_soundfont`).
        port: the name of a MIDI output port; None takes the first where there is no FluidSynth.

    Raises:
        InputError: if there is neither, or no port of that name.
    """
    ports = _ports()
    if port is not None and not ports:
        raise InputError(
            f"there is no MIDI output port, and so none called '{port}'; pip install python-rtmidi "
            "finds ports, or leave out --port to play through FluidSynth"
        )
    if port is not None:
        if port not in ports:
            raise unknown("MIDI output port", port, ports)
        return partial(_play_on, port)
    program = shutil.which(_PLAYER)
    missing = f"the program {_PLAYER} is not installed"
    if program is not None:
        try:
            return partial(_play_through, program, find_soundfont(soundfont))
        except InputError as error:
            missing = str(error)
    if ports:
        return partial(_play_on, ports[0])
    raise InputError(
        f"there is nothing to play with: {missing}, and there is no MIDI output port "
        "(python-rtmidi finds them); open the file in any program that plays MIDI"
    )


def _ports() -> list[str]:
    """The names of the MIDI output ports, as far as mido and python-rtmidi are installed."""
    try:
        import mido

        return list(mido.get_output_names())
    except (ImportError, OSError, RuntimeError):
        return []


def _play_through(program: str, soundfont: Path, data: bytes) -> None:
    """Play a MIDI file with the program FluidSynth, to its end."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "music.mid"
        path.write_bytes(data)
        done = subprocess.run(
            [program, "-i", "-q", str(soundfont), str(path)], capture_output=True, text=True
        )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"FluidSynth cannot play here: {why}")


def _play_on(name: str, data: bytes) -> None:
    """Play a MIDI file on an output port, to its end; in any case all notes are ended."""
    import mido

    messages, _ = _messages(data)
    with mido.open_output(name) as port:
        try:
            begun = time.monotonic()
            for message in messages:
                time.sleep(max(begun + message.at / RATE - time.monotonic(), 0))
                port.send(mido.Message.from_bytes(_on_channel(message)))
        finally:
            port.reset()


def _on_channel(message: _Message) -> bytes:
    return bytes((message.data[0] & 0xF0 | message.channel & 15,)) + message.data[1:]


def save(
    data: bytes, path: str | os.PathLike[str], soundfont: str | os.PathLike[str] | None = None
) -> None:
    """Render a MIDI file: stereo, 16 bits, as long as the file and `TAIL` seconds more.

    Args:
        data: the MIDI file, as `tokenizer.midi.events.dump` writes it.
        path: ends in .wav or .flac.
        soundfont: None searches for one (see `find_soundfont`).

    Raises:
        InputError: if something is not installed, the SoundFont cannot be read, or the file
            cannot be written.
    """
    form = check_format(path)
    messages, length = _messages(data)
    with tempfile.TemporaryFile() as raw, replacing(path) as temporary:
        peak = 0
        for block in _played(messages, length, find_soundfont(soundfont)):
            peak = max(peak, int(np.abs(block.astype(np.int32)).max(initial=0)))
            raw.write(block.tobytes())
        raw.seek(0)
        blocks = _finished(raw, length, _PEAK * 32767 / max(1, peak))
        (_write_wav if form == "wav" else _write_flac)(temporary, blocks)


def _fluidsynth() -> ModuleType:
    try:
        import fluidsynth
    except ImportError as error:
        if getattr(error, "name", None) == "fluidsynth":
            raise InputError(
                'rendering needs pyfluidsynth: pip install "musenet[render]"'
            ) from error
        how = _INSTALL.get(sys.platform, "see www.fluidsynth.org")
        raise InputError(f"rendering needs the library FluidSynth: {how}") from error
    return fluidsynth


def _soundfile() -> ModuleType:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise InputError(
            'FLAC needs soundfile: pip install "musenet[render]"; or render to .wav'
        ) from error
    return soundfile


def _messages(data: bytes) -> tuple[list[_Message], int]:
    """The messages in playing order, and the length in samples."""
    file, score = events.parse(data), read(data)
    merged = []
    for track in file.tracks:
        port = 0
        for event in track:
            if event.meta == PORT and len(event.data) == 4:
                port = event.data[3]
            if event.channel is not None:
                merged.append((event.tick, port << 4 | event.channel, event.data))
    merged.sort(key=lambda item: item[0])
    ticks = np.array([tick for tick, _, _ in merged] + [file.end], dtype=np.int64)
    at = np.rint(score.seconds(ticks) * RATE).astype(np.int64).tolist()
    messages = [_Message(at[i], channel, d) for i, (_, channel, d) in enumerate(merged)]
    return _ended_first(messages), at[-1] + round(TAIL * RATE)


def _ended_first(messages: list[_Message]) -> list[_Message]:
    """Note-offs first at each sample, because another track may start the note again."""
    ordered: list[_Message] = []
    sounding: set[tuple[int, int]] = set()
    start = 0
    while start < len(messages):
        stop = start
        while stop < len(messages) and messages[stop].at == messages[start].at:
            stop += 1
        early: list[_Message] = []
        rest: list[_Message] = []
        for message in messages[start:stop]:
            key = (message.channel, message.data[1])
            ends = _is_off(message.data) and key in sounding
            if ends:
                sounding.remove(key)
            (early if ends else rest).append(message)
        for message in rest:
            if message.data[0] & 0xF0 == NOTE_ON and message.data[2]:
                sounding.add((message.channel, message.data[1]))
        ordered += [*early, *rest]
        start = stop
    return ordered


def _is_off(data: bytes) -> bool:
    kind = data[0] & 0xF0
    return kind == NOTE_OFF or (kind == NOTE_ON and data[2] == 0)


def _played(messages: list[_Message], length: int, soundfont: Path) -> Iterator[Samples]:
    """The synthesised audio, block by block, `(samples, 2)`."""
    synth = _fluidsynth().Synth(gain=_GAIN, samplerate=RATE)
    try:
        if synth.sfload(str(soundfont), update_midi_preset=1) == -1:
            raise InputError(f"{soundfont} is not a SoundFont that FluidSynth can read")
        now = 0
        for message in [*messages, _Message(length, 0, b"")]:
            while now < message.at:
                count = min(_BLOCK, message.at - now)
                yield synth.get_samples(count).reshape(count, 2)
                now += count
            _send(synth, message)
    finally:
        synth.delete()


def _send(synth: Any, message: _Message) -> None:
    """Send one message to the synthesiser; aftertouch has no effect there and is left out."""
    channel, data = message.channel, message.data
    kind = data[0] & 0xF0 if data else 0
    if kind and _is_off(data):
        synth.noteoff(channel, data[1])
    elif kind == NOTE_ON:
        synth.noteon(channel, data[1], data[2])
    elif kind == CONTROL:
        synth.cc(channel, data[1], data[2])
    elif kind == PROGRAM:
        synth.program_change(channel, data[1])
    elif kind == BEND:
        synth.pitch_bend(channel, (data[2] << 7 | data[1]) - 8192)


def _finished(raw: IO[bytes], length: int, gain: float) -> Iterator[Samples]:
    """The samples multiplied by `gain` and faded out over the last second."""
    now, fade = 0, round(TAIL / 2 * RATE)
    while block := raw.read(_BLOCK * 4):
        samples = np.frombuffer(block, dtype=np.int16).reshape(-1, 2).astype(np.float64)
        left = length - now - np.arange(len(samples))
        samples *= gain * np.clip(left / fade, 0.0, 1.0)[:, None]
        now += len(samples)
        yield np.rint(samples).astype(np.int16)


def _write_wav(path: Path, blocks: Iterator[Samples]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for block in blocks:
            file.writeframesraw(block.astype("<i2").tobytes())


def _write_flac(path: Path, blocks: Iterator[Samples]) -> None:
    with _soundfile().SoundFile(
        path, "w", samplerate=RATE, channels=2, subtype="PCM_16", format="FLAC"
    ) as file:
        for block in blocks:
            file.write(block)
