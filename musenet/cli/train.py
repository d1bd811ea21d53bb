"""`musenet train`, `finetune`, `average`, `train-critic`, `onnx` and `params`: models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from musenet.training.settings import LORA_RANKS

from .options import Figures, Notices, Remarks, Weights
from .progress import ProgressDisplay
from .start import raised

if TYPE_CHECKING:
    from musenet.model.footprint import Footprint
    from musenet.training.distributed import Group
    from musenet.training.session import Session
    from musenet.training.settings import Settings


Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any training setting (see docs/training.md), such as batch=8 or weights.groove=2.",
    ),
]


STOPPING = "stopping after this step, then saving; another Ctrl-C leaves without saving"


def _train(session: Session) -> int:
    """Train with a progress display; returns the signal that stopped it, or 0."""
    from musenet.training.metrics import describe_row

    with ProgressDisplay("") as progress:
        return session.train(
            lambda row: progress.say(describe_row(row), row.get("fraction_done")),
            lambda: progress.say(STOPPING),
        )


def train(
    dataset: Annotated[
        Path | None, typer.Argument(help="Dataset folder made by `musenet prepare`.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/mini"),
    config: Annotated[
        Path | None, typer.Option(help="TOML file of settings, or laptop, gpu or gpus.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Name of the model preset, such as mini.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the run in optimizer steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the run in minutes.")] = None,
    hours: Annotated[float | None, typer.Option(help="Length of the run in hours.")] = None,
    batch: Annotated[int | None, typer.Option(help="Batch size, in windows per step.")] = None,
    context: Annotated[int | None, typer.Option(help="Window length in tokens.")] = None,
    threads: Annotated[int | None, typer.Option(help="Number of CPU threads; 0 means all.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of all random choices.")] = None,
    override: Override = None,
    resume: Annotated[bool, typer.Option(help="Resume the run in --out.")] = False,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="FACTORS",
            help="Compare learning rates: a run of this length with each multiple of them, "
            "such as 0.5,1,2.",
        ),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Folder for the best model and its model card.")
    ] = None,
    figures: Figures = None,
    notices: Notices = None,
    remarks: Remarks = None,
) -> None:
    """Train a model on a dataset; Ctrl-C saves, and --resume continues."""
    from musenet.model.precision import device_of
    from musenet.training.distributed import joined
    from musenet.training.settings import from_override, from_toml, merged, settings_of
    from musenet.training.start import resume_run, start_run
    from tokenizer.errors import InputError

    if hours is not None and minutes is not None:
        raise InputError("--minutes and --hours exclude each other; give one of them")
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
        if resume and sweep is None:
            session = resume_run(out, dataset, merged(*changes), group)
        elif dataset is None:
            raise InputError("no dataset is given; run musenet train DATASET --out RUN")
        elif sweep is not None:
            _sweep(dataset, out, settings, sweep, group)
            return
        else:
            session = start_run(dataset, out, settings, group)
        if session.is_over:
            print(f"{out} is finished; to train further, give more steps or minutes")
        stopped = _train(session)
    if stopped:
        raise typer.Exit(128 + stopped)
    if export is not None:
        from musenet.training import publish as exports

        exports.export(out, export, exports.CardExtras(figures, notices, remarks))


def _sweep(dataset: Path, out: Path, settings: Settings, text: str, group: Group) -> None:
    """Run a sweep and print its table; a signal ends it, and the same command goes on."""
    from musenet.training.variants.sweep import factors, sweep, table

    asked = factors(text)
    runs = list(sweep(dataset, out, settings, asked, group, _train))
    if runs and group.is_first:
        print("\n".join(table(runs)))
    if len(runs) < len(asked):
        raise typer.Exit(130)


def finetune(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|ARCHIVE|FILE…",
            help="Music to train on.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new model.", show_default=False)],
    from_: Annotated[
        str, typer.Option("--from", help="Name of a bundled model, or a checkpoint folder.")
    ] = "mini",
    minutes: Annotated[
        float | None, typer.Option(help="Training time in minutes.", show_default="10")
    ] = None,
    composer: Annotated[
        str | None, typer.Option(help="Composer of files that have no composer label.")
    ] = None,
    path_labels: Annotated[
        str | None,
        typer.Option(
            help="Pattern of labels in paths: '{composer}/{title}.mid'; also {style} and {split}."
        ),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Folder of the training run.", show_default="MODEL-run")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Number of CPU threads; 0 means all.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same training.")] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            help="Learn changes of this rank (LoRA, {} to {}), kept as a small folder for "
            "--weights MODEL+FOLDER.".format(*LORA_RANKS),
        ),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="With --lora, write a whole model all the same.")
    ] = False,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting of `musenet train`."),
    ] = None,
    resume: Annotated[bool, typer.Option(help="Resume a stopped run.")] = False,
) -> None:
    """Fine-tune a model on your own music; Ctrl-C saves, and --resume continues."""
    from musenet.training import finetune as tuning
    from musenet.training.settings import from_override, merged

    asked = {"minutes": minutes, "threads": threads, "seed": seed, "lora": lora}
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
        print(f"Stopped; the model so far is in {work / 'last'}. Use --resume to continue.")
        raise typer.Exit(128 + stopped)
    print(tuning.describe_comparison(tuning.finish(session, out, merge=merge)))
    weights = f"{from_}+{out}" if session.settings.lora and not merge else str(out)
    print(f"Try it: musenet generate PROMPT.mid --weights {weights} --out OUT.mid")


def average(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="MODEL MODEL…",
            help="Checkpoints of runs that started from the same weights.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the new model.", show_default=False)],
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
    dataset: Annotated[Path, typer.Argument(help="Dataset that the model was trained on.")],
    out: Annotated[
        Path, typer.Option(help="Checkpoint folder to write, critic included.", show_default=False)
    ],
    weights: Weights = "mini",
    pieces: Annotated[
        int, typer.Option(min=16, help="Number of pieces to generate for training.")
    ] = 320,
    minutes: Annotated[
        float | None,
        typer.Option(help="Maximum time for generating, in minutes; results then vary by machine."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same critic.")] = 0,
) -> None:
    """Train a critic to tell generated from real music; Ctrl-C stops generating."""
    raised()
    import time

    from musenet.model.checkpoint import load_checkpoint
    from musenet.training.critic import train as critics
    from musenet.training.critic.metrics import table
    from tokenizer.files import check_replaceable

    check_replaceable(out, "model.safetensors")
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
    print("training the critic", file=sys.stderr)
    states = critics.read(checkpoint, learned)
    critic = critics.train(states, checkpoint.config.width, seed)
    facts = critics.facts(critic, states, critics.read(checkpoint, held), seed)
    facts |= {"dataset": dataset.name, "weights": checkpoint.hash, "seed": seed}
    facts["minutes"] = round((time.monotonic() - begun) / 60, 2)
    critics.save(checkpoint, critic, out, facts)
    for line in table(facts["held_out"]):
        print(line)
    print(f"{out}: critic trained in {facts['minutes']} minutes")


def onnx(
    out: Annotated[Path, typer.Option(help="Folder to write.", show_default=False)],
    weights: Weights = "mini",
) -> None:
    """Export a model to ONNX, for other runtimes."""
    from musenet.model.checkpoint import load_checkpoint
    from musenet.model.portable import export_onnx

    export_onnx(load_checkpoint(weights), out)
    print(f"{out}: trunk.onnx, head.onnx, contract.json and tokenizer.json")


_GIB = 2**30


def params(
    preset: Annotated[str, typer.Option(help="Name of the model preset, such as mini.")] = "mini",
    context: Annotated[int | None, typer.Option(min=1, help="Context length in tokens.")] = None,
    memory: Annotated[
        float | None, typer.Option(min=0, help="Memory in GiB, to show which batch sizes fit.")
    ] = None,
    faithful: Annotated[
        bool, typer.Option("--faithful", help="Use the design of OpenAI's MuseNet (docs/model.md).")
    ] = False,
) -> None:
    """Show a model's parameters, memory and operations without building it."""
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
            f"activations       {bytes_ / _GIB:.2f} GiB per sequence, recompute {mode}"
            for mode, bytes_ in needs.activations.items()
        ),
        f"cache             {needs.cache / _GIB:.3f} GiB per sequence in bf16",
        f"operations        {needs.forward_flops / 1e9:.3g} GFLOP per token forward, "
        f"{needs.training_flops / 1e9:.3g} in training",
    ]
    if memory is not None:
        lines += _fits(needs, memory)
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line, markup=False)


def _fits(needs: Footprint, gib: float) -> list[str]:
    """The largest batches that fit in `gib` GiB."""
    lines = []
    for mode in needs.activations:
        batch = needs.largest_batch(gib * _GIB, mode)
        what = f"{batch} sequences at once" if batch else "does not fit"
        lines.append(f"in {gib:g} GiB         training, recompute {mode}: {what}")
    batch = needs.largest_generation(gib * _GIB)
    what = f"{batch} sequences at once" if batch else "does not fit"
    return [*lines, f"in {gib:g} GiB         generating: {what}"]
