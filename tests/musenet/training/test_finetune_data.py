"""A user's folder as a dataset: how much is held out, and whose the pieces are."""

from __future__ import annotations

import pytest

from musenet.training.finetune_data import finetuning_plan, held_out
from tokenizer.errors import InputError


@pytest.mark.parametrize(
    ("pieces", "validation", "test"),
    [(1, 0, 0), (3, 0, 0), (4, 1, 0), (7, 1, 0), (8, 1, 1), (30, 3, 3)],
)
def test_how_many_are_held_out(pieces: int, validation: int, test: int) -> None:
    chosen = held_out({f"piece {i}": f"{i * 7919 % 100:02}" for i in range(pieces)})
    assert sorted(chosen.values()) == ["test"] * test + ["validation"] * validation


def test_a_composer_must_be_a_name() -> None:
    assert finetuning_plan("Schumann, Clara", None).composer == "clara_schumann"
    assert finetuning_plan(None, None).composer is None
    with pytest.raises(InputError, match="is not a composer"):
        finetuning_plan("?", None)
