"""`musenet replay`: make a generated file again, from the recipe inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def replay(
    file: Annotated[Path, typer.Argument(help="A MIDI file that `musenet generate` wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="MIDI file to write.")],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Name of a model that comes with MuseNet, or a checkpoint folder.",
            show_default="the one that made the file",
        ),
    ] = None,
) -> None:
    """Make a generated file again, from the recipe inside it."""
    from musenet.generation.outputs import Outputs
    from musenet.generation.recipe import prompt_in, read_recipe, same_music
    from tokenizer.errors import InputError

    outputs = Outputs(out)
    outputs.check(folder=False)
    recipe, events = read_recipe(file)
    if recipe.alone:
        raise InputError(
            f"{file} holds new music without the prompt that it was made from; "
            f"continue the prompt again with --seed {recipe.options.seed}"
        )
    from musenet import __version__
    from musenet.model.checkpoint import load_checkpoint

    from .generate_run import make

    checkpoint = load_checkpoint(weights or recipe.model)
    if checkpoint.hash != recipe.weights:
        raise InputError(
            f"{file} was made with the weights {recipe.weights}, and {checkpoint.folder} holds "
            f"{checkpoint.hash}; name the right ones with --weights"
        )
    whole = make(checkpoint, prompt_in(events, recipe), recipe.options, outputs)
    made, given = out.read_bytes(), file.read_bytes()
    if made == given:
        print(f"{out} is {file}, byte for byte.")
    elif same_music(made, given):
        print(f"{out} is {file}, event for event; its recipe is written as this version does.")
    elif whole:
        why = "" if recipe.program == __version__ else f", made by version {recipe.program},"
        print(f"{out} differs from {file}{why}: it was changed, or made on another machine.")
