from __future__ import annotations

import pytest

from tokenizer.notation.staves import clef_of, hands, on_two_staves


@pytest.mark.parametrize(
    ("program", "pitches", "expected"),
    [
        (0, [72, 76], True),
        (46, [72], True),
        (16, [72, 76], False),
        (16, [40, 76], True),
        (40, [40, 76], False),
    ],
)
def test_keyboards_have_two_staves(program: int, pitches: list[int], expected: bool) -> None:
    assert on_two_staves(program, pitches) == expected


@pytest.mark.parametrize(
    ("program", "pitches", "clef"),
    [
        (128, [36], "drums"),
        (24, [60], "treble8vb"),
        (33, [40], "bass8vb"),
        (73, [80], "treble"),
        (42, [45], "bass"),
    ],
)
def test_clefs(program: int, pitches: list[int], clef: str) -> None:
    assert clef_of(program, pitches) == clef


def test_hands_keep_within_reach_and_to_their_side() -> None:
    chords = [(0.0, p) for p in (36, 48, 64, 67, 72)] + [(24.0, p) for p in (43, 50, 59, 62)]
    right = hands(chords)
    assert right == [False, False, True, True, True, False, False, True, True]


def test_a_tune_that_crosses_middle_c_stays_in_its_hand() -> None:
    notes = [(24.0 * n, pitch) for n, pitch in enumerate((67, 65, 64, 62, 60, 59, 60, 62))]
    notes += [(24.0 * n, 40) for n in range(8)]
    right = hands(notes)
    assert right == [True] * 8 + [False] * 8
