"""Keeping the prompt's manner, against counts done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musenet.sampling.style_penalty import Manner
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import DURATION, PITCH, VELOCITY, WAIT

VOCABULARY = Tokenizer.default().vocabulary
SIZES = VOCABULARY.sizes
QUARTER = VOCABULARY.grid.beat
C_MAJOR = (60, 62, 64, 65, 67, 69, 71)
DRUM = 129
HEARD = 200 * QUARTER  # behind every prompt


def rows(
    pitches: list[int],
    instrument: int = 1,
    steps: int = QUARTER,
    wait: int = QUARTER,
    velocity: int = 80,
) -> np.ndarray:
    """Notes after each other, each lasting so many steps and as many after the one before."""
    length = int(VOCABULARY.grid.duration_class(np.array(steps))) + 1
    loud = velocity // 4 + 1
    return np.array([[wait + 1, instrument, p + 1, length, loud] for p in pitches], dtype=np.int16)


def play(manner: Manner, music: np.ndarray, time: int = HEARD) -> int:
    """Go on by rows; gives the time reached."""
    for row in music:
        time += row[WAIT] - 1
        manner.push(row[None], np.array([True]), np.array([time]))
    return time


def held(manner: Manner, field: int, instrument: int = 1, time: int = HEARD) -> np.ndarray:
    """How many nats each value of a field is held back."""
    logits = np.zeros((1, SIZES[field]))
    return -manner.applied(field, logits, rows([60], instrument), np.array([time]))[0]


def held_classes(manner: Manner, instrument: int = 1) -> np.ndarray:
    return held(manner, PITCH, instrument)[1 + 60 : 1 + 72]


PROMPT = rows(list(C_MAJOR) * 10)


def test_music_like_the_prompt_is_left_alone() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, PROMPT)
    for field in range(VELOCITY + 1):
        assert held(manner, field).max() < 0.1


def test_one_chromatic_note_costs_next_to_nothing() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, rows([61]))
    assert held_classes(manner)[1] < 1.0
    assert held_classes(manner)[[0, 2, 4, 5, 7, 9, 11]].max() < 0.05


def test_a_foreign_key_is_held_back_and_its_common_notes_are_not() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    # F# major, with three of its notes in the lower half octave, where C major has four: of C's
    # notes it has B and F.
    play(manner, rows([60 + (p - 60 + 6) % 12 for p in C_MAJOR] * 20))
    foreign = held_classes(manner)
    upper = foreign[7]  # what every pitch of the upper half is held, because it has one note more
    assert 0 < upper < 0.4
    foreign[6:] -= upper
    share = 1 / 7
    # So long after, the late notes are all but F# major's, each with a seventh.
    expected = 1.5 * 70 / 94 * math.log((share + 0.04) / 0.04)
    np.testing.assert_allclose(foreign[[6, 8, 10, 1, 3]], expected, rtol=0.15)
    np.testing.assert_allclose(foreign[[0, 2, 4, 7, 9]], 0.0, atol=1e-12)
    assert foreign[[5, 11]].max() < 0.2


def test_it_lets_go_once_the_music_is_home() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, rows([61, 63, 66] * 10))
    before = held_classes(manner)[1]
    play(manner, rows(list(C_MAJOR) * 40))
    assert before > 1.0 > 10 * held_classes(manner)[1]


def test_ever_shorter_notes_are_held_back_and_the_prompts_lengths_are_not() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, rows(list(C_MAJOR) * 10, steps=1))
    length = held(manner, DURATION)
    short, quarter = (VOCABULARY.grid.duration_class(np.array(n)) + 1 for n in (1, QUARTER))
    assert length[short] > 1.0
    assert length[quarter] == 0.0
    assert held(manner, PITCH).max() < 0.2


def test_places_off_the_prompts_beat_are_held_back_wherever_the_music_is() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    off = 5
    time = play(manner, rows([60], wait=off), 0)
    time = play(manner, rows(list(C_MAJOR) * 10), time)
    assert time % QUARTER == off
    waits = held(manner, WAIT, time=time)
    beats = 1 + np.arange(VOCABULARY.grid.wait_count)
    on_it = (time + beats - 1) % QUARTER == off
    assert waits[beats][on_it].min() > 1.0
    np.testing.assert_array_equal(waits[beats][~on_it], 0.0)
    assert waits[0] == 0.0
    np.testing.assert_array_equal(waits[VOCABULARY.first_rest :], 0.0)


@pytest.mark.parametrize("instrument", [1, DRUM])
def test_whispering_on_and_on_is_held_back_and_the_prompts_loudness_is_not(instrument: int) -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, rows(list(C_MAJOR) * 10, instrument, velocity=8))
    values = held(manner, VELOCITY, instrument)
    assert values[1 + 8 // 4] > 3.0
    assert values[1 + 80 // 4] == 0.0
    assert values[1 + 120 // 4] == 0.0


def test_an_instrument_that_leaves_its_register_is_held_back() -> None:
    cello = rows([40, 43, 45] * 20, instrument=43)
    manner = Manner(np.concatenate([PROMPT, cello]), VOCABULARY, 1, 1.0)
    play(manner, rows(list(C_MAJOR) * 10, instrument=43))  # the piano's notes, high on the cello
    high, low = 1 + 60, 1 + 48
    assert held(manner, PITCH, 43)[high] > held(manner, PITCH, 43)[low] + 1.0
    assert abs(held(manner, PITCH)[high] - held(manner, PITCH)[low]) < 1e-9


def test_an_instrument_that_the_prompt_has_not_may_play_where_it_likes() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, rows(list(C_MAJOR) * 10, instrument=43))
    cello = held(manner, PITCH, 43)
    assert abs(cello[1 + 60] - cello[1 + 48]) < 1e-9


def test_a_drum_that_the_prompt_has_not_is_held_back() -> None:
    manner = Manner(rows([36, 38, 42, 42] * 20, DRUM), VOCABULARY, 1, 1.0)
    play(manner, rows([36, 38, 42, 42] * 8 + [75] * 8, DRUM))
    drums = held(manner, PITCH, DRUM)
    assert drums[1 + 75] > 1.0
    assert max(drums[[1 + 36, 1 + 38, 1 + 42, 1 + 50]]) < 0.05


def test_drums_have_neither_key_nor_length() -> None:
    manner = Manner(PROMPT, VOCABULARY, 1, 1.0)
    play(manner, rows([37] * 50, DRUM, steps=1))
    assert held(manner, PITCH).max() < 1e-9
    assert held(manner, DURATION).max() < 1e-9
    play(manner, rows([61] * 50, steps=1))
    np.testing.assert_array_equal(held(manner, PITCH, DRUM), 0.0)
    np.testing.assert_array_equal(held(manner, DURATION, DRUM), 0.0)


def test_without_pitched_notes_or_strength_pitches_are_the_models() -> None:
    logits = np.random.default_rng(0).normal(size=(1, SIZES[PITCH]))
    drums = Manner(rows([36] * 40, DRUM), VOCABULARY, 1, 1.0)
    for manner in (drums, Manner(PROMPT, VOCABULARY, 1, 0.0)):
        play(manner, rows([61, 63] * 20))
        same = manner.applied(PITCH, logits, rows([60]), np.array([0]))
        np.testing.assert_array_equal(same, logits)


def test_where_another_key_is_asked_for_the_rest_of_the_manner_stays() -> None:
    free = Manner(PROMPT, VOCABULARY, 1, 1.0, keep_key=False)
    kept = Manner(PROMPT, VOCABULARY, 1, 1.0)
    foreign = rows([61, 63, 66, 68, 70] * 10, steps=1)
    for manner in (free, kept):
        play(manner, foreign)
    assert held_classes(free).max() < 0.4  # the half octave that F# to B is, and no pitch class
    assert held_classes(kept)[1] > 1.0
    np.testing.assert_array_equal(held(free, DURATION), held(kept, DURATION))
    assert held(free, DURATION).max() > 1.0


NOTHING = rows([]).reshape(0, 5)
OPENING = rows(list(C_MAJOR) * 9 + [60])
LATER = rows([61, 66, 68] * 12, steps=5, wait=7, velocity=20)


def test_a_piece_from_nothing_keeps_to_its_opening_as_to_a_prompt() -> None:
    assert len(OPENING) == 64
    fresh, prompted = Manner(NOTHING, VOCABULARY, 1, 1.0), Manner(OPENING, VOCABULARY, 1, 1.0)
    time = play(fresh, OPENING[:63], 0)
    for field in (WAIT, DURATION, VELOCITY):
        assert not held(fresh, field).any(), "nothing is held back before the opening is whole"
    time = play(fresh, OPENING[63:], time)
    # A prompt's first note starts at its own wait, as the opening's did.
    for manner in (fresh, prompted):
        play(manner, LATER, time)
    for field in (WAIT, DURATION, VELOCITY):
        assert held(fresh, field).max() > 0.5
        np.testing.assert_allclose(held(fresh, field), held(prompted, field), atol=1e-12)
    # The prompt's registers are kept too: two numbers for the two half octaves of each octave.
    between = held_classes(prompted) - held_classes(fresh)
    assert len(np.unique(between[:6].round(6))) <= 2 >= len(np.unique(between[6:].round(6)))


def test_each_piece_has_an_opening_of_its_own() -> None:
    """One of two begins 10 notes late; its opening is then whole 10 notes later."""
    both, alone = Manner(NOTHING, VOCABULARY, 2, 1.0), Manner(NOTHING, VOCABULARY, 1, 1.0)
    music = np.concatenate([OPENING, LATER])
    for n, row in enumerate(music):
        pair = np.stack([row, music[max(0, n - 10)]])
        both.push(pair, np.array([True, n >= 10]), np.array([24 * n, 24 * (n - 10)]))
        if n >= 10:
            alone.push(pair[1:], np.array([True]), np.array([24 * (n - 10)]))
    for field in (PITCH, DURATION, VELOCITY):
        logits = np.zeros((2, SIZES[field]))
        pair = rows([60, 60])
        together = both.applied(field, logits, pair, np.array([HEARD, HEARD]))
        one = alone.applied(field, logits[1:], pair[1:], np.array([HEARD]))
        np.testing.assert_allclose(together[1], one[0], atol=1e-12)
        assert not np.allclose(together[0], together[1])


def test_before_its_opening_is_whole_a_piece_strikes_no_more_pitches_again_than_music_does() -> (
    None
):
    manner = Manner(NOTHING, VOCABULARY, 1, 1.0)
    play(manner, rows([60] * 40))
    stuck = held(manner, PITCH)
    assert stuck[1 + 60] > 0.7
    assert np.delete(stuck, 1 + 60).max() == 0.0


def test_a_short_prompt_says_less() -> None:
    short = Manner(rows([60, 64, 67]), VOCABULARY, 1, 1.0)
    long = Manner(rows([60, 64, 67] * 40), VOCABULARY, 1, 1.0)
    for manner in (short, long):
        play(manner, rows([61] * 40))
    assert held_classes(short)[1] < 0.2 * held_classes(long)[1]
