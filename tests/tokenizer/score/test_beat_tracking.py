"""Beat tracking on music whose beats are known."""

from __future__ import annotations

import numpy as np
import pytest

from tokenizer.score.beat_tracking import f_measure, grid_fit, track_beats
from tokenizer.typing import Floats


def played(beats: Floats, seed: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Chords on beats and a tune in eighths, 10 ms beside the beat."""
    random = np.random.default_rng(seed)
    eighths = (beats[:-1] + beats[1:]) / 2
    bass = np.where(np.arange(len(beats)) % 4 == 0, 36.0, 48.0)
    times = np.concatenate([beats, beats, eighths])
    times = np.maximum(times + random.normal(0, 0.01, len(times)), 0)
    pitches = np.concatenate([bass, np.full(len(beats), 64.0), np.full(len(eighths), 72.0)])
    lengths = np.concatenate([np.full(2 * len(beats), 0.4), np.full(len(eighths), 0.2)])
    velocities = np.concatenate([np.full(2 * len(beats), 90.0), np.full(len(eighths), 60.0)])
    order = np.argsort(times)
    return times[order], lengths[order], pitches[order], velocities[order]


@pytest.mark.parametrize("tempo", [76, 93, 120, 138])
def test_a_steady_tempo_is_found(tempo: int) -> None:
    beats = 0.2 + np.arange(64) * 60 / tempo
    assert f_measure(track_beats(*played(beats, tempo)), beats) > 0.95


def test_a_tempo_that_changes_is_followed() -> None:
    gaps = 60 / np.linspace(90, 110, 80)
    beats = np.concatenate([[0.1], 0.1 + np.cumsum(gaps)])
    assert f_measure(track_beats(*played(beats, 1)), beats) > 0.9


def test_few_onsets_have_no_beats() -> None:
    few = np.arange(8, dtype=np.float64)
    assert not len(track_beats(few, np.ones(8), np.full(8, 60.0), np.full(8, 80.0)))


def test_f_measure_by_hand() -> None:
    true = np.array([0.0, 1.0, 2.0, 3.0])
    assert f_measure(true, true) == 1
    assert f_measure(np.array([0.05, 1.1, 2.0]), true) == pytest.approx(2 * 2 / 7)
    assert f_measure(np.array([0.95, 1.05]), np.array([1.0])) == pytest.approx(2 / 3)
    assert f_measure(np.empty(0), true) == 0


def test_the_grid_fits_what_lies_on_it() -> None:
    assert grid_fit(np.arange(40) / 4) == pytest.approx(1)
    assert grid_fit(np.arange(40) / 3) == pytest.approx(1)
    assert grid_fit(np.random.default_rng(0).uniform(0, 100, 2000)) < 0.1
    assert grid_fit(np.empty(0)) == 0
