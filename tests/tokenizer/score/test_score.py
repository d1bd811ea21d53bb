"""The score as a value, held against definitions written out note by note."""

from __future__ import annotations

import pickle
from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenizer import InputError, Score, Track, read
from tokenizer.score.columns import DTYPES
from tokenizer.score.score import CONTROLS, DRUMS, NO_TRACK, NOTES, PEDALS, TEMPOS

FIXTURES = Path(__file__).parents[2] / "fixtures" / "midi"
TRACKS = (Track("a", 0), Track("b", 40), Track("kit", DRUMS, True))
PROGRAMS = [track.program for track in TRACKS]


def column(kind: str, *rows: tuple[Any, ...]) -> np.ndarray[Any, Any]:
    return np.array(list(rows), DTYPES[kind])


tick = st.integers(0, 5000)
tempo = st.tuples(tick, st.integers(1, 2**24 - 1))


@st.composite
def scores(draw: st.DrawFn) -> Score:
    track = st.integers(0, 2)
    notes = draw(
        st.lists(
            st.tuples(tick, st.integers(0, 900), st.integers(12, 115), st.integers(1, 127), track),
            max_size=12,
        )
    )
    rows = [(s, d, p, v, PROGRAMS[t], t) for s, d, p, v, t in notes]
    value = st.integers(0, 127)
    return Score(
        draw(st.sampled_from([24, 96, 480])),
        TRACKS,
        column("notes", *rows),
        tempos=column("tempos", *draw(st.lists(tempo, max_size=4))),
        time_signatures=column(
            "time_signatures", *draw(st.lists(st.tuples(tick, st.integers(1, 9), st.just(4))))
        ),
        controls=column(
            "controls", *draw(st.lists(st.tuples(tick, st.integers(1, 3), value, track)))
        ),
        pedals=column("pedals", *draw(st.lists(st.tuples(tick, tick, track), max_size=4))),
        markers=column(
            "markers", *draw(st.lists(st.tuples(tick, st.just(NO_TRACK), st.just("m"))))
        ),
    )


def seconds_by_definition(score: Score, tick: int) -> Fraction:
    """Each tick lasts as long as the last tempo at or before it says."""
    changes = sorted({0: 500000, **dict(score.tempos.tolist())}.items())
    total = Fraction(0)
    for (start, microseconds), (stop, _) in zip(changes, [*changes[1:], (tick, 0)], strict=True):
        last = min(stop, tick)
        if last > start:
            total += Fraction((last - start) * microseconds, score.ticks_per_quarter * 10**6)
        if stop >= tick:
            break
    return total


@given(scores(), st.lists(tick))
def test_seconds_are_those_of_the_definition(score: Score, ticks: list[int]) -> None:
    found = score.seconds(ticks)
    assert found.dtype == np.float64
    assert found.tolist() == [float(seconds_by_definition(score, tick)) for tick in ticks]


@given(scores(), st.lists(tick))
def test_ticks_undo_seconds(score: Score, ticks: list[int]) -> None:
    assert score.ticks(score.seconds(ticks)).tolist() == ticks


def test_seconds_agree_with_mido() -> None:
    for path in sorted(FIXTURES.glob("*.mid")):
        score, now, onsets = read(path), 0.0, []
        for message in mido.MidiFile(path):
            now += message.time
            if message.type == "note_on" and message.velocity:
                onsets.append(now)
        assert score.seconds(score.notes["start"]) == pytest.approx(onsets, abs=1e-6)


def test_a_scalar_tick_gives_a_scalar() -> None:
    score = Score(480)
    assert score.seconds(960) == 1.0
    assert score.ticks(1.0) == 960


@given(scores(), st.randoms(use_true_random=False))
def test_rows_come_in_one_order_whatever_order_they_are_given_in(score: Score, rng: Any) -> None:
    rows = score.notes.tolist()
    rng.shuffle(rows)
    again = Score(score.ticks_per_quarter, TRACKS, column("notes", *rows))
    assert again.notes.tolist() == score.notes.tolist()
    by_hand = sorted(rows, key=lambda n: (n[0], n[4], n[2], n[1], n[3], n[5]))
    assert score.notes.tolist() == by_hand


def test_the_last_of_one_tick_counts_and_keys_go_by_number() -> None:
    keys = column("key_signatures", (0, 2, False), (0, 0, False), (0, 0, False), (5, 1, True))
    tempos = column("tempos", (7, 9), (0, 5), (7, 8), (0, 6))
    score = Score(480, tempos=tempos, key_signatures=keys)
    assert score.tempos.tolist() == [(0, 6), (7, 8)]
    assert score.key_signatures.tolist() == [(0, 0, False), (5, 1, True)]


@given(scores(), tick, st.integers(0, 3000))
def test_slice_keeps_the_notes_that_begin_in_it(score: Score, start: int, length: int) -> None:
    stop = start + length
    part = score.slice(start, stop)
    by_hand = [
        (s - start, min(s + d, stop) - s, p, v, g, t)
        for s, d, p, v, g, t in score.notes.tolist()
        if start <= s < stop
    ]
    assert sorted(part.notes.tolist()) == sorted(by_hand)
    for time in range(start, stop, max(length // 7, 1)):  # what is in force stays in force
        for kind in ("tempos", "time_signatures"):
            before = [row[1:] for row in getattr(score, kind).tolist() if row[0] <= time]
            after = [row[1:] for row in getattr(part, kind).tolist() if row[0] <= time - start]
            assert before[-1:] == after[-1:]
    held = {
        (t, track)
        for time, duration, track in score.pedals.tolist()
        for t in range(max(time, start), min(time + duration, stop))
    }
    now = {
        (t + start, track)
        for time, duration, track in part.pedals.tolist()
        for t in range(time, time + duration)
    }
    assert now == held


@given(scores(), tick)
def test_slice_states_the_controls_in_force(score: Score, start: int) -> None:
    def state(controls: np.ndarray[Any, Any], until: int) -> dict[tuple[int, int], int]:
        return {(n, t): v for time, n, v, t in controls.tolist() if time <= until}

    assert state(score.slice(start, 9999).controls, 0) == state(score.controls, start)


@given(scores(), st.integers(0, 1000))
def test_shift_and_back(score: Score, ticks: int) -> None:
    moved = score.shift(ticks)
    assert moved.notes["start"].tolist() == [s + ticks for s in score.notes["start"].tolist()]
    stated = [row for row in score.tempos.tolist() if row[0] == 0]
    assert [row for row in moved.tempos.tolist() if row[0] == 0] == stated
    if len(score.notes):
        first = int(score.notes["start"][0])
        with pytest.raises(InputError, match="cannot move"):
            score.shift(-first - 1)


@given(scores(), st.integers(-12, 12))
def test_transpose_moves_all_but_drums(score: Score, semitones: int) -> None:
    moved = score.transpose(semitones)
    by_hand = [
        (s, d, p if g == DRUMS else p + semitones, v, g, t)
        for s, d, p, v, g, t in score.notes.tolist()
    ]
    assert sorted(moved.notes.tolist()) == sorted(by_hand)
    assert moved.transpose(-semitones).notes.tolist() == score.notes.tolist()


@pytest.mark.parametrize(
    ("semitones", "fifths"), [(0, -3), (2, -1), (-1, 2), (12, -3), (6, 3), (3, 6), (1, 4)]
)
def test_keys_are_transposed_too(semitones: int, fifths: int) -> None:
    score = Score(480, key_signatures=column("key_signatures", (0, -3, False)))
    assert score.transpose(semitones).key_signatures["fifths"].tolist() == [fifths]


def test_transposing_out_of_range_is_refused() -> None:
    score = Score(480, (), column("notes", (0, 1, 120, 64, 0, 0)))
    with pytest.raises(InputError, match="pitches would run from 130 to 130"):
        score.transpose(10)


@given(scores())
def test_select_by_track_and_by_program(score: Score) -> None:
    part = score.select(tracks=[2, 0])
    assert part.tracks == (TRACKS[0], TRACKS[2])
    by_hand = [row for row in score.notes.tolist() if row[5] in (0, 2)]
    assert sorted(row[:5] for row in part.notes.tolist()) == sorted(row[:5] for row in by_hand)
    assert part.notes["track"].tolist() == [int(p == DRUMS) for p in part.notes["program"]]
    assert part.controls["track"].tolist() == [
        {0: 0, 2: 1}[t] for t in score.controls["track"].tolist() if t != 1
    ]
    assert part == score.select(programs=[0, 128])
    assert part.tempos.tolist() == score.tempos.tolist()
    with pytest.raises(InputError, match="no track 3"):
        score.select(tracks=[3])
    with pytest.raises(InputError, match="either"):
        score.select()


@given(scores(), scores())
@settings(suppress_health_check=[HealthCheck.too_slow])  # two whole scores, on a busy machine
def test_concatenate_plays_one_after_the_other(first: Score, second: Score) -> None:
    both = first.concatenate(second)
    at = first.end
    scaled = second.resample(first.ticks_per_quarter)
    moved = [(s + at, *rest) for s, *rest in scaled.notes.tolist()]
    assert sorted(both.notes.tolist()) == sorted(first.notes.tolist() + moved)
    assert both.tracks == TRACKS
    for tick in (0, 7, 300, 6000):
        elapsed = both.seconds(at + tick) - both.seconds(at)
        assert elapsed == pytest.approx(float(scaled.seconds(tick)))
    assert both.seconds(at) == pytest.approx(float(first.seconds(at)))


def test_concatenate_adds_tracks_that_are_not_there() -> None:
    first = Score(480, (Track("p", 0),), column("notes", (0, 480, 60, 64, 0, 0)))
    tracks = (Track("p", 0), Track("v", 40), Track("p", 0))
    notes = column("notes", (0, 9, 1, 1, 0, 0), (0, 9, 2, 1, 40, 1), (0, 9, 3, 1, 0, 2))
    both = first.concatenate(Score(480, tracks, notes), at=1000)
    assert both.tracks == (Track("p", 0), Track("v", 40), Track("p", 0))
    assert both.notes["track"].tolist() == [0, 0, 2, 1]
    assert both.notes["start"].tolist() == [0, 1000, 1000, 1000]


@given(scores(), st.sampled_from([1, 24, 96, 480, 1000]))
def test_resample_rounds_each_time_once(score: Score, resolution: int) -> None:
    other = score.resample(resolution)
    factor = Fraction(resolution, score.ticks_per_quarter)

    def nearest(ticks: int) -> int:
        return int(ticks * factor + Fraction(1, 2))

    by_hand = [
        (nearest(s), max(nearest(s + d) - nearest(s), min(d, 1)), p, v, g, t)
        for s, d, p, v, g, t in score.notes.tolist()
    ]
    assert sorted(other.notes.tolist()) == sorted(by_hand)
    assert other.ticks_per_quarter == resolution
    if resolution % score.ticks_per_quarter == 0:
        assert other.resample(score.ticks_per_quarter) == score


@given(scores())
def test_equal_scores_are_equal_and_others_not(score: Score) -> None:
    same = Score(score.ticks_per_quarter, score.tracks, **score.columns())
    assert same == score
    assert pickle.loads(pickle.dumps(score)) == score
    assert score != Score(score.ticks_per_quarter + 1, score.tracks, **score.columns())
    assert score != score.concatenate(Score(480, (), column("notes", (0, 1, 60, 64, 0, 0))))
    assert score != "a score"


def test_columns_cannot_be_written_to() -> None:
    score = Score(480, (), column("notes", (0, 1, 60, 64, 0, 0)))
    for array in score.columns().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        score.notes = score.notes  # type: ignore[misc]
    with pytest.raises(AttributeError, match="no attribute 'note'"):
        score.note  # type: ignore[attr-defined]  # noqa: B018


def test_the_callers_array_stays_the_callers() -> None:
    notes = column("notes", (5, 1, 60, 64, 0, 0), (0, 1, 60, 64, 0, 0))
    score = Score(480, (), notes)
    notes["pitch"] = 1
    assert score.notes["pitch"].tolist() == [60, 60]


@pytest.mark.parametrize(
    ("kind", "row", "words"),
    [
        ("notes", (-1, 1, 60, 64, 0, 0), "start of -1"),
        ("notes", (0, -1, 60, 64, 0, 0), "duration of -1"),
        ("notes", (0, 1, 128, 64, 0, 0), "pitch of 128"),
        ("notes", (0, 1, 60, 0, 0, 0), "velocity of 0"),
        ("notes", (0, 1, 60, 128, 0, 0), "velocity of 128"),
        ("notes", (0, 1, 60, 64, 129, 0), "program of 129"),
        ("notes", (2**31 - 1, 1, 60, 64, 0, 0), "end at tick 2147483648"),
        ("tempos", (0, 0), "microseconds of 0"),
        ("tempos", (0, 2**24), "microseconds of 16777216"),
        ("time_signatures", (0, 0, 4), "numerator of 0"),
        ("time_signatures", (0, 3, 6), "denominator of 6"),
        ("key_signatures", (0, 8, False), "fifths of 8"),
        ("controls", (0, 128, 0, 0), "number of 128"),
        ("controls", (0, 1, 128, 0), "value of 128"),
        ("pitch_bends", (0, 8192, 0), "value of 8192"),
        ("pedals", (0, 1, 9), "track 9"),
        ("lyrics", (0, 9, "la"), "track 9"),
        ("lyrics", (0, 0, 7), "type str"),
    ],
)
def test_values_out_of_range_are_named(kind: str, row: tuple[Any, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Score(480, TRACKS, **{kind: column(kind, row)})


def test_tracks_and_notes_must_agree() -> None:
    note = column("notes", (0, 1, 60, 64, 40, 0))
    with pytest.raises(InputError, match="program 40, the track 0"):
        Score(480, (Track("a", 0),), note)
    with pytest.raises(InputError, match="is_drum"):
        Score(480, (Track("a", 128),), column("notes"))
    with pytest.raises(InputError, match="skip a track"):
        Score(480, (), column("notes", (0, 1, 60, 64, 40, 3)))
    with pytest.raises(InputError, match="ticks_per_quarter is 0"):
        Score(0)
    assert Score(480, (), note).tracks == (Track("", 40),)


def test_rows_that_are_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"rows of \(time, microseconds\)"):
        Score(480, tempos=[("soon", 5)])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="2 axes"):
        Score(480, notes=np.zeros((2, 2), NOTES))


def test_an_empty_score() -> None:
    score = Score(480)
    assert score.end == 0
    assert len(score.notes) == 0
    assert score.slice(0, 10) == score.select(tracks=[]) == score
    assert score.transpose(5) == score
    assert score.pedals.dtype == PEDALS
    assert score.controls.dtype == CONTROLS
    assert score.tempos.dtype == TEMPOS
    assert "0 notes" in repr(score)
