"""Decoding speed: deep sparse stacks against dense ones, and engines against peers.

    python benchmarks/decoding.py [--position 3900] [--deep-width 96] [--steps 8] [--rounds 2]

First table: a 72-layer, 24-head stack at a far position. Second: about 32 M parameters, eager and
int8, beside nanoGPT with a growing cache and, where transformers is installed, Hugging Face's GPT-2
under `generate`; the roofline is the time to read the weights (4 bytes each, int8 1) once at the
measured memory rate. One thread on CPU, random weights, fp32 but for int8, processor time.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.nanogpt import NanoGPT
from benchmarks.timing import memory_rate, shortest
from musenet.decoding.decode_step import DecodeStep
from musenet.decoding.decoder import Decoder
from musenet.decoding.engines import make_decoder
from musenet.model.config import ModelConfig, preset
from musenet.model.transformer import Transformer
from tokenizer import Tokenizer
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.typing import Ints, Logits

FIELDS = Tokenizer.default().vocabulary.sizes
COLUMNS = len(STRUCTURE_SIZES) + 1  # the structure, and the time


def stepping(model: Transformer, batch: int, position: int, steps: int) -> Callable[[], None]:
    """A run of `steps` rows, trunk and head, from `position` on; the cache is filled with noise."""
    cache = model.new_cache(batch)
    for layer in cache.layers:
        layer.keys.normal_()
        layer.values.normal_()
    device = model.embedding.weight.device
    step = DecodeStep(model)
    rotations = model.rotations(0, position + steps, model.embedding.weight)
    assert rotations is not None
    rows = torch.ones((batch, len(FIELDS)), dtype=torch.long, device=device)
    structure = torch.ones((batch, len(STRUCTURE_SIZES)), dtype=torch.long, device=device)

    def choose(_: int, logits: Tensor, __: Tensor) -> Tensor:
        return logits.argmax(-1)

    def run() -> None:
        for cache.position in range(position, position + steps):
            rotation = rotations[cache.position : cache.position + 1]
            hidden = step(rows, structure, rotation, cache)
            model.head.sample(hidden, choose, lambda first: structure[: len(first)])

    return run


def decoding(made: Decoder, batch: int, position: int, steps: int) -> Callable[[], None]:
    """A run of `steps` rows as `musenet generate` makes them, the likeliest each.

    The first run begins behind `position` rows, each other where the one before it ended.
    """
    columns = np.ones((batch, COLUMNS), np.int64)
    made.start(
        np.ones((1, position, len(FIELDS)), np.int64),
        np.ones((1, position, COLUMNS), np.int64),
    )

    def choose(_: int, logits: Logits, __: Ints) -> Ints:
        return logits.argmax(-1)

    def run() -> None:
        for _ in range(steps):
            made.advance(made.sample(choose, lambda _: columns), columns)

    return run


def nanogpt(layers: int, width: int, heads: int, position: int, steps: int) -> Callable[[], None]:
    """The peer from `position` on, batch 1."""
    model = NanoGPT(layers, width, heads, position + steps, 512).eval()

    def run() -> None:
        size = (1, heads, position, width // heads)
        past = [[torch.zeros(size), torch.zeros(size)] for _ in range(layers)]
        token = torch.zeros((1, 1), dtype=torch.long)
        for i in range(steps):
            token = model(token, past, position + i)[:, -1:].argmax(-1)

    return run


def hugging_face(
    layers: int, width: int, heads: int, position: int, steps: int
) -> Callable[[], None]:
    """GPT-2 of transformers from `position` on, batch 1; the prompt is read before."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = GPT2Config(
        vocab_size=512,
        n_positions=position + steps,
        n_embd=width,
        n_layer=layers,
        n_head=heads,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(shape).eval()
    prompt = torch.zeros((1, position), dtype=torch.long)
    with torch.no_grad():
        filled = model(prompt, use_cache=True).past_key_values

    def run() -> None:
        grown = filled.get_seq_length() - position
        if grown:
            filled.crop(-grown)
        ids = torch.zeros((1, position + 1), dtype=torch.long)
        model.generate(
            ids,
            past_key_values=filled,
            max_new_tokens=steps,
            min_new_tokens=steps,
            do_sample=False,
            pad_token_id=0,
        )

    return run


def deep(options: argparse.Namespace) -> Table:
    """Sparse against dense, 72 layers."""
    width, position, steps = options.deep_width, options.position, options.steps
    sparse = ModelConfig(FIELDS, STRUCTURE_SIZES, layers=72, heads=24, width=width)
    stacks = {"dense": replace(sparse, patterns=("dense",)), "row, column, previous_row": sparse}
    runs = {n: stepping(Transformer(c).eval(), 1, position, steps) for n, c in stacks.items()}
    took = shortest(runs, options.rounds)
    table = Table(
        "stack",
        "ms per row",
        "rows/s",
        "against dense",
        title=f"72 layers, 24 heads, width {width}, position {position}, batch 1",
    )
    for name, seconds in took.items():
        each = seconds / steps
        table.add_row(
            name, f"{each * 1e3:.1f}", f"{1 / each:.1f}", f"{took['dense'] / seconds:.2f}x"
        )
    return table


def engines(options: argparse.Namespace) -> Table:
    """Engines and peers at one size."""
    config = preset(options.preset, FIELDS, STRUCTURE_SIZES)
    shape = (config.layers, config.width, config.heads, options.prompt, options.steps)
    model = Transformer(config).eval()
    weights = sum(p.numel() for p in [*model.hidden_matrices(), *model.head.out])
    runs = {"nanoGPT, torch.cat cache": nanogpt(*shape)}
    if importlib.util.find_spec("transformers"):
        runs = {"Hugging Face generate": hugging_face(*shape), **runs}
    for batch in (1, 8):
        for engine in ("eager", "int8"):
            made = make_decoder(model, batch, engine)
            runs[f"{engine}, batch {batch}"] = decoding(made, batch, options.prompt, options.steps)
    took = shortest(runs, options.rounds, time.process_time)
    read = weights / memory_rate(torch.device("cpu"), clock=time.process_time)
    first = next(iter(runs))
    table = Table(
        "engine",
        "ms per step",
        "rows/s",
        f"against {first}",
        "of roofline",
        title=f"{options.preset}: {sum(p.numel() for p in model.parameters()) / 1e6:.0f} M "
        f"parameters, position {options.prompt}; a byte of each weight read in {read * 1e3:.1f} ms",
    )
    for name, seconds in took.items():
        each, batch = seconds / options.steps, 8 if name.endswith("8") and "batch" in name else 1
        table.add_row(
            name,
            f"{each * 1e3:.1f}",
            f"{batch / each:.0f}",
            f"{took[first] / seconds * batch:.2f}x",
            f"{read * (1 if 'int8' in name else 4) / each:.0%}",
        )
    return table


@torch.inference_mode()
def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--position", type=int, default=3900)
    parser.add_argument("--deep-width", type=int, default=96)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for table in (deep(options), engines(options)):
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
