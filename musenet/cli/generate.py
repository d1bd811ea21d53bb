"""`musenet generate`: continue a MIDI file, or make a piece from nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from tokenizer.errors import InputError

from .options import Asked, asking

_WRITE = "Write"


@asking
def generate(
    asked: Asked,
    prompt: Annotated[
        Path | None,
        typer.Argument(help="MIDI file to go on with, or a folder of them; none: a new piece."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="MIDI file to write.")] = None,
    weights: Annotated[
        str, typer.Option(help="A shipped model's name, or a checkpoint folder.")
    ] = "mini",
    candidates: Annotated[
        int | None,
        typer.Option(help="Make so many and keep the best.", rich_help_panel=_WRITE),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(help="How many candidates to keep. [default: 1]", rich_help_panel=_WRITE),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Piano roll to draw, .png or .svg.", rich_help_panel=_WRITE),
    ] = None,
    render: Annotated[
        Path | None,
        typer.Option(help="Audio to render, .wav or .flac.", rich_help_panel=_WRITE),
    ] = None,
    soundfont: Annotated[
        Path | None,
        typer.Option(help="To render with. [default: the system's]", rich_help_panel=_WRITE),
    ] = None,
    stems: Annotated[
        Path | None,
        typer.Option(help="Folder for a file an instrument.", rich_help_panel=_WRITE),
    ] = None,
    only_continuation: Annotated[
        bool,
        typer.Option(
            "--only-continuation", help="Leave the prompt out of the file.", rich_help_panel=_WRITE
        ),
    ] = False,
    stream: Annotated[
        bool,
        typer.Option("--stream", help="Write with every new bar.", rich_help_panel=_WRITE),
    ] = False,
    list_: Annotated[
        str | None,
        typer.Option("--list", help="Show the known composers, styles or instruments."),
    ] = None,
) -> None:
    """Continue a MIDI file with music from a model, or make a new piece."""
    from musenet.generation import parse
    from musenet.generation.outputs import Outputs

    if list_ is not None:
        print("\n".join(parse.names(list_, weights)))
        return
    if out is None:
        raise InputError("say where the music goes: --out OUT.mid")
    if prompt is None and (asked.from_ or asked.to):
        raise InputError("--from and --to choose a part of a prompt; give one, or leave them out")
    kept = parse.best_of(candidates, keep, asked.variations, asked.variation)
    if kept is not None and stream:
        raise InputError("--stream writes every bar as it comes, before candidates can be compared")
    options = replace(asked, variations=candidates or asked.variations).options(prompt)
    outputs = Outputs(
        midi=out,
        picture=picture,
        stems=stems,
        alone=only_continuation,
        stream=stream,
        render=render,
        soundfont=soundfont,
        keep=kept,
    )
    parse.run(weights, prompt, options, outputs, asked.part())
