"""The recipe inside a file whose holes were filled: it holds the notes that stood in them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

from musenet.export.recipe_event import drop_last_recipe
from musenet.export.replace_notes import Edit, undo
from musenet.generation.prompt import read_file
from musenet.generation.recipe import Recipe, recipe_in
from musenet.options.fill_options import FillOptions
from tokenizer import records
from tokenizer.errors import InputError
from tokenizer.midi import events

from .piece import Piece


@dataclass(frozen=True)
class FillRecipe:
    """How holes of a file were filled.

    Attributes:
        program: the version of this program.
        weights: the hash of the weights.
        model: the name of the checkpoint's folder.
        digest: of the user's file.
        name: of the user's file.
        options: the request.
        edit: what it changed, `musenet.export.replace_notes.Edit` as text.
        heard: the program that each part of the file was heard as; without any, as it states.
        task: tells this recipe from that of a continuation.
    """

    program: str
    weights: str
    model: str
    digest: str
    name: str
    options: FillOptions
    edit: str
    heard: tuple[int, ...] = ()
    task: str = "fill"


BEFORE: dict[str, Any] = {"chord_guidance": 1.0, "seed_alone": True, "hear_as": {}}
"""What the options of versions did that do not say otherwise."""


def read_recipe(path: str | os.PathLike[str]) -> tuple[Recipe | FillRecipe, events.File]:
    """The last recipe of either kind in a file that was generated, and the file's events.

    Raises:
        InputError: if the file contains no recipe, or a damaged one.
    """
    text, file = recipe_in(path)
    try:
        data: Any = json.loads(text)
        is_fill = data.get("task") == "fill"
    except (ValueError, AttributeError, RecursionError) as error:
        raise InputError("the recipe in the file is damaged or of another version") from error
    if is_fill:
        if isinstance(data.get("options"), dict):
            data["options"] = BEFORE | data["options"]
        return records.from_data(FillRecipe, data, "the recipe"), file
    return Recipe.from_text(text), file


def unfilled(path: str | os.PathLike[str], recipe: FillRecipe) -> Piece:
    """The user's file as it was before holes were filled.

    Raises:
        InputError: if the file was edited since.
    """
    data, _ = read_file(path)
    file = events.parse(data)
    drop_last_recipe(file.tracks)
    try:
        old = undo(file, Edit.from_text(recipe.edit))
        piece = Piece(recipe.name, str(path), events.dump_over(data, old), recipe.digest)
    except ValueError as error:
        raise InputError(f"{path} was edited after it was filled: {error}") from error
    return piece.as_heard(recipe.options.hear_as or {}, recipe.heard) if recipe.heard else piece
