"""The model's small operations with gradients written out: fewer passes over memory than autograd.

Each computes in fp32 (fp64 for fp64 inputs) and returns the dtype of the next matmul.
Their gradients are checked numerically in tests/musenet/model/test_fused_ops.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from musenet.attention.block_attention import wide

from .config import EPSILON


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
        rotation: [B or 1, T, H or 1, D/2] complex unit numbers
            (arXiv:2104.09864), neighbouring channels paired; None does not rotate.
        gain: [H], or None not to normalise.

    Returns:
        [B, T, H, D] in the dtype of x.
    """
    return _NormRotate.apply(x, rotation, gain)  # type: ignore[no-untyped-call]


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
            _pairs(full).mul_(rotation)
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
            _pairs(full).mul_(rotation.conj())
        return full.to(g.dtype), None, grad_gain


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
    return size.square_().div_(x.shape[-1]).add_(EPSILON).rsqrt_()


def _pairs(x: Tensor) -> Tensor:
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))
