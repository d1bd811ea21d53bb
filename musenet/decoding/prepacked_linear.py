"""Matrices laid out once for products with a few rows, which eager decoding on a CPU multiplies by.

`F.linear` turns a matrix about for every product; with a few rows that takes longer than the
product. oneDNN can be given the matrix once and keep it as it likes it. The two operations are
those that `torch.compile` puts into a frozen model. They are private to PyTorch, so that they are
tried once, and `F.linear` takes their place where they are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

LANES = 4
"""The rows that the layout is made for; more are as welcome."""

SMALL = 2**16
"""Matrices of fewer numbers are as quick as they lie."""

Product = Callable[[Tensor], Tensor]
"""product(x [B, columns]) gives x times the transposed matrix, [B, rows]."""


def product(weight: Tensor, *, pack: bool = True) -> Product:
    """The product with a matrix `weight` [rows, columns], as it is now.

    Args:
        weight: read once; a copy is kept where it is packed.
        pack: whether it may be packed, which takes its memory again.
    """
    weight = weight.detach()
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32
    if pack and plain and weight.numel() >= SMALL and can_pack():
        return _packed(weight)
    return partial(F.linear, weight=weight)


@cache
def can_pack() -> bool:
    """Whether this PyTorch packs matrices, and multiplies by them rightly."""
    weight, x = torch.arange(48.0).reshape(6, 8), torch.arange(32.0).reshape(LANES, 8)
    try:
        return torch.equal(_packed(weight)(x), x @ weight.T)
    except (AttributeError, RuntimeError):
        return False


def _packed(weight: Tensor) -> Product:
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, LANES)
    multiply = torch.ops.mkldnn._linear_pointwise.default

    def multiplied(x: Tensor) -> Tensor:
        result: Tensor = multiply(x, laid_out, None, "none", [], "")
        return result

    return multiplied
