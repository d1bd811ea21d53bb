"""`musenet finetune FOLDER --from mini --out MODEL`: adapt a model to one's own music."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .train import show_metrics


def finetune(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|ARCHIVE|FILE…",
            help="The music to learn from.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new model's folder.", show_default=False)],
    from_: Annotated[
        str, typer.Option("--from", help="A shipped model's name, or a checkpoint folder.")
    ] = "mini",
    minutes: Annotated[
        float | None, typer.Option(help="Length of the training in minutes.", show_default="10")
    ] = None,
    composer: Annotated[
        str | None, typer.Option(help="Who wrote what no manifest and no path says.")
    ] = None,
    path_labels: Annotated[
        str | None, typer.Option(help="Labels in paths, such as '{composer}/{title}.mid'.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the training run.", show_default="MODEL-run")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; 0 is all.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same training.")] = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting of `musenet train`."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on after a stop.")] = False,
) -> None:
    """Adapt a model to a folder of one's own music; Ctrl-C saves, and --resume goes on."""
    from musenet.training import finetune as tuning
    from musenet.training.settings import from_override, merged

    asked = {"minutes": minutes, "threads": threads, "seed": seed}
    changes = merged(
        {key: value for key, value in asked.items() if value is not None},
        *(from_override(text) for text in override or []),
    )
    work = run or out.with_name(f"{out.name}-run")
    if resume and tuning.is_begun(work):
        session = tuning.resume(work, changes)
    else:
        if not resume:
            tuning.check_free(work, out)
        session = tuning.begin(inputs, work, from_, changes, composer, path_labels)
    stopped = session.train(show_metrics)
    if stopped:
        print(f"Stopped; what it has learned so far is in {work / 'last'}. --resume goes on.")
        raise typer.Exit(128 + stopped)
    print(tuning.describe_comparison(tuning.finish(session, out)))
    print(f"Use it: musenet generate PROMPT.mid --weights {out} --out OUT.mid")
