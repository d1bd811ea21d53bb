"""Real MIDI files, read and written again, held against what mido finds in them."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections import Counter, defaultdict, deque
from pathlib import Path
from typing import Any

import mido
import pytest
from mido.midifiles.meta import KeySignatureError

from tokenizer import Score, read, read_reporting, to_bytes
from tokenizer import write as write_midi
from tokenizer.midi.to_score import text_of

REAL = sorted((Path(__file__).parents[2] / "fixtures" / "midi").glob("*.mid"))
CORPORA = Path(__file__).parents[3].parent / "shared" / "data"
FIFTHS = ["Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"]
MINOR = [*(f"{key}m" for key in [*FIFTHS[3:], "G#", "D#", "A#"])]


def gs_rhythm_parts(file: mido.MidiFile) -> dict[int, list[tuple[int, bool]]]:
    """When a channel begins or ceases to be drums, by Roland GS's "use for rhythm part"."""
    found: dict[int, list[tuple[int, bool]]] = {channel: [] for channel in range(16)}
    found[9].append((-1, True))
    for track in file.tracks:
        time = 0
        for message in track:
            time += message.time
            if message.type == "sysex" and len(message.data) == 9 and message.data[0] == 0x41:
                _, _, model, command, high, block, item, value, _ = message.data
                if (model, command, high, block >> 4, item) == (0x42, 0x12, 0x40, 1, 0x15):
                    part = block & 15  # counted 10, 1 ... 9, 11 ... 16
                    channel = 9 if part == 0 else part - 1 if part < 10 else part
                    found[channel].append((time, value > 0))
    return {channel: sorted(changes) for channel, changes in found.items()}


def mido_events(data: bytes) -> dict[str, Any]:
    """What mido finds in a file, as counts of plain tuples; notes paired first in, first out."""
    file = mido.MidiFile(file=io.BytesIO(data), charset="latin-1")
    found: dict[str, Any] = {"ticks_per_quarter": file.ticks_per_beat}
    notes: Counter[tuple[int, ...]] = Counter()
    controls: Counter[Any] = Counter()
    bends: Counter[Any] = Counter()
    lyrics: Counter[Any] = Counter()
    markers: Counter[Any] = Counter()
    last: dict[str, dict[int, Any]] = {"tempos": {}, "time_signatures": {}}
    keys: dict[int, Counter[Any]] = defaultdict(Counter)
    raw: list[tuple[str, int, tuple[int, int], Any]] = []
    sounding = set()
    rhythm = gs_rhythm_parts(file)
    for track in file.tracks:
        time = 0
        programs = [0] * 16
        open_notes: dict[Any, deque[Any]] = defaultdict(deque)
        ports = [message.port for message in track if message.type == "midi_port"]
        port = ports[-1] if ports else 0
        for message in track:
            time += message.time
            kind = message.type
            if kind == "program_change":
                programs[message.channel] = message.program
            elif kind == "note_on" and message.velocity:
                changes = [drums for at, drums in rhythm[message.channel] if at <= time]
                drum = bool(changes) and changes[-1]
                program = 128 if drum else programs[message.channel]
                open_notes[message.channel, message.note].append((time, message.velocity, program))
            elif kind in ("note_on", "note_off"):
                waiting = open_notes[message.channel, message.note]
                if waiting:
                    start, velocity, program = waiting.popleft()
                    notes[start, time - start, message.note, velocity, program] += 1
                    sounding.add((port, message.channel))
            elif kind == "control_change":
                place = (port, message.channel)
                raw.append(("c", time, place, (message.control, message.value)))
            elif kind == "pitchwheel":
                raw.append(("b", time, (port, message.channel), (message.pitch,)))
            elif kind == "set_tempo":
                last["tempos"][time] = message.tempo
            elif kind == "time_signature":
                last["time_signatures"][time] = (message.numerator, message.denominator)
            elif kind == "key_signature":
                keys[time][message.key] += 1
            elif kind == "lyrics" and message.text:
                lyrics[time, text_of(message.text.encode("latin-1"))] += 1
            elif kind == "marker" and message.text:
                markers[time, text_of(message.text.encode("latin-1"))] += 1
    for kind, time, place, values in raw:
        event = (time, *values)
        if place in sounding:
            (controls if kind == "c" else bends)[event] += 1
    found |= last
    found |= {"notes": notes, "controls": controls, "pitch_bends": bends}
    found |= {"lyrics": lyrics, "markers": markers, "key_signatures": keys}
    return found


def score_events(score: Score) -> dict[str, Any]:
    """A score's columns in the form of `mido_events`."""
    keys = {}
    for time, fifths, minor in score.key_signatures.tolist():
        keys[time] = (MINOR if minor else FIFTHS)[fifths + 7]
    return {
        "ticks_per_quarter": score.ticks_per_quarter,
        "notes": Counter((s, d, p, v, g) for s, d, p, v, g, _ in score.notes.tolist()),
        "tempos": dict(score.tempos.tolist()),
        "time_signatures": {t: (n, d) for t, n, d in score.time_signatures.tolist()},
        "key_signatures": keys,
        "controls": Counter((t, n, v) for t, n, v, _ in score.controls.tolist()),
        "pitch_bends": Counter((t, v) for t, v, _ in score.pitch_bends.tolist()),
        "lyrics": Counter((t, text) for t, _, text in score.lyrics.tolist()),
        "markers": Counter((t, text) for t, _, text in score.markers.tolist()),
    }


def assert_same_as_mido(score: Score, data: bytes) -> None:
    mine, theirs = score_events(score), mido_events(data)
    keys, votes = mine.pop("key_signatures"), theirs.pop("key_signatures")
    assert mine == theirs
    assert keys.keys() == votes.keys()
    for time, key in keys.items():
        assert votes[time][key] == max(votes[time].values())


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_files_read_as_mido_reads_them(path: Path) -> None:
    data = path.read_bytes()
    score = read(path)
    assert_same_as_mido(score, data)
    assert read_reporting(path)[0] == score


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_every_event_survives_writing(path: Path, tmp_path: Path) -> None:
    score = read(path)
    write_midi(score, tmp_path / "again")
    assert read(tmp_path / "again") == score
    written = (tmp_path / "again").read_bytes()
    assert_same_as_mido(score, written)
    assert mido.MidiFile(file=io.BytesIO(written)).type == 1


def test_the_fixtures_hold_every_kind_of_event_but_bends() -> None:
    scores = [read(path) for path in REAL]
    for kind in ("lyrics", "markers", "pedals", "controls", "key_signatures", "time_signatures"):
        assert any(len(getattr(score, kind)) for score in scores), kind
    assert any(len(score.tempos) > 1 for score in scores)
    assert any(track.is_drum for score in scores for track in score.tracks)


@pytest.mark.slow
@pytest.mark.parametrize("corpus", ["blasphemer", "simutrans", "openmsx", "freedoom"])
def test_corpora_read_as_mido_reads_them(corpus: str) -> None:
    archive = next(CORPORA.glob(f"corpora/{corpus}.tar.xz"), None)
    if archive is None:
        pytest.skip(f"the corpus {corpus} is not beside the repository (shared/data)")
    with tarfile.open(archive) as tar:
        members = [member for member in tar if member.name.endswith(".mid")]
        for member in members[:: max(len(members) // 12, 1)]:  # mido takes seconds for some
            file = tar.extractfile(member)
            data = file.read() if file else b""
            score = read(data)
            with contextlib.suppress(KeySignatureError):  # mido refuses a file for a wrong key
                assert_same_as_mido(score, data)
            assert read_reporting(data)[0] == score
            assert read(to_bytes(score)) == score
