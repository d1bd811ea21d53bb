"""`musenet train-critic --weights MODEL DATASET --out FOLDER`: train a critic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .progress import ProgressDisplay


def train_critic(
    dataset: Annotated[Path, typer.Argument(help="The dataset that the model was trained on.")],
    out: Annotated[Path, typer.Option(help="The checkpoint with its critic.", show_default=False)],
    weights: Annotated[
        str, typer.Option(help="A shipped model's name, or a checkpoint folder.")
    ] = "mini",
    pieces: Annotated[
        int, typer.Option(min=16, help="Pieces to generate, beside those held out.")
    ] = 320,
    minutes: Annotated[
        float | None,
        typer.Option(help="Generate no longer than this; the result depends on the machine then."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same critic.")] = 0,
) -> None:
    """Generate music, and train the critic to tell it from real music; Ctrl-C makes no more."""
    import time

    from musenet.model.checkpoint import load_checkpoint
    from musenet.training.critic import train as critics
    from musenet.training.critic.metrics import table

    checkpoint = load_checkpoint(weights)
    begun = time.monotonic()
    with ProgressDisplay("groups") as progress:
        learned, held = critics.generate(
            checkpoint,
            dataset,
            pieces=pieces,
            minutes=minutes,
            seed=seed,
            progress=lambda done, groups: progress("generating", done, groups),
        )
    print("reading and learning", file=sys.stderr)
    states = critics.read(checkpoint, learned)
    critic = critics.train(states, checkpoint.config.width, seed)
    facts = critics.facts(critic, states, critics.read(checkpoint, held), seed)
    facts |= {"dataset": dataset.name, "weights": checkpoint.hash, "seed": seed}
    facts["minutes"] = round((time.monotonic() - begun) / 60, 2)
    critics.save(checkpoint, critic, out, facts)
    for line in table(facts["held_out"]):
        print(line)
    print(f"{out}: with a critic, in {facts['minutes']} minutes")
