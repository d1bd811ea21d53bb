"""Causal attention over long sequences, tile by tile, for CPUs.

A tile is a stretch of queries against all keys up to its end. Its scores and weights stay in the
cache of the CPU, and only the result is kept: the backward pass computes the weights again, as
FlashAttention (arXiv:2205.14135) does. In bf16, PyTorch's fused kernel takes 1.25 times as long
for 4,096 positions and twice as long for 512, because its products are smaller.

Shape suffixes: N key-value heads of all sequences, T positions, Q queries (those of the heads that
share keys beside each other), D channels of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .block_attention import bias_of, block_gradients, wide

_POSITIONS = 256
# Scores of a tile, 2 MB in bf16.
_SCORES = 2**20


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
    out = torch.empty_like(q_NQD)
    for heads, queries, keys, bias in _tiles(q_NQD, k_NTD):
        weights = _weights(q_NQD[heads, queries], k_NTD[heads, keys], bias)
        out[heads, queries] = torch.bmm(weights, v_NTD[heads, keys])
    return out


@torch.library.custom_op(
    "musenet::dense_attention_backward",
    mutates_args=(),
    schema="(Tensor g, Tensor q, Tensor k, Tensor v) -> (Tensor, Tensor, Tensor)",
)
def _backward(
    g_NQD: Tensor, q_NQD: Tensor, k_NTD: Tensor, v_NTD: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    grad_q = torch.empty_like(q_NQD)
    grad_k, grad_v = (k_NTD.new_zeros(k_NTD.shape, dtype=wide(k_NTD.dtype)) for _ in range(2))
    for heads, queries, keys, bias in _tiles(q_NQD, k_NTD):
        q, k, v = q_NQD[heads, queries], k_NTD[heads, keys], v_NTD[heads, keys]
        weights = _weights(q, k, bias)
        of_q, of_k, of_v = block_gradients(g_NQD[heads, queries], q, k, v, weights)
        grad_q[heads, queries] = of_q
        grad_k[heads, keys] += of_k
        grad_v[heads, keys] += of_v
    return grad_q, grad_k.to(k_NTD.dtype), grad_v.to(v_NTD.dtype)


def _weights(q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
    """A tile's attention weights; only its last keys are hidden from some queries."""
    scores = torch.baddbmm(q.new_zeros(1), q, k.mT, beta=0, alpha=q.shape[-1] ** -0.5)
    scores[:, :, -bias.shape[-1] :] += bias
    return scores.softmax(-1)


def _tiles(q_NQD: Tensor, k_NTD: Tensor) -> Iterator[tuple[slice, slice, slice, Tensor]]:
    """Heads, queries and keys of each tile, as many heads as fit, and its bias."""
    number, length = k_NTD.shape[:2]
    shared = q_NQD.shape[1] // length
    for first in range(0, length, _POSITIONS):
        end = min(first + _POSITIONS, length)
        size = end - first
        bias = bias_of(torch.ones((size, size), dtype=torch.bool).tril_(), q_NQD)
        bias = bias.repeat_interleave(shared, 0)
        step = max(1, _SCORES // (shared * size * end))
        for head in range(0, number, step):
            queries = slice(shared * first, shared * end)
            yield slice(head, head + step), queries, slice(0, end), bias


def _save_inputs(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(*inputs)


def _gradients(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    grads: tuple[Tensor, Tensor, Tensor] = _backward(g.contiguous(), *ctx.saved_tensors)
    return grads


_forward.register_autograd(_gradients, setup_context=_save_inputs)
