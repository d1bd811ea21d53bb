"""`musenet evaluate --weights NAME PATH…`: bits per note of held-out music."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .progress import ProgressDisplay


def evaluate(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders, archives or MIDI files, or a dataset.")
    ],
    weights: Annotated[
        str, typer.Option(help="A shipped model's name, or a checkpoint folder.")
    ] = "mini",
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    split: Annotated[str, typer.Option(help="Of a dataset: which part is scored.")] = "test",
    context: Annotated[
        int | None, typer.Option(help="Tokens read at once; as in training by default.")
    ] = None,
    labels: Annotated[
        bool, typer.Option(help="Tell the model composer, instruments, tempo and key.")
    ] = False,
    baselines: Annotated[
        Path | None,
        typer.Option(help="Also score models of counts, fitted on this dataset's training split."),
    ] = None,
    music: Annotated[
        list[Path] | None,
        typer.Option(help="Music that the model made: its statistics beside those of PATHS."),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(help="A dataset: what --music shares with its training split."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the figures as a page.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
    batch: Annotated[int, typer.Option(min=1, help="Windows per batch.")] = 8,
) -> None:
    """Say how many bits a note costs, in total, by field and by source, with an interval."""
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
    for line in table(found.figures):
        print(line)
    if found.figures["refused"]:
        print(f"  {len(found.figures['refused'])} files could not be read", file=sys.stderr)
    if json is not None:
        from json import dumps

        write_text(json, dumps(found.figures, indent=1, ensure_ascii=False) + "\n")
    if html is not None:
        from musenet.evaluation.page import page

        write_text(html, page(found))
