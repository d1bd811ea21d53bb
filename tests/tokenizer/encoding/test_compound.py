"""Compound tokens: inverse in both directions, and equal to an encoder written event by event."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenizer import Grid, Labels, Score, Tokenizer, Track, Vocabulary
from tokenizer.score.score import NOTES, TEMPOS, TIME_SIGNATURES
from tokenizer.typing import Tokens

TOKENIZERS = {
    "beat": Tokenizer.default(composers=["bach"], styles=["baroque"]),
    "seconds": Tokenizer(Vocabulary.create(Grid.seconds())),
    "tempos": Tokenizer(Vocabulary.create(Grid.beats()), tempo_changes=True),
    "pedal": Tokenizer(Vocabulary.create(Grid.beats()), pedal="events"),
}

Note = tuple[int, int, int, int, int]

GAPS = [0, 0, 0, 1, 5, 24, 95, 96, 97, 1535, 1536, 1537, 40_000]


@st.composite
def grid_notes(draw: st.DrawFn, grid: Grid) -> list[Note]:
    """Notes on the grid: start step, program, pitch, duration class, velocity bin; in order."""
    time = 0
    notes: list[Note] = []
    for _ in range(draw(st.integers(0, 25))):
        time += draw(st.sampled_from(GAPS))
        program = draw(st.sampled_from([0, 0, 40, 41, 73, 128]))
        pitch = draw(st.sampled_from([0, 59, 60, 127]))
        duration = draw(st.integers(0, len(grid.durations) - 1))
        notes.append((time, program, pitch, duration, draw(st.integers(0, 31))))
    return sorted(notes)


def score_of(
    notes: list[Note], grid: Grid, meters: list[tuple[int, int, int]], tempos: list[tuple[int, int]]
) -> Score:
    """A score on the grid, one track an instrument."""
    programs = sorted({n[1] for n in notes})
    step = grid.ticks_per_step
    rows = [
        (
            start * step,
            int(grid.duration_ticks(np.array([duration]))[0]),
            pitch,
            velocity * 4 + 2,
            program,
            programs.index(program),
        )
        for start, program, pitch, duration, velocity in notes
    ]
    return Score(
        ticks_per_quarter=grid.ticks_per_quarter,
        tracks=tuple(Track(f"part {p}", p, p == 128) for p in programs),
        notes=np.array(rows, dtype=NOTES),
        tempos=np.array(tempos, dtype=TEMPOS),
        time_signatures=np.array(meters, dtype=TIME_SIGNATURES),
    )


def encode_by_hand(
    notes: list[Note], changes: list[tuple[int, int]], vocabulary: Vocabulary
) -> list[list[int]]:
    """The definition: walk through time, write what has to be waited for, then the event."""
    unit = vocabulary.grid.wait_count
    events: list[tuple[int, int, tuple[int, ...]]] = [(t, 0, (value,)) for t, value in changes]
    events += [(n[0], 1, n) for n in notes]
    rows: list[list[int]] = []
    now = 0
    for time, kind, event in sorted(events, key=lambda e: e[:2] if e[1] == 0 else e):
        wait = time - now
        now = time
        while wait >= unit:
            count = min(16, wait // unit)
            rows.append([vocabulary.first_rest + count - 1, 0, 0, 0, 0])
            wait -= count * unit
        if kind == 1:
            _, program, pitch, duration, velocity = event
            rows.append([wait + 1, program + 1, pitch + 1, duration + 1, velocity + 1])
            continue
        if wait:
            rows.append([wait + 1, 0, 0, 0, 0])
        rows.append([event[0], 0, 0, 0, 0])
    return rows


@pytest.mark.parametrize("name", ["beat", "seconds"])
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_encoding_equals_the_walk_and_decoding_undoes_it(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    vocabulary = tokenizer.vocabulary
    notes = data.draw(grid_notes(vocabulary.grid))
    meters = [(0, 3, 4)]
    changes = []
    if name == "beat":
        for time in sorted(set(data.draw(st.lists(st.integers(1, 5000), max_size=3)))):
            n = 4 if meters[-1][1] == 3 else 3
            meters.append((time * vocabulary.grid.ticks_per_step, n, 4))
            value = vocabulary.control(f"time_signature:{n}/4")
            assert value is not None
            changes.append((time, value))
    score = score_of(notes, vocabulary.grid, meters, [(0, 500_000)])
    body = tokenizer.body(score)
    assert body.tolist() == encode_by_hand(notes, changes, vocabulary)

    tokens = tokenizer.encode(score)
    again = tokenizer.decode(tokens)
    for column in NOTES.names or ():
        np.testing.assert_array_equal(again.notes[column], score.notes[column])
    if name == "beat":
        assert again.time_signatures.tolist() == score.time_signatures.tolist()
        np.testing.assert_array_equal(tokenizer.encode(again, tokenizer.labels(score)), tokens)
    np.testing.assert_array_equal(tokenizer.body(again), body)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_kept_tempo_changes_come_back_as_metronome_marks(data: st.DataObject) -> None:
    tokenizer = TOKENIZERS["tempos"]
    grid = tokenizer.vocabulary.grid
    notes = data.draw(grid_notes(grid))
    times = sorted(data.draw(st.sets(st.integers(1, 3000), max_size=4)))
    marks = [120, *data.draw(st.lists(st.sampled_from([60, 88, 208]), min_size=4, max_size=4))]
    tempos = [(0, 500_000)]
    for time, mark in zip(times, marks[1:], strict=False):
        if round(60e6 / mark) != tempos[-1][1]:
            tempos.append((time * grid.ticks_per_step, round(60e6 / mark)))
    score = score_of(notes, grid, [], tempos)
    again = tokenizer.decode(tokenizer.encode(score))
    assert again.tempos.tolist() == tempos


def test_times_are_rounded_once_so_that_nothing_drifts() -> None:
    ticks_per_quarter, each = 1000, 333  # 7.992 steps, always rounded to 8 if differenced first
    starts = np.arange(1000) * each
    notes = np.zeros(1000, dtype=NOTES)
    notes["start"], notes["duration"], notes["pitch"], notes["velocity"] = starts, each, 60, 64
    score = Score(
        ticks_per_quarter=ticks_per_quarter, tracks=(Track("piano", 0, False),), notes=notes
    )
    tokenizer = TOKENIZERS["beat"]
    again = tokenizer.decode(tokenizer.encode(score))
    step = tokenizer.vocabulary.grid.ticks_per_step
    exact = starts * 24 / ticks_per_quarter
    assert np.abs(again.notes["start"] / step - exact).max() <= 0.5


def test_the_prefix_names_what_is_known_in_one_order() -> None:
    tokenizer = TOKENIZERS["beat"]
    labels = Labels(
        composer="bach",
        styles=("baroque", "not in the vocabulary"),
        instruments=(128, 0),
        tempo=121.0,
        time_signature=(3, 4),
        key=(0, True),
    )
    rows = tokenizer.prefix(labels)
    names = [tokenizer.vocabulary.name(value) for value in rows[:, 0].tolist()]
    assert names == [
        "start",
        "composer:bach",
        "style:baroque",
        "instrument:0",
        "instrument:128",
        "tempo:120",
        "time_signature:3/4",
        "key:A minor",
    ]
    assert tokenizer.prefix(Labels(), start=False).shape == (0, 5)


def test_one_pedal_for_all_parts_comes_back() -> None:
    from tokenizer.score.score import PEDALS

    tokenizer = TOKENIZERS["pedal"]
    base = score_of([(0, 0, 60, 24, 16), (96, 40, 60, 24, 16)], tokenizer.vocabulary.grid, [], [])
    score = Score(
        ticks_per_quarter=base.ticks_per_quarter,
        tracks=base.tracks,
        notes=base.notes,
        pedals=np.array([(0, 480, 0), (960, 240, 0)], dtype=PEDALS),
    )
    again = tokenizer.decode(tokenizer.encode(score))
    assert again.pedals.tolist() == [(0, 480, 0), (0, 480, 1), (960, 240, 0), (960, 240, 1)]


def tokens_are_int16(tokens: Tokens) -> bool:
    return tokens.dtype == np.int16 and tokens.shape[1] == 5


def test_an_empty_score_is_a_start_and_an_end() -> None:
    tokenizer = TOKENIZERS["beat"]
    tokens = tokenizer.encode(Score(ticks_per_quarter=480), Labels())
    assert tokens_are_int16(tokens)
    names = [tokenizer.vocabulary.name(value) for value in tokens[:, 0].tolist()]
    assert names == ["start", "end"]
    assert len(tokenizer.decode(tokens).notes) == 0


@pytest.mark.parametrize("clock", ["beat", "seconds"])
@pytest.mark.parametrize("resolution", [4, 72, 73, 200, 480])
def test_notes_survive_on_every_grid(clock: Literal["beat", "seconds"], resolution: int) -> None:
    """Once the duration's number ran into the pitch's, from 73 steps a quarter on."""
    grid = Grid(clock, resolution)
    lasting = [1, 10, 100, 400, 900, 1000]  # in 480ths of a quarter
    notes = [
        (i * 1920, ticks, 21 + i, 64, 128 if i == 3 else i, i) for i, ticks in enumerate(lasting)
    ]
    tracks = tuple(Track("", row[4], row[4] == 128) for row in notes)
    tokenizer = Tokenizer(Vocabulary.create(grid))
    again = tokenizer.decode(tokenizer.encode(Score(480, tracks, np.array(notes, NOTES))))
    assert again.notes["start"].tolist() == [i * 4 * again.ticks_per_quarter for i in range(6)]
    assert again.notes["pitch"].tolist() == [row[2] for row in notes]
    assert again.notes["program"].tolist() == [row[4] for row in notes]
    assert (np.abs(again.notes["velocity"].astype(int) - 64) <= 2).all()
    beat = grid.beat  # steps a quarter at 120
    error = np.abs(again.notes["duration"] / again.ticks_per_quarter - np.array(lasting) / 480)
    assert (error <= np.maximum(0.501 / beat, 0.03 * np.array(lasting) / 480)).all()
