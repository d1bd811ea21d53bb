"""Prepacked matrices for products with few rows, used by eager decoding on a CPU.

`F.linear` reorders the matrix for every product; with few rows that takes longer than the product.
oneDNN can reorder it once and keep its preferred layout. The two operations are those that
`torch.compile` puts into a frozen model. They are private to PyTorch, so they are tried once, and
`F.linear` replaces them if they are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

LANES = 4
"""The number of rows that the layout is optimised for; others work too."""

SMALL = 2**16
"""Smaller matrices gain nothing from packing."""

Product = Callable[[Tensor], Tensor]
"""product(x [B, columns]) returns x times the transposed matrix, [B, rows]."""


def product(weight: Tensor, *, pack: bool = True) -> Product:
    """The product with the current values of a matrix `weight` [rows, columns].

    Args:
        weight: read once; packing makes a copy.
        pack: whether it may be packed, which doubles its memory.
    """
    weight = weight.detach()
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32
    if pack and plain and weight.numel() >= SMALL and can_pack():
        return _packed(weight)
    return partial(F.linear, weight=weight)


@cache
def can_pack() -> bool:
    """Whether this PyTorch can pack matrices, and multiplies them correctly."""
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
