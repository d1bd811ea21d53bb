"""Parts: which notes are written, against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.dataset.parts import (
    KINDS,
    Missing,
    draw_missing,
    labels_without,
    skyline,
    without,
    written_part,
)
from tokenizer import Labels, Tokenizer
from tokenizer.encoding.compound import Events, encode_events, note_rows, row_times
from tokenizer.typing import Steps, Tokens

VOCABULARY = Tokenizer.default().vocabulary
DRUMS = 129


def band(seed: int, count: int = 60) -> tuple[Steps, Tokens]:
    random = np.random.default_rng(seed)
    return note_rows(
        np.sort(random.integers(0, 200, count)) * 6,
        random.choice([0, 33, 128], count),
        random.integers(30, 90, count),
        random.integers(1, 40, count),
        random.integers(1, 128, count),
    )


def test_the_melody_is_the_highest_note_of_each_time() -> None:
    times, notes = band(0)
    top = skyline(notes, times)
    for time in np.unique(times):
        here = [i for i in np.flatnonzero(times == time) if notes[i, 1] != DRUMS]
        assert sum(top[i] for i in np.flatnonzero(times == time)) == (1 if here else 0)
        if here:
            assert max(notes[i, 2] for i in here) == notes[here][top[here]][0, 2]


def test_every_kind_of_part_is_drawn_and_is_what_it_is_called() -> None:
    seen = set()
    for seed in range(60):
        times, notes = band(seed)
        found = written_part(notes, times, np.random.default_rng(seed))
        assert found is not None
        kind, written = found
        seen.add(kind)
        drums = notes[:, 1] == DRUMS
        assert 0 < written.sum() < len(notes)
        if kind == "drums":
            assert np.array_equal(written, drums)
        elif kind == "all but drums":
            assert np.array_equal(written, ~drums)
        elif kind == "all but the melody":
            assert np.array_equal(written, ~skyline(notes, times))
        elif kind == "some instruments":
            assert not set(notes[written, 1]) & set(notes[~written, 1])
        else:  # above or below a pitch of one instrument
            (instrument,) = set(notes[written, 1])
            mine = notes[:, 1] == instrument
            above, rest = notes[written, 2], notes[mine & ~written, 2]
            assert above.min() > rest.max() or above.max() <= rest.min()
    assert seen == set(KINDS)


def test_one_note_cannot_be_divided() -> None:
    times, notes = band(0, 1)
    assert written_part(notes, times, np.random.default_rng(0)) is None


@pytest.mark.parametrize("seed", range(5))
def test_missing_instruments_leave_the_others_at_their_times(seed: int) -> None:
    times, notes = band(seed)
    none = np.empty(0, np.int64)
    tokens = encode_events(Events(times, notes.copy(), none, none), VOCABULARY)
    missing = draw_missing(Missing(1.0, 0.9), tokens, np.random.default_rng(seed))
    assert 0 < len(missing) < 3
    left = without(tokens, missing, VOCABULARY)
    before, after = (
        [
            (time, *row[1:])
            for time, row in zip(row_times(x, VOCABULARY).tolist(), x.tolist(), strict=True)
        ]
        for x in (tokens, left)
    )
    kept = [row for row in before if row[1] - 1 not in missing and row[1]]
    assert [row for row in after if row[1]] == kept
    labels = labels_without(Labels(instruments=(0, 33, 128)), missing)
    assert set(labels.instruments) == {0, 33, 128} - missing
