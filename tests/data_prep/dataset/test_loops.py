"""Loops: a figure of whole bars, again and again."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.dataset.loops import Loops, looped
from tokenizer import Tokenizer
from tokenizer.encoding.compound import Events, encode_events, note_rows, row_times
from tokenizer.encoding.vocabulary import VELOCITY, WAIT
from tokenizer.typing import Tokens

TOKENIZER = Tokenizer.default()
VOCABULARY = TOKENIZER.vocabulary
QUARTER = VOCABULARY.grid.beat


def melody(bars: int, meter: tuple[int, int], seed: int = 0) -> Tokens:
    """Eighth notes of random pitches in bars of a meter."""
    random = np.random.default_rng(seed)
    numerator, denominator = meter
    eighths = bars * numerator * 8 // denominator
    start = np.arange(eighths) * QUARTER // 2
    times, rows = note_rows(
        start,
        np.zeros(eighths, np.int64),
        random.integers(40, 90, eighths),
        np.full(eighths, 12),
        np.full(eighths, 64),
    )
    none = np.empty(0, np.int64)
    return encode_events(Events(times, rows, none, none), VOCABULARY)


@pytest.mark.parametrize("meter", [(4, 4), (3, 4), (6, 8), (5, 4)])
@pytest.mark.parametrize("bars", [1, 2, 4])
def test_a_figure_of_whole_bars_comes_back_exactly(meter: tuple[int, int], bars: int) -> None:
    body = melody(40, meter)
    times = row_times(body, VOCABULARY)
    loops = Loops(rate=1.0, bars=(bars,), rounds=(300, 300), exact=1.0)
    for seed in range(10):
        random = np.random.default_rng(seed)
        found = looped(body, times, 80, 300, loops, VOCABULARY, meter, random)
        assert found is not None
        assert len(found) <= 300
        length = bars * 4 * QUARTER * meter[0] // meter[1]
        figure = length // (QUARTER // 2)
        again = row_times(found, VOCABULARY)
        assert np.array_equal(found[:-figure, 1:], found[figure:, 1:])
        assert (again[figure:] - again[:-figure] == length).all()
        # The figure is the piece's own, and begins on a bar line.
        starts = [
            at
            for at in range(len(body) - figure)
            if np.array_equal(body[at : at + figure, 1:], found[:figure, 1:])
        ]
        assert any(int(times[at]) % (length // bars) == 0 for at in starts)


def test_changes_leave_the_first_time_whole_and_stay_few() -> None:
    body = melody(40, (4, 4))
    times = row_times(body, VOCABULARY)
    loops = Loops(rate=1.0, bars=(2,), rounds=(300, 300), exact=0.0, change=0.1)
    for seed in range(20):
        random = np.random.default_rng(seed)
        found = looped(body, times, 0, 256, loops, VOCABULARY, (4, 4), random)
        assert found is not None
        positions = row_times(found, VOCABULARY) // (QUARTER // 2)
        assert positions[:16].tolist() == list(range(16))
        rounds = int(positions[-1]) // 16
        assert len(found) >= 0.8 * 16 * rounds
        assert found[:, VELOCITY].min() >= 1


def test_what_cannot_be_looped_is_none() -> None:
    loops = Loops(rate=1.0, bars=(8,))
    body = melody(4, (4, 4))
    times = row_times(body, VOCABULARY)
    random = np.random.default_rng(0)
    assert looped(body, times, 0, 300, loops, VOCABULARY, (4, 4), random) is None
    few = body[:2]
    assert looped(few, row_times(few, VOCABULARY), 0, 300, loops, VOCABULARY, None, random) is None


def test_a_figure_never_crosses_a_change_of_meter() -> None:
    first, second = melody(6, (4, 4)), melody(6, (3, 4), 1)
    control = np.zeros((1, 5), dtype=np.int16)
    control[0, WAIT] = VOCABULARY.control("time_signature:3/4") or 0
    body = np.concatenate([first, control, second])
    body[len(first) + 1, WAIT] = QUARTER // 2 + 1
    advance = np.zeros((1, 5), dtype=np.int16)
    advance[0, WAIT] = QUARTER // 2 + 1
    body = np.concatenate([first, advance, control, second])
    body[len(first) + 2, WAIT] = 1
    times = row_times(body, VOCABULARY)
    for seed in range(40):
        random = np.random.default_rng(seed)
        start = int(random.integers(len(body)))
        loops = Loops(rate=1.0, bars=(2,), rounds=(200, 200), exact=1.0)
        found = looped(body, times, start, 200, loops, VOCABULARY, (4, 4), random)
        if found is None:
            continue
        pitches = found[:, 2].tolist()
        period = next(p for p in (12, 16) if pitches[: len(pitches) - p] == pitches[p:])
        whole = body[:, 2].tolist()
        inside = [whole[i : i + period] == pitches[:period] for i in range(len(whole))]
        place = inside.index(True)
        assert (place < len(first)) == (period == 16)


def test_sections_follow_and_return_as_in_a_song() -> None:
    body = melody(64, (4, 4))
    times = row_times(body, VOCABULARY)
    loops = Loops(rate=1.0, bars=(1, 2), rounds=(2, 4), returns=0.5, exact=1.0)
    returned = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        found = looped(body, times, 80, 400, loops, VOCABULARY, (4, 4), random)
        assert found is not None
        assert len(found) == 400
        bars = [tuple(map(tuple, bar[:, 1:].tolist())) for bar in found.reshape(50, 8, 5)]
        whole = {tuple(map(tuple, body[at : at + 8, 1:].tolist())) for at in range(0, len(body), 8)}
        assert set(bars) <= whole  # every bar is one of the piece's
        assert 2 < len(set(bars)) < 25
        last = {bar: at for at, bar in enumerate(bars)}
        returned += any(b - a > 8 for a, b in ((bars.index(bar), last[bar]) for bar in last))
    assert returned > 10
