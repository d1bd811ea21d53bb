"""Ranking: signs against plain definitions, and real music before what was broken in one way."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from musenet.generation.prompt import read_prompt
from musenet.generation.reranking import (
    RARE,
    Ranked,
    measures,
    new_music,
    rank,
    ranked,
    signs,
    table,
)
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars
from tokenizer.score.score import NOTES, Score

EXAMPLES = Path(__file__).parents[3] / "examples" / "prompts"
MANY = GenerateOptions(bars=2, seed=11, variations=(1, 2, 3, 4, 5, 6))
NAMES = ("chorale", "quartet", "piano", "folk", "jazz")


def score_of(notes: list[tuple[int, int, int, int]]) -> Score:
    """A score at 4 ticks a quarter of (start, duration, pitch, program)."""
    rows = [(s, d, p, 80, program, 0) for s, d, p, program in sorted(notes)]
    return Score(ticks_per_quarter=4, notes=np.array(rows, NOTES))


def halves(name: str) -> tuple[Score, Score]:
    """The two halves of an example, parted at a bar line."""
    score = read(EXAMPLES / f"{name}.mid")
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    middle = bars.tick(bars.number(score.end) // 2)
    return score.slice(0, middle), score.slice(middle, score.end + 1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 9), st.integers(60, 62), st.just(0)),
        min_size=1,
        max_size=12,
        unique_by=lambda n: (n[0], n[2]),
    )
)
def test_silence_is_what_no_tick_hears(notes: list[tuple[int, int, int, int]]) -> None:
    heard = np.zeros(80, dtype=bool)
    for start, duration, _, _ in notes:
        heard[start : start + duration] = True
    last = max(start + duration for start, duration, _, _ in notes)
    longest = run = 0
    for tick in range(last):
        run = 0 if heard[tick] else run + 1
        longest = max(longest, run)
    assert signs(score_of(notes))["silence"] == longest / 4


def test_a_loop_counts_how_often_it_goes_round() -> None:
    figure = [(0, 60), (2, 64), (4, 67), (6, 64)]
    rounds = [(8 * k + at, 2, pitch, 0) for k in range(10) for at, pitch in figure]
    assert signs(score_of(rounds))["loop"] == pytest.approx((40 - 4 - 1) / 4)
    assert signs(score_of(rounds[:20]))["loop"] == 0, "too short to be called a loop"
    assert signs(score_of([(k, 1, 60, 0) for k in range(50)]))["loop"] == 48


def test_density_that_doubles_or_halves_runs_away_by_octaves() -> None:
    steady = [(4 * k, 4, 60, 0) for k in range(64)]
    assert signs(score_of(steady), score_of(steady))["runaway"] == 0
    dense = steady[:48] + [(192 + k, 1, 60, 0) for k in range(64)]
    assert signs(score_of(dense), score_of(steady))["runaway"] == pytest.approx(2)
    assert signs(score_of(dense))["runaway"] == pytest.approx(2)
    thin = steady[:48] + [(192 + 16 * k, 16, 60, 0) for k in range(4)]
    assert signs(score_of(thin))["runaway"] == pytest.approx(2)


def silenced(score: Score) -> Score:
    """Eight bars of nothing in the middle."""
    start = score.notes["start"]
    notes = score.notes.copy()
    notes["start"] = np.where(start >= score.end // 2, start + 32 * score.ticks_per_quarter, start)
    notes["duration"] = np.minimum(notes["duration"], score.ticks_per_quarter)
    return replace(score, notes=notes)


def one_note(score: Score) -> Score:
    notes = score.notes.copy()
    notes["pitch"] = 60
    return replace(score, notes=notes)


def chromatic(score: Score) -> Score:
    """Every note somewhere else: no key is left."""
    notes = score.notes.copy()
    notes["pitch"] = np.random.default_rng(1).integers(48, 84, len(notes))
    return replace(score, notes=np.sort(notes, order=("start", "program", "pitch")))


def thinned(score: Score) -> Score:
    return replace(score, notes=score.notes[::6])


def run_wild(score: Score) -> Score:
    """The last half ten times as dense."""
    late = score.notes[score.notes["start"] >= score.end // 2]
    rows = [score.notes]
    for k in range(1, 10):
        more = late.copy()
        more["start"] += k * score.ticks_per_quarter // 16
        rows.append(more)
    notes = np.concatenate(rows)
    return replace(score, notes=np.sort(notes, order=("start", "program", "pitch")))


BROKEN = [
    (silenced, "silent for"),
    (one_note, "fewer different notes"),
    (chromatic, "further from a scale"),
    (thinned, "thinner"),
    (run_wild, "denser"),
]


@pytest.mark.parametrize("name", NAMES)
def test_how_the_piece_went_on_comes_before_what_is_broken(name: str) -> None:
    prompt, real = halves(name)
    scores = [*(change(real) for change, _ in BROKEN), real]
    wanted = np.unique(prompt.notes["program"]).tolist()
    found = rank(scores, prompt=prompt, wanted=wanted)
    assert found[0].number == len(scores)
    assert [one.total for one in found] == sorted((one.total for one in found), reverse=True)
    for one in found[1:]:
        assert any(BROKEN[one.number - 1][1] in words for words in one.reasons), one


@pytest.mark.parametrize("name", NAMES)
def test_without_a_prompt_usual_music_comes_first(name: str) -> None:
    _, real = halves(name)
    assert rank([one_note(real), chromatic(real), real])[0].number == 3


def test_instruments_the_ending_and_the_critic_count() -> None:
    prompt, real = halves("quartet")
    strange = real.notes.copy()
    strange["program"], strange["track"] = 56, 0
    brass = Score(ticks_per_quarter=real.ticks_per_quarter, notes=strange)
    scores = [real, brass, real]
    found = {
        one.number: one
        for one in rank(scores, prompt=prompt, wanted=(40, 41, 42), bars_late=[0.0, 0.0, 2.0])
    }
    assert "100% of the notes in other instruments" in found[2].reasons
    assert "Violin, Viola, Cello silent" in found[2].reasons
    assert found[1].total - found[3].total == pytest.approx(3.0)
    assert found[3].reasons[0] == "ends 2.0 bars late"
    judged = rank(scores, prompt=prompt, critic=[-30.0, -30.0, 2.5])
    assert judged[0].number == 3
    assert judged[0].evidence["critic"] == 2.5
    assert judged[0].total == pytest.approx(sum(judged[0].evidence.values()))


def test_equal_candidates_keep_their_order_and_silence_is_last() -> None:
    _, real = halves("piano")
    nothing = Score(ticks_per_quarter=480)
    assert [one.number for one in rank([nothing, real, real])] == [2, 3, 1]
    assert rank([nothing])[0].reasons == ("no notes",)
    assert all(math.isnan(value) for value in measures(nothing).values())


def test_drums_have_no_key_and_are_compared_by_their_rhythm() -> None:
    score = read(EXAMPLES / "drums_and_bass.mid")
    drums = replace(score, notes=score.notes[score.notes["program"] == 128])
    found = rank([drums], prompt=drums)[0]
    assert found.evidence["entropy"] == found.evidence["polyphony"] == 0
    assert found.total == pytest.approx(0, abs=1e-9)


def test_a_prompt_that_is_silent_for_long_allows_silence() -> None:
    prompt, real = halves("folk")
    assert signs(silenced(prompt))["silence"] > RARE["silence"]
    quiet = silenced(real)
    strict = rank([quiet], prompt=prompt)[0].evidence["silence"]
    lenient = rank([quiet], prompt=silenced(prompt))[0].evidence["silence"]
    assert strict < lenient


@pytest.mark.parametrize("name", ["bars_late", "critic"])
def test_values_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has 1 values for 2 candidates"):
        rank([halves("folk")[1]] * 2, **{name: [1.0]})  # type: ignore[arg-type]


def composed(tiny: Checkpoint, options: GenerateOptions, name: str = "folk") -> Continuation:
    continuation = Continuation(tiny, read_prompt(EXAMPLES / f"{name}.mid", stop=Place(2)), options)
    for _ in continuation.steps():
        pass
    return continuation


def test_the_table_is_in_order_and_adds_up(tiny: Checkpoint) -> None:
    continuation = composed(tiny, MANY)
    rows = ranked(tiny, continuation, continuation.results())
    totals = [one.total for _, one in rows]
    assert totals == sorted(totals, reverse=True)
    assert sorted(result.variation for result, _ in rows) == [1, 2, 3, 4, 5, 6]
    assert all(result.variation == one.number for result, one in rows)
    head, *lines = table(rows, 3).splitlines()
    assert [line[0] for line in lines] == ["*", "*", "*", " ", " ", " "]
    columns = head.split("why")[0].split()
    for line, (_, one) in zip(lines, rows, strict=True):
        cells = line[1:].split()[: len(columns)]
        assert float(cells[1]) == pytest.approx(one.total, abs=0.06)
        assert sum(map(float, cells[2:])) == pytest.approx(one.total, abs=0.4)


def test_the_new_music_alone_is_ranked(tiny: Checkpoint) -> None:
    continuation = composed(tiny, GenerateOptions(bars=2, seed=1))
    (result,) = continuation.results()
    music = new_music(result)
    assert len(music.notes) == result.notes
    new = result.score.notes[result.score.notes["start"] >= result.boundary]
    assert np.array_equal(music.notes["start"] + result.bar, new["start"])


def test_a_critic_is_asked_for_what_has_notes(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The critic prefers the last; pieces go to it from the beginning of the prompt."""
    continuation = composed(tiny, MANY)
    results = continuation.results()
    asked = []

    def log_odds(checkpoint: Checkpoint, pieces: list[np.ndarray]) -> list[float]:
        asked.extend(pieces)
        return [100.0 * k for k in range(len(pieces))]

    monkeypatch.setattr("musenet.evaluation.critic.log_odds", log_odds)
    tiny = replace(tiny, config=replace(tiny.config, critic=True))
    best, _ = ranked(tiny, continuation, results)[0]
    assert best is results[-1]
    assert "critic" in table(ranked(tiny, continuation, results), 1)
    prompt = tiny.tokenizer.body(continuation.prompt.music)
    for index, piece in enumerate(asked[:6]):
        rows = continuation.rows(index)
        assert np.array_equal(piece[-len(rows) :], rows)
        assert np.array_equal(piece[-len(rows) - len(prompt) : -len(rows)], prompt)


def test_long_reasons_are_cut() -> None:
    class Fake:
        variation = 7

    one = Ranked(1, -3.0, {"scale": -3.0}, ("further from a scale than the prompt",) * 4)
    line = table([(Fake(), one)], 1).splitlines()[1]
    assert line.endswith("…")
    assert len(line) < 100
