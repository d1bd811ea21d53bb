"""Prompts: where the continuation starts, what is heard, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musenet.generation.prompt import blank, boundary_of, read_prompt
from musenet.options.parse import Place
from tokenizer.errors import InputError, MidiError
from tokenizer.midi.read import read, to_bytes, write
from tokenizer.score.score import NOTES, TEMPOS, TIME_SIGNATURES, Score, Track
from tokenizer.theory import Key

EXAMPLES = Path(__file__).parents[3] / "examples" / "prompts"
QUARTER = 480
BAR = 4 * QUARTER


def score(*notes: tuple[float, float], meters: list[tuple[int, int, int]] | None = None) -> Score:
    """A piano score of (start, duration) in quarters."""
    rows = [
        (round(s * QUARTER), round(d * QUARTER), 60 + i, 80, 0, 0) for i, (s, d) in enumerate(notes)
    ]
    return Score(
        QUARTER,
        notes=np.array(rows, NOTES),
        time_signatures=np.array(meters or [(0, 4, 4)], TIME_SIGNATURES),
    )


@pytest.mark.parametrize(
    ("notes", "quarters"),
    [
        ([(0, 1), (3, 1)], 4),  # up to the bar line
        ([(0, 1), (3, 0.1)], 4),  # a short last note in the last beat
        ([(0, 1), (3.5, 0.47)], 4),  # a played file, a little early
        ([(0, 1), (3, 1.02)], 4),  # and a little late
        ([(0, 1), (1, 1)], 2),  # inside a bar: the bar is completed
        ([(0, 4), (4, 1)], 5),  # an upbeat
        ([(0, 1), (3, 2)], 4),  # a note held over the bar line
        ([(0, 1), (3, 9)], 12),  # held over several: the last line that music reaches
        ([(0, 8)], 8),
    ],
)
def test_where_a_composer_would_go_on(notes: list[tuple[float, float]], quarters: float) -> None:
    prompt = score(*notes)
    from tokenizer.score.bars import Bars

    bars = Bars(prompt.time_signatures, QUARTER)
    assert boundary_of(prompt, bars, 0) == quarters * QUARTER


def test_a_file_that_ends_on_the_bar_line_is_taken_at_its_word() -> None:
    from tokenizer.score.bars import Bars

    prompt = score((0, 1), (1, 1))
    bars = Bars(prompt.time_signatures, QUARTER)
    assert boundary_of(prompt, bars, BAR) == BAR
    assert boundary_of(prompt, bars, BAR + 17) == 2 * QUARTER


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Eight bars of quarters, the last note of each held for two."""
    notes = [(4.0 * bar + beat, 2.0 if beat == 3 else 1.0) for bar in range(8) for beat in range(4)]
    target = tmp_path / "song.mid"
    write(score(*notes), target)
    return target


def test_to_and_from_choose_bars(path: Path) -> None:
    prompt = read_prompt(path, begin=Place(bar=3), stop=Place(bar=4))
    assert (prompt.origin, prompt.boundary) == (2 * BAR, 4 * BAR)
    assert prompt.music.notes["start"].tolist() == [i * QUARTER for i in range(8)]
    assert len(prompt.score.notes) == 16
    assert prompt.score.end == 4 * BAR + QUARTER, "what sounds across the boundary stays"
    assert prompt.name == "song"


def test_to_and_from_choose_seconds(path: Path) -> None:
    prompt = read_prompt(path, begin=Place(seconds=1.0), stop=Place(seconds=3.5))
    assert (prompt.origin, prompt.boundary) == (2 * QUARTER, 7 * QUARTER)


def test_the_whole_file_is_kept_without_to(path: Path) -> None:
    prompt = read_prompt(path)
    assert prompt.boundary == 8 * BAR
    assert np.array_equal(prompt.score.notes, read(path).notes)
    assert np.array_equal(prompt.music.notes, read(path).notes)


def test_refusals(tmp_path: Path, path: Path) -> None:
    empty = tmp_path / "empty.mid"
    empty.write_bytes(b"")
    with pytest.raises(MidiError, match="empty"):
        read_prompt(empty)
    text = tmp_path / "text.mid"
    text.write_text("this is no music")
    with pytest.raises(MidiError, match=r"text\.mid"):
        read_prompt(text)
    silent = tmp_path / "silent.mid"
    silent.write_bytes(to_bytes(Score(tempos=np.array([(0, 500_000)], TEMPOS))))
    with pytest.raises(InputError, match="no notes"):
        read_prompt(silent)
    with pytest.raises(InputError, match="ends in bar 9"):
        read_prompt(path, begin=Place(bar=12))
    with pytest.raises(InputError, match="no notes between --from and --to"):
        read_prompt(path, begin=Place(bar=5), stop=Place(bar=4))
    with pytest.raises(InputError):
        read_prompt(tmp_path / "missing.mid")


def test_a_prompt_of_too_many_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musenet.generation.prompt.MOST_NOTES", 20)
    target = tmp_path / "long.mid"
    write(score(*[(i, 1) for i in range(40)]), target)
    with pytest.raises(InputError, match="40 notes, but a prompt may have 20 at most"):
        read_prompt(target)
    assert len(read_prompt(target, stop=Place(bar=4)).music.notes) == 16


def test_files_that_need_interpreting_are_written_anew(path: Path, tmp_path: Path) -> None:
    """A RIFF wrapper is no plain file: its music is, and becomes one."""
    data = path.read_bytes()
    wrapped = tmp_path / "wrapped.mid"
    size = len(data).to_bytes(4, "little")
    wrapped.write_bytes(
        b"RIFF" + (len(data) + 12).to_bytes(4, "little") + b"RMIDdata" + size + data
    )
    assert np.array_equal(read_prompt(wrapped).score.notes, read(path).notes)
    assert read_prompt(wrapped).file.tracks


def test_a_blank_prompt_is_a_tempo_a_meter_and_a_key() -> None:
    prompt = blank(96, (6, 8), Key(-3, True))
    assert prompt.boundary == 0
    assert prompt.bars.tick(2) == 2 * 3 * QUARTER
    from tokenizer.midi.events import Event, dump

    prompt.file.tracks.append([Event(0, b"\x90\x3c\x40"), Event(9, b"\x80\x3c\x40")])
    again = read(dump(prompt.file))
    assert again.tempos["microseconds"].tolist() == [625_000]
    assert again.time_signatures.tolist() == [(0, 6, 8)]
    assert again.key_signatures.tolist() == [(0, -3, True)]


def test_a_score_with_a_track_without_notes_is_a_prompt() -> None:
    score = read(EXAMPLES / "quartet.mid")
    silent = replace(score, tracks=(*score.tracks, Track("Silent", 40)))
    prompt, plain = (read_prompt(each, stop=Place(bar=4)) for each in (silent, score))
    assert np.array_equal(prompt.music.notes, plain.music.notes)
