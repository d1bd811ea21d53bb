"""Writing MIDI files: whatever a score holds comes back."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenizer import Score, Track, read, read_reporting, to_bytes
from tokenizer.score.columns import DTYPES
from tokenizer.score.score import CONTROLS, NO_TRACK, NOTES, PEDALS


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores that MIDI can say: notes of one pitch and track end in the order they begin."""
    programs = draw(st.lists(st.integers(0, 128), min_size=1, max_size=20))
    tick = st.integers(0, 2**20)
    byte = st.integers(0, 127)
    track = st.integers(0, len(programs) - 1)
    notes = []
    free: dict[tuple[int, int], int] = {}
    for number in range(len(programs)):
        for gap, length, pitch, velocity in draw(
            st.lists(
                st.tuples(tick, st.integers(0, 9999), st.integers(40, 44), st.integers(1, 127)),
                max_size=8,
            )
        ):
            start = free.get((number, pitch), 0) + gap
            free[number, pitch] = start + length + 1
            notes.append((start, length, pitch, velocity, programs[number], number))
    used = {note[5] for note in notes}
    notes += [(0, 1, 50, 1, p, i) for i, p in enumerate(programs) if i not in used]
    text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
    rows = draw(
        st.fixed_dictionaries(
            {
                "tempos": st.lists(st.tuples(tick, st.integers(1, 2**24 - 1))),
                "time_signatures": st.lists(
                    st.tuples(tick, st.integers(1, 255), st.sampled_from([1, 2, 8, 2**15]))
                ),
                "key_signatures": st.lists(st.tuples(tick, st.integers(-7, 7), st.booleans())),
                "controls": st.lists(
                    st.tuples(tick, byte.filter(lambda n: n != 64), byte, track), max_size=9
                ),
                "pitch_bends": st.lists(st.tuples(tick, st.integers(-8192, 8191), track)),
                "markers": st.lists(st.tuples(tick, st.just(NO_TRACK), text), max_size=3),
                "lyrics": st.lists(st.tuples(tick, track, text), max_size=3),
            }
        )
    )
    tracks = tuple(Track(draw(text), p, p == 128) for p in programs)
    events = {kind: np.array(values, DTYPES[kind]) for kind, values in rows.items()}
    return Score(draw(st.integers(1, 32767)), tracks, np.array(notes, NOTES), **events)


@given(scores())
def test_whatever_a_score_holds_comes_back(score: Score) -> None:
    data = to_bytes(score)
    assert read_reporting(data)[0] == score
    assert read(data) == score


@given(scores(), st.integers(1, 2**20))
def test_pedals_without_controls_are_written(score: Score, length: int) -> None:
    pedals = np.array([(480, length, track) for track in range(len(score.tracks))], PEDALS)
    held = Score(score.ticks_per_quarter, score.tracks, score.notes, pedals=pedals)
    assert read(to_bytes(held)).pedals.tolist() == held.pedals.tolist()


def test_half_pedalling_survives() -> None:
    controls = np.array(
        [(0, 64, 70, 0), (10, 64, 90, 0), (20, 64, 30, 0), (30, 64, 0, 0)], CONTROLS
    )
    notes = np.array([(0, 40, 60, 64, 0, 0)], NOTES)
    score = Score(480, (Track("p", 0),), notes, controls=controls)
    again = read(to_bytes(score))
    assert again.controls.tolist() == controls.tolist()
    assert again.pedals.tolist() == [(0, 20, 0)]


def test_many_tracks_have_channels_of_their_own() -> None:
    tracks = tuple(Track(f"part {i}", i) for i in range(40))
    notes = np.array([(0, 10, 60, 64, i, i) for i in range(40)], NOTES)
    score = Score(480, tracks, notes)
    data = to_bytes(score)
    assert read(data) == score
    assert read_reporting(data)[1].shared_channels == ()
    assert read(data, programs="channel") == score


def test_drum_kits_survive() -> None:
    tracks = (Track("room", 128, True, 8), Track("brush", 128, True, 40))
    notes = np.array([(0, 10, 36, 64, 128, 0), (0, 10, 38, 64, 128, 1)], NOTES)
    score = Score(480, tracks, notes)
    assert read(to_bytes(score)) == score
    assert read(to_bytes(score), programs="channel") == score
