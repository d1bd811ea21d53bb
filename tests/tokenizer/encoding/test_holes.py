"""Holes: true times behind the header, given music before written music, nothing lost."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer.encoding.compound import Events, encode_events, note_rows, row_times
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.holes import (
    Hole,
    between,
    events_of,
    header,
    header_mask,
    no_events,
    with_header,
    without_headers,
    woven,
)
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.vocabulary import INSTRUMENT, WAIT, Vocabulary

VOCABULARY = Vocabulary.create(Grid.beats())
METER = VOCABULARY.control("time_signature:3/4")


def some_music(seed: int, notes: int, last: int, control: bool = False) -> Events:
    """Notes at random times up to a step, some at once, some far from each other."""
    random = np.random.default_rng(seed)
    start = np.sort(random.integers(0, last, notes))
    times, rows = note_rows(
        start,
        random.choice([0, 33, 128], notes),
        random.integers(30, 80, notes),
        random.integers(1, 40, notes),
        random.integers(1, 128, notes),
    )
    changes = np.array([last // 2] if control else [], dtype=np.int64)
    assert METER is not None
    return Events(times, rows, changes, np.full(len(changes), METER))


def triples(events: Events) -> list[tuple[int, ...]]:
    """Each note as (time, instrument, pitch, duration, velocity), sorted."""
    notes = np.column_stack([events.times, events.notes[:, 1:]])
    return sorted(map(tuple, notes.tolist()))


sizes = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(200, 60_000))


@given(sizes, st.integers(0, 1000), st.booleans(), st.integers(0, 150))
@settings(max_examples=60, deadline=None)
def test_weaving_keeps_every_note_at_its_time(
    size: tuple[int, int, int], seed: int, control: bool, time: int
) -> None:
    known, free, last = size
    stands = some_music(seed, known, last, control)
    written = some_music(seed + 1, free, last)
    stands, written = between(stands, time, last), between(written, time, last)
    rows, given_rows = woven(stands, written, time, VOCABULARY)
    times = time + row_times(rows, VOCABULARY)
    for music, mask in ((stands, given_rows), (written, ~given_rows)):
        assert triples(events_of(rows[mask], times[mask], VOCABULARY)) == triples(music)
    # At equal times given rows stand first, and every rest leads to a row of its own kind.
    same = np.flatnonzero(np.diff(times) == 0)
    assert not (~given_rows[same] & given_rows[same + 1]).any()
    leads = np.flatnonzero((rows[:, INSTRUMENT] == 0) & ~VOCABULARY.is_control(rows))
    assert (given_rows[leads] == given_rows[leads + 1]).all()


@given(st.integers(0, 1000), st.integers(0, 300), st.integers(0, 12), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_header_tells_what_comes_after_and_sets_the_clock_back(
    seed: int, time: int, told: int, change: bool
) -> None:
    begin, end = 400, 30_000
    after = some_music(seed, told, 900)
    after = Events(after.times + end, after.notes, after.control_times, after.controls)
    given_music = some_music(seed + 1, 5, end - begin, control=change)
    given_music = Events(
        given_music.times + begin,
        given_music.notes,
        given_music.control_times + begin,
        given_music.controls,
    )
    hole = Hole(begin, end, (0, 128), given_music, after)
    written = Events(
        np.array([begin + 3]), after.notes[:1] if told else given_music.notes[:1], *_none()
    )
    rows, roles = with_header(hole, written, time, VOCABULARY)
    times = time + row_times(rows, VOCABULARY)
    opening = len(header(hole, time, VOCABULARY))
    inside = header_mask(rows, VOCABULARY)
    assert np.flatnonzero(inside).tolist() == list(range(opening))
    assert np.array_equal(roles[:opening], np.full(opening, GIVEN))
    assert (roles == WRITTEN).sum() >= 1
    assert times[opening - 1] == time
    told_rows = events_of(rows[:opening], times[:opening], VOCABULARY)
    assert triples(told_rows) == triples(after)
    if told and change:
        assert list(told_rows.control_times[1:2]) == [begin + (end - begin) // 2]
    names = [VOCABULARY.name(v) for v in rows[:opening, WAIT] if v >= VOCABULARY.first_control]
    assert names[0] == "mark"
    assert names[-3:] == ["return", "instrument:0", "instrument:128"]
    alone, _ = woven(given_music, written, time, VOCABULARY)
    assert np.array_equal(without_headers(rows, VOCABULARY), alone)


def _none() -> tuple[np.ndarray, np.ndarray]:
    empty = no_events()
    return empty.control_times, empty.controls


def test_music_without_holes_is_that_of_the_encoder() -> None:
    music = some_music(3, 40, 5_000, control=True)
    rows, _ = woven(no_events(), music, 0, VOCABULARY)
    assert np.array_equal(rows, encode_events(some_music(3, 40, 5_000, control=True), VOCABULARY))
