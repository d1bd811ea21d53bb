"""`musenet fill` and `accompany`: new music in bars or parts of a song; all else of it stays."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musenet.options.fill_options import AccompanyOptions, FillOptions
from tokenizer.errors import InputError

from .generate import best_of
from .options import Candidates, Force, Keep, Weights, takes

if TYPE_CHECKING:
    from musenet.editing.fill import Fill, Take


@takes(FillOptions)
def fill(
    options: FillOptions,
    song: Annotated[Path, typer.Argument(help="MIDI or MusicXML file.", show_default=False)],
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
    force: Force = False,
) -> None:
    """Write some bars of a song anew; all else of the file stays as it is."""
    kept = best_of(candidates, keep, options.variations)
    run(song, options, out, weights, kept, candidates, force=force)


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
    force: Force = False,
) -> None:
    """Write parts under a tune, add one to a song, or write a track anew."""
    kept = best_of(candidates, keep, options.variations)
    run(song, options.as_fill(), out, weights, kept, candidates, force=force)


def run(
    song: Path,
    options: FillOptions,
    out: Path,
    weights: str,
    keep: int | None,
    candidates: int | None,
    *,
    force: bool,
) -> None:
    """Check, read, load and fill; the cheapest checks come first.

    Args:
        song: a MIDI or MusicXML file.
        options: of the music.
        out: the MIDI or MusicXML file to write, or a folder.
        weights: a name or a checkpoint folder.
        keep: how many of the best variations to write; None for all.
        candidates: how many to make, or None for the variations of the options.
        force: whether files that are there are overwritten.

    Raises:
        InputError: before anything is written.
    """
    from musenet.editing.piece import read_piece
    from musenet.generation.outputs import Outputs

    if candidates is not None:
        options = replace(options, variations=tuple(range(1, candidates + 1)))
    outputs = Outputs(checked_target(song, out), keep=keep, force=force)
    target = outputs.unused(options.variations, song).midi
    piece = read_piece(song)
    from musenet.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(weights)
    from musenet.editing.fill import Fill

    make(Fill(checkpoint, piece, options), target, keep)


def checked_target(song: Path, out: Path) -> Path:
    """The file to write, in the folder or as the file that was named.

    Raises:
        InputError: if it cannot be written.
    """
    from musenet.export.music_files import MUSIC_SUFFIXES, check_library
    from musenet.generation.outputs import check_writable

    target = out
    if out.suffix.lower() not in MUSIC_SUFFIXES:
        target = out / f"{song.stem}.mid"
        if out.is_file():
            raise InputError(f"cannot write into {out}: it is a file; name a folder")
    check_writable(target, MUSIC_SUFFIXES)
    check_library(target)
    return target


def make(fill: Fill, target: Path, keep: int | None = None) -> None:
    """Fill the holes and write all variations, or the best ones; nothing after Ctrl-C.

    Args:
        fill: the request.
        target: the MIDI or MusicXML file; with several variations each gets its number.
        keep: how many of the best variations to write; None for all.
    """
    from musenet.export.music_files import save_music
    from musenet.generation.outputs import numbered

    from .progress import watched
    from .start import deferred

    if heard := str(fill.piece.hearing):
        print(heard)
    for words in fill.words:
        print(words)
    began = time.perf_counter()
    try:
        watched(fill, fill.steps())
    except KeyboardInterrupt:
        print("Stopped: nothing was written.")
        raise
    took = time.perf_counter() - began
    with deferred():  # all takes are written, or none
        takes = _best(fill, fill.results(), keep)
        for take in takes:
            path = numbered(target, take.variation, many=len(takes) > 1)
            save_music(take.data, path, title=fill.title, chords=fill.chord_symbols)
            print(_said(fill, take, path, took))


def _best(fill: Fill, takes: list[Take], keep: int | None) -> list[Take]:
    """The best takes, after printing the ranking; all if `keep` is None."""
    if keep is None:
        return takes
    from musenet.editing.fill_ranking import ranked_takes
    from musenet.generation.reranking import table

    rows = ranked_takes(fill, takes)
    print(table(rows, keep))
    return [take for take, _ in rows[:keep]]


def _said(fill: Fill, take: Take, path: Path, took: float) -> str:
    """The line printed about a take."""
    from .progress import counted

    recipe = f"seed {fill.options.seed}, variation {take.variation}; {took:.1f} s"
    relaxed = "".join(f"; {name} relaxed {n} times" for name, n in take.relaxed.items())
    notes = counted(take.notes, "new note")
    return f"{path}: {notes} in {fill.where}, {fill.players} ({recipe}){relaxed}"
