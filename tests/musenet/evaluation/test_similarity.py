"""L(t) and SE against their definition in sets of notes, pair by pair."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from musenet.evaluation.similarity import (
    bar_notes,
    lag_sums,
    similarity_by_lag,
    similarity_error,
)
from tokenizer.score.score import NOTES, TIME_SIGNATURES, Score, Track

QUARTER = 24
PROGRAMS = (0, 30, 128)


def piece(seed: int, *, bars: int = 9, notes: int = 60, eighths: int = 6) -> Score:
    """Few different notes in bars of 6/8, some of them drums; some bars are empty."""
    random = np.random.default_rng(seed)
    rows = np.zeros(notes, dtype=NOTES)
    bar = random.choice(np.delete(np.arange(bars), 3), notes)
    rows["start"] = (bar * eighths + random.integers(0, 3, notes)) * QUARTER // 2
    rows["duration"] = random.choice([6, 12], notes)
    rows["pitch"] = random.choice([36, 60, 64], notes)
    rows["track"] = random.integers(0, 3, notes)
    rows["program"] = np.array(PROGRAMS)[rows["track"]]
    rows["velocity"] = random.integers(1, 128, notes)
    meter = np.array([(0, eighths, 8)], TIME_SIGNATURES)
    tracks = tuple(Track(str(p), p, p == 128) for p in PROGRAMS)
    return Score(QUARTER, tracks, notes=rows, time_signatures=meter)


def sets_of(score: Score, bars: int, eighths: int = 6) -> list[set[tuple[int, ...]]]:
    length = eighths * QUARTER // 2
    found: list[set[tuple[int, ...]]] = [set() for _ in range(bars)]
    for start, duration, pitch, _, program, _ in score.notes.tolist():
        found[start // length].add((start % length, duration, pitch, program == 128))
    return found


def similarity(a: set[tuple[int, ...]], b: set[tuple[int, ...]]) -> Fraction:
    return Fraction(len(a & b), len(a | b)) if a | b else Fraction(1)


@pytest.mark.parametrize("first", [0, 4, 8])
def test_the_curve_is_the_mean_over_all_pairs_of_all_pieces(first: int) -> None:
    scores = [piece(seed, bars=9 + seed) for seed in range(4)]
    found = similarity_by_lag(
        [lag_sums(bar_notes(s, 9 + i), 12, first) for i, s in enumerate(scores)]
    )
    for t in range(1, 13):
        values = [
            similarity(bars[i], bars[i + t])
            for number, score in enumerate(scores)
            for bars in [sets_of(score, 9 + number)]
            for i in range(len(bars) - t)
            if i + t >= first
        ]
        if values:
            assert found[t - 1] == pytest.approx(float(sum(values) / len(values)), rel=1e-6)
        else:
            assert np.isnan(found[t - 1])


def test_the_last_bar_is_that_of_the_last_onset() -> None:
    score = piece(0, bars=7, notes=200)
    assert len(bar_notes(score)) == 7
    assert not bar_notes(score)[3].any()
    assert len(bar_notes(score, 5)) == 5


def test_a_loop_is_alike_at_its_length() -> None:
    loop = piece(1, bars=5, notes=30)
    length = 5 * 6 * QUARTER // 2
    song = loop
    for n in range(1, 4):
        song = song.concatenate(loop, n * length)
    curve = lag_sums(bar_notes(song, 20)).curve
    assert curve[4] == curve[9] == curve[14] == 1
    assert (curve[:4] < 1).all()
    assert np.isnan(curve[19:]).all()


def test_more_bars_than_the_score_has_are_empty() -> None:
    score = piece(2, bars=4)
    assert bar_notes(score, 8).shape[0] == 8
    assert not bar_notes(score, 8)[4:].any()


def test_the_error_leaves_out_what_is_unknown() -> None:
    ours, real = np.array([0.5, 0.2, np.nan, 0.1]), np.array([0.25, 0.3, 0.4, np.nan])
    assert similarity_error(ours, real) == pytest.approx((0.25 + 0.1) / 2)
    assert similarity_error(real, real) == 0
