"""Intervals against the normal approximation, and against scipy's bootstrap where it is there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from musenet.evaluation.bootstrap import bootstrap, interval, resamples


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(5.0, 1.0, 400)
    low, high = bootstrap(values)
    assert low == pytest.approx(values.mean() - 1.96 / math.sqrt(400), abs=0.02)
    assert high == pytest.approx(values.mean() + 1.96 / math.sqrt(400), abs=0.02)


def test_a_smaller_draw_gives_a_wider_interval() -> None:
    values = np.random.default_rng(1).normal(0.0, 1.0, 1000)
    low, high = bootstrap(values, size=100)
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(100), rel=0.1)


def test_weights_make_a_ratio_of_sums() -> None:
    random = np.random.default_rng(2)
    notes = random.integers(10, 1000, 200)
    # A piece costs three bits a note whatever its length, so that no draw can differ.
    assert bootstrap(3.0 * notes.astype(np.float64), notes) == pytest.approx((3.0, 3.0))
    bits = notes * random.normal(3.0, 0.5, 200)
    low, high = bootstrap(bits, notes)
    assert low < bits.sum() / notes.sum() < high


def test_it_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(3).exponential(2.0, 150)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(4)
    ).confidence_interval
    assert bootstrap(values, draws=4000) == pytest.approx(tuple(reference), abs=0.05)


def test_draws_are_with_replacement_and_the_same_for_a_seed() -> None:
    picks = resamples(7, size=5, draws=300, seed=1)
    assert picks.shape == (300, 5)
    assert set(np.unique(picks).tolist()) == set(range(7))
    assert any(len(set(row)) < 5 for row in picks.tolist())
    np.testing.assert_array_equal(picks, resamples(7, size=5, draws=300, seed=1))
    assert interval(np.arange(1001.0)) == pytest.approx((25.0, 975.0))
