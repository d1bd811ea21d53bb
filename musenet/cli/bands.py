"""`musenet bands --out FOLDER --pieces N`: songs by rule, as MIDI with a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bands(
    out: Annotated[
        Path | None, typer.Option(help="The folder for the songs and their manifest.")
    ] = None,
    pieces: Annotated[int, typer.Option(help="How many songs.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same songs.")] = 1,
    style: Annotated[
        list[str] | None,
        typer.Option(
            help="A style's name or the path of a style file; repeatable. All, if left out."
        ),
    ] = None,
    tunes: Annotated[
        Path | None,
        typer.Option(
            help="A folder or .tar archive of lead sheets in ABC: half of the songs arrange one."
        ),
    ] = None,
    groove: Annotated[
        Path | None,
        typer.Option(
            help="A folder of drum performances (Groove MIDI): the songs' drummers get their "
            "feel, and the songs the licence CC BY 4.0."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Songs made at a time; 0 is all cores.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Write a folder that is finished again.")
    ] = False,
    list_styles: Annotated[
        bool, typer.Option("--list", help="Print the styles and make nothing.")
    ] = False,
) -> None:
    """Arrange songs for bands by rule: CC0 training data, reproducible from a seed."""
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
        raise InputError("no folder is given; name one with --out, or see the styles with --list")
    if workers < 0:
        raise InputError(f"--workers is {workers}; give 0 for all cores, or a positive number")
    from rich.progress import Progress

    with Progress(transient=True) as bars:
        task = bars.add_task("songs", total=pieces)
        manifest = write(
            Order(tuple(style or names()), seed, out, read_tunes(tunes) if tunes else (), groove),
            pieces,
            workers=workers or os.cpu_count() or 1,
            progress=lambda done: bars.update(task, completed=done),
            overwrite=overwrite,
        )
    print(f"{pieces:,} songs; {manifest} lists them.")
