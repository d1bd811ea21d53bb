from __future__ import annotations

import numpy as np
import pytest

from data_prep.worker.clean import RULES, Thresholds, Violation, violations
from tokenizer.score.batch import ScoreBatch
from tokenizer.score.score import NOTES, TEMPOS, Score

TEMPO = np.array([(0, 500_000)], dtype=TEMPOS)  # 480 ticks are half a second

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


def score(notes: list[tuple[int, int, int, int]]) -> Score:
    """Notes as (start, duration, pitch, program)."""
    rows = [(start, duration, pitch, 64, program, 0) for start, duration, pitch, program in notes]
    return Score(notes=np.array(rows, dtype=NOTES), tempos=TEMPO)


def scale(count: int, step: int = 480, program: int = 0) -> list[tuple[int, int, int, int]]:
    return [(i * step, step, 60 + i % 12, program) for i in range(count)]


def first_violation(music: Score, limits: Thresholds) -> Violation | None:
    return violations(ScoreBatch.of([music]), limits).get(0)


def rule(notes: list[tuple[int, int, int, int]], limits: Thresholds | None = None) -> str | None:
    broken = first_violation(score(notes), limits or Thresholds())
    return None if broken is None else broken.rule


def test_music_breaks_no_rule() -> None:
    assert rule(scale(40)) is None


def test_each_rule_on_both_sides_of_its_threshold() -> None:
    assert rule(scale(7)) == "too_few_notes"
    assert rule(scale(8)) is None
    assert rule(scale(8, step=100)) == "too_short"  # 0.83 s
    assert rule(scale(8, step=120)) is None  # 1.0 s
    assert rule(scale(40), Thresholds(max_seconds=20)) is None
    assert rule(scale(41), Thresholds(max_seconds=20)) == "too_long"
    assert rule(scale(41), Thresholds(max_notes=40)) == "too_many_notes"
    repeated = [(i * 480, 480, 60, 0) for i in range(31)]
    assert rule(repeated + scale(9)) is None  # 32 of 40 are a C: 80 %, the most allowed
    assert rule(repeated + scale(8)) == "one_note_repeated"
    assert rule([(i * 480, 480, 42, 128) for i in range(32)]) is None  # a drum is one pitch
    later = [(s + 241 * 480, d, p, i) for s, d, p, i in scale(20)]
    assert rule([*scale(2), *later]) is None  # 119.5 s
    later = [(s + 243 * 480, d, p, i) for s, d, p, i in scale(20)]
    assert rule([*scale(2), *later]) == "silent_gap"
    low = [(i * 480, 480, 20 + i % 2, 40) for i in range(32)]
    assert rule(low + scale(8, program=40)) is None  # 80 % below the violin's open G
    assert rule(low + scale(7, program=40)) == "out_of_range"
    assert rule([(start, duration, pitch, 128) for start, duration, pitch, _ in low]) is None


def test_density_counts_any_second() -> None:
    limits = Thresholds(max_notes_per_second=50)
    dense = [(2000 + i, 480, 40 + i % 40, 0) for i in range(51)]
    assert rule(scale(40) + dense, limits) == "impossible_density"
    assert rule(scale(40) + dense[:40], limits) is None


def test_tempo_counts() -> None:
    notes = scale(8, step=120)
    slow = Score(notes=score(notes).notes, tempos=np.array([(0, 400_000)], dtype=TEMPOS))
    broken = first_violation(slow, Thresholds())
    assert broken is not None
    assert broken.rule == "too_short"
    assert broken.detail == "0.8 s"


@pytest.mark.parametrize("name", RULES)
def test_rules_are_named_for_people(name: str) -> None:
    assert name.replace("_", "").isalpha()


@pytest.mark.parametrize("limits", [Thresholds(), STRICT])
def test_rules_say_the_same_of_many_as_of_one(
    limits: Thresholds, varied_scores: list[Score]
) -> None:
    many = violations(ScoreBatch.of(varied_scores), limits)
    alone = {piece: first_violation(score, limits) for piece, score in enumerate(varied_scores)}
    assert many == {piece: broken for piece, broken in alone.items() if broken is not None}


def test_these_scores_break_every_rule(varied_scores: list[Score]) -> None:
    found = set()
    for name, rule in RULES.items():
        broken = rule(ScoreBatch.of(varied_scores), STRICT)
        found |= {name} if broken else set()
        assert len(broken) < len(varied_scores)
    assert found == set(RULES) - {"too_many_notes"}


def test_silence_and_density_are_those_of_the_definition(varied_scores: list[Score]) -> None:
    together = ScoreBatch.of(varied_scores)
    dense = RULES["impossible_density"](together, STRICT)
    silent = RULES["silent_gap"](together, STRICT)
    most = STRICT.max_notes_per_second
    for piece, score in enumerate(varied_scores):
        begins = score.seconds(score.notes["start"]).tolist()
        ends = score.seconds(score.notes["start"] + score.notes["duration"]).tolist()
        spans = [late - early for early, late in zip(begins, begins[most:], strict=False)]
        assert (piece in dense) == (min(spans, default=9.0) < 1)
        gaps = [begin - max(ends[:i]) for i, begin in enumerate(begins) if i]
        longest = max(gaps, default=0.0)
        assert (piece in silent) == (longest > STRICT.max_silence)
        if piece in silent:
            assert silent[piece] == f"{longest:.0f} s of silence"
