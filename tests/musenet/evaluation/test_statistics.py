"""Statistics against the formulas of MusPy and MusDr, written out note by note."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from musenet.evaluation import statistics
from tokenizer.score.score import DRUMS, NOTES, TIME_SIGNATURES, Score, Track

BAR = 96


def music(seed: int, *, notes: int = 60, numerator: int = 4, drums: bool = True) -> Score:
    random = np.random.default_rng(seed)
    rows = np.zeros(notes, dtype=NOTES)
    rows["start"] = np.sort(random.integers(0, 700, notes))
    rows["duration"] = random.integers(1, 60, notes)
    rows["pitch"] = random.integers(40, 80, notes)
    rows["velocity"] = 64
    if drums:
        rows["track"] = random.integers(0, 2, notes)
        rows["program"] = np.where(rows["track"] == 1, DRUMS, 0)
    meter = np.array([(0, numerator, 4)], dtype=TIME_SIGNATURES)
    tracks = (Track("piano", 0, False), *((Track("drums", DRUMS, True),) if drums else ()))
    return Score(24, tracks, notes=rows, time_signatures=meter)


def note_list(score: Score) -> list[tuple[int, int, int, bool]]:
    return [
        (int(n["start"]), int(n["start"] + n["duration"]), int(n["pitch"]), n["program"] == DRUMS)
        for n in score.notes
    ]


def entropy(counts: list[int]) -> float:
    total = sum(counts)
    return -sum(c / total * math.log2(c / total) for c in counts if c)


def muspy(score: Score) -> dict[str, float]:
    """muspy.metrics as its documentation defines them."""
    notes = note_list(score)
    pitched = [n for n in notes if not n[3]]
    length = max(n[1] for n in notes)
    roll = [[False] * 128 for _ in range(length)]
    for start, stop, pitch, _ in pitched:
        for step in range(start, stop):
            roll[step][pitch] = True
    sums = [sum(row) for row in roll]
    histogram = [sum(n[2] % 12 == c for n in pitched) for c in range(12)]
    scales = ([0, 2, 4, 5, 7, 9, 11], [0, 2, 3, 5, 7, 8, 10])
    rates = [
        sum((n[2] - root) % 12 in scale for n in pitched) / len(pitched)
        for scale in scales
        for root in range(12)
    ]
    beats = [True] * (length // 24 + 1)
    for start, stop, _, _ in notes:
        for beat in range(start // 24, stop // 24 + 1):
            beats[beat] = False
    measures = length // BAR + 1
    groove = [[False] * BAR for _ in range(measures)]
    for start, *_ in notes:
        groove[start // BAR][start % BAR] = True
    hamming = sum(
        a != b for i in range(measures - 1) for a, b in zip(groove[i], groove[i + 1], strict=True)
    )
    return {
        "pitch_class_entropy": entropy(histogram),
        "scale_consistency": max(rates),
        "polyphony": sum(sums) / sum(s > 0 for s in sums),
        "polyphony_rate": sum(s > 2 for s in sums) / length,
        "empty_beat_rate": sum(beats) / len(beats),
        "pitch_range": max(n[2] for n in pitched) - min(n[2] for n in pitched),
        "groove_consistency": 1 - hamming / (BAR * (measures - 1)),
    }


def musdr(score: Score, bar: int) -> dict[str, float]:
    """MusDr's H over 1 and 4 bars and GS, over all pairs of bars."""
    notes = note_list(score)
    bars = max(n[0] for n in notes) // bar + 1
    found: dict[str, float] = {}
    for window in (1, 4):
        entropies = []
        for first in range(bars - window + 1):
            inside = [n for n in notes if first <= n[0] // bar < first + window and not n[3]]
            if inside:
                entropies.append(entropy([sum(n[2] % 12 == c for n in inside) for c in range(12)]))
        found[f"pitch_class_entropy_{window}"] = sum(entropies) / len(entropies)
    onsets = [[0] * 64 for _ in range(bars)]
    for start, *_ in notes:
        onsets[start // bar][(start % bar) * 64 // bar] = 1
    similarities = [
        1 - sum(abs(x - y) for x, y in zip(a, b, strict=True)) / 64
        for a, b in itertools.combinations(onsets, 2)
    ]
    found["groove_similarity"] = sum(similarities) / len(similarities)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_as_muspy_and_musdr_define_them(seed: int) -> None:
    score = music(seed)
    got = statistics.statistics_of(score)
    expected = muspy(score) | musdr(score, BAR)
    assert {name: got[name] for name in expected} == pytest.approx(expected)


def test_bars_follow_the_meter() -> None:
    score = music(3, numerator=3)
    got = statistics.statistics_of(score)
    expected = musdr(score, 72)
    assert {name: got[name] for name in expected} == pytest.approx(expected)


def test_resolution_does_not_matter() -> None:
    score = music(5)
    fine = score.resample(480)
    assert statistics.statistics_of(fine) == pytest.approx(statistics.statistics_of(score))


def test_transposition_moves_no_statistic() -> None:
    score = music(6, drums=False)
    assert statistics.statistics_of(score.transpose(5)) == pytest.approx(
        statistics.statistics_of(score)
    )


def test_a_repeated_bar_is_like_itself() -> None:
    one = np.zeros(4, dtype=NOTES)
    one["start"], one["duration"], one["pitch"], one["velocity"] = [0, 24, 48, 72], 24, 60, 64
    rows = np.concatenate([one, one, one])
    rows["start"] += np.repeat([0, BAR, 2 * BAR], 4)
    score = Score(24, (Track("piano", 0, False),), notes=rows)
    got = statistics.statistics_of(score)
    assert got["self_similarity"] == pytest.approx(1.0)
    assert got["groove_similarity"] == 1.0
    assert got["pitch_class_entropy"] == 0.0


def test_what_is_not_defined_is_nan() -> None:
    one = np.zeros(1, dtype=NOTES)
    one["duration"], one["pitch"], one["program"], one["velocity"] = 24, 36, DRUMS, 90
    got = statistics.statistics_of(Score(24, (Track("drums", DRUMS, True),), notes=one))
    undefined = {name for name, value in got.items() if math.isnan(value)}
    assert {"pitch_class_entropy", "scale_consistency", "pitch_range", "polyphony"} <= undefined
    assert "notes_per_quarter" not in undefined
    empty = statistics.statistics_of(Score(24, (), notes=np.zeros(0, dtype=NOTES)))
    assert all(math.isnan(value) for value in empty.values())


def test_real_music_lies_inside_its_own_interval() -> None:
    real = [statistics.statistics_of(music(seed)) for seed in range(60)]
    same = statistics.compare_statistics(real[:30], real)
    assert np.mean([part["inside"] for part in same.values()]) > 0.8
    other = [statistics.statistics_of(music(seed, notes=200)) for seed in range(100, 130)]
    assert not statistics.compare_statistics(other, real)["notes_per_quarter"]["inside"]
    assert statistics.compare_statistics(other, real)["notes_per_quarter"]["distance"] > 2
