"""`musenet bands --out FOLDER --pieces N`: songs by rule, as MIDI with a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .progress import ProgressDisplay, counted


def bands(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the songs and their manifest.")
    ] = None,
    pieces: Annotated[int, typer.Option(help="Number of songs.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same songs.")] = 1,
    style: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a style, or path of a style file; repeatable.", show_default="all"
        ),
    ] = None,
    tunes: Annotated[
        Path | None,
        typer.Option(
            help="Folder or .tar archive of lead sheets in ABC; half of the songs arrange one."
        ),
    ] = None,
    groove: Annotated[
        Path | None,
        typer.Option(
            help="Folder of drum performances (Groove MIDI) that give the drums their feel; the "
            "songs are then licensed CC BY 4.0."
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(help="Number of worker processes; 0 means one per core.")
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a finished folder.")
    ] = False,
    list_styles: Annotated[bool, typer.Option("--list", help="List the styles, and exit.")] = False,
) -> None:
    """Generate band songs by rule: CC0 training data, reproducible from a seed."""
    import os

    from data_prep.bands.notation.style import load, names
    from data_prep.bands.tunes.tunes import read_tunes
    from data_prep.bands.write import Order, write
    from tokenizer.errors import InputError

    if list_styles:
        for name in names():
            print(f"{name:<24}{load(name).title}")
        return
    if out is None:
        raise InputError("no output folder is given; add --out FOLDER, or --list to see the styles")
    if workers < 0:
        raise InputError(f"--workers is {workers}; give a positive number, or 0 for all cores")
    with ProgressDisplay("songs") as progress:
        manifest = write(
            Order(tuple(style or names()), seed, out, read_tunes(tunes) if tunes else (), groove),
            pieces,
            workers=workers or os.cpu_count() or 1,
            progress=lambda done: progress("writing", done, pieces),
            overwrite=overwrite,
        )
    print(f"{counted(pieces, 'song')}; {manifest} lists them.")
