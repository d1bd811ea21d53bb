"""A fill is undone and made again from the recipe in its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from musenet.editing.fill_recipe import FillRecipe, read_recipe, unfilled
from musenet.editing.piece import read_piece
from musenet.export.recipe_event import RECIPE, drop_last_recipe, same_music
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import FillOptions
from tokenizer import records
from tokenizer.midi import events

from .conftest import PROMPTS, filled, song, tracks_of


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_a_fill_is_made_again_from_its_recipe(tiny: Checkpoint, path: Path, tmp_path: Path) -> None:
    options = FillOptions(bars=((2, 3),), seed=5, variations=(2,))
    take = filled(tiny, read_piece(path), options)[0]
    out = tmp_path / "filled.mid"
    out.write_bytes(take.data)
    recipe, _ = read_recipe(out)
    assert isinstance(recipe, FillRecipe)
    old = unfilled(out, recipe)
    assert tracks_of(old.data) == tracks_of(path.read_bytes())
    assert filled(tiny, old, recipe.options)[0].data == take.data


def test_a_fill_of_a_fill_is_undone_alone(tiny: Checkpoint, tmp_path: Path) -> None:
    data = PROMPTS[0].read_bytes()
    made = []
    for bars in ((1, 1), (2, 2), (1, 1)):
        path = tmp_path / "song.mid"
        path.write_bytes(data)
        data = filled(tiny, read_piece(path), FillOptions(bars=(bars,), seed=1))[0].data
        made.append(data)
    path.write_bytes(data)
    recipe, _ = read_recipe(path)
    assert isinstance(recipe, FillRecipe)
    assert tracks_of(unfilled(path, recipe).data) == tracks_of(made[1])


def test_rhythms_and_shares_are_made_again(tiny: Checkpoint, tmp_path: Path) -> None:
    out = tmp_path / "song.mid"
    options = FillOptions(bars=((2, 4),), keep_rhythm=True, distance=0.5, seed=3)
    take = filled(tiny, song(), options)[0]
    out.write_bytes(take.data)
    recipe, _ = read_recipe(out)
    assert isinstance(recipe, FillRecipe)
    assert tracks_of(unfilled(out, recipe).data) == tracks_of(song().data)
    assert filled(tiny, unfilled(out, recipe), recipe.options)[0].data == take.data


def test_the_recipe_is_no_text(tiny: Checkpoint) -> None:
    take = filled(tiny, song(), FillOptions(bars=((3, 3),), seed=1))[0]
    added = [event for track in events.parse(take.data).tracks for event in track]
    assert not [event for event in added if event.meta == 1]
    (recipe,) = [event for event in added if event.meta == 0x7F]
    assert events.body(recipe).startswith(b"\x7dMuseNet")


def test_files_of_versions_that_drew_by_the_seed_alone_are_made_again_by_it(
    tiny: Checkpoint, tmp_path: Path
) -> None:
    take = filled(tiny, song(), FillOptions(bars=((3, 3),), seed=1, seed_alone=True))[0]
    now = filled(tiny, song(), FillOptions(bars=((3, 3),), seed=1))[0]
    assert now.new.tobytes() != take.new.tobytes()
    data = json.loads(records.to_json(take.recipe))
    del data["options"]["seed_alone"]
    file = events.parse(take.data)
    drop_last_recipe(file.tracks)
    text = events.Event(0, events.text(1, RECIPE + json.dumps(data)))
    file.tracks[0].insert(0, text)
    path = tmp_path / "old.mid"
    path.write_bytes(events.dump_over(take.data, file))
    recipe, _ = read_recipe(path)
    assert isinstance(recipe, FillRecipe)
    again = filled(tiny, unfilled(path, recipe), recipe.options)[0]
    assert same_music(again.data, path.read_bytes())
