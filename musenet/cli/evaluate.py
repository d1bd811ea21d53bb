"""`musenet evaluate` and `embeddings`: what a model has learned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Weights
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from musenet.evaluation.report import Evaluation
    from musenet.evaluation.style_map import StyleMap


def evaluate(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders, archives, MIDI files, or a dataset.")
    ],
    weights: Weights = "mini",
    json: Annotated[Path | None, typer.Option(help="JSON file for the results.")] = None,
    split: Annotated[str, typer.Option(help="Split to score, for a dataset.")] = "test",
    context: Annotated[
        int | None,
        typer.Option(help="Context length in tokens.", show_default="as in training"),
    ] = None,
    labels: Annotated[
        bool, typer.Option(help="Condition on composer, instruments, tempo and key.")
    ] = False,
    baselines: Annotated[
        Path | None,
        typer.Option(help="Dataset to fit n-gram baselines on, scored on the same notes."),
    ] = None,
    music: Annotated[
        list[Path] | None,
        typer.Option(help="Generated music to compare with PATHS, by statistics."),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(help="Dataset to search for passages that --music copies."),
    ] = None,
    listening: Annotated[
        bool,
        typer.Option(
            "--listening",
            help="Measure whether the model listens to its prompt: repeated figures and "
            "continuations of the pieces.",
        ),
    ] = False,
    listening_pieces: Annotated[
        int, typer.Option(min=1, help="Figures of each length and continuations for --listening.")
    ] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Seed for --listening.")] = 0,
    html: Annotated[Path | None, typer.Option(help="HTML page for the results.")] = None,
    device: Annotated[str, typer.Option(help="Device: cpu, cuda or auto.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Windows per batch.")] = 8,
) -> None:
    """Measure bits per note, in total, by field and by source, with a 95 % interval."""
    from musenet.evaluation.report import EvaluationRequest, table
    from musenet.evaluation.report import evaluate as evaluated
    from tokenizer.files import write_text

    request = EvaluationRequest(
        paths=tuple(paths),
        weights=weights,
        split=split,
        context=context,
        labels=labels,
        baselines=baselines,
        music=tuple(music or ()),
        library=library,
        device=device,
        batch=batch,
    )
    done = 0
    with ProgressDisplay("windows") as progress:

        def scored(windows: int) -> None:
            nonlocal done
            done += windows
            progress("scoring", done)

        found = evaluated(request, scored)
    figures = found.figures
    for line in table(figures):
        print(line)
    if listening:
        figures["listening"] = _listening(found, listening_pieces, seed)
    if figures["refused"]:
        print(f"  {len(figures['refused'])} files could not be read", file=sys.stderr)
    if json is not None:
        from json import dumps

        write_text(json, dumps(figures, indent=1, ensure_ascii=False) + "\n")
    if html is not None:
        from musenet.evaluation.page import page

        write_text(html, page(figures, found.music))


def _listening(found: Evaluation, count: int, seed: int) -> dict[str, Any]:
    """Measure and print copy gain and the similarity of bars."""
    from musenet.evaluation.generated import decoded
    from musenet.evaluation.holes import hole_costs, holes_table
    from musenet.evaluation.listening import MOST_ROWS, copy_gains, listening_table
    from musenet.generation.held_out import held_out, similarity_figures
    from tokenizer.errors import InputError

    checkpoint, done = found.checkpoint, 0
    if checkpoint.encoding is not None:
        raise InputError(
            f"these weights write the {checkpoint.encoding.encoding} encoding, whose listening is "
            "not measured; leave out --listening"
        )
    with ProgressDisplay("pieces") as progress:

        def continued(pieces: int) -> None:
            nonlocal done
            done += pieces
            progress("continuing", done, count)

        progress("repeating figures", 0)
        gains = copy_gains(
            checkpoint.model,
            checkpoint.tokenizer,
            found.pieces,
            count=count,
            rows=min(MOST_ROWS, checkpoint.config.context),
            seed=seed,
        )
        chosen = held_out(decoded(found.pieces, checkpoint.tokenizer), count, seed=seed)
        figures: dict[str, Any] = {
            "copy_gain": gains,
            "continuations": similarity_figures(checkpoint, chosen, seed, continued)
            if chosen
            else None,
            "holes": hole_costs(
                checkpoint.model,
                checkpoint.tokenizer,
                found.pieces,
                count=4 * count,
                rows=min(MOST_ROWS, checkpoint.config.context),
                seed=seed,
            ),
        }
    for line in listening_table(figures):
        print(line)
    if figures["holes"]:
        print()
        print(*holes_table(figures["holes"]), sep="\n")
    return figures


def embeddings(
    weights: Weights = "mini",
    out: Annotated[Path | None, typer.Option(help="Picture to write, .png or .svg.")] = None,
    kind: Annotated[str, typer.Option(help="Labels to show: composer, style or all.")] = "composer",
    most: Annotated[
        int, typer.Option(min=3, help="Maximum number of labels, the most frequent first.")
    ] = 80,
    dataset: Annotated[
        Path | None,
        typer.Option(help="Training dataset, to count how frequent the labels are."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print each label's nearest neighbours as JSON.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of the t-SNE map.")] = 0,
) -> None:
    """Plot the similarity of composers and styles, or list nearest neighbours."""
    from musenet.evaluation.style_map import style_map
    from musenet.export.piano_roll import check_format
    from musenet.model.checkpoint import load_checkpoint

    form = None if out is None else check_format(out)
    checkpoint = load_checkpoint(weights)
    found = style_map(checkpoint, kind, most, dataset)
    if out is not None and form is not None:
        from musenet.evaluation.style_map_picture import render
        from tokenizer.files import write_bytes

        what = {"composer": "composers", "style": "styles", "all": "composers and styles"}[kind]
        title = f"Similarity of {what} in {checkpoint.folder.name}"
        write_bytes(out, render(found, form, title=title, seed=seed))
    if json:
        from json import dumps

        print(dumps(found.to_json(), indent=1, ensure_ascii=False))
    elif out is None:
        _print_table(found)


def _print_table(found: StyleMap) -> None:
    """Print each label with its nearest neighbours."""
    from rich.console import Console
    from rich.table import Table

    names = {label.control: label.name for label in found.labels}
    table = Table("label", "period", "most similar")
    for index, label in enumerate(found.labels):
        near = ", ".join(f"{names[c]} {value:.2f}" for c, value in found.neighbours(index))
        table.add_row(label.name, label.group, near)
    Console().print(table)
