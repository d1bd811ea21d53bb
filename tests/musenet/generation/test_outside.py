"""Generated files as other programs see them: notes, tempo map, meters and tracks like ours.

mido, pretty_midi and symusic always; music21 and MuseScore where they are installed.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic

from musenet.generation.prompt import read_prompt
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer.score.score import DRUMS, Score

PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"
NAMES = ("folk", "quartet", "pop", "piano", "drums_and_bass", None)
MUSESCORE = next(
    (p for name in ("mscore4", "mscore3", "musescore4", "musescore3", "mscore", "musescore")
     if (p := shutil.which(name))), None
)  # fmt: skip
GRID = 8
"""Steps of a quarter, a demisemiquaver each, to which MuseScore draws what it reads."""

Notes = Counter[tuple[int, int, int, int]]


@pytest.fixture(scope="module", params=NAMES, ids=lambda name: name or "new")
def result(request: pytest.FixtureRequest, tiny: Checkpoint) -> Result:
    """Six bars after four of a prompt, at a new tempo, with a flute; or a new waltz."""
    if request.param is None:
        options = GenerateOptions(bars=6, seed=3, tempo=84, meter=(3, 4), instruments=(0, 40))
        continuation = Continuation(tiny, None, options)
    else:
        prompt = read_prompt(PROMPTS / f"{request.param}.mid", stop=Place(bar=4))
        options = GenerateOptions(bars=6, seed=3, tempo=66, instruments=(73,))
        continuation = Continuation(tiny, prompt, options)
    for _ in continuation.steps():
        pass
    (made,) = continuation.results()
    assert made.notes > 10
    return made


def notes_of(score: Score) -> Notes:
    """How often each (start, duration, pitch, program) occurs, in ticks."""
    fields = score.notes[["start", "duration", "pitch", "program"]]
    return Counter((int(s), int(d), int(p), int(i)) for s, d, p, i in fields.tolist())


def named_parts(score: Score) -> list[str]:
    """The names of the tracks with notes."""
    return [track.name for i, track in enumerate(score.tracks) if (score.notes["track"] == i).any()]


def test_mido(result: Result) -> None:
    file = mido.MidiFile(file=io.BytesIO(result.data))
    score = result.score
    notes: Notes = Counter()
    tempos, meters, names = [], [], []
    for track in file.tracks:
        now, program = 0, 0
        sounding: dict[tuple[int, int], int] = {}
        for message in track:
            now += message.time
            if message.type == "program_change":
                program = message.program
            elif message.type == "set_tempo":
                tempos.append((now, message.tempo))
            elif message.type == "time_signature":
                meters.append((now, message.numerator, message.denominator))
            elif message.type == "note_on" and message.velocity:
                sounding[message.channel, message.note] = now
            elif message.type in ("note_on", "note_off"):
                start = sounding.pop((message.channel, message.note))
                kind = DRUMS if message.channel == 9 else program
                notes[start, now - start, message.note, kind] += 1
        if any(m.type == "note_on" for m in track):
            names.append(track.name)
    assert file.type == 1
    assert notes == notes_of(score)
    assert sorted(tempos) == sorted(score.tempos.tolist())
    assert sorted(meters) == sorted(score.time_signatures.tolist())
    assert names == named_parts(score)


def test_pretty_midi(result: Result) -> None:
    file = pretty_midi.PrettyMIDI(io.BytesIO(result.data))
    score = result.score
    starts = score.seconds(score.notes["start"].astype(np.int64))
    ends = score.seconds(score.notes["start"].astype(np.int64) + score.notes["duration"])
    ours = sorted(
        zip(score.notes["program"].tolist(), starts, score.notes["pitch"].tolist(), ends,
            strict=True)
    )  # fmt: skip
    theirs = sorted(
        (DRUMS if instrument.is_drum else instrument.program, n.start, n.pitch, n.end)
        for instrument in file.instruments
        for n in instrument.notes
    )
    assert np.array(theirs) == pytest.approx(np.array(ours), abs=1e-6)
    times, tempi = file.get_tempo_changes()
    assert times == pytest.approx(score.seconds(score.tempos["time"].astype(np.int64)))
    assert tempi == pytest.approx(60e6 / score.tempos["microseconds"])
    meters = [(m.numerator, m.denominator) for m in file.time_signature_changes]
    assert meters == [(n, d) for _, n, d in score.time_signatures.tolist()]
    assert Counter(i.name for i in file.instruments) == Counter(named_parts(score))


def test_symusic(result: Result) -> None:
    file = symusic.Score.from_midi(result.data)
    score = result.score
    theirs: Notes = Counter(
        (n.time, n.duration, n.pitch, DRUMS if track.is_drum else track.program)
        for track in file.tracks
        for n in track.notes
    )
    assert theirs == notes_of(score)
    assert [(t.time, t.mspq) for t in file.tempos] == score.tempos.tolist()
    meters = [(m.time, m.numerator, m.denominator) for m in file.time_signatures]
    assert meters == score.time_signatures.tolist()
    assert [track.name for track in file.tracks if track.notes] == named_parts(score)


@pytest.mark.slow
def test_music21(result: Result) -> None:
    """music21 writes music as notation; what the file says stands in its events as we wrote it."""
    pytest.importorskip("music21")
    from music21 import midi

    file = midi.MidiFile()
    file.readstr(result.data)
    score = result.score
    onsets: Counter[tuple[int, int]] = Counter()
    for track in file.tracks:
        now = 0
        for event in track.events:
            now += event.time if event.isDeltaTime() else 0
            if event.isNoteOn():
                onsets[now, event.pitch] += 1
    assert onsets == Counter((start, pitch) for start, _, pitch, _ in notes_of(score).elements())
    stream = midi.translate.midiFileToStream(file, quantizePost=False)
    assert [part.partName for part in stream.parts] == named_parts(score)
    meters = stream.parts[0].recurse().getElementsByClass("TimeSignature")
    assert [m.ratioString for m in meters] == [
        f"{n}/{d}" for _, n, d in score.time_signatures.tolist()
    ]
    marks = stream.parts[0].recurse().getElementsByClass("MetronomeMark")
    places = [float(m.getOffsetInHierarchy(stream)) for m in marks]
    assert places == pytest.approx(score.tempos["time"] / score.ticks_per_quarter)
    tempi = [m.getQuarterBPM() for m in marks]
    assert tempi == pytest.approx(60e6 / score.tempos["microseconds"], abs=0.01)


def begun(part: ET.Element) -> int:
    """How many notes begin in a part: rests, and notes that a tie goes on with, do not count."""
    heard = [note for note in part.iter("note") if note.find("rest") is None]
    return sum(all(tie.get("type") != "stop" for tie in n.findall("tie")) for n in heard)


@pytest.mark.slow
@pytest.mark.skipif(MUSESCORE is None, reason="MuseScore is not installed")
def test_musescore(result: Result, tmp_path: Path) -> None:
    """MuseScore writes it as a score: a staff or two for each track, with its name."""
    (tmp_path / "song.mid").write_bytes(result.data)
    command = [str(MUSESCORE), "-o", str(tmp_path / "song.musicxml"), str(tmp_path / "song.mid")]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    score = ET.parse(tmp_path / "song.musicxml").getroot()
    notes = result.score.notes
    names = [part.findtext("part-name", "") for part in score.iter("score-part")]
    assert [name.partition(", ")[2] for name in names] == named_parts(result.score)
    tracks = [i for i, _ in enumerate(result.score.tracks) if (notes["track"] == i).any()]
    for part, track in zip(score.iter("part"), tracks, strict=True):
        mine = notes[notes["track"] == track]
        if (mine["program"] == DRUMS).all():
            # Strokes of one drum that come together on the grid that it bars them by are one.
            steps = mine["start"] * GRID // result.score.ticks_per_quarter
            assert len(set(zip(steps, mine["pitch"], strict=True))) <= begun(part) <= len(mine)
        else:
            assert begun(part) == len(mine)
    tempi = [float(sound.get("tempo", 0)) for sound in score.iter("sound") if sound.get("tempo")]
    ours = 60e6 / result.score.tempos["microseconds"]
    if tempi[0] == pytest.approx(ours[0], abs=0.5):  # else it hears a performance and bars it anew
        assert tempi == pytest.approx(ours, abs=0.5)
        meters = {(t.findtext("beats"), t.findtext("beat-type")) for t in score.iter("time")}
        assert meters == {(str(n), str(d)) for _, n, d in result.score.time_signatures.tolist()}
