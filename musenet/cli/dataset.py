"""`musenet dataset …`: inspect, verify, merge, sample, export and import datasets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .progress import counted

dataset = typer.Typer(
    help="Inspect, verify, merge, sample, export and import datasets.", no_args_is_help=True
)

Folder = Annotated[Path, typer.Argument(help="Dataset folder.", show_default=False)]


@dataset.command()
def info(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Show what is in a dataset."""
    from rich.console import Console
    from rich.table import Table

    from data_prep.dataset.pieces import dataset_encoding
    from data_prep.dataset.shards import read_index

    index = read_index(folder)
    text = (folder / "report.json").read_text(encoding="utf-8")
    if as_json:
        print(text, end="")
        return
    report = json.loads(text)
    table = Table("corpus", "split", "pieces", "notes", "tokens", "hours")
    for column in table.columns[2:]:
        column.justify = "right"
    rows = [(c, s, t) for c, splits in report["corpora"].items() for s, t in splits.items()]
    rows += [("all", split, total) for split, total in report["splits"].items()]
    for corpus, split, total in rows:
        numbers = (f"{total[key]:,}" for key in ("pieces", "notes", "tokens"))
        table.add_row(corpus, split, *numbers, f"{total['hours']:,.1f}")
    console = Console()
    console.print(table)
    labels = report["labels"]
    composers = sum(label.startswith("composer:") for label in labels)
    console.print(
        f"{counted(index.pieces, 'piece')} in {counted(len(index.shards), 'shard')}; labels for "
        f"{counted(composers, 'composer')} and {counted(len(labels) - composers, 'style')}; "
        f"report: {folder / 'report.html'}",
        soft_wrap=True,
    )
    if encoding := dataset_encoding(folder):
        console.print(f"models read {encoding!r}", soft_wrap=True, markup=False)


@dataset.command()
def verify(folder: Folder) -> None:
    """Check every byte of a dataset; list any damage and exit with code 1."""
    from data_prep.dataset.verify import verify as verified

    problems = verified(folder)
    for problem in problems:
        print(f"{folder}: {problem}")
    if problems:
        raise typer.Exit(1)
    print(f"{folder}: no damage found")


@dataset.command()
def merge(
    folders: Annotated[
        list[Path], typer.Argument(help="Dataset folders.", metavar="DATASET…", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Dataset folder to write.", show_default=False)],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a finished dataset.")
    ] = False,
) -> None:
    """Merge datasets, dropping duplicates and near-duplicates of held-out pieces."""
    from data_prep.merge import merge as merged

    report = merged(folders, out, overwrite=overwrite)
    print(f"{out}: {report.total.pieces:,} pieces of {report.files:,}")
    for reason, count in report.refused.most_common():
        print(f"  {count:,} left out: {reason.replace('_', ' ')}")


@dataset.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder to write.", show_default=False)],
    to: Annotated[
        str, typer.Option(help="Format: parquet, jsonl, or hf (Hugging Face datasets).")
    ] = "parquet",
) -> None:
    """Write a dataset's tokens and labels in a format that other libraries read."""
    from data_prep.dataset.export import export as exported

    counts = exported(folder, out, to)
    print(f"{out}: {', '.join(f'{count:,} pieces {split}' for split, count in counts.items())}")


@dataset.command("import")
def import_(
    folder: Annotated[
        Path, typer.Argument(help="Folder of MidiTok JSON files.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Dataset folder to write.", show_default=False)],
    parameters: Annotated[
        Path | None,
        typer.Option(help="MidiTok's tokenizer file.", show_default="FOLDER/tokenizer.json"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a finished dataset.")
    ] = False,
) -> None:
    """Make a dataset of tokens that MidiTok saved as JSON, by way of MIDI."""
    import tempfile

    from data_prep import prepare
    from data_prep.sources.miditok_json import midi_files
    from tokenizer.files import write_bytes

    with tempfile.TemporaryDirectory() as folder_of_midi:
        corpus = Path(folder_of_midi) / (folder.resolve().name or "miditok")
        for name, data in midi_files(folder, parameters):
            write_bytes(corpus / name, data)
        report = prepare([corpus], out, overwrite=overwrite)
    print(f"{out}: {report.total.pieces:,} pieces of {report.files:,}")
    for reason, count in report.refused.most_common():
        print(f"  {count:,} left out: {reason.replace('_', ' ')}")


@dataset.command()
def sample(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="Folder for the MIDI files.", show_default=False)],
    count: Annotated[int, typer.Option(help="Number of files to write.")] = 5,
    split: Annotated[
        str, typer.Option(help="Split to sample: train, validation or test.")
    ] = "train",
    context: Annotated[int, typer.Option(help="Tokens per window.")] = 1024,
    seed: Annotated[int, typer.Option(help="The same seed draws the same pieces.")] = 0,
    override: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Training setting key=value, as of `musenet train`: fill=0.5, disguise=1, …",
        ),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option(
            "--plain", help="Write whole pieces without augmentation, not training windows."
        ),
    ] = False,
) -> None:
    """Write training windows as MIDI files, and print how each was augmented."""
    from data_prep.dataset.preview import piece_scores, window_scores
    from tokenizer import write

    if plain:
        scores = piece_scores(folder, split, count, seed=seed)
    else:
        from musenet.training.batches import training_windows
        from musenet.training.settings import from_override, settings_of

        given = {"context": context, "seed": seed}
        settings = settings_of(given, *map(from_override, override or []))
        windows = training_windows(
            folder, settings, transpose=settings.transpose, split=split, pack=False
        )
        scores = window_scores(windows, count)
    for number, (lines, score) in enumerate(scores):
        path = out / f"{number:03}.mid"
        write(score, path)
        print(f"{path}: {'; '.join(lines)}")
