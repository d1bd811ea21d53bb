"""`musenet train`, `finetune`, `average`, `train-critic` and `params`: making models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Figures, Notices, Remarks
from .progress import ProgressDisplay

if TYPE_CHECKING:
    from musenet.model.footprint import Footprint
    from musenet.training.session import Session


Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting (docs/training.md lists them), such as batch=8 or weights.groove=2.",
    ),
]


def _train(session: Session) -> int:
    """Train, showing the metrics; the signal that stopped it, or 0."""
    from musenet.training.metrics import describe_row

    with ProgressDisplay("") as progress:
        return session.train(lambda row: progress.say(describe_row(row), row.get("fraction_done")))


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
        stopped = _train(session)
    if stopped:
        raise typer.Exit(128 + stopped)
    if export is not None:
        from musenet.training import publish as exports

        exports.export(out, export, exports.CardExtras(figures, notices, remarks))


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
    stopped = _train(session)
    if stopped:
        print(f"Stopped; what it has learned so far is in {work / 'last'}. --resume goes on.")
        raise typer.Exit(128 + stopped)
    print(tuning.describe_comparison(tuning.finish(session, out)))
    print(f"Use it: musenet generate PROMPT.mid --weights {out} --out OUT.mid")


def average(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL MODEL…",
            help="Checkpoints that runs with the same `initial` weights exported.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The new model's folder.", show_default=False)],
    figures: Figures = None,
    notices: Notices = None,
    remarks: Remarks = None,
) -> None:
    """Average the parameters of models that were trained from the same weights."""
    from musenet.training import average as averaging
    from musenet.training.publish import CardExtras

    found = averaging.average(folders, out, CardExtras(figures, notices, remarks))
    print(f"{out}: the mean of {len(folders)} models, {found}")


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


_GIB = 2**30


def params(
    preset: Annotated[str, typer.Option(help="Name of the model's shape, such as mini.")] = "mini",
    context: Annotated[int | None, typer.Option(min=1, help="Context length in tokens.")] = None,
    memory: Annotated[
        float | None, typer.Option(min=0, help="Memory in GiB: also say which batches fit.")
    ] = None,
    faithful: Annotated[
        bool, typer.Option("--faithful", help="Built as OpenAI's MuseNet was (docs/model.md).")
    ] = False,
) -> None:
    """Count a model's parameters, memory and operations without building it."""
    from dataclasses import replace

    from rich.console import Console

    from musenet.model import config as configs
    from musenet.model.footprint import footprint
    from tokenizer import Tokenizer
    from tokenizer.encoding.structure import STRUCTURE_SIZES

    sizes = Tokenizer.default().vocabulary.sizes
    config = configs.preset(preset, sizes, STRUCTURE_SIZES)
    if context is not None:
        config = replace(config, context=context)
    if faithful:
        config = configs.faithful(config)
    needs = footprint(config)
    lines = [
        f"{preset}: {config.layers} layers of width {config.width}, {config.heads} heads, "
        f"context {config.context}, attention {', '.join(config.patterns)}",
        f"parameters        {needs.parameters:,} ({needs.hidden:,} in hidden matrices)",
        f"weights           {2 * needs.parameters / _GIB:.2f} GiB in bf16",
        f"training state    {needs.training_state / _GIB:.2f} GiB "
        "(fp32 weights and gradients, Muon, AdamW)",
        *(
            f"activations       {bytes_ / _GIB:.2f} GiB a sequence, recompute {mode}"
            for mode, bytes_ in needs.activations.items()
        ),
        f"cache             {needs.cache / _GIB:.3f} GiB a sequence in bf16",
        f"operations        {needs.forward_flops / 1e9:.3g} GFLOP a token forward, "
        f"{needs.training_flops / 1e9:.3g} in training",
    ]
    if memory is not None:
        lines += _fits(needs, memory)
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, markup=False)


def _fits(needs: Footprint, gib: float) -> list[str]:
    """Which batches fit in so many GiB."""
    lines = []
    for mode in needs.activations:
        batch = needs.largest_batch(gib * _GIB, mode)
        what = f"{batch} sequences at once" if batch else "does not fit"
        lines.append(f"in {gib:g} GiB         training, recompute {mode}: {what}")
    batch = needs.largest_generation(gib * _GIB)
    what = f"{batch} sequences at once" if batch else "does not fit"
    return [*lines, f"in {gib:g} GiB         generating: {what}"]
