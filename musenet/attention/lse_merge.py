"""One softmax over several parts: each part's attention, weighted by its share of the sum.

With out_p and the log-sum-exp L_p of every part, L = log Σ exp L_p and out = Σ exp(L_p − L) out_p
(RingAttention, arXiv:2310.01889). Given L and out, each part's gradient is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from .block_attention import wide
from .decompose import Fold, PatternPart


class Kernel(Protocol):
    """Attention of sequences, with what merging and the backward pass need.

    Shapes: q, out and g [N, S, H, D]; k and v [N, K, G, D]; lse [N, S, H] in fp32.
    """

    def forward(self, q: Tensor, k: Tensor, v: Tensor, sees: str) -> tuple[Tensor, Tensor]:
        """The result and the log-sum-exp of the scaled scores."""

    def backward(
        self, g: Tensor, out: Tensor, lse: Tensor, qkv: tuple[Tensor, Tensor, Tensor], sees: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of q, k and v when `out` and `lse` are those of all parts together."""


def merged_attention(
    q_BTHD: Tensor,
    k_BTGD: Tensor,
    v_BTGD: Tensor,
    parts: Sequence[PatternPart],
    row_length: int,
    kernel: Kernel,
) -> Tensor:
    """Softmax attention over the union of parts; the first part has a key for every query.

    Returns:
        [B, T, H, D].
    """
    return _Merged.apply(  # type: ignore[no-untyped-call]
        q_BTHD.contiguous(), k_BTGD.contiguous(), v_BTGD.contiguous(), parts, row_length, kernel
    )


class _Merged(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        parts: Sequence[PatternPart],
        row_length: int,
        kernel: Kernel,
    ) -> Tensor:
        precise = wide(q.dtype)
        total = torch.zeros(q.shape, dtype=precise, device=q.device)
        lse = total.new_full((*q.shape[:-1], 1), float("-inf"))
        for part in parts:
            folded = part.queries(q, row_length), part.keys(k, row_length), part.keys(v, row_length)
            out_part, lse_part = kernel.forward(*folded, part.sees)
            total_view = part.queries.view(total, row_length)
            lse_view = part.queries.view(lse, row_length)
            lse_part = lse_part.to(precise).reshape(lse_view.shape)
            lse_new = torch.logaddexp(lse_view, lse_part)
            total_view.mul_(torch.exp(lse_view - lse_new))
            total_view.add_(out_part.reshape(total_view.shape) * torch.exp(lse_part - lse_new))
            lse_view.copy_(lse_new)
        out = total.to(q.dtype)
        ctx.save_for_backward(q, k, v, out, lse)
        ctx.how = parts, row_length, kernel
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, lse = ctx.saved_tensors
        parts, row_length, kernel = ctx.how
        g = g.contiguous()
        precise = wide(q.dtype)
        grads = [torch.zeros(x.shape, dtype=precise, device=x.device) for x in (q, k, v)]
        for part in parts:
            asked, given = part.queries, part.keys
            dq, dk, dv = kernel.backward(
                asked(g, row_length),
                asked(out, row_length),
                asked(lse, row_length).squeeze(-1),
                (asked(q, row_length), given(k, row_length), given(v, row_length)),
                part.sees,
            )
            for grad, share, fold in zip(grads, (dq, dk, dv), (asked, given, given), strict=True):
                _add(grad, share, fold, row_length)
        return (*(grad.to(q.dtype) for grad in grads), None, None, None)


def _add(grad: Tensor, share: Tensor, fold: Fold, row_length: int) -> None:
    view = fold.view(grad, row_length)
    view.add_(share.reshape(view.shape))


class TorchKernel:
    """Matrix products and a softmax, on any device and in any dtype."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, sees: str) -> tuple[Tensor, Tensor]:
        """See `Kernel.forward`."""
        k, v = spread_heads(k, q.shape[2]), spread_heads(v, q.shape[2])
        scores = _scores(q, k, sees)
        lse = scores.logsumexp(-1)
        weights = torch.exp(scores - lse[..., None]).to(q.dtype)
        return (weights @ v.transpose(1, 2)).transpose(1, 2), lse.transpose(1, 2)

    def backward(
        self, g: Tensor, out: Tensor, lse: Tensor, qkv: tuple[Tensor, Tensor, Tensor], sees: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernel.backward`."""
        q, heads, groups = qkv[0], qkv[0].shape[2], qkv[1].shape[2]
        k, v = spread_heads(qkv[1], heads), spread_heads(qkv[2], heads)
        weights = torch.exp(_scores(q, k, sees) - lse.transpose(1, 2)[..., None])
        g_NHSD = g.transpose(1, 2)
        share = (g * out).sum(-1, dtype=weights.dtype).transpose(1, 2)[..., None]
        grad_scores = weights * ((g_NHSD @ v.permute(0, 2, 3, 1)).to(weights.dtype) - share)
        grad_scores = grad_scores.mul_(q.shape[-1] ** -0.5).to(q.dtype)
        dq = (grad_scores @ k.transpose(1, 2)).transpose(1, 2)
        dk = (grad_scores.mT @ q.transpose(1, 2)).transpose(1, 2)
        dv = (weights.to(q.dtype).mT @ g_NHSD).transpose(1, 2)
        return dq, gather_heads(dk, groups), gather_heads(dv, groups)


def _scores(q: Tensor, k: Tensor, sees: str) -> Tensor:
    """Scaled scores [N, H, S, K] in fp32, −∞ where a query may not look."""
    scores = (q.transpose(1, 2) @ k.permute(0, 2, 3, 1)).to(wide(q.dtype))
    # Not in place: selective recompute may keep the product.
    scores = scores * q.shape[-1] ** -0.5
    if sees == "full":
        return scores
    every = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device)
    hidden = every.triu(1) if sees == "causal" else every.tril(-1)
    return scores.masked_fill_(hidden, float("-inf"))


def spread_heads(x: Tensor, heads: int) -> Tensor:
    """Key-value heads repeated for the query heads that share them."""
    return x if x.shape[2] == heads else x.repeat_interleave(heads // x.shape[2], 2)


def gather_heads(grad: Tensor, groups: int) -> Tensor:
    """The inverse of `spread_heads` for gradients: their sum over the heads that share."""
    n, s, heads, d = grad.shape
    if heads == groups:
        return grad
    return grad.reshape(n, s, groups, heads // groups, d).sum(3)
