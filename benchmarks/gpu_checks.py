"""What only a GPU can show: xformers' kernels against the specification, and speed at full size.

    python benchmarks/gpu_checks.py            on a CUDA machine, full size
    python benchmarks/gpu_checks.py --toy      anywhere, small sizes, to its end

1. Every pattern, dtype and backend against `reference` computed in fp32 (fp64 on a CPU), forward
   and backward, within the tolerances that xformers states for its operators (fmha/common.py).
2. A training step of `musenet` and `musenet-sparse`: tokens/s, and the share of the device's own
   bf16 matmul rate (MFU against what the device reaches, not against its data sheet).
3. Decoding, eager and as CUDA graphs (unrecorded on a CPU), beside the time in which the weights
   can be read once.

Exits with 1 if any number of part 1 is out of tolerance.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.decoding import FIELDS
from benchmarks.decoding import decoding as decoding_run
from benchmarks.timing import matmul_rate, memory_rate, shortest
from benchmarks.training_step import mean, random_rows, step
from musenet.attention.attend import attend
from musenet.attention.patterns import PATTERNS
from musenet.attention.xformers import available
from musenet.decoding.cuda_graphs import GraphDecoder
from musenet.decoding.eager import EagerDecoder
from musenet.model.config import ModelConfig, preset
from musenet.model.footprint import footprint
from musenet.model.transformer import Transformer
from tokenizer.encoding.structure import STRUCTURE_SIZES

FORWARD = {torch.float32: (3e-4, 2e-5), torch.float16: (4e-3, 4e-4), torch.bfloat16: (2e-2, 5e-3)}
BACKWARD = {torch.float32: (9e-4, 1e-4), torch.float16: (0.2, 2e-2), torch.bfloat16: (0.9, 0.1)}


def results(inputs: list[Tensor], g: Tensor, pattern: str, row: int, backend: str) -> list[Tensor]:
    """Attention and its gradients."""
    leaves = [x.detach().requires_grad_() for x in inputs]
    q, k, v = leaves
    out = attend(q, k, v, pattern, row, backend)
    if not out.requires_grad:
        return [out, *map(torch.zeros_like, leaves)]
    return [out, *torch.autograd.grad(out, leaves, g)]


def numbers(device: torch.device, length: int, row: int) -> tuple[Table, bool]:
    """Part 1: the largest error over its tolerance, for each case."""
    backends = ["sdpa", *(["xformers"] if available(device) else [])]
    table = Table("pattern", "dtype", "groups", *backends, title="largest error / tolerance")
    good = True
    for pattern in PATTERNS:
        for dtype in FORWARD:
            for groups in (4, 2):
                torch.manual_seed(0)
                sizes = [(2, length, h, 64) for h in (4, groups, groups)]
                inputs = [torch.randn(size, device=device).to(dtype) for size in sizes]
                g = torch.randn_like(inputs[0])
                exact = torch.float64 if device.type == "cpu" else torch.float32
                true = results(
                    [x.to(exact) for x in inputs], g.to(exact), pattern, row, "reference"
                )
                cells = []
                for backend in backends:
                    found = results(inputs, g, pattern, row, backend)
                    worst = max(
                        float(((a.to(exact) - b).abs() / (limit[0] + limit[1] * b.abs())).max())
                        for a, b, limit in zip(
                            found, true, [FORWARD[dtype], *[BACKWARD[dtype]] * 3], strict=True
                        )
                    )
                    good &= worst <= 1
                    cells.append(f"{worst:.3f}{'' if worst <= 1 else ' FAILS'}")
                table.add_row(pattern, str(dtype).removeprefix("torch."), str(groups), *cells)
    return table, good


def training(device: torch.device, configs: dict[str, ModelConfig], rounds: int) -> Table:
    """Part 2, one model at a time, because two do not fit."""
    rate = matmul_rate(device, torch.bfloat16)
    table = Table(
        "model",
        "ms per step",
        "tokens/s",
        "MFU",
        "against dense",
        title=f"training, one sequence, recompute selective; bf16 matmul {rate / 1e12:.2f} TFLOP/s",
    )
    dense = 0.0
    for name, config in configs.items():
        with device:
            model = Transformer(config, torch.bfloat16)
        model.recompute = "selective"
        rows = random_rows(config.field_sizes, config.context + 1, device)
        columns = (*STRUCTURE_SIZES, config.context)  # the last is the time
        structure = random_rows(columns, config.context + 1, device)
        run = partial(step, list(model.parameters()), partial(mean, model, rows, structure))
        seconds = shortest({name: run}, rounds)[name]
        dense = dense or seconds
        share = footprint(config).training_flops * config.context / seconds / rate
        table.add_row(
            name,
            f"{seconds * 1e3:.0f}",
            f"{config.context / seconds:.0f}",
            f"{share:.0%}",
            f"{dense / seconds:.2f}x",
        )
        del model, run
        if device.type == "cuda":
            torch.cuda.empty_cache()
    return table


@torch.inference_mode()
def decoding(device: torch.device, configs: dict[str, ModelConfig], rounds: int) -> Table:
    """Part 3."""
    rate = memory_rate(device)
    table = Table(
        "model",
        "engine",
        "ms per row",
        "rows/s",
        "of roofline",
        title=f"decoding, batch 1; memory {rate / 1e9:.0f} GB/s",
    )
    steps = 16
    for name, config in configs.items():
        with device:
            model = Transformer(config, torch.bfloat16).eval()
        read = 2 * sum(p.numel() for p in [*model.hidden_matrices(), *model.head.out]) / rate
        for engine, made in (("eager", EagerDecoder), ("graphs", GraphDecoder)):
            run = decoding_run(made(model, 1), 1, config.context // 2, steps)
            each = shortest({engine: run}, rounds)[engine] / steps
            table.add_row(
                name, engine, f"{each * 1e3:.1f}", f"{1 / each:.1f}", f"{read / each:.0%}"
            )
        del model, run
    return table


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toy", action="store_true", help="small sizes, as on a CPU")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    toy = options.toy or device.type == "cpu"
    if device.type == "cpu":
        torch.set_num_threads(1)
    configs = {n: preset(n, FIELDS, STRUCTURE_SIZES) for n in ("musenet", "musenet-sparse")}
    if toy:
        configs = {
            name: replace(config, layers=6, heads=4, width=64, context=256, row_length=16)
            for name, config in configs.items()
        }
    console = Console(width=110)
    table, good = numbers(device, 72 if toy else 520, 16 if toy else 64)
    console.print(table)
    console.print(training(device, configs, options.rounds))
    console.print(decoding(device, configs, options.rounds))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
