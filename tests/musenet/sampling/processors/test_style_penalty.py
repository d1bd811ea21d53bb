"""The style penalty against counts done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musenet.sampling.constraints import Constraints
from musenet.sampling.processors.processor import RowState, SamplerContext
from musenet.sampling.processors.style_penalty import StylePenalty, StylePenaltyProcessor
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, WAIT
from tokenizer.typing import Tokens

from ..conftest import VOCABULARY
from .conftest import QUARTER, rows, state_of

SIZES = VOCABULARY.sizes
C_MAJOR = (60, 62, 64, 65, 67, 69, 71)
PIANO, BASS, DRUM = 1, 34, 129
TOGETHER = 1  # the value of a wait of no steps
LATER = 200 * QUARTER  # after every prompt


def style(
    prompt: Tokens,
    strength: float = 1.0,
    batch: int = 1,
    keep_key: bool = True,
    keep_texture: bool = False,
) -> StylePenaltyProcessor:
    context = SamplerContext(prompt, Constraints(), VOCABULARY, batch)
    return StylePenalty(strength, keep_key, keep_texture).build(context)


def play(penalty: StylePenaltyProcessor, music: np.ndarray, time: int = LATER) -> int:
    """Go on by rows; gives the time reached."""
    for row in music:
        time += int(row[WAIT]) - 1
        penalty.push(state_of(row[None], time))
    return time


def applied(
    penalty: StylePenaltyProcessor, field: int, logits: np.ndarray, state: RowState
) -> np.ndarray:
    return np.asarray(penalty.apply(field, logits, np.ones(logits.shape, bool), state))


def held(
    penalty: StylePenaltyProcessor, field: int, instrument: int = 1, time: int = LATER
) -> np.ndarray:
    """The penalty of each value of a field, in nats; of waits beside the least penalised one."""
    logits = np.zeros((1, SIZES[field]))
    reached = time + (QUARTER if field > WAIT else 0)  # the wait of the row that is being drawn
    found = -applied(penalty, field, logits, state_of(rows([60], instrument), reached))[0]
    if field == WAIT:
        found[: VOCABULARY.first_rest] -= found[: VOCABULARY.first_rest].min()
    return found


def held_classes(penalty: StylePenaltyProcessor, instrument: int = 1) -> np.ndarray:
    return held(penalty, PITCH, instrument)[1 + 60 : 1 + 72]


PROMPT = rows(list(C_MAJOR) * 10)


def test_music_like_the_prompt_is_left_alone() -> None:
    penalty = style(PROMPT)
    play(penalty, PROMPT)
    for field in range(VELOCITY + 1):
        assert held(penalty, field).max() < 0.1


def test_one_chromatic_note_costs_next_to_nothing() -> None:
    penalty = style(PROMPT)
    play(penalty, rows([61]))
    assert held_classes(penalty)[1] < 1.0
    assert held_classes(penalty)[[0, 2, 4, 5, 7, 9, 11]].max() < 0.05


def test_a_foreign_key_is_penalised_and_its_common_notes_are_not() -> None:
    penalty = style(PROMPT)
    # F# major, with three of its notes in the lower half octave, where C major has four: of C's
    # notes it has B and F.
    play(penalty, rows([60 + (p - 60 + 6) % 12 for p in C_MAJOR] * 20))
    foreign = held_classes(penalty)
    upper = foreign[7]  # the penalty of every pitch of the upper half, because it has one note more
    assert 0 < upper < 0.4
    foreign[6:] -= upper
    share = 1 / 7
    # So long after, the recent notes are all but F# major's, each with a seventh.
    expected = 1.5 * 70 / 94 * math.log((share + 0.04) / 0.04)
    np.testing.assert_allclose(foreign[[6, 8, 10, 1, 3]], expected, rtol=0.15)
    np.testing.assert_allclose(foreign[[0, 2, 4, 7, 9]], 0.0, atol=1e-12)
    assert foreign[[5, 11]].max() < 0.2


def test_it_lets_go_once_the_music_is_home() -> None:
    penalty = style(PROMPT)
    play(penalty, rows([61, 63, 66] * 10))
    before = held_classes(penalty)[1]
    play(penalty, rows(list(C_MAJOR) * 40))
    assert before > 1.0 > 10 * held_classes(penalty)[1]


def test_ever_shorter_notes_are_penalised_and_the_prompts_lengths_are_not() -> None:
    penalty = style(PROMPT)
    play(penalty, rows(list(C_MAJOR) * 10, steps=1))
    length = held(penalty, DURATION)
    short, quarter = (VOCABULARY.grid.duration_class(np.array(n)) + 1 for n in (1, QUARTER))
    assert length[short] > 1.0
    assert length[quarter] == 0.0
    assert held(penalty, PITCH).max() < 0.2


def test_places_off_the_prompts_beat_are_penalised_wherever_the_music_is() -> None:
    penalty = style(PROMPT)
    off = 5
    time = play(penalty, rows([60], wait=off), 0)
    time = play(penalty, rows(list(C_MAJOR) * 10), time)
    assert time % QUARTER == off
    waits = held(penalty, WAIT, time=time)
    beats = 1 + np.arange(VOCABULARY.grid.wait_count)
    on_it = (time + beats - 1) % QUARTER == off
    assert waits[beats][on_it].min() > 1.0
    np.testing.assert_array_equal(waits[beats][~on_it], 0.0)
    assert waits[0] == 0.0
    np.testing.assert_array_equal(waits[VOCABULARY.first_rest :], 0.0)


def chords(count: int, size: int) -> np.ndarray:
    """Chords of so many notes, a quarter note after each other."""
    music = rows([60 + 2 * voice for voice in range(size)] * count)
    music[np.arange(len(music)) % size > 0, WAIT] = TOGETHER
    return music


def test_notes_start_together_as_often_as_in_the_prompt() -> None:
    lines, blocks = chords(40, 1), chords(20, 4)
    thick, thin = style(lines, keep_texture=True), style(blocks, keep_texture=True)
    play(thick, blocks)
    waits = held(thick, WAIT)
    assert waits[TOGETHER] > 2.0
    assert waits[TOGETHER + 1 :].max() == 0.0
    play(thin, lines)
    waits = held(thin, WAIT)
    assert waits[TOGETHER] == 0.0
    assert waits[TOGETHER + QUARTER] > 1.0
    assert held(style(lines), WAIT)[TOGETHER] == 0.0


def test_rests_stay_as_likely_whatever_waits_cost() -> None:
    penalty = style(chords(40, 1), keep_texture=True)
    time = play(penalty, chords(20, 4))
    logits = np.random.default_rng(3).normal(size=(1, VOCABULARY.first_control))
    allowed = np.ones(logits.shape, dtype=bool)
    allowed[0, 30:40] = False
    state = state_of(rows([60]), time)
    for mask in (allowed, np.ones_like(allowed)):
        changed = penalty.apply(WAIT, logits, mask, state)
        shares = [np.exp(z)[mask] / np.exp(z)[mask].sum() for z in (logits, changed)]
        rests = slice(VOCABULARY.first_rest - (~mask).sum(), None)
        np.testing.assert_allclose(shares[1][rests], shares[0][rests])
        assert not np.allclose(*shares)


def test_times_between_notes_are_penalised_as_the_definition_says() -> None:
    penalty = style(chords(40, 1), keep_texture=True)
    time = play(penalty, rows([60] * 12, wait=2 * QUARTER))
    config, notes = StylePenalty(), 40
    trust = config.nats * notes / (notes + config.enough)
    recent = 1 - 0.5 ** (12 / config.half_life)  # the prompt has none of them
    expected = trust * math.log((recent + config.floor) / config.floor)
    waits = held(penalty, WAIT, time=time)
    assert waits[TOGETHER + 2 * QUARTER] == pytest.approx(expected)
    # Half an octave to either side are other classes.
    assert waits[TOGETHER + 3 * QUARTER] == waits[TOGETHER + QUARTER] == 0.0


@pytest.mark.parametrize("instrument", [1, DRUM])
def test_ever_softer_notes_are_penalised_and_the_prompts_velocity_is_not(instrument: int) -> None:
    penalty = style(PROMPT)
    play(penalty, rows(list(C_MAJOR) * 10, instrument, velocity=8))
    values = held(penalty, VELOCITY, instrument)
    assert values[1 + 8 // 4] > 3.0
    assert values[1 + 80 // 4] == 0.0
    assert values[1 + 120 // 4] == 0.0


def test_an_instrument_that_leaves_its_register_is_penalised() -> None:
    cello = rows([40, 43, 45] * 20, instrument=43)
    penalty = style(np.concatenate([PROMPT, cello]))
    play(penalty, rows(list(C_MAJOR) * 10, instrument=43))  # the piano's notes, high on the cello
    high, low = 1 + 69, 1 + 45
    assert held(penalty, PITCH, 43)[high] > held(penalty, PITCH, 43)[low] + 1.0
    assert held(penalty, PITCH)[high] == 0  # the piano may play there


def test_an_instrument_that_the_prompt_has_not_may_play_where_it_likes() -> None:
    penalty = style(PROMPT)
    play(penalty, rows(list(C_MAJOR) * 10, instrument=43))
    cello = held(penalty, PITCH, 43)
    assert abs(cello[1 + 60] - cello[1 + 48]) < 1e-9


def test_a_drum_that_the_prompt_has_not_is_penalised() -> None:
    penalty = style(rows([36, 38, 42, 42] * 20, DRUM))
    play(penalty, rows([36, 38, 42, 42] * 8 + [75] * 8, DRUM))
    drums = held(penalty, PITCH, DRUM)
    assert drums[1 + 75] > 1.0
    assert max(drums[[1 + 36, 1 + 38, 1 + 42]]) < 0.05


def test_half_octaves_that_no_part_plays_count_together() -> None:
    """One too high on the cello and one too low on the piano are of one class."""
    cello = rows([40, 43, 45] * 20, instrument=43)
    penalty = style(np.concatenate([PROMPT, cello]))
    play(penalty, np.concatenate([rows([72] * 4, instrument=43), rows([36] * 4)]))
    both = [held(penalty, PITCH, 43)[1 + pitch] for pitch in (50, 62, 86)]
    both += [held(penalty, PITCH)[1 + pitch] for pitch in (26, 50, 86)]
    assert min(both) == pytest.approx(max(both))
    assert min(both) > held(penalty, PITCH)[1 + 62] + 1.0


def test_drums_that_the_prompt_has_not_count_together() -> None:
    """However many there are; one that was never hit costs as much as those that were."""
    penalty = style(rows([36, 38, 42, 42] * 20, DRUM))
    play(penalty, rows([36, 38, 42, 42] * 8 + [45, 47, 48, 50, 56, 69, 70, 75], DRUM))
    drums = held(penalty, PITCH, DRUM)
    others = np.setdiff1d(np.arange(128), [36, 38, 42])
    # Each alone has at most 4 % of the recent notes: on its own it would cost 0.8 nats.
    assert 1.5 * 80 / (80 + 24) * math.log((0.04 + 0.04) / 0.04) < 0.81
    assert drums[1 + others].min() == drums[1 + others].max() > 1.0
    assert max(drums[[1 + 36, 1 + 38, 1 + 42]]) < 0.05


def test_an_instrument_that_leaves_its_beats_is_penalised() -> None:
    """The bass begins bars, the piano plays quarters; then the bass plays on the second beat."""
    bar = 4 * QUARTER
    prompt = np.concatenate([rows([40], BASS), rows([60] * 4)] * 10)
    steps = np.tile(QUARTER * np.array([0, 0, 1, 2, 3]), 10)
    context = SamplerContext(prompt, Constraints(), VOCABULARY, 1, 1 + steps)
    penalty = StylePenalty().build(context)
    for place in np.tile([0, QUARTER], 10).tolist():
        penalty.push(state_of(rows([40], BASS), LATER)._replace(position=np.array([1 + place])))

    def at(step: int) -> np.ndarray:
        state = state_of(rows([60]), LATER)._replace(position=np.array([1 + step]))
        return -applied(penalty, INSTRUMENT, np.zeros((1, SIZES[INSTRUMENT])), state)[0]

    early = late = QUARTER // 8  # half a sixteenth
    for step in range(bar):
        found = at(step)
        assert not np.delete(found, [PIANO, BASS]).any()
        assert (found[BASS] == 0) == (step < late), step
        on_quarter = any(-early <= step - quarter < late for quarter in range(0, bar, QUARTER))
        assert (found[PIANO] == 0) == on_quarter, step
        assert max(found) in (0, pytest.approx(max(at(bar - 1))))  # one class for both
    assert max(at(bar - 1)) > 1.0


def test_where_positions_are_unknown_no_instrument_leaves_its_beats() -> None:
    penalty = style(PROMPT)
    play(penalty, PROMPT)
    assert not held(penalty, INSTRUMENT).any()


def test_drums_have_neither_key_nor_length() -> None:
    penalty = style(PROMPT)
    play(penalty, rows([37] * 50, DRUM, steps=1))
    assert held(penalty, PITCH).max() < 1e-9
    assert held(penalty, DURATION).max() < 1e-9
    play(penalty, rows([61] * 50, steps=1))
    np.testing.assert_array_equal(held(penalty, PITCH, DRUM), 0.0)
    np.testing.assert_array_equal(held(penalty, DURATION, DRUM), 0.0)


def test_without_pitched_notes_or_strength_pitches_are_the_models() -> None:
    logits = np.random.default_rng(0).normal(size=(1, SIZES[PITCH]))
    drums = style(rows([36] * 40, DRUM))
    for penalty in (drums, style(PROMPT, 0.0)):
        play(penalty, rows([61, 63] * 20))
        same = applied(penalty, PITCH, logits, state_of(rows([60]), 0))
        np.testing.assert_array_equal(same, logits)


def test_where_another_key_is_asked_for_the_rest_of_the_style_stays() -> None:
    free = style(PROMPT, keep_key=False)
    kept = style(PROMPT)
    foreign = rows([61, 63, 66, 68, 70] * 10, steps=1)
    for penalty in (free, kept):
        play(penalty, foreign)
    assert held_classes(free).max() < 0.4  # the half octave that F# to B is, and no pitch class
    assert held_classes(kept)[1] > 1.0
    np.testing.assert_array_equal(held(free, DURATION), held(kept, DURATION))
    assert held(free, DURATION).max() > 1.0


NOTHING = rows([]).reshape(0, 5)
REST = np.array([VOCABULARY.first_rest, 0, 0, 0, 0], dtype=np.int16)
OPENING = rows([*C_MAJOR * 18, 60, 62])
FOREIGN = rows([61, 66, 68] * 12, steps=5, wait=7, velocity=20)


def test_a_piece_from_nothing_keeps_to_its_opening_as_to_a_prompt() -> None:
    assert len(OPENING) == StylePenalty.opening == 128
    fresh, prompted = style(NOTHING), style(OPENING)
    time = play(fresh, OPENING[:-1], 0)
    for field in (WAIT, DURATION, VELOCITY):
        assert not held(fresh, field).any(), "nothing is penalised before the opening is whole"
    time = play(fresh, OPENING[-1:], time)
    # A prompt's first note starts at its own wait, as the opening's did.
    for penalty in (fresh, prompted):
        play(penalty, FOREIGN, time)
    for field in (WAIT, DURATION, VELOCITY):
        assert held(fresh, field).max() > 0.5
        np.testing.assert_allclose(held(fresh, field), held(prompted, field), atol=1e-12)
    # The prompt's registers are kept too: two numbers for the two half octaves of each octave.
    between = held_classes(prompted) - held_classes(fresh)
    assert len(np.unique(between[:6].round(6))) <= 2 >= len(np.unique(between[6:].round(6)))


def test_each_piece_has_an_opening_of_its_own() -> None:
    """One of two begins 10 notes late; its opening is then whole 10 notes later."""
    both, alone = style(NOTHING, batch=2), style(NOTHING)
    music = np.concatenate([OPENING, FOREIGN])
    for n, row in enumerate(music):
        pair = np.stack([row, music[max(0, n - 10)]])
        if n < 10:
            pair[1] = REST
        both.push(state_of(pair, 24 * n, 24 * (n - 10)))
        if n >= 10:
            alone.push(state_of(pair[1:], 24 * (n - 10)))
    for field in (PITCH, DURATION, VELOCITY):
        logits = np.zeros((2, SIZES[field]))
        pair = rows([60, 60])
        together = applied(both, field, logits, state_of(pair, LATER, LATER))
        one = applied(alone, field, logits[1:], state_of(pair[1:], LATER))
        np.testing.assert_allclose(together[1], one[0], atol=1e-12)
        assert not np.allclose(together[0], together[1])


def test_before_its_opening_is_whole_a_piece_repeats_no_more_pitches_than_music_does() -> None:
    penalty = style(NOTHING)
    play(penalty, rows([60] * 40))
    stuck = held(penalty, PITCH)
    assert stuck[1 + 60] > 0.7
    assert np.delete(stuck, 1 + 60).max() == 0.0


def test_a_short_prompt_says_less() -> None:
    short = style(rows([60, 64, 67]))
    long = style(rows([60, 64, 67] * 40))
    for penalty in (short, long):
        play(penalty, rows([61] * 40))
    assert held_classes(short)[1] < 0.2 * held_classes(long)[1]


def test_a_note_that_comes_again_and_again_is_penalised_where_the_prompt_moves_on() -> None:
    scale = np.ones((70, 5), dtype=np.int16)
    scale[:, WAIT], scale[:, PITCH] = 25, 1 + 60 + np.arange(70) % 7
    penalty, next_row = style(scale), scale[3:4]
    time = play(penalty, np.repeat(next_row, 12, axis=0), 70 * 24)
    state = state_of(next_row, time + 24)
    logits = applied(penalty, PITCH, np.zeros((1, SIZES[PITCH])), state)
    again, octave = logits[0, next_row[0, PITCH]], logits[0, next_row[0, PITCH] + 12]
    assert again < octave - 1.0  # the same pitch class, but no repeated pitch
