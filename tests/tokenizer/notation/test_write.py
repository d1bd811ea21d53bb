from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mido
import numpy as np
import pytest

from tokenizer import InputError, Score, Track
from tokenizer.notation.read import musicxml_score, read_musicxml
from tokenizer.notation.write import speller, to_musicxml, write_musicxml
from tokenizer.score.score import KEY_SIGNATURES, NOTES, TIME_SIGNATURES
from tokenizer.theory import Key

MUSESCORE = next(
    filter(None, map(shutil.which, ("mscore4", "mscore3", "mscore", "musescore"))), None
)


def score_of(*notes: tuple[int, int, int], program: int = 40, **columns: Any) -> Score:
    """Notes of start, duration (in ticks) and pitch."""
    rows = np.array([(s, d, p, 80, program, 0) for s, d, p in notes], NOTES)
    return Score(notes=rows, tracks=(Track("Own", program, program == 128),), **columns)


def elements(data: bytes, path: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(data).findall(path)


@pytest.fixture(scope="module")
def schema() -> Any:
    """MusicXML's own schema, with the two that it imports from files that are here."""
    etree = pytest.importorskip("lxml.etree")
    holder = find_spec("partitura")
    if holder is None or not holder.submodule_search_locations:
        pytest.skip("partitura, which carries the schema, is not installed")
    own = Path(holder.submodule_search_locations[0]) / "assets" / "musicxml.xsd"
    others = Path(pytest.importorskip("xmlschema").__file__).parent / "schemas"
    text = own.read_text(encoding="utf-8")
    for name in ("xml", "xlink"):
        local = others / name.upper() / f"{name}.xsd"
        text = text.replace(f"http://www.musicxml.org/xsd/{name}.xsd", local.as_uri())
    return etree.XMLSchema(etree.fromstring(text.encode()))


def test_the_file_follows_the_schema(prompt: Score, schema: Any) -> None:
    etree = pytest.importorskip("lxml.etree")
    data = to_musicxml(prompt, title="A title", chords=[(0, "Am"), (1920, "F#m7")])
    schema.assertValid(etree.fromstring(data))


_OTHER_READER = """
import json, sys
sys.modules["fluidsynth"] = None  # with it, importing the library fetches a SoundFont
import partitura
rows = []
for part in partitura.load_musicxml(sys.argv[1]).parts:
    notes = part.note_array()
    rows.append([[round(480 * float(n["onset_quarter"])), int(n["pitch"])] for n in notes])
print(json.dumps(rows))
"""


@pytest.mark.skipif(find_spec("partitura") is None, reason="partitura is not installed")
def test_another_reader_finds_the_same_pitches_at_the_same_places(
    prompt: Score, tmp_path: Path
) -> None:
    pitched = [n for n, track in enumerate(prompt.tracks) if not track.is_drum]
    write_musicxml(prompt.select(tracks=pitched), tmp_path / "a.musicxml")  # it fails at drums
    command = [sys.executable, "-W", "ignore", "-c", _OTHER_READER, str(tmp_path / "a.musicxml")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    ours = read_musicxml(tmp_path / "a.musicxml")
    theirs = json.loads(done.stdout.splitlines()[-1])
    assert len(ours.tracks) == len(theirs)
    for number, rows in enumerate(theirs):
        own = ours.notes[ours.notes["track"] == number]
        assert sorted(map(tuple, rows)) == sorted(
            zip(own["start"].tolist(), own["pitch"].tolist(), strict=True)
        )


@pytest.mark.skipif(MUSESCORE is None, reason="MuseScore is not installed")
def test_musescore_opens_the_file_and_plays_its_notes(prompt: Score, tmp_path: Path) -> None:
    path = tmp_path / "a.musicxml"
    write_musicxml(prompt, path)
    subprocess.run(
        [str(MUSESCORE), "-o", str(tmp_path / "a.mid"), str(path)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        check=True,
        capture_output=True,
        timeout=120,
    )
    played = Counter(
        message.note
        for message in mido.MidiFile(tmp_path / "a.mid")
        if message.type == "note_on" and message.velocity
    )
    assert played == Counter(read_musicxml(path).notes["pitch"].tolist())


def test_what_lies_on_the_grid_comes_back(prompt: Score) -> None:
    once = musicxml_score(to_musicxml(prompt))
    again = musicxml_score(to_musicxml(once))
    for column in ("start", "duration", "pitch", "velocity", "program", "track"):
        assert once.notes[column].tolist() == again.notes[column].tolist(), column
    assert [track.name for track in once.tracks] == [
        track.name
        for number, track in enumerate(prompt.tracks)
        if (prompt.notes["track"] == number).any()
    ]
    assert once.time_signatures.tolist() == (prompt.time_signatures.tolist() or [(0, 4, 4)])


def test_the_same_music_gives_the_same_bytes(prompt: Score) -> None:
    assert to_musicxml(prompt) == to_musicxml(prompt)


def test_nothing_is_shorter_than_a_32nd_and_no_staff_has_three_voices(prompt: Score) -> None:
    root = ElementTree.fromstring(to_musicxml(prompt))
    kinds = {kind.text for kind in root.iter("type")}
    assert kinds <= {"whole", "half", "quarter", "eighth", "16th", "32nd"}
    for measure in root.iter("measure"):
        voices = {
            (n.findtext("staff") or "1", n.findtext("voice")) for n in measure.findall("note")
        }
        assert max(Counter(staff for staff, _ in voices).values()) <= 2


def test_triplets_are_tuplets() -> None:
    data = to_musicxml(score_of(*((160 * n, 160, 60 + n) for n in range(3))))
    notes = [n for n in elements(data, ".//note") if n.find("pitch") is not None]
    assert [n.findtext("time-modification/actual-notes") for n in notes] == ["3"] * 3
    brackets = [n.find("notations/tuplet") for n in notes]
    assert [None if b is None else b.get("type") for b in brackets] == ["start", None, "stop"]


def test_a_note_over_a_bar_line_is_tied() -> None:
    data = to_musicxml(score_of((1440, 960, 60)))
    assert [tie.get("type") for tie in elements(data, ".//tie")] == ["start", "stop"]


def test_a_piano_has_two_staves_with_a_brace_and_one_part() -> None:
    data = to_musicxml(score_of((0, 480, 40), (0, 480, 72), program=0))
    assert len(elements(data, "part")) == 1
    assert [e.text for e in elements(data, ".//staves")] == ["2"]
    assert [e.text for e in elements(data, ".//clef/sign")] == ["G", "F"]
    assert musicxml_score(data).notes["pitch"].tolist() == [40, 72]


def test_drums_stand_on_a_percussion_staff_with_their_keys() -> None:
    hits = [(0, 60, 36), (0, 60, 42), (480, 60, 38), (480, 60, 42), (960, 60, 49), (1440, 60, 75)]
    data = to_musicxml(score_of(*hits, program=128))
    assert [e.text for e in elements(data, ".//clef/sign")] == ["percussion"]
    assert len(elements(data, ".//unpitched")) == len(hits)
    assert not elements(data, ".//pitch")
    back = musicxml_score(data)
    assert back.tracks[0].is_drum
    assert [(n["start"], n["pitch"]) for n in back.notes] == [(s, p) for s, _, p in hits]


def test_key_meter_tempo_and_names() -> None:
    score = score_of(
        (0, 480, 66),
        time_signatures=np.array([(0, 3, 4)], TIME_SIGNATURES),
        key_signatures=np.array([(0, 3, False)], KEY_SIGNATURES),
    )
    data = to_musicxml(score, title="Own title")
    assert [e.text for e in elements(data, ".//fifths")] == ["3"]
    assert [e.text for e in elements(data, ".//time/*")] == ["3", "4"]
    assert [e.text for e in elements(data, ".//per-minute")] == ["120"]
    assert [e.text for e in elements(data, ".//part-name")] == ["Own"]
    assert [e.text for e in elements(data, ".//midi-program")] == ["41"]
    assert [e.text for e in elements(data, "work/work-title")] == ["Own title"]
    back = musicxml_score(data)
    assert back.key_signatures.tolist() == [(0, 3, False)]
    assert back.tempos.tolist() == [(0, 500_000)]


def test_chord_symbols_come_back_as_markers() -> None:
    chords = ["C", "Am", "F#m7", "Bbmaj7", "G7", "Bdim", "Cdim7", "F#m7b5", "Eaug", "Dsus4", "N.C."]
    ticks = [1920 * n for n in range(len(chords))]
    score = score_of(*((tick, 1920, 60) for tick in ticks))
    data = to_musicxml(score, chords=list(zip(ticks, chords, strict=True)))
    assert len(elements(data, ".//harmony")) == len(chords)
    back = musicxml_score(data)
    assert back.markers["time"].tolist() == ticks
    assert back.markers["text"].tolist() == chords


def test_a_file_of_endless_silence_is_refused() -> None:
    with pytest.raises(InputError, match="measures, and a score 5,000 at most"):
        to_musicxml(score_of((0, 480, 60), (2**30, 480, 60)))


def test_names_that_xml_cannot_hold_are_written_without_what_it_cannot() -> None:
    rows = np.array([(0, 480, 60, 80, 0, 0)], NOTES)
    score = Score(notes=rows, tracks=(Track("Pi\x00a\x1bno & <b>", 0),))
    assert musicxml_score(to_musicxml(score, title="\x00")).tracks[0].name == "Piano & <b>"


def test_chord_symbols_stand_above_no_drums() -> None:
    rows = np.array([(0, 480, 36, 80, 128, 0), (0, 480, 60, 80, 0, 1)], NOTES)
    score = Score(notes=rows, tracks=(Track("Kit", 128, True), Track("Piano", 0)))
    drums, piano = elements(to_musicxml(score, chords=[(0, "C")]), "part")
    assert [len(part.findall(".//harmony")) for part in (drums, piano)] == [0, 1]


@pytest.mark.parametrize(
    ("fifths", "pitches", "names"),
    [
        (0, [60, 61, 66, 70], ["C4", "C#4", "F#4", "B-4"]),
        (-5, [61, 66, 70], ["D-4", "G-4", "B-4"]),
        (4, [60, 61, 63], ["B#3", "C#4", "D#4"]),
        (-6, [59, 71], ["C-4", "C-5"]),
    ],
)
def test_pitches_are_spelled_by_the_key(fifths: int, pitches: list[int], names: list[str]) -> None:
    assert [speller(Key(fifths, False))(pitch) for pitch in pitches] == names


def test_archives_hold_the_same_score(tmp_path: Path) -> None:
    score = score_of((0, 480, 60))
    write_musicxml(score, tmp_path / "a.mxl")
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.mxl").read_bytes())) as archive:
        assert archive.read("score.musicxml") == to_musicxml(score)
    assert read_musicxml(tmp_path / "a.mxl").notes["pitch"].tolist() == [60]


def test_nothing_is_written_where_it_cannot_be_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no notes"):
        write_musicxml(Score(), tmp_path / "a.musicxml")
    with pytest.raises(InputError, match="must end in"):
        write_musicxml(score_of((0, 480, 60)), tmp_path / "a.txt")

    for module in ("stream", "musicxml.m21ToXml"):
        monkeypatch.setitem(sys.modules, f"music21.{module}", None)
    with pytest.raises(InputError, match=r"pip install 'musenet\[musicxml\]'"):
        write_musicxml(score_of((0, 480, 60)), tmp_path / "a.musicxml")
    assert not list(tmp_path.iterdir())
