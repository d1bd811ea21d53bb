"""`musenet params --preset NAME`: what a model needs, and what fits in how much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from musenet.model.footprint import Footprint

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
