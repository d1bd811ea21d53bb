"""Attention patterns side by side: one layer's attention, forward and backward, by length.

    python benchmarks/attention.py [--lengths 1024 4096] [--width 256] [--heads 8] [--rounds 3]

One thread on CPU. The peer is PyTorch's own causal SDPA over the whole sequence.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.timing import shortest
from musenet.attention.attend import attend, resolve
from musenet.attention.patterns import PATTERNS
from musenet.model.footprint import keys_seen


def there_and_back(attention: Callable[[Tensor, Tensor, Tensor], Tensor], inputs: Tensor) -> None:
    """Run attention [B, T, H, D] and its backward pass."""
    q, k, v = inputs.unbind(0)
    out = attention(q, k, v)
    torch.autograd.grad(out, inputs, torch.ones_like(out))


def causal_sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The peer."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--row-length", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    title = f"attention in bf16 on {device}, backend {resolve('auto', device)}, forward + backward"
    table = Table("T", "pattern", "keys per query", "ms", "M tokens/s", "against SDPA", title=title)
    for length in options.lengths:
        size = (3, 1, length, options.heads, options.width // options.heads)
        inputs = torch.randn(size, device=device).bfloat16().requires_grad_()
        runs = {"causal SDPA": partial(there_and_back, causal_sdpa, inputs)}
        for pattern in PATTERNS:
            layer = partial(attend, pattern=pattern, row_length=options.row_length)
            runs[pattern] = partial(there_and_back, layer, inputs)
        took = shortest(runs, options.rounds)
        for name, seconds in took.items():
            pattern = name if name in PATTERNS else "dense"
            table.add_row(
                str(length),
                name,
                f"{keys_seen(pattern, length, options.row_length):.0f}",
                f"{seconds * 1e3:.2f}",
                f"{length / seconds / 1e6:.3f}",
                f"{took['causal SDPA'] / seconds:.2f}x",
            )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
