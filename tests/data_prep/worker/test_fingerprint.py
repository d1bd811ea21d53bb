from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.corpus import near_duplicates as corpus_pairs
from data_prep.corpus.near_duplicates import groups, near_duplicates
from data_prep.worker.fingerprint import SKETCH_SIZE, sketch, threshold
from tokenizer.score.score import NOTES, Score

Melody = Callable[..., Score]


def containment(one: np.ndarray, other: np.ndarray) -> float:
    """Share of the smaller set that is in the other, below the lower threshold."""
    limit = min(threshold(one), threshold(other))
    a, b = set(one[one < limit].tolist()), set(other[other < limit].tolist())
    return len(a & b) / max(1, min(len(a), len(b)))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    semitones=st.integers(-12, 12),
    stretch=st.integers(1, 7),
    louder=st.integers(-30, 20),
)
def test_the_sketch_does_not_hear_key_tempo_volume_or_instruments(
    melody: Melody, seed: int, semitones: int, stretch: int, louder: int
) -> None:
    original = melody(seed)
    notes = original.notes.copy()
    notes["start"] *= stretch
    notes["duration"] *= stretch
    notes["pitch"] = notes["pitch"].astype(int) + semitones
    notes["velocity"] = notes["velocity"].astype(int) + louder
    notes["track"] = 1 - notes["track"]
    notes["program"] = 48
    changed = Score(original.ticks_per_quarter, (), notes)
    np.testing.assert_array_equal(sketch(original), sketch(changed))


def test_moving_a_part_by_an_octave_changes_nothing(melody: Melody) -> None:
    original = melody(3)
    notes = original.notes.copy()
    notes["pitch"][notes["track"] == 1] -= 12
    np.testing.assert_array_equal(sketch(original), sketch(Score(480, (), notes)))


def test_other_music_has_another_sketch(melody: Melody) -> None:
    sketches = [sketch(melody(seed)) for seed in range(40)]
    assert max(containment(a, b) for i, a in enumerate(sketches) for b in sketches[:i]) < 0.2


def test_an_excerpt_is_found_in_the_whole(melody: Melody) -> None:
    whole = melody(1, notes=2000)
    part = whole.slice(480 * 200, 480 * 700)
    assert containment(sketch(whole), sketch(part)) > 0.9


def test_a_sketch_is_short_ascending_and_complete_below_its_threshold(melody: Melody) -> None:
    found = sketch(melody(2, notes=5000))
    assert SKETCH_SIZE // 3 < len(found) <= SKETCH_SIZE
    assert (np.diff(found.astype(np.int64)) > 0).all()
    assert found[-1] < threshold(found)
    # The same music twice as long has the same hashes, of which fewer fit.
    longer = melody(2, notes=5000).concatenate(melody(4, notes=5000))
    limit = min(threshold(sketch(longer)), threshold(found))
    common = np.intersect1d(found[found < limit], sketch(longer))
    assert len(common) >= 0.97 * (found < limit).sum()


def test_drums_are_told_apart_by_strokes_and_rhythm() -> None:
    def drums(seed: int, scale: int = 1, louder: int = 0) -> Score:
        random = np.random.default_rng(seed)
        notes = np.zeros(200, dtype=NOTES)
        notes["start"] = np.cumsum(random.choice([120, 240, 480], 200)) * scale
        notes["duration"] = 60
        notes["pitch"] = random.choice([36, 38, 42, 46], 200)
        notes["velocity"] = 60 + louder
        notes["program"] = 128
        return Score(480, (), notes)

    np.testing.assert_array_equal(sketch(drums(0)), sketch(drums(0, scale=3, louder=20)))
    assert containment(sketch(drums(0)), sketch(drums(1))) < 0.1
    other = drums(0).notes.copy()
    other["start"] = np.sort(np.random.default_rng(5).permutation(20_000)[:200])
    assert containment(sketch(drums(0)), sketch(Score(480, (), other))) < 0.1


@pytest.mark.parametrize("notes", [0, 1, 2, 5])
def test_hardly_any_music(melody: Melody, notes: int) -> None:
    assert len(sketch(melody(0, notes=notes, programs=(0,)))) <= max(1, notes)


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
    monkeypatch.setattr(corpus_pairs, "BLOCK", 500)
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
        """Scales up and down with a turn of its own between them: a study."""
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
