from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, starmap

import numpy as np
import pytest

from data_prep.worker.clean import RULES, Thresholds, first_violation, violations
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
)
from tokenizer.score.score import NOTES, TEMPOS, Score
from tokenizer.score.together import TIME_BITS, Together

Melody = Callable[..., Score]

MULTIPLIER, MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
DRUM_SEED = 0xD1B54A32D192ED03

STRICT = Thresholds(
    min_notes=40,
    min_seconds=4.0,
    max_seconds=60.0,
    max_notes=1000,
    max_repeated=0.2,
    max_notes_per_second=8,
    max_silence=1.0,
    max_out_of_range=0.2,
)


def music(seed: int) -> Score:
    """Random notes, some of it drums or far out of range, at changing tempos."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 200))
    notes = np.zeros(count, dtype=NOTES)
    steps = random.choice([0, 3, 240, 480, 3000], count, p=[0.3, 0.1, 0.4, 0.19, 0.01])
    notes["start"] = np.cumsum(steps)
    notes["duration"] = random.choice([0, 1, 200, 240, 960, 20_000], count)
    notes["pitch"] = random.integers(*((20, 110) if seed % 5 else (60, 66)), count)
    notes["velocity"] = 64
    notes["program"] = random.choice([0, 40, 128], count) if seed % 4 else 128
    notes["track"] = np.unique(notes["program"], return_inverse=True)[1]
    changes = random.integers(0, 5) if seed % 3 else 0
    tempos = np.zeros(changes, dtype=TEMPOS)
    tempos["time"] = np.sort(random.choice(30_000, changes, replace=False)) * (seed % 2)
    tempos["time"] += np.arange(changes)
    tempos["microseconds"] = random.integers(100_000, 2_000_000, changes)
    return Score(int(random.choice([96, 480, 1000])), notes=notes, tempos=tempos)


SCORES = [music(seed) for seed in range(80)]


def test_seconds_are_those_of_each_score() -> None:
    together = Together.of(SCORES)
    for piece, score in enumerate(SCORES):
        ticks = np.arange(0, 60_000, 997)
        found = together.tempos.seconds(ticks + (piece << TIME_BITS))
        np.testing.assert_array_equal(found, score.seconds(ticks))
        slopes = np.unique(score.tempo_map.slopes)
        assert together.tempos.fastest[piece] == slopes[0]
        assert together.tempos.slowest[piece] == slopes[-1]


@pytest.mark.parametrize("limits", [Thresholds(), STRICT])
def test_rules_say_the_same_of_many_as_of_one(limits: Thresholds) -> None:
    many = violations(Together.of(SCORES), limits)
    alone = {piece: first_violation(score, limits) for piece, score in enumerate(SCORES)}
    assert many == {piece: broken for piece, broken in alone.items() if broken is not None}


def test_these_scores_break_every_rule() -> None:
    found = set()
    for name, rule in RULES.items():
        broken = rule(Together.of(SCORES), STRICT)
        found |= {name} if broken else set()
        assert len(broken) < len(SCORES)
    assert found == set(RULES) - {"too_many_notes"}


def test_silence_and_density_are_those_of_the_definition() -> None:
    together = Together.of(SCORES)
    dense = RULES["impossible_density"](together, STRICT)
    silent = RULES["silent_gap"](together, STRICT)
    most = STRICT.max_notes_per_second
    for piece, score in enumerate(SCORES):
        begins = score.seconds(score.notes["start"]).tolist()
        ends = score.seconds(score.notes["start"] + score.notes["duration"]).tolist()
        spans = [late - early for early, late in zip(begins, begins[most:], strict=False)]
        assert (piece in dense) == (min(spans, default=9.0) < 1)
        gaps = [begin - max(ends[:i]) for i, begin in enumerate(begins) if i]
        longest = max(gaps, default=0.0)
        assert (piece in silent) == (longest > STRICT.max_silence)
        if piece in silent:
            assert silent[piece] == f"{longest:.0f} s of silence"


def test_sketches_of_many_are_those_of_each(melody: Melody) -> None:
    scales = np.zeros(300, dtype=NOTES)
    scales["start"], scales["duration"], scales["velocity"] = np.arange(300) * 120, 120, 64
    scales["pitch"] = 30 + np.arange(300) % 50
    scores = [*SCORES, melody(2, notes=3000), Score(480, (), scales), melody(3)]
    for score, found in zip(scores, sketches(Together.of(scores)), strict=True):
        np.testing.assert_array_equal(found, sketch(score))


def test_a_sketch_is_that_of_the_definition(melody: Melody) -> None:
    pitched = [score for score in SCORES if (score.notes["program"] < 128).any()]
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


def test_a_sketch_of_drums_is_that_of_the_definition() -> None:
    drums = [score for score in SCORES if (score.notes["program"] == 128).all()]
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
