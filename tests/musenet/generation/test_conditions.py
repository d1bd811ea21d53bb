"""What a request says is drawn from: the defaults that depend on the music that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from musenet.generation.conditions import completed
from musenet.model.checkpoint import load_checkpoint
from musenet.options.generate_options import GenerateOptions


@pytest.mark.parametrize(
    ("asked", "band"),
    [
        ({"instruments": "guitar,drums"}, True),
        ({"only_instruments": "drums"}, True),
        ({"styles": "rock"}, True),
        ({"styles": "jazz", "instruments": "piano"}, False),
        ({"styles": "waltz"}, False),
        ({"composer": "bach"}, False),
        ({}, False),
    ],
)
def test_new_music_with_drums_is_sampled_at_a_lower_temperature(
    folder: Path, asked: dict[str, Any], band: bool
) -> None:
    options = GenerateOptions.from_keywords(**asked)
    drawn = completed(options, None, load_checkpoint(folder)).sampling(fresh=True)
    assert [how.temperature for how in drawn] == [0.85 if band else 1.0] * 5
    stated = GenerateOptions.from_keywords(**asked, temperature=1.2)
    drawn = completed(stated, None, load_checkpoint(folder)).sampling(fresh=True)
    assert [how.temperature for how in drawn] == [1.2] * 5
