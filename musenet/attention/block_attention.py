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
        # Nothing in place: selective recompute keeps the products.
        scores = torch.baddbmm(
            q.new_zeros(1) if bias is None else bias,
            q,
            k.mT,
            beta=0 if bias is None else 1,
            alpha=q.shape[-1] ** -0.5,
        )
        # PyTorch computes the softmax of bf16 in fp32 and rounds only the result.
        weights = scores.softmax(-1)
        ctx.save_for_backward(q, k, v, weights)
        return torch.bmm(weights, v)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, weights = ctx.saved_tensors
        grad_scores = torch._softmax_backward_data(torch.bmm(g, v.mT), weights, -1, weights.dtype)
        none, scale = q.new_zeros(1), q.shape[-1] ** -0.5
        grad_q = torch.baddbmm(none, grad_scores, k, beta=0, alpha=scale)
        grad_k = torch.baddbmm(none, grad_scores.mT, q, beta=0, alpha=scale)
        return grad_q, grad_k, torch.bmm(weights.mT, g), None
