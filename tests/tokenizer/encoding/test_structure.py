"""Structure against a walk through the piece, row by row, in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.structure import (
    STRUCTURE_SIZES,
    WRITTEN,
    StructureState,
    bar_positions,
    length_of,
    structure,
)
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.score.bars import Bars
from tokenizer.score.score import TIME_SIGNATURES
from tokenizer.typing import Tokens

BEATS = Vocabulary.create(Grid.beats(), composers=["bach"])
SECONDS = Vocabulary.create(Grid.seconds(), composers=["bach"])
METERS = ["4/4", "3/4", "6/8", "1/4", "7/16", "24/4"]


def control(vocabulary: Vocabulary, name: str) -> int:
    value = vocabulary.control(name)
    assert value is not None
    return value


@st.composite
def pieces(draw: st.DrawFn, vocabulary: Vocabulary, marks: bool = False) -> Tokens:
    rows: list[tuple[int, ...]] = []
    if draw(st.booleans()):
        rows.append((control(vocabulary, "start"), 0, 0, 0, 0))
    if draw(st.booleans()):
        meter = draw(st.sampled_from(METERS))
        rows.append((control(vocabulary, f"time_signature:{meter}"), 0, 0, 0, 0))
    marked = False
    for _ in range(draw(st.integers(0, 40))):
        kinds = ["note"] * 6 + ["rest", "advance", "meter"] + ["mark"] * marks
        kind = draw(st.sampled_from(kinds))
        if kind == "note":
            wait = draw(st.sampled_from([0, 0, 1, 7, 12, 24, 95]))
            rows.append((wait + 1, 1 + draw(st.integers(0, 128)), 60, draw(st.integers(1, 168)), 9))
        elif kind == "rest":
            rows.append((vocabulary.first_rest + draw(st.integers(0, 15)), 0, 0, 0, 0))
        elif kind == "advance":
            rows.append((1 + draw(st.integers(1, 95)), 0, 0, 0, 0))
        elif kind == "mark":
            rows.append((control(vocabulary, "return" if marked else "mark"), 0, 0, 0, 0))
            marked = not marked
        else:
            meter = draw(st.sampled_from(METERS))
            rows.append((control(vocabulary, f"time_signature:{meter}"), 0, 0, 0, 0))
    return np.array(rows, dtype=np.int16).reshape(-1, 5)


def walk(tokens: Tokens, vocabulary: Vocabulary, length: int | None) -> list[list[int]]:
    """The definition of every column, one row after the other."""
    beat = vocabulary.grid.beat
    time, bar_begin, bar, notes_now = 0, 0, 0, 0
    bar_steps = 4 * beat
    at_mark = time, bar_begin, bar, bar_steps
    prefix = True
    columns = []
    for row in tokens.tolist():
        first, before = row[0], time
        name = vocabulary.name(first) if first >= vocabulary.first_control else ""
        if name == "mark":
            at_mark = time, bar_begin, bar, bar_steps
        elif name == "return":
            time, bar_begin, bar, bar_steps = at_mark
        elif name:
            pass
        elif first >= vocabulary.first_rest:
            time += (first - vocabulary.first_rest + 1) * 4 * beat
        else:
            time += first - 1
        while vocabulary.grid.is_beat and time >= bar_begin + bar_steps:
            bar_begin += bar_steps
            bar += 1
        if name.startswith("time_signature") and vocabulary.grid.is_beat:
            bar += time > bar_begin
            bar_begin = time
            n, d = name.split(":")[1].split("/")
            bar_steps = 4 * beat * int(n) // int(d)
        notes_now = notes_now if time == before else 0
        prefix = prefix and name.split(":")[0] in ("start", "time_signature")
        if prefix:
            columns.append([0, 0, 0, 0, 0, 0, 0, time])
            continue
        elapsed = sum(time >= round(4 * beat * (2 ** (k / 8) - 1)) for k in range(1, 64))
        where = [bar % 16 + 1, min(time - bar_begin, 383) + 1]
        end = [0, 0]
        if length is not None:
            part = min(127, math.floor(128 * time / max(length, 1)))
            end = [part + 1, min(127, max(length - time, 0) // beat) + 1]
        bar_columns = where if vocabulary.grid.is_beat else [0, 0]
        columns.append([elapsed + 1, *bar_columns, min(notes_now, 15) + 1, *end, WRITTEN, time])
        notes_now += row[1] > 0
    return columns


@pytest.mark.parametrize("vocabulary", [BEATS, SECONDS], ids=["beat", "seconds"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_whole_and_incremental_equal_a_walk(vocabulary: Vocabulary, data: st.DataObject) -> None:
    tokens = data.draw(pieces(vocabulary, marks=True))
    length = data.draw(st.none() | st.integers(0, 20_000))
    expected = walk(tokens, vocabulary, length)
    assert structure(tokens, vocabulary, length).tolist() == expected
    state = StructureState(vocabulary, batch=2, length=length)
    for row, columns in zip(tokens, expected, strict=True):
        both = np.stack([row, row])
        peeked = state.peek(both[:, 0])
        pushed = state.push(both)
        assert pushed.tolist() == [columns, columns]
        np.testing.assert_array_equal(peeked, pushed)


@pytest.mark.parametrize("vocabulary", [BEATS, SECONDS], ids=["beat", "seconds"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_some_rows_of_a_body_have_the_structure_of_the_whole_piece(
    vocabulary: Vocabulary, data: st.DataObject
) -> None:
    body = data.draw(pieces(vocabulary))
    meter = data.draw(st.sampled_from([(4, 4), (3, 4), (7, 16), (97, 64)]))
    opening = [vocabulary.start, *vocabulary.known(["time_signature:{}/{}".format(*meter)])]
    rows = [[value, 0, 0, 0, 0] for value in opening]
    whole = np.concatenate([np.array(rows, dtype=np.int16), body])
    length = data.draw(st.none() | st.integers(0, 20_000))
    expected = walk(whole, vocabulary, length)[len(opening) :]
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, len(body)))
    found = structure(body[:stop], vocabulary, length, start=start, meter=meter)
    assert found.tolist() == expected[start:stop]


@pytest.mark.parametrize("vocabulary", [BEATS, SECONDS], ids=["beat", "seconds"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_length_is_that_of_a_walk(vocabulary: Vocabulary, data: st.DataObject) -> None:
    tokens = data.draw(pieces(vocabulary))
    time, latest = 0, 0
    for row in tokens.tolist():
        time += int(vocabulary.steps[row[0]])
        if row[1]:
            latest = max(latest, time + int(vocabulary.grid.durations[row[3] - 1]))
    assert length_of(tokens, vocabulary) == latest


def test_columns_stay_below_their_sizes() -> None:
    note = np.array([[96, 1, 61, 169, 1]] * 5000, dtype=np.int16)
    meter = np.array([[control(BEATS, "time_signature:24/4"), 0, 0, 0, 0]], dtype=np.int16)
    columns = structure(np.concatenate([meter, note]), BEATS, length=100)
    assert (columns.max(axis=0)[: len(STRUCTURE_SIZES)] < STRUCTURE_SIZES).all()
    assert columns.min() >= 0


def test_a_pick_up_is_a_bar_of_its_own() -> None:
    rows = [
        (control(BEATS, "time_signature:1/4"), 0, 0, 0, 0),
        (1, 1, 61, 25, 17),
        (25, 0, 0, 0, 0),
        (control(BEATS, "time_signature:3/4"), 0, 0, 0, 0),
        (1, 1, 61, 25, 17),
        (73, 1, 61, 25, 17),
    ]
    columns = structure(np.array(rows, dtype=np.int16), BEATS)
    notes = columns[[1, 4, 5]]
    assert notes[:, 1].tolist() == [1, 2, 3]
    assert notes[:, 2].tolist() == [1, 1, 1]


def test_the_length_is_the_latest_end_of_a_note() -> None:
    whole, quarter = BEATS.grid.duration_class(np.array([96, 24])) + 1
    rows = [(1, 1, 61, whole, 17), (25, 1, 61, quarter, 17)]
    assert length_of(np.array(rows, dtype=np.int16), BEATS) == 96


@settings(max_examples=100, deadline=None)
@given(tokens=pieces(BEATS))
def test_bars_of_tokens_are_those_of_the_score(tokens: Tokens) -> None:
    times = row_times(tokens, BEATS)
    signatures, at_signature = [], []
    for row, time in zip(tokens.tolist(), times.tolist(), strict=True):
        name = BEATS.name(row[WAIT]) if row[WAIT] >= BEATS.first_control else ""
        at_signature.append(name.startswith("time_signature:"))
        if at_signature[-1]:
            numerator, denominator = name.removeprefix("time_signature:").split("/")
            signatures.append((time, int(numerator), int(denominator)))
    bars = Bars(np.array(signatures, TIME_SIGNATURES), BEATS.grid.beat)
    numbers, positions = bar_positions(tokens, times, BEATS)
    for row, time in enumerate(times.tolist()):
        if any(
            change and times[later] == time
            for later, change in enumerate(at_signature)
            if later > row
        ):
            continue  # the row still belongs to the bar that the coming signature cuts off
        assert numbers[row] == bars.number(time)
        assert positions[row] == time - bars.tick(bars.number(time))
