"""Attention with xformers' kernels, where they can run.

xformers is imported by `available` and nowhere else, and only when a CUDA device is there. Every
part is a plain sequence to it, so two biases are enough (both have batch > 1):

    part      bias                   fp16, bf16           fp32
    causal    LowerTriangularMask    FlashAttention       CUTLASS
    full      none                   FlashAttention       CUTLASS
    after     upper triangle tensor  CUTLASS              CUTLASS

FlashAttention takes heads of up to 256 channels on compute capability 8.0 and later, CUTLASS any.
Lengths are checked before the call, because xformers does not check them for every bias.
"""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

import torch
from torch import Tensor

from .decompose import PatternPart
from .lse_merge import gather_heads, spread_heads

_log = logging.getLogger("musenet")
_ALIGNED = 8


@cache
def available(device: torch.device) -> bool:
    """Whether xformers runs on `device`, tested by one call; logs the result."""
    if device.type != "cuda":
        _log.info("attention uses PyTorch on %s: xformers needs a CUDA device", device)
        return False
    try:
        ops = operators()
        q = torch.randn((1, 16, 2, 32), device=device, dtype=torch.float16, requires_grad=True)
        out = ops.memory_efficient_attention(q, q, q, attn_bias=ops.LowerTriangularMask())
        out.sum().backward()
        works = bool(torch.isfinite(out).all()) and q.grad is not None
        reason = "its result is not finite"
    except Exception as error:  # Whatever the binary raises, PyTorch can take over.
        works, reason = False, str(error).strip().partition("\n")[0] or type(error).__name__
    if works:
        _log.info("attention uses xformers on %s", device)
    else:
        _log.warning("attention uses PyTorch on %s: xformers cannot run (%s)", device, reason)
    return works


def operators() -> Any:
    """The module `xformers.ops`."""
    import xformers.ops

    return xformers.ops


def plain(q_NSHD: Tensor, k_NSHD: Tensor, v_NSHD: Tensor, part: PatternPart) -> Tensor:
    """Attention of the sequences of one part, with gradients; heads are equal in number."""
    _check(q_NSHD, k_NSHD, v_NSHD)
    ops = operators()
    out: Tensor = ops.memory_efficient_attention(
        q_NSHD, k_NSHD, v_NSHD, attn_bias=bias(part.sees, q_NSHD, ops)
    )
    return out


def bias(sees: str, q_NSHD: Tensor, ops: Any) -> Any:
    """The attention bias for a part's queries and as many keys."""
    if sees == "causal":
        return ops.LowerTriangularMask()
    if sees == "full":
        return None
    n, s, h, _ = q_NSHD.shape
    # CUTLASS wants rows of a bias aligned, so it is cut from a wider one.
    wider = -(-s // _ALIGNED) * _ALIGNED
    below = torch.full((s, wider), float("-inf"), dtype=q_NSHD.dtype, device=q_NSHD.device)
    return below.tril_(-1)[:, :s].expand(n, h, s, s)


class XformersKernel:
    """Parts that are merged afterwards, see `musenet.attention.lse_merge.Kernel`."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor, sees: str) -> tuple[Tensor, Tensor]:
        """See `Kernel.forward`."""
        ops = operators()
        k, v = spread_heads(k, q.shape[2]), spread_heads(v, q.shape[2])
        _check(q, k, v)
        out, lse = ops.fmha.memory_efficient_attention_forward_requires_grad(
            q.contiguous(), k.contiguous(), v.contiguous(), attn_bias=bias(sees, q, ops)
        )
        return out, lse[..., : q.shape[1]].transpose(1, 2)

    def backward(
        self, g: Tensor, out: Tensor, lse: Tensor, qkv: tuple[Tensor, Tensor, Tensor], sees: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `Kernel.backward`."""
        ops = operators()
        q, groups = qkv[0].contiguous(), qkv[1].shape[2]
        k, v = (spread_heads(x, q.shape[2]).contiguous() for x in qkv[1:])
        _check(q, k, v)
        dq, dk, dv = ops.fmha.memory_efficient_attention_backward(
            g.contiguous(),
            out.contiguous(),
            lse.transpose(1, 2).contiguous(),
            q,
            k,
            v,
            attn_bias=bias(sees, q, ops),
        )
        return dq, gather_heads(dk, groups), gather_heads(dv, groups)


def _check(q: Tensor, k: Tensor, v: Tensor) -> None:
    if not q.shape[:3] == k.shape[:3] == v.shape[:3]:
        raise ValueError(f"parts of unequal shapes: {q.shape}, {k.shape}, {v.shape}")
