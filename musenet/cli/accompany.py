"""`musenet accompany`: new parts over the whole length of a song, or a track of it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from musenet.editing.fill_options import AccompanyOptions

from .fill import run
from .generate import best_of
from .options import Candidates, Keep, Weights, takes


@takes(AccompanyOptions)
def accompany(
    options: AccompanyOptions,
    song: Annotated[
        Path,
        typer.Argument(help="MIDI or MusicXML file with a song.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="MIDI or MusicXML file to write, or a folder for one file per variation.",
        ),
    ],
    weights: Weights = "mini",
    candidates: Candidates = None,
    keep: Keep = None,
) -> None:
    """Write parts under a tune, add one to a song, or write a track anew."""
    kept = best_of(candidates, keep, options.variations)
    run(song, options.as_fill(), out, weights, kept, candidates)
