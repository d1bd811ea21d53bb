"""The recipe inside a generated file, from which the file can be reproduced.

The prompt is in the file too: it lies before the boundary, in the tracks that the recipe counts;
the rest was added. So only the weights are needed to generate the file again.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from typing import Any

from musenet.export.excerpts import cut
from musenet.export.hearing import as_heard, hear
from musenet.export.parts import places_of
from musenet.export.recipe_event import drop_last_recipe, is_recipe, recipe_text
from musenet.export.retiming import Retiming
from musenet.options.generate_options import GenerateOptions
from tokenizer import records
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import read

from .prompt import Prompt, between, read_file


@dataclass(frozen=True)
class Recipe:
    """How a file was made.

    Attributes:
        program: the version of this program.
        weights: the hash of the weights.
        model: the name of the checkpoint's folder.
        fresh: True if there was no prompt.
        digest: of the prompt's file.
        name: of the prompt, for titles.
        origin: the tick at which the part that was continued begins.
        boundary: the tick at which the new music starts.
        tracks: how many tracks the prompt had.
        end: the tick at which the prompt's file ended.
        options: the generation options.
        alone: whether the file leaves out the prompt.
        heard: the program that each part of the prompt was heard as; None in recipes of earlier
            versions.
        beats: the beats in which the prompt was heard, `musenet.export.retiming.Retiming`, and in
            whose ticks `origin`, `boundary` and `end` are; without any, those of the file.
    """

    program: str
    weights: str
    model: str
    fresh: bool
    digest: str
    name: str
    origin: int
    boundary: int
    tracks: int
    end: int
    options: GenerateOptions
    alone: bool = False
    heard: tuple[int, ...] | None = None
    beats: tuple[int, ...] = ()

    @classmethod
    def from_text(cls, text: str) -> Recipe:
        """The recipe in JSON, also as earlier versions wrote it.

        Raises:
            InputError: if it is damaged or of a later version.
        """
        try:
            data: Any = json.loads(text)
            options = options_in(data.pop("options"), "the recipe")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError("the recipe in the file is damaged or of another version") from error
        return replace(
            records.from_data(cls, {**data, "options": {}}, "the recipe"), options=options
        )


_NAMES = {
    "seconds": "length",
    "balance": "instrument_balance",
    "manner": "style_penalty",
    "repetition": "loop_penalty",
}
"""Option names of earlier versions, and today's."""

_LIMIT_NAMES = {
    "polyphony": "polyphony",
    "density": "density",
    "unisons": "unisons",
    "pitch_classes": "scale",
}
"""Options that earlier versions grouped as `limits`, and their names today."""

_BEFORE: dict[str, Any] = {
    "keep_chords": False,
    "chord_guidance": 1.0,
    "entrance": 0.0,
    "seed_alone": True,
    "find_beats": False,
    "pedal": False,
}
"""What versions did that do not say otherwise."""

_FILTERS = ("temperature", "top_k", "top_p", "min_p")
"""Options that earlier versions grouped as `sampling`, one record per field of a note."""


def options_in(data: Any, name: str) -> GenerateOptions:
    """The options in decoded JSON, also as earlier versions of this program wrote them.

    Args:
        data: the decoded JSON.
        name: where it comes from, for errors: "the recipe", "node 3 of the tree".

    Raises:
        InputError: if it is damaged or of a later version.
    """
    what = f"the options of {name}"
    if not isinstance(data, dict):
        raise InputError(f"{what} are damaged")
    found = _BEFORE | {_NAMES.get(str(old), str(old)): value for old, value in data.items()}
    limits, sampling = found.pop("limits", {}), found.pop("sampling", None)
    try:
        found |= {new: limits[old] for old, new in _LIMIT_NAMES.items() if old in limits}
        for each in _FILTERS if sampling is not None else ():
            found[each] = {f: how[each] for f, how in zip(FIELDS, sampling, strict=True)}
    except (TypeError, KeyError, ValueError) as error:
        raise InputError(f"{what} are damaged ({error})") from error
    return records.from_data(GenerateOptions, found, what)


def recipe_in(path: str | os.PathLike[str]) -> tuple[str, events.File]:
    """The JSON of the recipe of a file that was generated, and the file's events.

    A file that was generated in more than one step contains a recipe each time; the last one
    counts.

    Raises:
        InputError: if the file contains no recipe.
    """
    data, _ = read_file(path)
    try:
        file = events.parse(data)
    except events.UnsupportedMidi:
        file = events.File(480, [])
    for track in file.tracks:
        recipes = [event for event in track if is_recipe(event)]
        if recipes:
            return recipe_text(recipes[-1]), file
    raise InputError(
        f"{path} contains no recipe: it was not written by `musenet generate` or `musenet fill`"
    )


def prompt_in(file: events.File, recipe: Recipe) -> Prompt | None:
    """The original prompt of a generated file, or None if there was none.

    Raises:
        InputError: if the recipe is damaged.
    """
    if recipe.fresh:
        return None
    whole = events.File(file.division, file.tracks[: recipe.tracks], recipe.end)
    own, timing = None, None
    if recipe.beats:
        try:
            timing = Retiming.from_numbers(recipe.beats)
        except ValueError as error:
            raise InputError(f"the recipe in the file is damaged: {error}") from error
        whole.end = timing.file_tick(recipe.end)
        own, whole = read(events.dump(whole)), timing.heard(whole)
    old = cut(whole, recipe.boundary)
    old.end = recipe.end
    # The prompt may have been generated too: its recipe, before this one, stays in it.
    drop_last_recipe(old.tracks)
    score, places = read(events.dump(old)), places_of(old)
    if timing is not None and own is not None:
        score = timing.timed(score, own)
    hearing = hear(old, score, places, recipe.options.hear_as or {}, recipe.heard)
    score = as_heard(score, places, hearing.parts)
    return Prompt(
        name=recipe.name,
        file=old,
        score=score,
        music=between(score, recipe.origin, recipe.boundary),
        origin=recipe.origin,
        boundary=recipe.boundary,
        digest=recipe.digest,
        hearing=hearing,
        timing=timing,
        own=own,
    )
