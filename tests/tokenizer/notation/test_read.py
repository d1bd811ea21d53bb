from __future__ import annotations

import random
from pathlib import Path

import pytest

from tokenizer.errors import InputError
from tokenizer.midi.read import write
from tokenizer.notation.read import musicxml_score, read_music, read_musicxml
from tokenizer.notation.write import to_musicxml
from tokenizer.score.score import Score

HEAD = """<score-partwise version="4.0"><part-list><score-part id="P1">
<part-name>{name}</part-name>{midi}</score-part></part-list><part id="P1">"""
DIVISIONS = "<divisions>2</divisions>"


def note(pitch: str, duration: int, more: str = "", before: str = "") -> str:
    alter = "<alter>-1</alter>" if "b" in pitch else ""
    return (
        f"<note>{before}<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
        f"<duration>{duration}</duration>{more}</note>"
    )


def score_of(*measures: str, name: str = "Flute", midi: str = "", attributes: str = "") -> Score:
    first = f"<attributes>{DIVISIONS}{attributes}</attributes>"
    body = "".join(
        f'<measure number="{n}">{first if n == 1 else ""}{own}</measure>'
        for n, own in enumerate(measures, 1)
    )
    text = HEAD.format(name=name, midi=midi) + body + "</part></score-partwise>"
    return musicxml_score(text.encode())


def played(score: Score) -> list[tuple[int, int, int]]:
    return [(n["start"], n["duration"], n["pitch"]) for n in score.notes]


COMMON = "<time><beats>4</beats><beat-type>4</beat-type></time>"


def test_notes_chords_rests_and_ties() -> None:
    score = score_of(
        note("C4", 2)
        + note("E4", 2, before="<chord/>")
        + "<note><rest/><duration>2</duration></note>"
        + note("G4", 4, '<tie type="start"/>'),
        note("G4", 2, '<tie type="stop"/>') + note("Bb4", 6),
        attributes=COMMON,
    )
    assert played(score) == [(0, 480, 60), (0, 480, 64), (960, 1440, 67), (2400, 1440, 70)]


def test_repeats_with_endings_are_played_out() -> None:
    end = '<barline location="right"><repeat direction="backward"/></barline>'
    ending = '<barline location="left"><ending number="{0}" type="start"/></barline>'
    stop = '<ending number="{0}" type="stop"/>'
    score = score_of(
        note("C4", 8),
        ending.format(1) + note("D4", 8) + end.replace("<repeat", stop.format(1) + "<repeat"),
        ending.format(2) + note("E4", 8) + f'<barline location="right">{stop.format(2)}</barline>',
        attributes=COMMON,
    )
    assert [pitch for _, _, pitch in played(score)] == [60, 62, 60, 64]


def test_transposing_instruments_sound_as_they_do() -> None:
    shift = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    midi = (
        '<score-instrument id="I"><instrument-name>Clarinet</instrument-name></score-instrument>'
        '<midi-instrument id="I"><midi-program>72</midi-program></midi-instrument>'
    )
    score = score_of(note("C5", 8), attributes=COMMON + shift, name="Clarinet", midi=midi)
    assert played(score) == [(0, 1920, 70)]
    assert score.tracks[0].program == 71


def test_an_instrument_is_known_by_its_name_where_no_program_is_stated() -> None:
    midi = '<score-instrument id="I"><instrument-name>Violin</instrument-name></score-instrument>'
    score = score_of(note("C5", 8), attributes=COMMON, name="Violin", midi=midi)
    assert (score.tracks[0].name, score.tracks[0].program) == ("Violin", 40)


def test_an_upbeat_is_a_short_first_bar() -> None:
    score = score_of(note("G4", 2), note("C5", 8), attributes=COMMON)
    assert score.time_signatures.tolist() == [(0, 1, 4), (480, 4, 4)]
    assert [start for start, _, _ in played(score)] == [0, 480]


def test_dynamics_and_tempo_are_heard_and_grace_notes_are_not() -> None:
    loud = "<direction><direction-type><dynamics><ff/></dynamics></direction-type></direction>"
    mark = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit>"
        "<per-minute>90</per-minute></metronome></direction-type></direction>"
    )
    grace = "<note><grace/><pitch><step>A</step><octave>4</octave></pitch></note>"
    score = score_of(mark + note("C4", 4) + loud + grace + note("D4", 4), attributes=COMMON)
    assert [pitch for _, _, pitch in played(score)] == [60, 62]
    soft, strong = score.notes["velocity"].tolist()
    assert strong > soft
    assert score.tempos.tolist() == [(0, 666_667)]


@pytest.mark.parametrize(
    ("kind", "more", "text"),
    [
        ("major", "", "C"),
        ("minor-seventh", "", "Cm7"),
        ("dominant", "<bass><bass-step>E</bass-step></bass>", "C7/E"),
        ("half-diminished", "", "Cm7b5"),
        ("suspended-fourth", "", "Csus4"),
        ("none", "", "N.C."),
    ],
)
def test_harmonies_are_markers(kind: str, more: str, text: str) -> None:
    harmony = f"<harmony><root><root-step>C</root-step></root><kind>{kind}</kind>{more}</harmony>"
    score = score_of(harmony + note("C4", 8), attributes=COMMON)
    assert score.markers["text"].tolist() == [text]
    assert len(score.notes) == 1


def suite() -> list[Path]:
    music21 = pytest.importorskip("music21")
    return sorted((Path(music21.__file__).parent / "musicxml" / "lilypondTestSuite").glob("*.*l"))


def test_odd_files_are_read_or_refused_in_one_sentence(tmp_path: Path) -> None:
    found = [_read_or_refused(file.read_bytes(), str(file)) for file in suite()]
    for one in found:
        if isinstance(one, Score):
            write(one, tmp_path / "a.mid")  # whatever it is, it is a score
    assert sum(isinstance(one, Score) for one in found) > 100
    assert not [one for one in found if isinstance(one, str) and "\n" in one]


def _read_or_refused(data: bytes, said: str) -> Score | str:
    try:
        return musicxml_score(data, said)
    except InputError as error:
        return str(error)


def test_damaged_files_never_give_a_traceback() -> None:
    draw = random.Random(1)
    plain = to_musicxml(score_of(note("C4", 2) + note("E4", 6), note("G4", 8), attributes=COMMON))
    for _ in range(150):
        data = bytearray(plain)
        for _ in range(draw.randint(1, 6)):
            place = draw.randrange(len(data))
            if draw.random() < 0.5:
                data[place] = draw.randrange(256)
            else:
                del data[place : place + draw.randint(1, 40)]
        found = _read_or_refused(bytes(data), "a.musicxml")
        assert isinstance(found, Score) or "\n" not in found


def test_midi_and_musicxml_are_told_by_their_names(tmp_path: Path) -> None:
    score = score_of(note("C4", 8), attributes=COMMON)
    (tmp_path / "a.xml").write_bytes(to_musicxml(score))
    write(score, tmp_path / "a.mid")
    assert [len(read_music(tmp_path / name)[0].notes) for name in ("a.xml", "a.mid")] == [1, 1]
    with pytest.raises(InputError, match="cannot read"):
        read_musicxml(tmp_path / "none.musicxml")
