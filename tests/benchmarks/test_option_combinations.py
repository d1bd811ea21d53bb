"""A few of the random requests with the promises that the benchmark holds all of them to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.option_combinations import ACCOMPANY, FILL, GENERATE, PROMPTS, failures, request
from musenet.cli.main import named


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_no_promise_is_broken(tmp_path: Path, seed: int) -> None:
    rng = random.Random(f"test {seed}")
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        words = request(rng, folder, "mini")
        assert failures(words, folder)[1] == [], words


def test_the_nine_prompts_are_there() -> None:
    assert len(PROMPTS) == 9


@pytest.mark.parametrize(
    ("command", "pool"), [("generate", GENERATE), ("fill", FILL), ("accompany", ACCOMPANY)]
)
def test_the_options_are_those_of_the_command(command: str, pool: dict[str, object]) -> None:
    known = {
        flag for option in named(command).params for flag in (*option.opts, *option.secondary_opts)
    }
    assert set(pool) <= known
