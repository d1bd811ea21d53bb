"""`musenet prepare FOLDER|ARCHIVE… --out DATASET`: MIDI files to training data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from data_prep.corpus.learn import Learning
    from data_prep.report.report import DatasetReport
    from tokenizer import Tokenizer
    from tokenizer.encoding.learned.learned import LearnedTokenizer


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|ARCHIVE|GLOB|LIST…",
            help="Folders, .tar (.xz, .zst, .gz) and .zip archives, globs, or lists of files.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Dataset folder to write.", show_default=False)],
    exclude: Annotated[
        list[str] | None,
        typer.Option(help="Music to keep out, with all its arrangements; repeatable."),
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json to use instead of the options below.")
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="What models are trained in: compound, chordwise or onsets.")
    ] = "compound",
    vocabulary: Annotated[
        int, typer.Option(help="Chords (chordwise) or merges (onsets) to learn.")
    ] = 8192,
    volumes: Annotated[
        int, typer.Option(help="Classes of volume of chordwise and onsets: 1, 2, 4, 8, 16 or 32.")
    ] = 32,
    durations: Annotated[
        bool, typer.Option(help="Whether onsets tell how long notes last.")
    ] = True,
    clock: Annotated[str, typer.Option(help="Time grid: beat or seconds.")] = "beat",
    pedal: Annotated[str, typer.Option(help="Sustain pedal: drop, durations or events.")] = "drop",
    tempo_changes: Annotated[
        bool, typer.Option("--tempo-changes", help="Keep tempo changes as tokens.")
    ] = False,
    validation: Annotated[float, typer.Option(help="Share of pieces for validation.")] = 0.03,
    test: Annotated[float, typer.Option(help="Share of pieces for testing.")] = 0.03,
    split_by: Annotated[
        str, typer.Option(help="What to keep in one split: piece or composer.")
    ] = "piece",
    stated_splits: Annotated[bool, typer.Option(help="Keep the splits given in manifests.")] = True,
    path_labels: Annotated[
        str | None,
        typer.Option(
            help="Pattern of labels in paths: '{composer}/{title}.mid'; also {style} and {split}."
        ),
    ] = None,
    label_pieces: Annotated[
        int, typer.Option(help="Minimum pieces for a composer or style label.")
    ] = 4,
    repair: Annotated[bool, typer.Option("--repair", help="Repair damaged files.")] = False,
    engine: Annotated[str, typer.Option(help="Engine: processes, threads or ray.")] = "processes",
    workers: Annotated[int, typer.Option(help="Number of workers; 0 means one per core.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing dataset.")
    ] = False,
) -> None:
    """Turn folders and archives of MIDI into a dataset; an interrupted run resumes."""
    from data_prep.corpus.decide import Plan
    from data_prep.corpus.split import Shares
    from data_prep.pipeline import Run
    from data_prep.pipeline import prepare as run_pipeline
    from data_prep.sources.label import PathPattern
    from data_prep.worker.engines import Limits
    from data_prep.worker.worker import Preprocessing
    from tokenizer import InputError, Tokenizer

    from .progress import ProgressDisplay

    if tokenizer is not None:
        chosen = Tokenizer.load(tokenizer)
    else:
        chosen = _tokenizer(clock, pedal, tempo_changes)
    if workers < 0:
        raise InputError(f"--workers is {workers}; give a positive number, or 0 for all cores")
    plan = Plan(
        Shares(validation, test),
        _one_of("way to split", split_by, {"piece": "piece", "composer": "composer"}),
        stated_splits,
        label_pieces,
        PathPattern(path_labels) if path_labels else None,
    )
    learning = _learning(encoding, chosen, vocabulary, volumes, durations)
    limits = Limits(workers) if workers else Limits()
    with ProgressDisplay("files") as progress:
        report = run_pipeline(
            inputs,
            out,
            exclude=exclude or (),
            preprocessing=Preprocessing(chosen, repair=repair),
            plan=plan,
            learning=learning,
            run=Run(engine, limits, progress),
            overwrite=overwrite,
        )
    _say(report, out)


def _tokenizer(clock: str, pedal: str, tempo_changes: bool) -> Tokenizer:
    from tokenizer import Grid, Tokenizer, Vocabulary

    pedals: dict[str, Literal["drop", "durations", "events"]] = {
        "drop": "drop",
        "durations": "durations",
        "events": "events",
    }
    grids = {"beat": Grid.beats, "seconds": Grid.seconds}
    grid = _one_of("clock", clock, grids)()
    return Tokenizer(
        Vocabulary.create(grid), _one_of("use of the pedal", pedal, pedals), tempo_changes
    )


def _learning(
    encoding: str, compound: Tokenizer, size: int, volumes: int, durations: bool
) -> Learning | None:
    """What is to be learned for an encoding; None for compound rows."""
    from data_prep.corpus.learn import Learning
    from tokenizer.encoding.learned.chordwise import ChordwiseTokenizer
    from tokenizer.encoding.learned.onsets import OnsetTokenizer

    known: dict[str, LearnedTokenizer | None] = {
        "compound": None,
        "chordwise": ChordwiseTokenizer(compound, volumes),
        "onsets": OnsetTokenizer(compound, volumes, durations=durations),
    }
    chosen: LearnedTokenizer | None = _one_of("encoding of a dataset", encoding, known)
    return None if chosen is None else Learning(chosen, size)


def _one_of(kind: str, name: str, known: dict[str, Any]) -> Any:
    from tokenizer.errors import unknown

    if name not in known:
        raise unknown(kind, name, known)
    return known[name]


def _say(report: DatasetReport, out: Path) -> None:
    """Print the totals, and the reasons why files were left out."""
    from rich.console import Console
    from rich.table import Table

    from data_prep.dataset.pieces import dataset_encoding

    table = Table("split", "pieces", "notes", "tokens", "hours")
    for column in table.columns[1:]:
        column.justify = "right"
    for name in ("train", "validation", "test"):
        if name in report.splits:
            total = report.splits[name]
            numbers = (f"{n:,}" for n in (total.pieces, total.notes, total.tokens))
            table.add_row(name, *numbers, f"{total.seconds / 3600:,.1f}")
    console = Console()
    console.print(table)
    left_out = "; left out:" if report.refused else ""
    console.print(f"{report.files:,} files read, {report.total.pieces:,} kept{left_out}")
    for reason, count in report.refused.most_common():
        console.print(f"  {count:>8,}  {reason.replace('_', ' ')}")
    for corpus, names in sorted(report.unmatched_rows.items()):
        rows = f"{len(names):,} rows of the manifest of {corpus} match no file: {names[0]}, for one"
        console.print(rows, soft_wrap=True, markup=False)
    if unread := report.unread_excluded:
        rows = f"{len(unread):,} files under --exclude cannot be used: {unread[0]}, for one"
        console.print(rows, soft_wrap=True, markup=False)
    if encoding := dataset_encoding(out):
        console.print(f"models read {encoding!r}", soft_wrap=True, markup=False)
    each = f"; each file that was left out: {out}/left_out.jsonl" if report.refused else ""
    console.print(f"Details: {out}/report.json{each}", soft_wrap=True, markup=False)
