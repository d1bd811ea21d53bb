"""A small Transformer over spelled frames: its likelihood, its training, its table.

What `jsb.py` and `nottingham.py` share. The negative log-likelihood of a frame is the sum over its
pitches and its end; the score is its mean over all frames of the test split in one flat list.
Tokens that cannot come next (no pitch is at or below the one before it) have probability zero, so
that the probabilities of all sets of pitches add up to one.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from benchmarks.frames import (
    END,
    HIGHEST,
    LOWEST,
    PAD,
    SHIFTS,
    TOKENS,
    Inputs,
    Spelled,
    load,
    possible,
)
from musenet.evaluation.likelihood import spans
from musenet.model.config import ModelConfig
from musenet.model.fused_ops import negative_log_likelihood
from musenet.model.transformer import Transformer
from musenet.training.loop import rate_factor
from musenet.training.optimizers import create_optimizers
from musenet.training.settings import Settings
from tokenizer.errors import InputError
from tokenizer.malloc import keep_freed_memory

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "bench" / "bl2012.tar.xz"
"""Where the data is looked for when no path is given."""
_REPORTS = 6


class FrameModel(nn.Module):
    """A Transformer of one field, kept from tokens that cannot come next.

    Args:
        config: its shape.
        compute: dtype of the matrix products.
    """

    possible: Tensor

    def __init__(self, config: ModelConfig, compute: torch.dtype | None = None) -> None:
        super().__init__()
        self.net = Transformer(config, compute)
        self.register_buffer("possible", possible(), persistent=False)

    def logits(self, tokens_BT: Tensor, inputs_BTS: Tensor, drop: float = 0.0) -> Tensor:
        """Of the token after each, [B, T, TOKENS] fp32; a part `drop` of what is read is hidden."""
        shown_BT, inputs = tokens_BT, inputs_BTS
        if drop:
            shown_BT = tokens_BT * (torch.rand(tokens_BT.shape) >= drop)
            inputs = inputs_BTS * (torch.rand(inputs_BTS.shape) >= drop)
        hidden = self.net.trunk(shown_BT[..., None], inputs)
        logits = F.linear(hidden, self.net.head.out[0].to(hidden.dtype)).float()
        return logits.masked_fill(~self.possible[tokens_BT], float("-inf"))

    def nll(self, tokens_BT: Tensor, inputs_BTS: Tensor, drop: float = 0.0) -> Tensor:
        """Nats of tokens 1…, [B, T − 1]; 0 for padding."""
        targets = tokens_BT[:, 1:]
        logits = self.logits(tokens_BT[:, :-1], inputs_BTS[:, :-1], drop)
        return negative_log_likelihood(logits, targets.clamp(min=END)) * (targets > PAD)


@dataclass(frozen=True)
class Recipe:
    """A model and how it is trained.

    Attributes:
        inputs: what it reads beside the tokens.
        layers: of the Transformer.
        heads: of attention.
        width: channels.
        context: tokens that it reads at once.
        batch: tokens of a step.
        muon_rate: of the matrices between hidden states.
        adam_rate: of the other parameters.
        weight_decay: of the former.
        drop: part of what it reads that is hidden in training.
        kept: part of the pieces that keep their key in training.
        average: decay, a step, of the running mean of the weights that is scored.
        steps: of training, the same number on every machine.
        checked: share of the validation pieces that are scored while it trains.
    """

    inputs: Inputs
    layers: int = 3
    heads: int = 4
    width: int = 128
    context: int = 1024
    batch: int = 1024
    muon_rate: float = 4e-3
    adam_rate: float = 3e-3
    weight_decay: float = 0.1
    drop: float = 0.1
    kept: float = 0.3
    average: float = 0.99
    steps: int = 3000
    checked: float = 1.0

    def build(self) -> FrameModel:
        """The model, not yet trained."""
        config = ModelConfig(
            (TOKENS,),
            self.inputs.sizes,
            layers=self.layers,
            heads=self.heads,
            width=self.width,
            context=self.context,
            patterns=("dense",),
        )
        return FrameModel(config, torch.bfloat16)


def nats_per_frame(model: FrameModel, pieces: Sequence[Spelled], context: int) -> float:
    """The mean over all frames of all pieces, in one flat list.

    A piece longer than the context is read in windows that overlap by half; each token is
    scored once, where it has the most before it.
    """
    nats, frames = 0.0, 0
    with torch.no_grad():
        for piece in pieces:
            frames += int((piece.tokens[1:] == END).sum())
            for span in spans(len(piece.tokens), context, 0):
                each = model.nll(*stacked([piece.part(span.start, span.stop)]))[0]
                first = max(0, span.first - span.start - 1)
                nats += float(each[first:].sum(dtype=torch.float64))
    return nats / frames


def stacked(parts: Sequence[Spelled]) -> tuple[Tensor, Tensor]:
    """Tokens [B, T] and inputs [B, T, S], padded at the end."""
    longest = max(len(part.tokens) for part in parts)
    tokens = np.zeros((len(parts), longest), np.int64)
    inputs = np.zeros((len(parts), longest, parts[0].inputs.shape[1]), np.int64)
    for row, part in enumerate(parts):
        tokens[row, : len(part.tokens)] = part.tokens
        inputs[row, : len(part.tokens)] = part.inputs
    return torch.from_numpy(tokens), torch.from_numpy(inputs)


def batches(
    pieces: Sequence[Spelled], recipe: Recipe, random: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches: a passage of every piece once an epoch, similar lengths together."""
    while True:
        parts = [_passage(piece, recipe, random) for piece in pieces]
        parts.sort(key=lambda part: len(part.tokens) + random.integers(32))
        groups: list[list[Spelled]] = [[]]
        for part in parts:
            if groups[-1] and (len(groups[-1]) + 1) * len(part.tokens) > recipe.batch:
                groups.append([])
            groups[-1].append(part)
        for index in random.permutation(len(groups)):
            yield stacked(groups[index])


def _passage(piece: Spelled, recipe: Recipe, random: np.random.Generator) -> Spelled:
    """As much of a piece as the model reads at once, in its own key or in another."""
    room = recipe.context + 1
    start = int(random.integers(max(0, len(piece.tokens) - room) + 1))
    part = piece.part(start, start + room)
    pitches = part.tokens[part.tokens > END] - 2 + LOWEST
    lowest = -min(SHIFTS, int(pitches.min(initial=HIGHEST)) - LOWEST)
    highest = min(SHIFTS, HIGHEST - int(pitches.max(initial=LOWEST)))
    if random.random() < recipe.kept:
        return part
    return recipe.inputs.transposed(part, int(random.integers(lowest, highest + 1)))


def train(
    recipe: Recipe,
    pieces: Sequence[Spelled],
    held_out: Sequence[Spelled],
    seed: int,
    say: Callable[[str], None],
) -> FrameModel:
    """The running mean of the weights, as it was when the held-out pieces cost least."""
    torch.manual_seed(seed)
    model, mean = recipe.build(), recipe.build()
    mean.load_state_dict(model.state_dict())
    settings = Settings(
        muon_rate=recipe.muon_rate, adam_rate=recipe.adam_rate, weight_decay=recipe.weight_decay
    )
    optimizers = create_optimizers(model.net, settings)
    best, kept = math.inf, mean.state_dict()
    stream = batches(pieces, recipe, np.random.default_rng(seed))
    begun, every = time.process_time(), max(1, recipe.steps // _REPORTS)
    for step in range(1, recipe.steps + 1):
        done = (step - 1) / recipe.steps
        optimizers.set_rate(rate_factor(done, step - 1, warmup=50, decay=0.9))
        tokens, inputs = next(stream)
        nats = model.nll(tokens, inputs, recipe.drop).sum() / (tokens[:, 1:] == END).sum()
        torch.autograd.backward(nats)
        optimizers.clip(1.0)
        optimizers.step()
        _move(mean, model, min(recipe.average, step / (step + 10)))
        if step % every == 0 or step == recipe.steps:
            score = nats_per_frame(mean, held_out, recipe.context)
            spent = (time.process_time() - begun) / 60
            say(f"step {step}, {spent:.1f} min: validation {score:.3f} nats per frame")
            if score < best:
                best, kept = score, {k: v.clone() for k, v in mean.state_dict().items()}
    mean.load_state_dict(kept)
    return mean


@torch.no_grad()
def _move(mean: FrameModel, model: FrameModel, decay: float) -> None:
    for old, new in zip(mean.parameters(), model.parameters(), strict=True):
        old.lerp_(new, 1 - decay)


def run(description: str, name: str, recipe: Recipe, published: Mapping[str, float]) -> None:
    """Train and score one model, and print its score beside the published ones."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", help=f"{name}, or where it is")
    parser.add_argument("--steps", type=int, default=recipe.steps, help="of training")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.data is None and not ARCHIVE.exists():
        print(f"Give {name}: there is nothing at {ARCHIVE}, and nothing is scored without it.")
        return
    torch.set_num_threads(1)
    keep_freed_memory()
    try:
        splits = load(options.data or ARCHIVE, name)
    except InputError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    recipe = replace(recipe, steps=options.steps)
    spelled = {split: [recipe.inputs.of(p) for p in pieces] for split, pieces in splits.items()}
    held_out = spelled["valid"][:: round(1 / recipe.checked)]
    begun = time.process_time()
    model = train(
        recipe, spelled["train"], held_out, options.seed, lambda line: print(line, file=sys.stderr)
    )
    minutes = (time.process_time() - begun) / 60
    test = nats_per_frame(model, spelled["test"], recipe.context)
    columns = ("model", "nats/frame", "parameters", "steps", "CPU minutes")
    table = Table(*columns, title=f"{name}, test split")
    for peer, nats in published.items():
        table.add_row(f"{peer} (published)", f"{nats:.2f}", "", "", "")
    parameters = sum(p.numel() for p in model.parameters())
    size = f"{parameters / 1e6:.2f} M"
    table.add_row("musenet", f"{test:.2f}", size, f"{recipe.steps:,}", f"{minutes:.1f}")
    valid = nats_per_frame(model, spelled["valid"], recipe.context)
    table.caption = f"validation split: {valid:.2f}"
    Console(width=100).print(table)
