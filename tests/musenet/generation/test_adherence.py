"""Adherence against figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.generation.adherence import adherence
from tokenizer.score.score import NOTES


def notes(*rows: tuple[int, int, int]) -> np.ndarray:
    """(pitch, velocity, program)."""
    return np.array([(i, 1, p, v, g, 0) for i, (p, v, g) in enumerate(rows)], NOTES)


def test_figures() -> None:
    prompt = notes((60, 80, 0), (62, 80, 0), (64, 80, 40), (35, 100, 128))
    new = notes((60, 60, 0), (61, 80, 0), (62, 100, 56), (38, 40, 128))
    found = adherence(new, 2.0, prompt, 1.0, (0, 40, 128), (0, False))
    assert found.new.notes_per_bar == 2
    assert found.new.pitch == 61
    assert found.new.velocity == 70
    assert found.new.in_key == pytest.approx(2 / 3)
    assert found.prompt is not None
    assert (found.prompt.notes_per_bar, found.prompt.pitch, found.prompt.in_key) == (4, 62, 1)
    assert found.in_instruments == 0.75
    assert found.unwanted == ((56, 1),)
    assert found.silent == (40,)
    assert str(found) == (
        "Violin silent, 75% of the notes in the requested instruments, "
        "Trumpet not requested (notes: 1), notes per bar 2 (prompt 4), mean pitch 61 (prompt 62), "
        "mean velocity 70 (prompt 85), "
        "67% in the key (prompt 100%)"
    )


def test_minor_has_both_sixths_and_sevenths() -> None:
    scale = notes(*[(p, 64, 0) for p in (69, 71, 72, 74, 76, 77, 78, 79, 80)])
    assert adherence(scale, 1, notes(), 1, (), (0, True)).new.in_key == 1
    assert adherence(notes((70, 64, 0)), 1, notes(), 1, (), (0, True)).new.in_key == 0


def test_drums_alone_have_no_pitch_and_no_key() -> None:
    drums = notes((36, 90, 128), (42, 80, 128))
    assert str(adherence(drums, 1, drums, 1, (), (0, False))) == (
        "notes per bar 2 (prompt 2), mean velocity 85 (prompt 85)"
    )


def test_nothing_at_all() -> None:
    found = adherence(notes(), 0, notes(), 0, (), None)
    assert found.in_instruments is None
    assert found.prompt is None
    assert found.new.notes_per_bar == 0
