from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.dataset.augment import (
    NO_AUGMENTATION,
    Augmentation,
    Change,
    apply,
    changed_labels,
    draw_change,
    stretched,
    transpositions,
    velocity_table,
)
from tokenizer import Grid, Labels, Score, Tokenizer, Vocabulary
from tokenizer.instruments import DRUMS, range_of
from tokenizer.score.score import NOTES, TEMPOS
from tokenizer.theory import Key, key_name

BEATS = Tokenizer.default()
SECONDS = Tokenizer(Vocabulary.create(Grid.seconds()))
Melody = Callable[..., Score]


def music(programs: list[int], pitches: list[int]) -> np.ndarray:
    notes = np.zeros(len(pitches), dtype=NOTES)
    notes["start"] = np.arange(len(pitches)) * 480
    notes["duration"] = 480
    notes["pitch"] = pitches
    notes["velocity"] = 64
    notes["program"] = programs
    notes["track"] = np.unique(programs, return_inverse=True)[1]
    return BEATS.body(Score(480, (), notes))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, DRUMS), st.integers(0, 127)), min_size=1, max_size=30),
    st.integers(0, 14),
)
def test_no_transposition_takes_a_note_out_of_its_instruments_range(
    notes: list[tuple[int, int]], most: int
) -> None:
    tokens = music([p for p, _ in notes], [pitch for _, pitch in notes])
    low, high = transpositions(tokens, most)
    assert -min(most, 12) <= low <= 0 <= high <= min(most, 12)

    if all(program == DRUMS for program, _ in notes):
        assert (low, high) == (0, 0)
        return

    def outside(pitch: int, program: int) -> int:
        bottom, top = range_of(program)
        return max(bottom - pitch, pitch - top, 0)

    for shift in range(low, high + 1):
        for program, pitch in notes:
            if program != DRUMS:
                assert outside(pitch + shift, program) <= outside(pitch, program)
    # One semitone more is out of range for some note, or more than was asked for.
    for shift in (low - 1, high + 1):
        assert abs(shift) > min(most, 12) or any(
            program != DRUMS and outside(pitch + shift, program) > outside(pitch, program)
            for program, pitch in notes
        )


def test_drums_never_move_and_others_move_together() -> None:
    tokens = music([0, 128, 40], [60, 38, 70])
    before = tokens.copy()
    apply(tokens, Change(semitones=5), BEATS.vocabulary)
    decoded = BEATS.decode(tokens)
    assert sorted(zip(decoded.notes["program"], decoded.notes["pitch"], strict=True)) == [
        (0, 65),
        (40, 75),
        (128, 38),
    ]
    apply(tokens, Change(semitones=-5), BEATS.vocabulary)
    np.testing.assert_array_equal(tokens, before)


@pytest.mark.parametrize("semitones", range(-12, 13))
@pytest.mark.parametrize("minor", [False, True])
def test_the_key_moves_along(semitones: int, minor: bool) -> None:
    tonics = {"C": 0, "Db": 1, "C#": 1, "D": 2, "Eb": 3, "E": 4, "F": 5, "F#": 6, "G": 7}
    tonics |= {"Ab": 8, "G#": 8, "A": 9, "Bb": 10, "B": 11, "Gb": 6, "Cb": 11, "D#": 3, "A#": 10}
    for fifths in range(-7, 8):
        labels = changed_labels(Labels(key=Key(fifths, minor)), Change(semitones=semitones))
        assert labels.key is not None
        before, after = (key_name(k, minor).split()[0] for k in (fifths, labels.key[0]))
        assert (tonics[before] + semitones) % 12 == tonics[after]
        assert labels.key[1] is minor


def test_velocities_are_scaled_and_shifted_together_and_never_silent() -> None:
    table = velocity_table(Change(scale=1.5, offset=10))
    assert table[0] == 0
    for value in range(1, 33):
        velocity = (value - 1) * 4 + 2
        assert table[value] == int(np.clip(round(velocity * 1.5 + 10), 1, 127)) // 4 + 1
    assert (np.diff(table) >= 0).all()
    assert velocity_table(Change(scale=0.1, offset=-50))[1:].min() == 1
    np.testing.assert_array_equal(velocity_table(Change()), np.arange(33))


def test_the_tempo_moves_in_the_label_and_in_the_body() -> None:
    assert changed_labels(Labels(tempo=120.0), Change(tempo=1.1)).tempo == pytest.approx(132)
    tokenizer = Tokenizer(Vocabulary.create(Grid.beats()), tempo_changes=True)
    notes = np.zeros(8, dtype=NOTES)
    notes["start"], notes["duration"], notes["pitch"] = np.arange(8) * 480, 480, 60
    notes["velocity"] = 64
    tempos = np.array([(0, 500_000), (1920, 1_000_000)], dtype=TEMPOS)
    body = tokenizer.body(Score(480, (), notes, tempos=tempos))
    vocabulary = tokenizer.vocabulary
    assert vocabulary.control("tempo:60") in body[:, 0]
    apply(body, Change(tempo=1.2), vocabulary)
    assert vocabulary.control("tempo:72") in body[:, 0]
    assert vocabulary.control("tempo:60") not in body[:, 0]


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_stretching_scales_absolute_times(melody: Melody, factor: float) -> None:
    score = melody(3, notes=80)
    body = np.concatenate([SECONDS.body(score), SECONDS.end()])
    faster = stretched(body, factor, SECONDS.vocabulary)
    before, after = SECONDS.decode(body).notes, SECONDS.decode(faster).notes
    ticks = SECONDS.vocabulary.grid.ticks_per_step
    expected = np.sort(np.rint(before["start"] // ticks / factor) * ticks)
    np.testing.assert_array_equal(np.sort(after["start"]), expected)
    assert faster[-1, 0] == SECONDS.vocabulary.end
    assert sorted(after["pitch"]) == sorted(before["pitch"])
    lengths = np.sort(after["duration"]) / np.maximum(np.sort(before["duration"]) / factor, 10)
    assert np.abs(lengths - 1).max() < 0.26  # the shortest are a few steps long
    if factor == 1.0:
        np.testing.assert_array_equal(faster, body)


def test_rates_and_ranges_are_kept() -> None:
    tokens = music([0] * 4, [60, 64, 67, 72])
    augmentation = Augmentation(0.5, 4, 0.25, 1.5, 20, 0.75, 1.2)
    changes = [draw_change(augmentation, tokens, np.random.default_rng(i)) for i in range(4000)]
    shifts = np.array([c.semitones for c in changes])
    assert set(shifts) == set(range(-4, 5))
    assert abs((shifts != 0).mean() - 0.5 * 8 / 9) < 0.03
    scaled = np.array([c.scale != 1 for c in changes])
    assert abs(scaled.mean() - 0.25) < 0.03
    scales = np.array([c.scale for c in changes])
    assert scales.min() >= 1 / 1.5
    assert scales.max() <= 1.5
    assert max(abs(c.offset) for c in changes) <= 20
    tempos = np.array([c.tempo for c in changes])
    assert abs((tempos != 1).mean() - 0.75) < 0.03
    assert tempos.min() >= 1 / 1.2
    assert tempos.max() <= 1.2
    assert abs(np.log(tempos).mean()) < 0.01
    assert draw_change(NO_AUGMENTATION, tokens, np.random.default_rng(0)) == Change()


def test_a_change_says_what_it_is() -> None:
    assert str(Change()) == "unchanged"
    assert str(Change(-3, 1.1, 4.0, 0.95)) == "-3 semitones, velocity ×1.10 +4, tempo ×0.95"
