"""Entrance, against its rule worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from musenet.sampling.constraints import Constraints
from musenet.sampling.processors.entrance import Entrance, EntranceProcessor
from musenet.sampling.processors.processor import RowState, SamplerContext
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT

VOCABULARY = Tokenizer.default().vocabulary
QUARTER = VOCABULARY.grid.beat
BASS, PIANO = 33, 0
NOTHING = np.empty((0, 5), dtype=np.int16)


def made(batch: int = 1, begins: tuple[int, ...] = (0,)) -> EntranceProcessor:
    context = SamplerContext(NOTHING, Constraints(), VOCABULARY, batch)
    return Entrance((BASS, PIANO), begins, patience=4, growth=1, most=8).build(context)


def state(quarters: float, program: int | None = None, length: int = 1) -> RowState:
    """A row that begins at a time, of an instrument for so many steps or none."""
    row = np.zeros((1, 5), dtype=np.int16)
    if program is not None:
        value = 1 + int(np.searchsorted(VOCABULARY.grid.durations, length))
        row[0] = (1, program + 1, 61, value, 10)
    return RowState.of(row, np.array([int(quarters * QUARTER)]), VOCABULARY, np.array([True]))


def changes(processor: EntranceProcessor, field: int, quarters: float) -> np.ndarray:
    logits = np.zeros((1, VOCABULARY.sizes[field]), dtype=np.float32)
    allowed = np.ones(logits.shape, dtype=bool)
    return np.asarray(processor.apply(field, logits, allowed, state(quarters)))[0]


def test_nothing_changes_for_four_quarters_and_in_other_fields() -> None:
    assert not changes(made(), WAIT, 4).any()
    assert not changes(made(), INSTRUMENT, 4).any()
    assert not changes(made(), PITCH, 40).any()


def test_a_silent_instrument_and_short_waits_gain_a_nat_per_quarter() -> None:
    processor = made()
    processor.push(state(1, BASS, QUARTER))  # sounds to the second quarter
    wait, instrument = (changes(processor, field, 7) for field in (WAIT, INSTRUMENT))
    assert instrument[BASS + 1] == 7 - 2 - 4
    assert instrument[PIANO + 1] == 7 - 4
    assert np.count_nonzero(instrument) == 2
    # wait 0 to one step less than a quarter: whoever has been silent for longest decides
    assert (wait[1 : QUARTER + 1] == 3).all()
    assert np.count_nonzero(wait) == QUARTER
    assert changes(processor, INSTRUMENT, 400).max() == 8


def test_silence_counts_from_the_beginning_of_each_hole() -> None:
    processor = made(begins=(0, 40 * QUARTER))
    assert changes(processor, INSTRUMENT, 39).max() == 8
    assert not changes(processor, INSTRUMENT, 42).any()
    assert changes(processor, INSTRUMENT, 46).max() == 2


def test_given_notes_end_no_silence() -> None:
    processor = made()
    row = state(6, PIANO, QUARTER)
    processor.push(RowState.of(row.rows, row.time, VOCABULARY, np.array([False])))
    assert changes(processor, INSTRUMENT, 7)[PIANO + 1] == 3


def prompt(*onsets: tuple[float, int]) -> np.ndarray:
    """Rows of notes at quarters, by program."""
    rows, before = [], 0.0
    for quarter, program in onsets:
        wait = 1 + round((quarter - before) * QUARTER)
        rows.append((wait, program + 1, 61, QUARTER, 10))
        before = quarter
    return np.array(rows, dtype=np.int16)


def test_new_instruments_are_awaited_for_a_bar_others_as_long_as_they_rest() -> None:
    rows = prompt((0, PIANO), (1, BASS), (2, PIANO), (4, BASS), (6, BASS), (8, PIANO), (9, BASS))
    span = (12 * QUARTER, 80 * QUARTER)
    found = Entrance.within(span, (PIANO, BASS, 40), rows, VOCABULARY)
    assert found.patience == (6.0, 4.0, 4.0)
    assert found.begins == (span[0],)
    short = Entrance.within((12 * QUARTER, 16 * QUARTER), (PIANO, 40), rows, VOCABULARY)
    assert short.patience == (2.0, 2.0)


def test_who_has_entered_may_rest() -> None:
    config = Entrance((BASS, PIANO), (0,), patience=(4, 8), again=math.inf)
    processor = config.build(SamplerContext(NOTHING, Constraints(), VOCABULARY, 1))
    processor.push(state(1, BASS, QUARTER))
    changed = changes(processor, INSTRUMENT, 10)
    assert changed[BASS + 1] == 0
    assert changed[PIANO + 1] == (10 - 8) * config.growth


def test_in_a_new_piece_nobody_rests_for_longer_than_a_bar() -> None:
    config = Entrance.within((0, 64 * QUARTER), (BASS, PIANO), NOTHING, VOCABULARY)
    processor = config.build(SamplerContext(NOTHING, Constraints(), VOCABULARY, 1))
    processor.push(state(1, BASS, QUARTER))
    changed = changes(processor, INSTRUMENT, 10)
    assert changed[BASS + 1] == (10 - 2 - 4) * config.growth
    assert changed[PIANO + 1] == (10 - 4) * config.growth


def test_in_a_large_ensemble_four_bars_are_no_long_rest() -> None:
    few, many = (Entrance.within((0, 64 * QUARTER), range(n), NOTHING, VOCABULARY) for n in (5, 6))
    assert (few.again, many.again) == (4, 16)


def test_who_entered_in_rows_that_are_read_again_has_entered() -> None:
    config = Entrance((BASS, PIANO), (2 * QUARTER,), patience=1, again=math.inf)
    rows = prompt((0, PIANO), (3, BASS))
    processor = config.build(SamplerContext(rows, Constraints(), VOCABULARY, 1))
    changed = changes(processor, INSTRUMENT, 10)
    assert changed[BASS + 1] == 0
    assert changed[PIANO + 1] > 0


def test_without_strength_nothing_changes() -> None:
    config = Entrance((BASS,), strength=0.0)
    processor = config.build(SamplerContext(NOTHING, Constraints(), VOCABULARY, 1))
    assert not changes(processor, INSTRUMENT, 40).any()


def test_a_wait_that_a_given_row_cuts_off_gains_nothing() -> None:
    """Under given sixteenths all other waits would be cut off, and the silence would go on."""
    logits = np.zeros((1, VOCABULARY.sizes[WAIT]), dtype=np.float32)
    allowed = np.ones(logits.shape, dtype=bool)
    for room, gaining in ((QUARTER // 4, QUARTER // 4), (0, 1), (4 * QUARTER, QUARTER)):
        cut = state(7)._replace(room=np.array([room]))
        wait = made().apply(WAIT, logits, allowed, cut)[0]
        assert np.flatnonzero(wait).tolist() == [*range(1, 1 + gaining)]


def test_silence_goes_on_from_what_was_written_before() -> None:
    """Music that is sampled on and on begins no new silence each time."""
    written = prompt((0, BASS), (3, BASS), (3, PIANO))  # each a quarter long
    context = SamplerContext(written, Constraints(), VOCABULARY, 1)
    config = Entrance((BASS, PIANO), (0,), patience=4, growth=1, most=8)
    both = [BASS + 1, PIANO + 1]
    assert changes(config.build(context), INSTRUMENT, 8)[both] == pytest.approx([0, 0], abs=0.1)
    assert changes(config.build(context), INSTRUMENT, 10)[both] == pytest.approx([2, 2], abs=0.1)
    # what was played before a hole says nothing of the silence in it
    later = replace(config, begins=(5 * QUARTER,)).build(context)
    assert changes(later, INSTRUMENT, 10)[both] == pytest.approx([1, 1], abs=0.1)
