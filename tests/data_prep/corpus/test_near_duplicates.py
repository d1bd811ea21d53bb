from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from data_prep.corpus import near_duplicates as module
from data_prep.corpus.near_duplicates import groups, near_duplicates
from data_prep.worker.fingerprint import sketch, threshold
from tokenizer.score.score import NOTES, Score

Melody = Callable[..., Score]


def containment(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the smaller set that is in the other, below the lower threshold."""
    limit = min(threshold(one), threshold(other))
    a, b = set(one[one < limit].tolist()), set(other[other < limit].tolist())
    return len(a & b) / max(1, min(len(a), len(b)))


def test_pairs_are_those_of_the_definition() -> None:
    random = np.random.default_rng(0)
    pool = random.integers(0, 1 << 32, 3000, dtype=np.uint32)
    sketches = [np.unique(random.choice(pool[i % 7 * 300 :][:500], 120)) for i in range(60)]
    links = near_duplicates(sketches, containment=0.25, shared=8)
    found = set(zip(links.first.tolist(), links.second.tolist(), strict=True))
    expected = {
        (j, i)
        for i in range(60)
        for j in range(i)
        if containment(sketches[i], sketches[j]) >= 0.25
        and len(np.intersect1d(sketches[i], sketches[j])) >= 8
    }
    assert found == expected
    assert 0 < len(expected) < 60 * 59 / 2


def test_many_pairs_go_through_files_to_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    pool = random.integers(0, 1 << 32, 3000, dtype=np.uint32)
    sketches = [np.unique(random.choice(pool[i % 7 * 300 :][:500], 120)) for i in range(60)]
    held = near_duplicates(sketches, containment=0.25)
    monkeypatch.setattr(module, "BLOCK", 500)
    filed = near_duplicates(sketches, containment=0.25)
    assert len(held.first) > 10
    np.testing.assert_array_equal(held.first, filed.first)
    np.testing.assert_array_equal(held.second, filed.second)
    np.testing.assert_array_equal(held.containment, filed.containment)


def test_groups_are_connected_components(melody: Melody) -> None:
    sketches = [sketch(melody(seed)) for seed in (0, 1, 0, 2, 1, 0)]
    links = near_duplicates(sketches)
    assert groups(6, links).tolist() == [0, 1, 0, 3, 1, 0]
    chain = replace(links, first=np.array([4, 1, 2]), second=np.array([5, 2, 4]))
    assert groups(6, chain).tolist() == [0, 1, 1, 3, 1, 1]


def test_scales_alone_make_no_near_duplicates() -> None:
    def scales(seed: int) -> Score:
        """Scales up and down with a different turn between them: a study."""
        random = np.random.default_rng(seed)
        pitches = []
        for _ in range(12):
            pitches += [60 + step for step in range(24)] + random.integers(50, 90, 16).tolist()
        notes = np.zeros(len(pitches), dtype=NOTES)
        notes["start"] = np.arange(len(pitches)) * 120
        notes["duration"], notes["pitch"], notes["velocity"] = 120, pitches, 64
        return Score(480, (), notes)

    links = near_duplicates([sketch(scales(seed)) for seed in range(12)])
    assert len(links.first) == 0
