"""Scores for notation, and what other programs make of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tokenizer import Score, read

PROMPTS = sorted((Path(__file__).parents[3] / "examples" / "prompts").glob("*.mid"))


@pytest.fixture(params=PROMPTS, ids=lambda path: path.stem)
def prompt(request: pytest.FixtureRequest) -> Score:
    """Each of the example prompts."""
    return read(request.param)
