"""`musenet train DATASET --out RUN`: train a model, or go on with a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Figures, Notices, Remarks

Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting (docs/training.md lists them), such as batch=8 or weights.groove=2.",
    ),
]


def show_metrics(row: dict[str, Any]) -> None:
    """Print a row of metrics; at a terminal, training's rows take each other's place."""
    from musenet.training.metrics import describe_row

    moves = sys.stderr.isatty() and row["kind"] == "train"
    start = "\n" if sys.stderr.isatty() and row["kind"] == "validation" else ""
    print(start + describe_row(row), end="\r" if moves else "\n", file=sys.stderr, flush=True)


def train(
    dataset: Annotated[
        Path | None, typer.Argument(help="A dataset folder that `musenet prepare` wrote.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The run's folder.")] = Path("runs/mini"),
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of settings; or laptop, gpu, gpus.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="The model's shape.")] = None,
    steps: Annotated[int | None, typer.Option(help="Length in optimizer steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length in minutes.")] = None,
    hours: Annotated[float | None, typer.Option(help="Length in hours.")] = None,
    batch: Annotated[int | None, typer.Option(help="Windows in a step.")] = None,
    context: Annotated[int | None, typer.Option(help="Tokens in a window.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; 0 is all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random.")] = None,
    override: Override = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="At the end, write the best model here, with its card.")
    ] = None,
    figures: Figures = None,
    notices: Notices = None,
    remarks: Remarks = None,
) -> None:
    """Train a model on a dataset; Ctrl-C saves, and --resume goes on."""
    from musenet.model.precision import device_of
    from musenet.training.distributed import joined
    from musenet.training.settings import from_override, from_toml, merged, settings_of
    from musenet.training.start import resume_run, start_run
    from tokenizer.errors import InputError

    if hours is not None and minutes is not None:
        raise InputError("give the length in minutes or in hours, not in both")
    given: dict[str, Any] = {
        "preset": preset,
        "steps": steps,
        "minutes": minutes if hours is None else 60 * hours,
        "batch": batch,
        "context": context,
        "threads": threads,
        "seed": seed,
    }
    options = {key: value for key, value in given.items() if value is not None}
    changes = [from_toml(config)] if config else []
    changes += [options, *(from_override(text) for text in override or [])]
    settings = settings_of(*changes)
    with joined(device_of(settings.device)) as group:
        if resume:
            session = resume_run(out, dataset, merged(*changes), group)
        elif dataset is None:
            raise InputError("name the dataset to train on: musenet train DATASET --out RUN")
        else:
            session = start_run(dataset, out, settings, group)
        if session.is_over:
            print(f"{out} has come to its end; give it more steps or minutes to go on")
        stopped = session.train(show_metrics)
    if stopped:
        raise typer.Exit(128 + stopped)
    if export is not None:
        from musenet.training import publish as exports

        exports.export(out, export, exports.CardExtras(figures, notices, remarks))
