"""Attention inside short blocks as batched matrix products, with its gradient written out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype for sums over many values of `dtype`: fp32, or fp64 where it came in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def block_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
    """Softmax attention inside short blocks: matmuls in the inputs' dtype, softmax in fp32.

    On CPU this is two to three times faster than SDPA where blocks are short.

    Args:
        q: [N, S, D].
        k: [N, K, D].
        v: [N, K, D].
        bias: [S, K], added to the scores: 0 for keys that a query may see and −∞ for the others;
            None shows it all.
    """
    return _BlockAttention.apply(q, k, v, bias)  # type: ignore[no-untyped-call]


def bias_of(seen: Tensor, like: Tensor) -> Tensor:
    """The bias that shows the keys where `seen` [S, K], in the dtype of `like`."""
    return like.new_zeros(seen.shape).masked_fill_(~seen, float("-inf"))


class _BlockAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Tensor:
        scale = q.shape[-1] ** -0.5
        if bias is None:
            scores = torch.baddbmm(q.new_zeros(1), q, k.mT, beta=0, alpha=scale)
        else:
            scores = torch.baddbmm(bias, q, k.mT, alpha=scale)
        weights = scores.to(wide(q.dtype)).softmax(-1).to(q.dtype)
        ctx.save_for_backward(q, k, v, weights)
        return torch.bmm(weights, v)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, weights = ctx.saved_tensors
        precise = wide(q.dtype)
        grad_v = torch.bmm(weights.mT, g)
        grad_weights = torch.bmm(g, v.mT).to(precise)
        grad_scores = torch._softmax_backward_data(
            grad_weights, weights.to(precise), -1, precise
        ).mul_(q.shape[-1] ** -0.5)
        grad_scores = grad_scores.to(q.dtype)
        return torch.bmm(grad_scores, k), torch.bmm(grad_scores.mT, q), grad_v, None
