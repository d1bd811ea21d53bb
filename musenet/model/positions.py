"""Rotary positions (arXiv:2104.09864) on two clocks: the row's index, and musical time.

By index, a pair of channels turns by θ^(−pair) radians per row. By time, it turns once per
wavelength: geometric from a quarter of a quarter note to 256 quarter notes, so that a head can look
"exactly two bars back" at one fixed angle, wherever the rows stand. With "rotary_time" the first
half of the key-value heads, and of the query heads that share them, goes by index, the second half
by time.

Shape suffixes: B batch, T positions, H query heads, G key-value heads, C channels a head.
"""

from __future__ import annotations

import torch
from torch import Tensor

from musenet.attention.rotary_rates import index_rates


def index_rotations(start: int, stop: int, pairs: int) -> Tensor:
    """Unit complex numbers `[stop − start, C/2]` of rows by their index, in fp64 precision."""
    rates = torch.from_numpy(index_rates(pairs))
    angles = torch.arange(start, stop, dtype=torch.float64)[:, None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def time_rotations(time_BT: Tensor, rates: Tensor, dtype: torch.dtype) -> Tensor:
    """Unit complex numbers `[B, T, C/2]` of rows by their time in steps.

    Angles are taken in fp64: a long piece has turned its fastest pair ten thousand times.
    """
    angles = time_BT[..., None].to(torch.float64) * rates
    return torch.polar(torch.ones_like(angles), angles).to(dtype)


def by_head(index_TC: Tensor, time_BTC: Tensor, heads: int, groups: int) -> Tensor:
    """The rotation `[B, T, H + G, C/2]` of query heads and key-value heads, half on each clock."""
    halves = [index_TC[None].expand_as(time_BTC), time_BTC]
    parts = [
        half[:, :, None].expand(-1, -1, count // 2, -1)
        for count in (heads, groups)
        for half in halves
    ]
    return torch.cat(parts, 2)
