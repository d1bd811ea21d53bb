"""`musenet replay`: make a file again from the recipe inside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from musenet.editing.fill_recipe import FillRecipe
    from musenet.generation.outputs import Outputs
    from musenet.generation.recipe import Recipe
    from musenet.model.checkpoint import Checkpoint
    from tokenizer.midi.events import File


def replay(
    file: Annotated[
        Path, typer.Argument(help="MIDI file written by `musenet generate` or `musenet fill`.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="MIDI file to write.")],
    weights: Annotated[
        str | None,
        typer.Option(
            help="Name of a bundled model, or a checkpoint folder.",
            show_default="the model that made the file",
        ),
    ] = None,
    near: Annotated[
        bool, typer.Option("--near", help="Accept other music: exit with 0 all the same.")
    ] = False,
) -> None:
    """Generate a file again from the recipe inside it; exit with code 1 if the music differs."""
    from musenet.editing.fill_recipe import FillRecipe, read_recipe
    from musenet.export.recipe_event import same_music
    from musenet.generation.outputs import Outputs
    from tokenizer.errors import InputError

    outputs = Outputs(out)
    outputs.check(folder=False)
    outputs = outputs.unused((1,))
    out = outputs.midi
    recipe, events = read_recipe(file)
    if not isinstance(recipe, FillRecipe) and recipe.alone:
        raise InputError(
            f"{file} contains only the new music, not its prompt; "
            f"continue the prompt again with --seed {recipe.options.seed}"
        )
    from musenet import __version__
    from musenet.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(weights or recipe.model, learned=True)
    if checkpoint.hash != recipe.weights:
        raise InputError(
            f"{file} was made with the weights {recipe.weights}, but {checkpoint.folder} contains "
            f"{checkpoint.hash}; give the right ones with --weights"
        )
    whole = _made_again(file, recipe, events, checkpoint, outputs)
    made, given = out.read_bytes(), file.read_bytes()
    if made == given:
        print(f"{out} is identical to {file}, byte for byte.")
    elif same_music(made, given):
        print(
            f"{out} is identical to {file}, event for event, except for the format of its recipe."
        )
    elif whole:
        why = "" if recipe.program == __version__ else f", made by version {recipe.program},"
        print(f"{out} differs from {file}{why}: the file was edited, or made on another machine.")
        if not near:
            raise typer.Exit(1)


def _made_again(
    file: Path,
    recipe: Recipe | FillRecipe,
    events: File,
    checkpoint: Checkpoint,
    outputs: Outputs,
) -> bool:
    """Make what a recipe says; False if Ctrl-C stopped it."""
    from musenet.editing.fill_recipe import FillRecipe, unfilled
    from musenet.generation.recipe import prompt_in

    if isinstance(recipe, FillRecipe):
        from musenet.editing.fill import Fill

        from .fill import make as make_fill

        make_fill(Fill(checkpoint, unfilled(file, recipe), recipe.options), outputs.midi)
        return True
    from .generate_run import make

    return make(checkpoint, prompt_in(events, recipe), recipe.options, outputs)
