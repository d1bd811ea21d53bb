"""Files are made again from what stands in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musenet.decoding.engines import resolve_engine
from musenet.generation.options import Options
from musenet.generation.prompt import Place, Prompt, read_prompt
from musenet.generation.recipe import RECIPE, Recipe, prompt_in, read_recipe
from musenet.generation.session import Composition, Result
from musenet.model.checkpoint import Checkpoint
from tokenizer.errors import InputError
from tokenizer.theory import Key

EXAMPLES = Path(__file__).parents[3] / "examples" / "prompts"


def made(tiny: Checkpoint, prompt: Prompt | None, options: Options) -> Result:
    composition = Composition(tiny, prompt, options)
    for _ in composition.steps():
        pass
    return composition.results()[0]


CASES = {
    "whole": ("chorale", None, None, Options(bars=2, seed=1)),
    "part": ("quartet", 2, 5, Options(bars=2, seed=2, instruments=(73,), tempo=80.0)),
    "key": ("piano", None, 4, Options(bars=2, seed=3, key=Key(4, True), variations=(7,))),
    "end": ("folk", None, 3, Options(bars=2, seed=4, ending=True)),
    "fresh": (None, None, None, Options(bars=2, seed=5, meter=(3, 4), composer="bach")),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_is_made_again_byte_for_byte(tiny: Checkpoint, tmp_path: Path, case: str) -> None:
    name, begin, stop, options = CASES[case]
    prompt = name and read_prompt(
        EXAMPLES / f"{name}.mid",
        begin=Place(bar=begin) if begin else None,
        stop=Place(bar=stop) if stop else None,
    )
    first = made(tiny, prompt or None, options)
    path = tmp_path / "song.mid"
    path.write_bytes(first.data)
    recipe, file = read_recipe(path)
    assert recipe.options == replace(options, engine=resolve_engine(options.engine, tiny.model))
    assert recipe.weights == tiny.hash
    old = prompt_in(file, recipe)
    if prompt:
        assert old is not None
        assert np.array_equal(old.heard.notes, prompt.heard.notes)
    assert made(tiny, old, recipe.options).data == first.data


def test_a_continued_continuation_is_made_again(tiny: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "song.mid"
    data = (EXAMPLES / "folk.mid").read_bytes()
    for seed in (1, 2, 3):
        path.write_bytes(data)
        last = made(tiny, read_prompt(path), Options(bars=2, seed=seed))
        data = last.data
    path.write_bytes(data)
    recipe, file = read_recipe(path)
    assert recipe.options.seed == 3
    assert made(tiny, prompt_in(file, recipe), recipe.options).data == data


def test_recipes_survive_as_text(tiny: Checkpoint) -> None:
    recipe = made(tiny, None, Options(bars=1)).recipe
    assert Recipe.from_text(recipe.to_text()) == recipe
    alone = replace(recipe, alone=True)
    assert Recipe.from_text(alone.to_text()) == alone


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"options": {}}', '{"options": 3}', "nonsense"])
def test_damaged_recipes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="recipe"):
        Recipe.from_text(RECIPE + text)


def test_a_file_without_a_recipe() -> None:
    with pytest.raises(InputError, match="holds no recipe"):
        read_recipe(EXAMPLES / "piano.mid")
