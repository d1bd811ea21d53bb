from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import Score
from tokenizer.notation.durations import TRIPLET_VALUES, VALUES, Symbol, symbols
from tokenizer.notation.measures import measures_of
from tokenizer.notation.quantise import divisions, quantised
from tokenizer.notation.voices import voices_of
from tokenizer.score.score import TIME_SIGNATURES

METERS = [(4, 4), (3, 4), (2, 2), (6, 8), (12, 8), (7, 8), (5, 4), (3, 16)]


def written(
    notes: list[tuple[float, float]], meter: tuple[int, int], bars: int = 4
) -> list[Symbol]:
    score = Score(time_signatures=np.array([(0, *meter)], TIME_SIGNATURES))
    grid = measures_of(score, bars * 4 * 480 * meter[0] // meter[1])
    found = divisions([start for start, _ in notes], grid)
    rows = quantised([(start, end, 60, 80) for start, end in notes], found)
    voice = voices_of(rows)[0]
    return [
        symbol
        for measure in grid.measures
        for symbol in symbols(
            [c for c in voice if c.start < measure.stop and c.end > measure.start], measure, found
        )
    ]


NOTES = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 60)).map(lambda n: (n[0], n[0] + n[1])),
    max_size=30,
)


@given(NOTES, st.sampled_from(METERS))
def test_symbols_fill_every_measure_with_values_that_exist(
    notes: list[tuple[float, float]], meter: tuple[int, int]
) -> None:
    limit = 4 * 96 * meter[0] // meter[1]
    row = written([(s, e) for s, e in notes if s < limit], meter)
    here = 0
    for symbol in row:
        assert symbol.start == here
        here += symbol.length
        if not symbol.whole:
            assert symbol.length in (VALUES if symbol.triplet is None else TRIPLET_VALUES)
        if symbol.ties:
            assert symbol.chord is not None
    assert here == limit
    for one, other in pairwise(row):
        assert one.ties == (other.tied and other.chord is one.chord)


@given(NOTES)
def test_groups_of_triplets_open_and_close(notes: list[tuple[float, float]]) -> None:
    is_open = False
    for symbol in written(notes, (4, 4)):
        assert is_open == (symbol.triplet in ("inside", "stop"))
        is_open = symbol.triplet in ("start", "inside")
    assert not is_open


@pytest.mark.parametrize(
    ("notes", "lengths"),
    [
        ([(0, 96)], [96]),
        ([(0, 36), (36, 48), (48, 96)], [36, 12, 48]),
        ([(0, 12), (12, 36), (36, 48), (48, 96)], [12, 24, 12, 48]),  # a syncopation stays whole
        ([(0, 36), (36, 60), (60, 96)], [36, 12, 12, 36 - 24, 24]),  # but not over the middle
        ([(0, 16), (16, 24), (24, 96)], [16, 8, 72]),
    ],
)
def test_common_rhythms_are_written_as_engravers_do(
    notes: list[tuple[float, float]], lengths: list[int]
) -> None:
    assert [s.length for s in written(notes, (4, 4), 1)] == lengths


def test_a_note_over_the_bar_line_is_tied() -> None:
    row = written([(72, 120)], (4, 4), 2)
    tied = [(s.length, s.tied, s.ties) for s in row if s.chord]
    assert tied == [(24, False, True), (24, True, False)]


def test_silence_is_one_rest_a_measure() -> None:
    assert [(s.length, s.whole) for s in written([], (3, 4), 2)] == [(72, True)] * 2
