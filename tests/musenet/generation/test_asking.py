"""A person's words mean the options that they should; the field's own names are the truth."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from musenet.api import Model
from musenet.generation.asking import Asked, asked_options, place
from musenet.generation.options import Options, sampling_for
from musenet.generation.prompt import Place
from musenet.sampling.filters import Sampling
from tokenizer.errors import InputError
from tokenizer.theory import Key

WORDS: dict[str, tuple[Any, str, Any]] = {
    "bars": (8, "bars", 8),
    "ending": (True, "ending", True),
    "composer": ("Bach, Johann Sebastian", "composer", "bach"),
    "styles": ("baroque, Jazz", "styles", ("baroque", "jazz")),
    "instruments": (("piano", 42, "drums"), "instruments", (0, 42, 128)),
    "only_instruments": ("violin,cello", "only_instruments", (40, 42)),
    "new_instruments": (True, "new_instruments", True),
    "tempo": (96.0, "tempo", 96.0),
    "meter": ((3, 4), "meter", (3, 4)),
    "key": ("F# minor", "key", Key(3, True)),
    "balance": (0.0, "balance", 0.0),
    "manner": (0.5, "manner", 0.5),
    "repetition": (1.0, "repetition", 1.0),
    "overlap": (0.25, "overlap", 0.25),
    "seed": (7, "seed", 7),
    "variations": (3, "variations", (1, 2, 3)),
    "engine": ("eager", "engine", "eager"),
}
LIMITS: dict[str, tuple[Any, str, Any]] = {
    "polyphony": (4, "polyphony", 4),
    "density": (6, "density", 6),
    "unisons": (False, "unisons", False),
    "scale": ("D dorian", "pitch_classes", (0, 2, 4, 5, 7, 9, 11)),
}
DRAWS: dict[str, Any] = {"temperature": 0.9, "top_k": 5, "top_p": 0.8, "min_p": 0.1}


@pytest.mark.parametrize("keyword", WORDS)
def test_a_keyword_sets_its_option_and_no_other(keyword: str) -> None:
    given, name, meant = WORDS[keyword]
    options = asked_options(**{keyword: given})
    changed = {k: v for k, v in vars(options).items() if v != getattr(Options(), k)}
    assert changed == {name: meant}


@pytest.mark.parametrize("keyword", LIMITS)
def test_a_keyword_sets_its_limit(keyword: str) -> None:
    given, name, meant = LIMITS[keyword]
    limits = asked_options(**{keyword: given}).limits
    changed = {k: v for k, v in vars(limits).items() if v != getattr(Options().limits, k)}
    assert changed == {name: meant}


@pytest.mark.parametrize("keyword", DRAWS)
def test_a_number_sets_a_draw_for_every_field(keyword: str) -> None:
    number = DRAWS[keyword]
    sampling = asked_options(**{keyword: number}).sampling
    assert [getattr(how, keyword) for how in sampling] == [number] * 5


def test_text_sets_a_draw_for_one_field() -> None:
    sampling = asked_options(temperature="pitch=0.5").sampling
    assert [how.temperature for how in sampling] == [1.0, 1.0, 0.5, 1.0, 1.0]
    assert sampling[2] == Sampling(temperature=0.5, top_p=Options().sampling[2].top_p)


def test_every_keyword_is_tried_above() -> None:
    assert {*WORDS, *LIMITS, *DRAWS, "length"} == set(Asked.__annotations__)


def test_every_option_can_be_asked_for() -> None:
    indirectly = {"seconds": {"length"}, "sampling": {*DRAWS}, "limits": {*LIMITS}}
    for field in fields(Options):
        assert indirectly.get(field.name, {field.name}) <= set(Asked.__annotations__)


def test_every_keyword_is_told() -> None:
    page = (Path(__file__).parents[3] / "docs" / "generation.md").read_text(encoding="utf-8")
    told = re.findall(r"\w+", str(Model.generate.__doc__))
    for keyword in Asked.__annotations__:
        assert f"`{keyword}`" in page
        assert keyword in told
        assert f"\n        {keyword}: " in str(Asked.__doc__)


def test_nothing_asked_for_is_the_default() -> None:
    assert asked_options() == Options()


def test_a_piece_from_nothing_is_drawn_in_another_way() -> None:
    assert sampling_for(None) != sampling_for("a.mid") == Options().sampling
    sampling = asked_options(sampling_for(None), top_p="wait=0.5").sampling
    assert [how.top_p for how in sampling] == [0.5, 0.98, 0.98, 0.96, 0.96]


def test_a_length_takes_the_place_of_bars() -> None:
    for length in ("3:30", 210, 210.0):
        options = asked_options(length=length)
        assert (options.bars, options.seconds) == (None, 210)
    with pytest.raises(InputError, match="one of the two"):
        asked_options(length=60, bars=4)


def test_the_same_in_other_words() -> None:
    assert asked_options(meter="6/8") == asked_options(meter=(6, 8))
    assert asked_options(key="D") == asked_options(key=Key(2, False))
    assert asked_options(instruments="violin") == asked_options(instruments=40)
    assert asked_options(variations=(4, 2)).variations == (4, 2)
    assert place(5, "stop") == place("5", "stop") == Place(bar=5)
    assert place("1:05", "stop") == Place(seconds=65)


def test_an_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'instruments'"):
        asked_options(instrument="piano")  # type: ignore[call-arg]
    with pytest.raises(InputError, match="did you mean 'violin'"):
        asked_options(instruments=["violn"])
    with pytest.raises(InputError, match="numerator and a denominator"):
        asked_options(meter=(3,))  # type: ignore[arg-type]
