"""A performance beside the beats of its file: heard in its own, written back where it was."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musenet.editing.fill_recipe import read_recipe
from musenet.export.retiming import Retiming, found_beats
from musenet.generation.prompt import read_prompt
from musenet.generation.recipe import Recipe, prompt_in
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer.midi.read import read

EXAMPLES = Path(__file__).parents[3] / "examples"
LIVE = EXAMPLES / "user_prompts" / "live_piano.mid"
"""Played at 93 BPM, in a file that says 120."""


def retiming(beats: list[int], first: int = 0) -> Retiming:
    numbers = (first, 4, 600, beats[0], *np.diff(beats).tolist())
    return Retiming.from_numbers(numbers)


gaps = st.lists(st.integers(1, 2000), min_size=1, max_size=20)


@given(gaps, st.integers(0, 40_000), st.integers(0, 3))
def test_ticks_come_back_to_where_they_were(steps: list[int], tick: int, first: int) -> None:
    beats = np.cumsum([first * steps[0], *steps]).tolist()
    timing = retiming(beats, first)
    heard = timing.heard_tick(tick)
    assert heard >= 0
    assert timing.file_tick(heard) == tick
    assert timing.heard_tick(tick + 1) > heard
    assert timing.heard_tick(timing.file_tick(heard + 1)) >= heard + 1
    assert Retiming.from_numbers(timing.to_numbers()) == timing


@given(gaps, st.integers(0, 200), st.integers(1, 8), st.integers(0, 20_000))
def test_a_bar_that_begins_before_the_file_is_at_its_beginning(
    steps: list[int], begin: int, first: int, heard: int
) -> None:
    timing = retiming(np.cumsum([begin, *steps]).tolist(), first)
    assert 0 <= timing.file_tick(heard) <= timing.file_tick(heard + 1)


def test_beats_are_quarter_notes() -> None:
    timing = retiming([0, 600, 1260, 1800], 0)
    for number, beat in enumerate((0, 600, 1260, 1800, 2400, 3000)):
        assert timing.heard_tick(beat) == number * timing.division


def test_the_beats_of_a_live_piano_are_found() -> None:
    score = read(LIVE)
    timing, said = found_beats(score)
    assert timing is not None
    seconds = score.seconds(np.array(timing.beats))
    tempo = 60 * (len(seconds) - 1) / (seconds[-1] - seconds[0])
    assert tempo == pytest.approx(93, abs=1)
    assert "about 93 BPM" in said
    assert "120 BPM" in said


@pytest.mark.parametrize(
    "path", [p for p in sorted(EXAMPLES.glob("*prompts/*.*")) if p != LIVE], ids=lambda p: p.stem
)
def test_files_in_time_keep_their_beats(path: Path) -> None:
    assert found_beats(read(path)) == (None, "")


def test_what_has_no_beat_is_said_to_have_none() -> None:
    random = np.random.default_rng(1)
    score = read(LIVE)
    notes = score.notes.copy()
    notes["start"] = np.sort(random.integers(0, 40_000, len(notes)))
    timing, said = found_beats(replace(score, notes=notes))
    assert timing is None
    assert "no others are certain" in said


def continued(tiny: Checkpoint, **options: object) -> tuple[Continuation, Result]:
    given = GenerateOptions(bars=4, seed=2, **options)  # type: ignore[arg-type]
    prompt = read_prompt(LIVE, find_beats=given.find_beats)
    continuation = Continuation(tiny, prompt, given)
    for _ in continuation.steps():
        pass
    return continuation, continuation.results()[0]


def played(data: bytes, before: int) -> list[tuple[int, bytes]]:
    found = []
    now = 0
    for message in mido.MidiFile(file=io.BytesIO(data)).tracks[1]:
        now += message.time
        if not message.is_meta and now < before:
            found.append((now, bytes(message.bytes())))
    return found


@pytest.mark.parametrize("tempo", [None, 60.0, 180.0])
def test_the_users_notes_stay_and_the_bars_go_on_in_their_tempo(
    tiny: Checkpoint, tempo: float | None
) -> None:
    continuation, result = continued(tiny, tempo=tempo)
    assert played(result.data, result.boundary) == played(LIVE.read_bytes(), result.boundary)
    score = result.score
    seconds = float(score.seconds(result.end) - score.seconds(result.boundary))
    bars = continuation.bars.count(*continuation.span)
    assert seconds == pytest.approx(bars * 4 * 60 / (tempo or 93), rel=0.08)
    assert mido.MidiFile(file=io.BytesIO(result.data)).ticks_per_beat == 480
    tempos = score.tempos["microseconds"].tolist()
    assert tempos in ([], [500_000])


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_the_users_notes_stay_where_the_file_begins_within_a_bar(
    tiny: Checkpoint, cut: int
) -> None:
    score = read(LIVE)
    timing, _ = found_beats(score)
    assert timing is not None
    prompt = read_prompt(score.slice(timing.beats[cut], score.end))
    assert prompt.timing is not None
    continuation = Continuation(tiny, prompt, GenerateOptions(bars=1, seed=2))
    for _ in continuation.steps():
        pass
    result = continuation.results()[0]
    assert prompt.own is not None
    old, new = prompt.own.notes, result.score.notes
    for name in ("start", "pitch", "velocity"):
        assert np.array_equal(new[name][: len(old)], old[name])
    for track in mido.MidiFile(file=io.BytesIO(result.data)).tracks:
        assert sum(message.time for message in track) <= result.end


def test_without_finding_the_file_counts(tiny: Checkpoint) -> None:
    continuation, result = continued(tiny, find_beats=False)
    assert not any("beats" in words for words in continuation.words)
    assert result.timing is None


@pytest.mark.parametrize("tempo", [None, 70.0])
def test_it_is_made_again(tiny: Checkpoint, tmp_path: Path, tempo: float | None) -> None:
    _, result = continued(tiny, tempo=tempo)
    path = tmp_path / "made.mid"
    path.write_bytes(result.data)
    recipe, file = read_recipe(path)
    assert isinstance(recipe, Recipe)
    again = Continuation(tiny, prompt_in(file, recipe), recipe.options)
    for _ in again.steps():
        pass
    assert again.results()[0].data == result.data
