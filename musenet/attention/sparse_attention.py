"""Sparse Transformer's patterns (arXiv:1904.10509) in one softmax per query, for CPUs.

Each query sees keys near by, in blocks of rows, and few far ones: those of its column (`strided`),
or the last places of earlier rows (`fixed`). Merging the two parts (`musenet.attention.lse_merge`)
takes several passes over the scores.

Shape suffixes: B batch, T positions, H query heads, G key-value heads, D channels of a head; N
sequences (B·H) of n rows of l positions, K keys near by, F far ones.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .block_attention import bias_of
from .lse_merge import spread_heads
from .patterns import summary_length


def sparse_attention(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, pattern: str, row_length: int
) -> Tensor:
    """Attention of the pattern `strided` or `fixed`.

    Args:
        q_BTHD: queries; T is a multiple of the row length.
        k_BTGD: keys; G divides H.
        v_BTGD: values.
        pattern: one of the two.
        row_length: positions of a row.

    Returns:
        [B, T, H, D].
    """
    length, heads, channels = q_BTHD.shape[1:]
    count = length // row_length
    q, k, v = (
        spread_heads(x, heads).transpose(1, 2).reshape(-1, count, row_length, channels)
        for x in (q_BTHD, k_BTGD, v_BTGD)
    )  # [N, n, l, D]
    row, place = (torch.arange(size, device=q.device) for size in (count, row_length))
    own_row = (place <= place[:, None]).expand(count, -1, -1)
    if pattern == "strided":
        before = ~own_row & (row > 0)[:, None, None]
        seen_nlK = torch.cat((before, own_row), -1)
        near_k, near_v = (torch.cat((F.pad(x, (0, 0, 0, 0, 1, -1)), x), 2) for x in (k, v))
        far_k, far_v = k.transpose(1, 2), v.transpose(1, 2)
        seen_nF = row < row[:, None]
    else:
        seen_nlK, near_k, near_v = own_row, k, v
        kept = summary_length(row_length)
        far_k, far_v = (x[:, :, -kept:].reshape(len(x), 1, -1, x.shape[-1]) for x in (k, v))
        seen_nF = row.repeat_interleave(kept) < row[:, None]
    seen = torch.cat((seen_nlK, seen_nF[:, None].expand(-1, row_length, -1)), -1)
    out = _NearAndFar.apply(q, near_k, near_v, far_k, far_v, bias_of(seen, q))  # type: ignore[no-untyped-call]
    return out.view(-1, heads, length, channels).transpose(1, 2)


class _NearAndFar(torch.autograd.Function):
    """Rows [N, n, l, D], near keys [N, n, K, D], far keys [N, l, F, D], or [N, 1, F, D] for all."""

    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        near_k: Tensor,
        near_v: Tensor,
        far_k: Tensor,
        far_v: Tensor,
        bias: Tensor,
    ) -> Tensor:
        scores = torch.cat((q @ near_k.mT, _far(q, far_k.mT)), -1)
        scores = scores.mul_(q.shape[-1] ** -0.5).add_(bias)
        weights = scores.softmax(-1)
        ctx.save_for_backward(q, near_k, near_v, far_k, far_v, weights)
        near, far = _parted(weights, near_k)
        return near @ near_v + _far(far, far_v)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        q, near_k, near_v, far_k, far_v, weights = ctx.saved_tensors
        grad_weights = torch.cat((g @ near_v.mT, _far(g, far_v.mT)), -1)
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        near, far = _parted(grad_scores.mul_(q.shape[-1] ** -0.5), near_k)
        near_weights, far_weights = _parted(weights, near_k)
        return (
            near @ near_k + _far(far, far_k),
            near.mT @ q,
            near_weights.mT @ g,
            _turned(far, far_k).mT @ _turned(q, far_k),
            _turned(far_weights, far_v).mT @ _turned(g, far_v),
            None,
        )


def _parted(x_NnlC: Tensor, near_k: Tensor) -> tuple[Tensor, Tensor]:
    """What belongs to near keys, and to far ones."""
    near = near_k.shape[2]
    return x_NnlC[..., :near], x_NnlC[..., near:]


def _turned(x_NnlC: Tensor, far: Tensor) -> Tensor:
    """Rows as columns [N, l, n, C] where each place has far keys of its own, else all as one."""
    if far.shape[1] == 1:
        return x_NnlC.flatten(1, 2)[:, None]
    return x_NnlC.transpose(1, 2)


def _far(x_NnlC: Tensor, far: Tensor) -> Tensor:
    """The product of rows with far keys or values, as rows."""
    product = _turned(x_NnlC, far) @ far
    if far.shape[1] == 1:
        return product.view(*x_NnlC.shape[:3], -1)
    return product.transpose(1, 2)
