"""The model's small operations with gradients written out: fewer passes over memory than autograd.

Each computes in fp32 (fp64 for fp64 inputs) and returns the dtype that the next matmul wants.
Their gradients are checked numerically in tests/musenet/test_functional.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_EPSILON = 1e-6


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype for sums over many values of `dtype`: fp32, or fp64 where it came in."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def rms_norm(x: Tensor, dtype: torch.dtype) -> Tensor:
    """`x` over its root mean square along the last axis, without gain (arXiv:1910.07467).

    Args:
        x: [..., D], fp32 or fp64.
        dtype: of the result.
    """
    return _RMSNorm.apply(x, dtype)  # type: ignore[no-untyped-call]


def squared_relu(x: Tensor) -> Tensor:
    """max(x, 0)², in the dtype of x (Primer, arXiv:2109.08668)."""
    return _SquaredReLU.apply(x)  # type: ignore[no-untyped-call]


def norm_rotate(x: Tensor, rotation: Tensor | None, gain: Tensor | None) -> Tensor:
    """Normalise each head, scale it and turn its channel pairs: QK-norm and rotary positions.

    Args:
        x: [B, T, H, D] queries or keys.
        rotation: [T, D/2] complex unit numbers (arXiv:2104.09864), neighbouring channels paired;
            None does not rotate.
        gain: [H], or None not to normalise.

    Returns:
        [B, T, H, D] in the dtype of x.
    """
    return _NormRotate.apply(x, rotation, gain)  # type: ignore[no-untyped-call]


def block_attention(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """Softmax attention inside short blocks: matmuls in the inputs' dtype, softmax in fp32.

    On CPU this is two to three times faster than SDPA where blocks are short.

    Args:
        q: [N, S, D].
        k: [N, S, D].
        v: [N, S, D].
        causal: position s sees positions 0…s of its block; otherwise all.
    """
    return _BlockAttention.apply(q, k, v, causal)  # type: ignore[no-untyped-call]


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(logits)[target] in nats, fp32.

    Args:
        logits: [..., V].
        targets: [...] long.
    """
    return _NegativeLogLikelihood.apply(logits, targets)  # type: ignore[no-untyped-call]


class _RMSNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype) -> Tensor:
        scale = _inverse_rms(x)
        y = (x * scale).to(dtype)
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        y, scale = ctx.saved_tensors
        along = (g * y).sum(-1, keepdim=True, dtype=scale.dtype).div_(y.shape[-1])
        return torch.addcmul(g.to(scale.dtype), y, along, value=-1).mul_(scale), None


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return (g * positive).mul_(2)


class _NormRotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rotation: Tensor | None, gain: Tensor | None) -> Tensor:
        full = x.to(wide(x.dtype), copy=True)
        scale = None
        if gain is not None:
            scale = _inverse_rms(full)
            full.mul_(scale * gain[:, None])
        if rotation is not None:
            _pairs(full).mul_(rotation[:, None])
        y = full.to(x.dtype)
        ctx.save_for_backward(y, rotation, gain, scale)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, Tensor | None]:
        y, rotation, gain, scale = ctx.saved_tensors
        full = g.to(wide(g.dtype), copy=True)
        grad_gain = None
        if gain is not None:
            # Rotation keeps inner products: the part along x may be taken off before turning back.
            along = (full * y).sum(-1, keepdim=True)
            full.addcmul_(y, along / (gain * gain)[:, None], value=-1 / y.shape[-1])
            full.mul_(scale * gain[:, None])
            grad_gain = along.squeeze(-1).sum((0, 1)) / gain
        if rotation is not None:
            _pairs(full).mul_(rotation.conj()[:, None])
        return full.to(g.dtype), None, grad_gain


class _BlockAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
        scale = q.shape[-1] ** -0.5
        if causal:
            future = q.new_full((q.shape[1], k.shape[1]), float("-inf")).triu_(1)
            scores = torch.baddbmm(future, q, k.mT, alpha=scale)
        else:
            scores = torch.baddbmm(q.new_zeros(1), q, k.mT, beta=0, alpha=scale)
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


class _NegativeLogLikelihood(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        logs = logits.to(wide(logits.dtype)).log_softmax(-1)
        ctx.save_for_backward(logs, targets)
        ctx.dtype = logits.dtype
        return logs.gather(-1, targets[..., None]).squeeze(-1).neg_()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        logs, targets = ctx.saved_tensors
        grad = logs.exp().mul_(g[..., None])
        grad.scatter_add_(-1, targets[..., None], -g[..., None])
        return grad.to(ctx.dtype), None


def _inverse_rms(x: Tensor) -> Tensor:
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return size.square_().div_(x.shape[-1]).add_(_EPSILON).rsqrt_()


def _pairs(x: Tensor) -> Tensor:
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))
