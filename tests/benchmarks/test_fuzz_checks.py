"""The checks of the fuzz find readers that do wrong, each in one way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fuzz_checks import Readers, failures, unlike_mido
from tokenizer import MidiError, Score, read, read_reporting

MIDI = Path(__file__).parents[1] / "fixtures" / "midi"
PATH = MIDI / "kinkel_nachgefuehl.mid"
DATA = PATH.read_bytes()


def all_pitches_60(score: Score) -> Score:
    notes = score.notes.copy()
    notes["pitch"] = 60
    return Score(score.ticks_per_quarter, score.tracks, **{**score.columns(), "notes": notes})


def no_controls(score: Score) -> Score:
    return Score(
        score.ticks_per_quarter,
        score.tracks,
        **{**score.columns(), "controls": score.controls[:0], "pedals": score.pedals[:0]},
    )


def swapped_times(score: Score) -> Score:
    notes = score.notes.copy()
    notes["start"][[0, -1]] = notes["start"][[-1, 0]]
    return Score(score.ticks_per_quarter, score.tracks, **{**score.columns(), "notes": notes})


def late_error(score: Score) -> Score:
    def rest(_: str) -> Any:
        raise MidiError("a data byte is 231", offset=5)

    return Score.trusted(score.ticks_per_quarter, score.tracks, {"notes": score.notes}, rest)


def out_of_range_value(score: Score) -> Score:
    notes = score.notes.copy()
    notes["pitch"][0] = 200
    return Score.trusted(score.ticks_per_quarter, score.tracks, {**score.columns(), "notes": notes})


SABOTAGES = [all_pitches_60, no_controls, swapped_times, late_error, out_of_range_value]


def sabotaged(do: Callable[[Score], Score], everywhere: bool) -> Readers:
    """Readers of which one, or all, give something else than what they read."""
    wrong = replace(Readers(), read=lambda data, **how: do(read(data, **how)))
    if not everywhere:
        return wrong

    def reporting(data: bytes) -> tuple[Score, Any]:
        score, report = read_reporting(data)
        return do(score), report

    return replace(wrong, read_reporting=reporting, read_all=lambda some: [do(read(some[0]))])


def test_the_file_has_something_to_lose() -> None:
    score = read(PATH)
    assert len(score.controls)
    assert len(np.unique(score.notes["start"])) > 1
    assert failures(DATA, Readers())[0] == []
    assert unlike_mido(DATA, score, ()) == []


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_one_wrong_way_to_read_is_found_by_the_others(sabotage: Callable[[Score], Score]) -> None:
    assert failures(DATA, sabotaged(sabotage, everywhere=False))[0]


@pytest.mark.parametrize("sabotage", SABOTAGES[:3])
def test_what_all_ways_do_wrong_is_found_by_mido(sabotage: Callable[[Score], Score]) -> None:
    wrong, score = failures(DATA, sabotaged(sabotage, everywhere=True))
    assert wrong == []
    assert score is not None
    assert unlike_mido(DATA, score, ())


def test_refusals_must_agree() -> None:
    def refuse(data: bytes, **how: Any) -> Score:
        raise MidiError("no", offset=0)

    assert failures(DATA, replace(Readers(), read=refuse))[0]
    assert failures(b"no music", Readers()) == ([], None)


def test_foreign_errors_are_failures() -> None:
    def fail(data: bytes, **how: Any) -> Score:
        raise IndexError("index out of range")

    assert any("IndexError" in words for words in failures(DATA, replace(Readers(), read=fail))[0])
