"""A training step of the model beside nanoGPT's of equal size, in the same run.

    python benchmarks/training_step.py [--length 4096] [--layers 6] [--width 256] [--rounds 2]

One thread on CPU; bf16 matmuls in both. The last column is the share of this machine's own bf16
matmul rate that the step's operations (matrices and attention pairs, three times) reach.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.nanogpt import NanoGPT
from benchmarks.timing import matmul_rate, shortest
from musenet.model.config import ModelConfig
from musenet.model.footprint import footprint
from musenet.model.transformer import Transformer
from tokenizer import Tokenizer
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.malloc import keep_freed_memory

VOCABULARY = 512


def step(parameters: list[torch.nn.Parameter], loss: Callable[[], Tensor]) -> None:
    """Loss and gradients."""
    torch.autograd.grad(loss(), parameters)


def mean(model: Transformer, rows: Tensor, structure: Tensor) -> Tensor:
    """The model's mean loss."""
    return model.nll(rows, structure).mean()


def random_rows(sizes: tuple[int, ...], length: int, device: torch.device) -> Tensor:
    """Rows [1, length, F] of values below `sizes`."""
    return torch.stack([torch.randint(0, s, (1, length), device=device) for s in sizes], -1)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fields = Tokenizer.default().vocabulary.sizes
    sparse = ModelConfig(
        fields,
        STRUCTURE_SIZES,
        layers=options.layers,
        width=options.width,
        heads=options.heads,
        context=options.length,
    )
    configs = {
        "row, column, previous_row": sparse,
        "local, dense, local": replace(sparse, patterns=("local", "dense", "local")),
        "dense": replace(sparse, patterns=("dense",)),
        "dense, one field": replace(
            sparse, patterns=("dense",), field_sizes=(VOCABULARY,), head="parallel"
        ),
    }
    tokens = random_rows((VOCABULARY,), options.length + 1, device)
    peer = NanoGPT(options.layers, options.width, options.heads, options.length, VOCABULARY)
    peer.to(device)
    runs = {"nanoGPT": partial(step, list(peer.parameters()), lambda: peer.loss(tokens[..., 0]))}
    numbers = {"nanoGPT": sum(p.numel() for p in peer.parameters())}
    for name, config in configs.items():
        model = Transformer(config, torch.bfloat16).to(device)
        rows = random_rows(config.field_sizes, options.length + 1, device)
        structure = random_rows(STRUCTURE_SIZES, options.length + 1, device)
        runs[name] = partial(step, list(model.parameters()), partial(mean, model, rows, structure))
        numbers[name] = sum(p.numel() for p in model.parameters())
    took = shortest(runs, options.rounds)
    rate = matmul_rate(device, torch.bfloat16)
    flops = {name: footprint(config).training_flops for name, config in configs.items()}
    flops["nanoGPT"] = footprint(configs["dense, one field"]).training_flops
    table = Table(
        "model",
        "parameters",
        "ms per step",
        "tokens/s",
        "against nanoGPT",
        "of matmul rate",
        title=f"training on {device}: {options.layers} layers, width {options.width}, "
        f"T = {options.length}; bf16 matmul {rate / 1e9:.0f} GFLOP/s",
    )
    for name, seconds in took.items():
        table.add_row(
            name,
            f"{numbers[name] / 1e6:.2f} M",
            f"{seconds * 1e3:.0f}",
            f"{options.length / seconds:.0f}",
            f"{took['nanoGPT'] / seconds:.2f}x",
            f"{flops[name] * options.length / seconds / rate:.0%}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
