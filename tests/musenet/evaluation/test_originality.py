"""Shared runs against a comparison of every place with every place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from musenet.evaluation.originality import COVERED, SHORTEST, Library, steps_of
from tokenizer import Tokenizer

Notes = list[tuple[int, int]]


def tokens(notes: Notes, tokenizer: Tokenizer, instrument: int = 0) -> npt.NDArray[np.int16]:
    """Rows of (wait, pitch) notes."""
    rows = np.zeros((len(notes), 5), dtype=np.int16)
    for i, (wait, pitch) in enumerate(notes):
        rows[i] = 1 + wait, 1 + instrument, 1 + pitch, 5, 9
    return rows


def random_notes(seed: int, count: int) -> Notes:
    random = np.random.default_rng(seed)
    waits, pitches = random.integers([[1], [40]], [[4], [44]], (2, count)).tolist()
    return list(zip(waits, pitches, strict=True))


def by_hand(one: Notes, other: Notes) -> int:
    """Notes of the longest shared run, by comparing all pairs of places."""
    a = [(one[i + 1][0], one[i + 1][1] - one[i][1]) for i in range(len(one) - 1)]
    b = [(other[i + 1][0], other[i + 1][1] - other[i][1]) for i in range(len(other) - 1)]
    longest = 0
    for i in range(len(a)):
        for j in range(len(b)):
            n = 0
            while i + n < len(a) and j + n < len(b) and a[i + n] == b[j + n]:
                n += 1
            longest = max(longest, n)
    return longest + 1 if longest >= SHORTEST else 0


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.default()


@pytest.mark.parametrize("seed", range(6))
def test_the_longest_run_is_found(tokenizer: Tokenizer, seed: int) -> None:
    library = [random_notes(100 * seed + i, 150) for i in range(4)]
    sample = random_notes(7000 + seed, 60)
    copied = library[2][20 : 20 + 12 + 7 * seed]
    sample[15:15] = [(wait, pitch + 5) for wait, pitch in copied]
    vocabulary = tokenizer.vocabulary
    index = Library(
        (str(i), steps_of(tokens(p, tokenizer), vocabulary)) for i, p in enumerate(library)
    )
    (found,) = index.shared([steps_of(tokens(sample, tokenizer), vocabulary)])
    assert found.longest == max(by_hand(sample, piece) for piece in library)
    assert found.longest >= len(copied)
    assert found.name == "2"
    assert found.at in (14, 15)
    assert found.notes == len(sample)


def test_of_many_places_the_one_that_goes_on_is_found(tokenizer: Tokenizer) -> None:
    theme = random_notes(8, 12)
    library = [theme + random_notes(20 + i, 30) for i in range(5)]
    sample = random_notes(9, 10) + library[3][:14] + random_notes(10, 10)
    vocabulary = tokenizer.vocabulary
    names = [(str(i), steps_of(tokens(p, tokenizer), vocabulary)) for i, p in enumerate(library)]
    (found,) = Library(names).shared([steps_of(tokens(sample, tokenizer), vocabulary)])
    assert found.longest == max(by_hand(sample, piece) for piece in library) >= 14
    assert found.name == "3"


def test_a_copy_is_covered_and_new_music_is_not(tokenizer: Tokenizer) -> None:
    piece = random_notes(1, 200)
    steps = steps_of(tokens(piece, tokenizer), tokenizer.vocabulary)
    moved = steps_of(
        tokens([(w, p + 7) for w, p in piece], tokenizer, instrument=40), tokenizer.vocabulary
    )
    fresh = steps_of(tokens(random_notes(2, 200), tokenizer), tokenizer.vocabulary)
    half = piece[:100] + random_notes(3, 100)
    part = steps_of(tokens(half, tokenizer), tokenizer.vocabulary)
    whole, new, mixed = Library([("piece", steps)]).shared([moved, fresh, part])
    assert (whole.longest, whole.covered) == (200, 1.0)
    assert new.covered == 0.0
    assert new.longest < COVERED
    assert mixed.covered == pytest.approx(0.5, abs=0.02)


def test_runs_do_not_go_on_into_the_next_piece(tokenizer: Tokenizer) -> None:
    one, two = random_notes(4, 30), random_notes(5, 30)
    vocabulary = tokenizer.vocabulary
    index = Library(
        [
            ("1", steps_of(tokens(one, tokenizer), vocabulary)),
            ("2", steps_of(tokens(two, tokenizer), vocabulary)),
        ]
    )
    joined = steps_of(tokens(one + two, tokenizer), vocabulary)
    (found,) = index.shared([joined])
    assert found.longest == 30


def test_drums_and_empty_music_share_nothing(tokenizer: Tokenizer) -> None:
    piece = tokens(random_notes(6, 50), tokenizer)
    drums = tokens(random_notes(6, 50), tokenizer, instrument=128)
    index = Library([("piece", steps_of(piece, tokenizer.vocabulary))])
    (found,) = index.shared([steps_of(drums, tokenizer.vocabulary)])
    assert (found.notes, found.longest, found.covered, found.name) == (0, 0, 0.0, "")
    assert index.shared([]) == []
