"""`musenet accompany`: new parts over the whole length of a song, or a track of it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from musenet.generation.fill_options import AccompanyOptions

from .fill import run
from .generate import best_of
from .options import takes

_OUTPUT = "Output"


@takes(AccompanyOptions)
def accompany(
    options: AccompanyOptions,
    song: Annotated[
        Path, typer.Argument(help="MIDI file with a tune or a song.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="MIDI file to write, or a folder for one file per variation."
        ),
    ],
    weights: Annotated[
        str, typer.Option(help="Name of a bundled model, or a checkpoint folder.")
    ] = "mini",
    candidates: Annotated[
        int | None,
        typer.Option(help="Number of variations to make and rank.", rich_help_panel=_OUTPUT),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            help="Number of candidates to keep, the best first.",
            rich_help_panel=_OUTPUT,
            show_default="1",
        ),
    ] = None,
) -> None:
    """Write parts under a tune, add one to a song, or write a track anew."""
    kept = best_of(candidates, keep, options.variations)
    run(song, options.as_fill(), out, weights, kept, candidates)
