"""Sampled rows are valid rows: random draws under the masks, checked by a walk written out here."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.sampling.constraints import Constraints
from musenet.sampling.grammar import Grammar
from musenet.sampling.processors.processor import RowState
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.instruments import DRUMS, range_of
from tokenizer.typing import Tokens

VOCABULARY = Tokenizer.default(composers=["bach"]).vocabulary
QUARTER = 24
Note = tuple[int, int, int, int]


def state_of(rows: Tokens, time: np.ndarray | int = 0) -> RowState:
    """The state of rows after music that has reached a time."""
    return RowState.of(rows, time + VOCABULARY.steps[rows[:, 0]], VOCABULARY)


def drawn(
    grammar: Grammar,
    batch: int,
    count: int,
    seed: int,
    rests: float = 0.02,
    start: np.ndarray | int = 0,
) -> list[Tokens]:
    """Random rows, every allowed value as likely as another, rests less so."""
    rng = np.random.default_rng(seed)
    time = np.full(batch, start)
    made = []
    for _ in range(count):
        rows = np.zeros((batch, 5), dtype=np.int16)
        for field in range(5):
            allowed = grammar.allowed(field, state_of(rows, time))
            weight = rng.random(allowed.shape) * allowed
            if field == 0:
                weight[:, VOCABULARY.first_rest :] *= rests
                weight[:, 12 : VOCABULARY.first_rest] *= rests
            assert allowed.any(axis=1).all()
            rows[:, field] = weight.argmax(axis=1)
        state = state_of(rows, time)
        grammar.push(state)
        time = state.time
        made.append(rows.copy())
    return made


def notes_of(rows: list[Tokens], lane: int, start: int = 0) -> list[Note]:
    """(start, program, pitch, duration) by walking through the rows of one lane."""
    time = start
    notes = []
    for row in rows:
        first, instrument, pitch, duration, velocity = row[lane].tolist()
        if first < VOCABULARY.first_rest:
            time += first - 1
            assert instrument > 0
            assert pitch > 0
            assert duration > 0
            assert 1 <= velocity <= 32
            length = int(VOCABULARY.grid.durations[duration - 1])
            notes.append((time, instrument - 1, pitch - 1, length))
        else:
            assert first < VOCABULARY.first_control
            time += (first - VOCABULARY.first_rest + 1) * VOCABULARY.grid.wait_count
            assert (instrument, pitch, duration, velocity) == (0, 0, 0, 0)
    return notes


@pytest.mark.parametrize("seed", range(4))
def test_rows_are_notes_in_order_or_rests(seed: int) -> None:
    rows = drawn(Grammar(VOCABULARY, Constraints(), 3), 3, 400, seed)
    for lane in range(3):
        notes = notes_of(rows, lane)
        places = [note[:3] for note in notes]
        assert places == sorted(set(places)), "sorted by time, instrument, pitch; none twice"
        for _, program, pitch, length in notes:
            low, high = range_of(program)
            assert low <= pitch <= high
            assert length > 0 or program == DRUMS


def test_what_is_sampled_is_what_the_tokenizer_writes() -> None:
    """The rows are the one encoding of their score: decoded and encoded, they are the same."""
    tokenizer = Tokenizer.default()
    grammar = Grammar(tokenizer.vocabulary, Constraints(), 1)
    rows = np.concatenate(drawn(grammar, 1, 300, 7))
    while not tokenizer.vocabulary.is_note(rows[-1:])[0]:
        rows = rows[:-1]
    assert np.array_equal(tokenizer.body(tokenizer.decode(rows)), rows)


@pytest.mark.parametrize("missing", [0, 1, 95, 96, 97, 1000, 5000])
def test_nothing_starts_before_the_continuation_does(missing: int) -> None:
    grammar = Grammar(VOCABULARY, Constraints(), 4, not_before=50 + missing)
    rows = drawn(grammar, 4, 40, missing, rests=1.0, start=50)
    for lane in range(4):
        starts = [note[0] for note in notes_of(rows, lane, start=50)]
        assert starts
        assert min(starts) >= 50 + missing


def test_only_the_instruments_asked_for_play() -> None:
    rows = drawn(Grammar(VOCABULARY, Constraints(programs=(40, 42, DRUMS)), 2), 2, 300, 1)
    assert {note[1] for lane in range(2) for note in notes_of(rows, lane)} == {40, 42, DRUMS}


def test_no_more_instruments_than_channels() -> None:
    prompt = np.array([[1, 71, 60, 5, 10], [1, 72, 61, 5, 10]], dtype=np.int16)
    rows = drawn(Grammar(VOCABULARY, Constraints(instruments=5), 2, prompt=prompt), 2, 400, 2)
    for lane in range(2):
        played = {note[1] for note in notes_of(rows, lane)}
        assert len(played | {70, 71}) == 5


def test_a_prompt_may_take_an_instrument_past_its_range() -> None:
    low, _ = range_of(40)
    prompt = np.array([[1, 41, low - 5 + 1, 5, 10]], dtype=np.int16)
    constraints = Constraints(programs=(40,))
    rows = drawn(Grammar(VOCABULARY, constraints, 2, prompt=prompt), 2, 600, 3)
    lowest = min(note[2] for lane in range(2) for note in notes_of(rows, lane))
    assert lowest == low - 5


@pytest.mark.parametrize("polyphony", [1, 3])
def test_polyphony_is_kept(polyphony: int) -> None:
    grammar = Grammar(VOCABULARY, Constraints(polyphony=polyphony), 2)
    rows = drawn(grammar, 2, 300, 4, rests=1.0)
    for lane in range(2):
        notes = notes_of(rows, lane)
        for start, _, _, _ in notes:
            sounding = sum(s <= start < s + max(length, 1) for s, _, _, length in notes)
            assert sounding <= polyphony
    assert not grammar.relaxed


def test_density_is_kept() -> None:
    grammar = Grammar(VOCABULARY, Constraints(density=2), 2)
    rows = drawn(grammar, 2, 300, 5)
    for lane in range(2):
        starts = [note[0] for note in notes_of(rows, lane)]
        assert all(sum(s - 24 < t <= s for t in starts) <= 2 for s in starts)
    assert not grammar.relaxed


@pytest.mark.parametrize(("quarters", "bars"), [(0.5, 1), (4.0, 1), (9.0, 3), (500.0, 16)])
def test_rests_are_no_longer_than_allowed(quarters: float, bars: int) -> None:
    grammar = Grammar(VOCABULARY, Constraints(rest=quarters), 4)
    made = np.concatenate(drawn(grammar, 4, 400, 6, rests=1.0))
    resting = made[:, 0] >= VOCABULARY.first_rest
    assert VOCABULARY.steps[made[resting, 0]].max() == bars * 4 * QUARTER


def test_a_rest_may_be_longer_on_the_way_to_the_first_note() -> None:
    grammar = Grammar(VOCABULARY, Constraints(rest=1.0), 1, not_before=40 * QUARTER)
    (row,) = drawn(grammar, 1, 1, 2)
    assert VOCABULARY.steps[row[0, 0]] >= 36 * QUARTER


def test_scale_and_unisons() -> None:
    white_keys = (0, 2, 4, 5, 7, 9, 11)
    constraints = Constraints(pitch_classes=white_keys, unisons=False)
    grammar = Grammar(VOCABULARY, constraints, 2)
    rows = drawn(grammar, 2, 500, 6)
    for lane in range(2):
        notes = notes_of(rows, lane)
        assert all(pitch % 12 in white_keys for _, p, pitch, _ in notes if p != DRUMS)
        melodic = [(start, pitch) for start, p, pitch, _ in notes if p != DRUMS]
        doubled = len(melodic) - len(set(melodic))
        assert doubled <= grammar.relaxed["no unisons"]


def test_a_constraint_that_leaves_nothing_is_relaxed_and_counted() -> None:
    """Bells and a kalimba with one G sharp each: they have no chord without unisons."""
    bells, kalimba, g_sharp = 14, 108, 68
    constraints = Constraints(programs=(bells, kalimba), pitch_classes=(8,), unisons=False)
    grammar = Grammar(VOCABULARY, constraints, 1)
    grammar.push(state_of(np.array([[1, bells + 1, g_sharp + 1, 5, 10]], dtype=np.int16)))
    rows = np.array([[1, kalimba + 1, 0, 0, 0]], dtype=np.int16)
    assert np.flatnonzero(grammar.allowed(2, state_of(rows))[0]).tolist() == [g_sharp + 1]
    assert grammar.relaxed == {"no unisons": 1}


def test_too_many_instruments_are_let_in_where_no_other_may_play() -> None:
    prompt = np.array([[1, 71, 60, 5, 10]], dtype=np.int16)
    grammar = Grammar(VOCABULARY, Constraints(programs=(40, 41), instruments=1), 2, prompt=prompt)
    rows = np.array([[2, 0, 0, 0, 0], [VOCABULARY.first_rest, 0, 0, 0, 0]], dtype=np.int16)
    allowed = grammar.allowed(1, state_of(rows))
    assert np.flatnonzero(allowed[0]).tolist() == [41, 42]
    assert np.flatnonzero(allowed[1]).tolist() == [0]
    assert grammar.relaxed == {"number of instruments": 1}


@pytest.mark.parametrize(("polyphony", "density"), [(3, None), (None, 4), (2, 5), (1, 1)])
def test_waits_are_refused_where_too_many_notes_would_sound_or_have_started(
    polyphony: int | None, density: int | None
) -> None:
    """Both constraints by their definition, in steps, for all waits but that of no time."""
    grammar = Grammar(VOCABULARY, Constraints(polyphony=polyphony, density=density), 2)
    rows: list[Tokens] = []
    reached = np.zeros(2, dtype=np.int64)
    refused = 0
    for seed in range(150):
        allowed = grammar.allowed(0, state_of(np.zeros((2, 5), dtype=np.int16), reached))
        for lane in range(2):
            notes = notes_of(rows, lane)
            for wait in range(1, VOCABULARY.grid.wait_count):
                at = int(reached[lane]) + wait
                sounding = sum(start + max(length, 1) > at for start, _, _, length in notes)
                started = sum(start > at - QUARTER for start, _, _, _ in notes)
                may = sounding < (polyphony or 999) and started < (density or 999)
                assert allowed[lane, wait + 1] == may
                refused += not may
        rows += drawn(grammar, 2, 1, seed, rests=0.2, start=reached)
        reached = reached + VOCABULARY.steps[rows[-1][:, 0]]
    assert refused > 100


def test_the_end_comes_where_it_may() -> None:
    grammar = Grammar(VOCABULARY, Constraints(), 1, may_end_at=96)
    rows = np.zeros((1, 5), dtype=np.int16)
    assert not grammar.allowed(0, state_of(rows, 95))[0, VOCABULARY.end]
    assert grammar.allowed(0, state_of(rows, 96))[0, VOCABULARY.end]
    rows[0, 0] = VOCABULARY.end
    for field in range(1, 5):
        assert np.flatnonzero(grammar.allowed(field, state_of(rows, 96))[0]).tolist() == [0]


def test_without_an_ending_no_control_may_come() -> None:
    grammar = Grammar(VOCABULARY, Constraints(), 1)
    allowed = grammar.allowed(0, state_of(np.zeros((1, 5), dtype=np.int16)))
    assert not allowed[0, VOCABULARY.first_control :].any()


def test_vocabulary_has_the_values_that_the_walk_above_reads() -> None:
    vocabulary: Vocabulary = VOCABULARY
    assert vocabulary.steps[1] == 0
    assert vocabulary.steps[vocabulary.first_rest] == vocabulary.grid.wait_count
