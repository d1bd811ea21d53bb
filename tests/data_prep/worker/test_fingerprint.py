from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, starmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.worker.fingerprint import (
    CHORD_SPREAD,
    DRUM_RUN,
    DRUM_SPREAD,
    LONGEST_RUN,
    OVERLAP,
    RUN_NOTES,
    SKETCH_SIZE,
    sketch,
    sketches,
    threshold,
)
from tokenizer.score.batch import ScoreBatch
from tokenizer.score.score import NOTES, Score

Melody = Callable[..., Score]

MULTIPLIER, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
DRUM_SEED = 0xD1B54A32D192ED03


def containment(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the smaller set that is in the other, below the lower threshold."""
    limit = min(threshold(one), threshold(other))
    a, b = set(one[one < limit].tolist()), set(other[other < limit].tolist())
    return len(a & b) / max(1, min(len(a), len(b)))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    semitones=st.integers(-12, 12),
    stretch=st.integers(1, 7),
    louder=st.integers(-30, 20),
)
def test_the_sketch_does_not_depend_on_key_tempo_volume_or_instruments(
    melody: Melody, seed: int, semitones: int, stretch: int, louder: int
) -> None:
    original = melody(seed)
    notes = original.notes.copy()
    notes["start"] *= stretch
    notes["duration"] *= stretch
    notes["pitch"] = notes["pitch"].astype(int) + semitones
    notes["velocity"] = notes["velocity"].astype(int) + louder
    notes["track"] = 1 - notes["track"]
    notes["program"] = 48
    changed = Score(original.ticks_per_quarter, (), notes)
    np.testing.assert_array_equal(sketch(original), sketch(changed))


def test_moving_a_part_by_an_octave_changes_nothing(melody: Melody) -> None:
    original = melody(3)
    notes = original.notes.copy()
    notes["pitch"][notes["track"] == 1] -= 12
    np.testing.assert_array_equal(sketch(original), sketch(Score(480, (), notes)))


def test_other_music_has_another_sketch(melody: Melody) -> None:
    sketches = [sketch(melody(seed)) for seed in range(40)]
    assert max(containment(a, b) for i, a in enumerate(sketches) for b in sketches[:i]) < 0.2


def test_an_excerpt_is_found_in_the_whole(melody: Melody) -> None:
    whole = melody(1, notes=2000)
    part = whole.slice(480 * 200, 480 * 700)
    assert containment(sketch(whole), sketch(part)) > 0.9


def test_a_sketch_is_short_ascending_and_complete_below_its_threshold(melody: Melody) -> None:
    found = sketch(melody(2, notes=5000))
    assert SKETCH_SIZE // 3 < len(found) <= SKETCH_SIZE
    assert (np.diff(found.astype(np.int64)) > 0).all()
    assert found[-1] < threshold(found)
    # The same music twice as long has the same hashes, of which fewer fit.
    longer = melody(2, notes=5000).concatenate(melody(4, notes=5000))
    limit = min(threshold(sketch(longer)), threshold(found))
    common = np.intersect1d(found[found < limit], sketch(longer))
    assert len(common) >= 0.97 * (found < limit).sum()


def test_drums_are_told_apart_by_strokes_and_rhythm() -> None:
    def drums(seed: int, scale: int = 1, louder: int = 0) -> Score:
        random = np.random.default_rng(seed)
        notes = np.zeros(200, dtype=NOTES)
        notes["start"] = np.cumsum(random.choice([120, 240, 480], 200)) * scale
        notes["duration"] = 60
        notes["pitch"] = random.choice([36, 38, 42, 46], 200)
        notes["velocity"] = 60 + louder
        notes["program"] = 128
        return Score(480, (), notes)

    np.testing.assert_array_equal(sketch(drums(0)), sketch(drums(0, scale=3, louder=20)))
    assert containment(sketch(drums(0)), sketch(drums(1))) < 0.1
    other = drums(0).notes.copy()
    other["start"] = np.sort(np.random.default_rng(5).permutation(20_000)[:200])
    assert containment(sketch(drums(0)), sketch(Score(480, (), other))) < 0.1


@pytest.mark.parametrize("notes", [0, 1, 2, 5])
def test_hardly_any_music(melody: Melody, notes: int) -> None:
    assert len(sketch(melody(0, notes=notes, programs=(0,)))) <= max(1, notes)


def test_sketches_of_many_are_those_of_each(melody: Melody, varied_scores: list[Score]) -> None:
    scales = np.zeros(300, dtype=NOTES)
    scales["start"], scales["duration"], scales["velocity"] = np.arange(300) * 120, 120, 64
    scales["pitch"] = 30 + np.arange(300) % 50
    scores = [*varied_scores, melody(2, notes=3000), Score(480, (), scales), melody(3)]
    for score, found in zip(scores, sketches(ScoreBatch.of(scores)), strict=True):
        np.testing.assert_array_equal(found, sketch(score))


def test_a_sketch_is_that_of_the_definition(melody: Melody, varied_scores: list[Score]) -> None:
    pitched = [score for score in varied_scores if (score.notes["program"] < 128).any()]
    for score in [*pitched, melody(1), melody(2, notes=2000)]:
        assert sketch(score).tolist() == defined(score)


def defined(score: Score) -> list[int]:
    """The sketch of pitched music, note by note and run by run, in Python's own numbers."""
    notes = [
        (int(n["start"]), int(n["duration"]), int(n["pitch"]) % 12)
        for n in score.notes
        if n["program"] < 128
    ]
    gap = (notes[-1][0] - notes[0][0]) / len(notes)
    onset, times = [], []
    for i, (start, _, _) in enumerate(notes):
        if i == 0 or start - notes[i - 1][0] > CHORD_SPREAD * gap:
            times.append(start)
        onset.append(len(times) - 1)
    sounding: list[set[int]] = [set() for _ in times]
    for first, (start, duration, pitch_class) in zip(onset, notes, strict=True):
        until = start + duration - min(duration / 4, OVERLAP * gap)
        for i in range(first, len(times)):
            if i == first or times[i] < until:
                sounding[i].add(pitch_class)
    harmonies = [h for i, h in enumerate(sounding) if i == 0 or h != sounding[i - 1]]
    short = sorted({hashed(run) >> 32 for run in runs(harmonies)})
    limit = 1 << 32
    while len(short) > SKETCH_SIZE:
        limit //= 2
        short = [value for value in short if value < limit]
    return short


def test_a_sketch_of_drums_is_that_of_the_definition(varied_scores: list[Score]) -> None:
    drums = [score for score in varied_scores if (score.notes["program"] == 128).all()]
    assert len(drums) > 10
    for score in drums:
        assert sketch(score).tolist() == defined_of_drums(score)


def defined_of_drums(score: Score) -> list[int]:
    """The sketch of drums alone, stroke by stroke."""
    starts = score.notes["start"].tolist()
    gap = (starts[-1] - starts[0]) / len(starts)
    strokes: list[tuple[int, int]] = []  # when, and the drums struck together
    for i, (start, pitch) in enumerate(zip(starts, score.notes["pitch"].tolist(), strict=True)):
        if i == 0 or start - starts[i - 1] > DRUM_SPREAD * gap:
            strokes.append((start, 0))
        when, struck = strokes[-1]
        strokes[-1] = when, (struck + mixed(pitch + DRUM_SEED)) & MASK
    run = min(DRUM_RUN, len(strokes))
    found = set()
    for begin in range(len(strokes) - run + 1):
        value = DRUM_SEED + run
        for _, struck in strokes[begin : begin + run]:
            value = mixed(value ^ struck)
        first, middle, last = (strokes[begin + i][0] for i in (0, run // 2, run - 1))
        found.add(mixed(value ^ round(8 * (middle - first) / max(last - first, 1))) >> 32)
    return sorted(found)


def runs(harmonies: list[set[int]]) -> Iterator[list[int]]:
    """The runs to be hashed, each harmony as bits, turned as the first stands canonically."""
    found = False
    for begin, first in enumerate(harmonies):
        turns = {turn: bits(first, turn) for turn in range(12)}
        lowest = min(turns.values())
        if list(turns.values()).count(lowest) > 1:
            continue
        end = begin
        while end < len(harmonies) and end - begin < LONGEST_RUN:
            if sum(map(len, harmonies[begin:end])) >= RUN_NOTES:
                break
            end += 1
        run = harmonies[begin:end]
        whole = sum(map(len, run)) >= RUN_NOTES or len(run) == LONGEST_RUN
        if whole and not all(starmap(is_step, pairwise(run))):
            found = True
            turn = min(turns, key=turns.__getitem__)
            yield [bits(harmony, turn) for harmony in run]
    if not found:
        turn = min(range(12), key=lambda turn: bits(harmonies[0], turn))
        yield [bits(harmony, turn) for harmony in harmonies]


def is_step(one: set[int], other: set[int]) -> bool:
    return len(one) == len(other) == 1 and (min(other) - min(one)) % 12 in (1, 2, 10, 11)


def bits(harmony: set[int], turn: int) -> int:
    return sum(1 << (pitch_class - turn) % 12 for pitch_class in harmony)


def hashed(run: list[int]) -> int:
    value = 0x8CB92BA72F3D8DD7
    for harmony in run:
        value = (value * MULTIPLIER + harmony) & MASK
    return mixed(mixed(value))


def mixed(value: int) -> int:
    value = value * MULTIPLIER & MASK
    return value ^ value >> 29
