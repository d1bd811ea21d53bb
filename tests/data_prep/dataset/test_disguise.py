"""Disguise: other sounds and loudness, the same notes at the same times."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.dataset.disguise import (
    DRUM_ROLES,
    Disguise,
    apply_disguise,
    disguised_labels,
    draw_disguise,
)
from tokenizer import Labels, Tokenizer
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, PITCH, VELOCITY, WAIT
from tokenizer.instruments import DRUMS, family_of, range_of
from tokenizer.typing import Tokens

VOCABULARY = Tokenizer.default().vocabulary
ALWAYS = Disguise(rate=1.0, instruments=1.0, kit=1.0)


def band(seed: int, notes: int = 200) -> Tokens:
    """Rows of a band: chords of piano, bass and drums, in the order of tokens, and a rest."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(notes):
        chord = {
            (0, int(random.integers(50, 80))),
            (33, int(random.integers(30, 50))),
            (128, int(random.choice([36, 38, 42]))),
        }
        for number, (program, pitch) in enumerate(sorted(chord)):
            wait = 13 if number == 0 else 1
            velocity = int(random.integers(5, 30))
            rows.append((wait, program + 1, pitch + 1, int(random.integers(1, 30)), velocity))
    rows.append((VOCABULARY.first_rest, 0, 0, 0, 0))
    return np.array(rows, dtype=np.int16)


@pytest.mark.parametrize("seed", range(20))
def test_only_sound_and_loudness_change(seed: int) -> None:
    before = band(seed)
    tables = draw_disguise(ALWAYS, before, np.random.default_rng(seed))
    after = before.copy()
    apply_disguise(after, tables, VOCABULARY)
    assert np.array_equal(after[:, WAIT], before[:, WAIT])
    times = row_times(before, VOCABULARY)
    expected, found = [], []
    for time, row in zip(times, before, strict=True):
        instrument, pitch, duration, velocity = row[1:].tolist()
        if instrument == DRUMS + 1:
            pitch = int(tables.drum[pitch])
        velocity = int(tables.velocity[instrument, velocity])
        expected.append((time, int(tables.instrument[instrument]), pitch, duration, velocity))
    for time, row in zip(times, after, strict=True):
        found.append((time, *row[1:].tolist()))
    assert sorted(expected) == found


@pytest.mark.parametrize("seed", range(20))
def test_instruments_stay_different_and_can_play_their_notes(seed: int) -> None:
    before = band(seed)
    tables = draw_disguise(ALWAYS, before, np.random.default_rng(seed))
    new = [int(tables.instrument[value]) - 1 for value in (1, 34)]
    assert len({*new, DRUMS}) == 3
    assert tables.instrument[DRUMS + 1] == DRUMS + 1
    for value, program in zip((1, 34), new, strict=True):
        pitches = before[before[:, INSTRUMENT] == value, PITCH] - 1
        low, high = range_of(program)
        old_low, old_high = range_of(value - 1)
        assert program == value - 1 or (low <= pitches.min() and pitches.max() <= high)
        assert old_low <= old_high


def test_the_family_is_kept_as_often_as_asked() -> None:
    same = {1.0: 0, 0.0: 0}
    for family in same:
        disguise = Disguise(rate=1.0, instruments=1.0, family=family)
        for seed in range(100):
            tables = draw_disguise(disguise, band(1), np.random.default_rng(seed))
            same[family] += family_of(int(tables.instrument[1]) - 1) == "piano"
    assert same[1.0] == 100
    assert same[0.0] < 40


def test_drums_strike_keys_of_the_same_role() -> None:
    for seed in range(50):
        drum = draw_disguise(ALWAYS, band(0), np.random.default_rng(seed)).drum
        for role in DRUM_ROLES:
            assert sorted(drum[np.array(role) + 1] - 1) == sorted(role)
        inside = {key + 1 for role in DRUM_ROLES for key in role}
        for value in set(range(129)) - inside:
            assert drum[value] == value


def test_velocities_stay_velocities_and_keep_their_order() -> None:
    for seed in range(50):
        velocity = draw_disguise(ALWAYS, band(0), np.random.default_rng(seed)).velocity
        assert (velocity[:, 0] == 0).all()
        assert velocity[:, 1:].min() >= 1
        assert velocity.max() <= VOCABULARY.sizes[VELOCITY] - 1
        assert (np.diff(velocity[:, 1:], axis=1) >= 0).all()


def test_labels_name_the_new_instruments() -> None:
    tables = draw_disguise(ALWAYS, band(3), np.random.default_rng(3))
    labels = disguised_labels(Labels(instruments=(0, 33, 128), composer="bach"), tables)
    assert labels.composer == "bach"
    assert labels.instruments == tuple(int(tables.instrument[p + 1]) - 1 for p in (0, 33, 128))


def test_nothing_is_drawn_at_rate_zero_but_identity_tables_change_nothing() -> None:
    rows = band(5)
    still = Disguise(instruments=0.0, kit=0.0, contrast=0.0, offset=0.0)
    tables = draw_disguise(still, rows, np.random.default_rng(0))
    after = rows.copy()
    apply_disguise(after, tables, VOCABULARY)
    columns = [WAIT, INSTRUMENT, PITCH, DURATION]
    assert np.array_equal(after[:, columns], rows[:, columns])
    for value in (1, 34, DRUMS + 1):
        own = after[after[:, INSTRUMENT] == value, VELOCITY]
        assert len(set(own.tolist())) == 1
