"""Causal attention over long sequences, tile by tile, for CPUs.

A tile is a stretch of queries against all keys up to its end. Its scores and weights stay in the
cache of the CPU, and only the result is kept: the backward pass computes the weights again, as
FlashAttention (arXiv:2205.14135) does. On one thread, PyTorch's fused kernel takes 1.2 to 1.4 times
as long in bf16, because its products are smaller; many threads wait for each other in every product
here, and not there.

Shape suffixes: N key-value heads of all sequences, T positions, Q queries (those of the heads that
share keys beside each other), K keys of a tile, D channels of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .block_attention import bias_of, wide

_POSITIONS = 256
_SCORES = 2**20  # of a tile for each thread, 2 MB in bf16
_MOST_THREADS = 2


def is_fast(q: Tensor) -> bool:
    """Whether `dense_attention` is faster than PyTorch's own for such queries."""
    few = torch.get_num_threads() <= _MOST_THREADS
    return q.device.type == "cpu" and q.dtype == torch.bfloat16 and few


def dense_attention(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor) -> Tensor:
    """Each query sees its own position and all before it.

    Args:
        q_BTHD: queries.
        k_BTGD: keys; G divides H.
        v_BTGD: values.

    Returns:
        [B, T, H, D].
    """
    batch, length, heads, channels = q_BTHD.shape
    groups = k_BTGD.shape[2]
    split = (batch, length, groups, heads // groups, channels)
    q_NQD = q_BTHD.reshape(split).transpose(1, 2).reshape(batch * groups, -1, channels)
    k_NTD, v_NTD = (x.transpose(1, 2).reshape(-1, length, channels) for x in (k_BTGD, v_BTGD))
    out_NQD: Tensor = _forward(q_NQD, k_NTD, v_NTD)
    out = out_NQD.view(batch, groups, length, heads // groups, channels).transpose(1, 2)
    return out.reshape(q_BTHD.shape)


# An operator of its own, so that selective recompute keeps its result and nothing inside.
@torch.library.custom_op(
    "musenet::dense_attention", mutates_args=(), schema="(Tensor q, Tensor k, Tensor v) -> Tensor"
)
def _forward(q_NQD: Tensor, k_NTD: Tensor, v_NTD: Tensor) -> Tensor:
    out_NQD = torch.empty_like(q_NQD)
    k_NDT = k_NTD.mT.contiguous()
    for heads, queries, keys, bias in _tiles(q_NQD, k_NTD):
        weights = _weights(q_NQD[heads, queries], k_NDT[heads, :, keys], bias)
        out_NQD[heads, queries] = torch.bmm(weights, v_NTD[heads, keys])
    return out_NQD


@torch.library.custom_op(
    "musenet::dense_attention_backward",
    mutates_args=(),
    schema="(Tensor g, Tensor q, Tensor k, Tensor v) -> (Tensor, Tensor, Tensor)",
)
def _backward(
    g_NQD: Tensor, q_NQD: Tensor, k_NTD: Tensor, v_NTD: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    scale, none = q_NQD.shape[-1] ** -0.5, q_NQD.new_zeros(1)
    # With keys last all products but one are of matrices as they lie in memory.
    k_NDT, v_NDT = k_NTD.mT.contiguous(), v_NTD.mT.contiguous()
    grad_q_NQD = torch.empty_like(q_NQD)
    grad_k_NDT, grad_v_NDT = (torch.zeros_like(k_NDT, dtype=wide(k_NDT.dtype)) for _ in range(2))
    for heads, queries, keys, bias in _tiles(q_NQD, k_NTD):
        q, g = q_NQD[heads, queries], g_NQD[heads, queries]
        weights = _weights(q, k_NDT[heads, :, keys], bias)
        grad_v_NDT[heads, :, keys] += torch.bmm(g.mT, weights)
        grad_weights = torch.bmm(g, v_NDT[heads, :, keys])
        grad_scores = torch._softmax_backward_data(
            grad_weights, weights, -1, weights.dtype, grad_input=grad_weights
        )
        grad_k_NDT[heads, :, keys] += torch.bmm(q.mT, grad_scores)
        grad_q = torch.baddbmm(none, grad_scores, k_NTD[heads, keys], beta=0, alpha=scale)
        grad_q_NQD[heads, queries] = grad_q
    grad_k_NDT *= scale
    grad_k, grad_v = (x.mT.to(k_NTD.dtype).contiguous() for x in (grad_k_NDT, grad_v_NDT))
    return grad_q_NQD, grad_k, grad_v


def _weights(q: Tensor, k_NDK: Tensor, bias: Tensor) -> Tensor:
    """A tile's attention weights; only its last keys are hidden from some queries."""
    scores = torch.baddbmm(q.new_zeros(1), q, k_NDK, beta=0, alpha=q.shape[-1] ** -0.5)
    scores[:, :, -bias.shape[-1] :] += bias
    # In place, as the softmax of a row is written after the row was read: memory that is in cache.
    return torch.softmax(scores, -1, out=scores)


def _tiles(q_NQD: Tensor, k_NTD: Tensor) -> Iterator[tuple[slice, slice, slice, Tensor]]:
    """Heads, queries and keys of each tile, as many heads as fit, and its bias."""
    number, length = k_NTD.shape[:2]
    shared = q_NQD.shape[1] // length
    most = _SCORES * torch.get_num_threads()
    seen = torch.ones((_POSITIONS, _POSITIONS), dtype=torch.bool).tril_()
    bias = bias_of(seen, q_NQD).repeat_interleave(shared, 0)
    for first in range(0, length, _POSITIONS):
        end = min(first + _POSITIONS, length)
        size = end - first
        step = max(1, most // (shared * size * end))
        for head in range(0, number, step):
            queries = slice(shared * first, shared * end)
            yield slice(head, head + step), queries, slice(0, end), bias[: shared * size, :size]


@_forward.register_fake
def _shape_of_result(q: Tensor, k: Tensor, v: Tensor) -> Tensor:  # noqa: ARG001
    return torch.empty_like(q)


@_backward.register_fake
def _shapes_of_gradients(
    g: Tensor,  # noqa: ARG001
    q: Tensor,
    k: Tensor,
    v: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _save_inputs(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    grads: tuple[Tensor, Tensor, Tensor] = _backward(g.contiguous(), *ctx.saved_tensors)
    return grads


_forward.register_autograd(_gradients, setup_context=_save_inputs)
