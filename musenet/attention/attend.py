"""Attention by pattern: one specification and three backends; only `reference` uses a T×T mask.

    reference   scores of all pairs, masked by `patterns.allowed`: slow, the reference for tests
    sdpa        PyTorch: each part of the pattern (see `musenet.attention.decompose`) on its best
                kernel; on the meta device what a fused kernel saves (queries, keys, values, result,
                log-sum-exp)
    xformers    xformers' kernels for the same parts, on CUDA

Shape suffixes: B batch, T positions, H query heads, G key-value heads, D channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tokenizer.errors import InputError, unknown

from . import xformers
from .block_attention import bias_of, block_attention, wide
from .decompose import PatternPart, parts
from .dense_attention import dense_attention, is_fast
from .local_attention import local_attention
from .lse_merge import TorchKernel, merged_attention, spread_heads
from .patterns import mask
from .sparse_attention import sparse_attention

BACKENDS = ("auto", "xformers", "sdpa", "reference")

# Above this, whole blocks of weights do not stay in a CPU's cache.
_SHORT_BLOCK = 256
# Above this, merging parts costs no more than scores of all far keys, half of which are not seen.
_MOST_AT_ONCE = 2048


def attend(
    q_BTHD: Tensor,
    k_BTGD: Tensor,
    v_BTGD: Tensor,
    pattern: str,
    row_length: int,
    backend: str = "auto",
) -> Tensor:
    """Softmax attention restricted to `patterns.allowed(pattern, i, j, row_length)`.

    Args:
        q_BTHD: queries; scaled by 1/√D here.
        k_BTGD: keys; G divides H (grouped-query attention, arXiv:2305.13245).
        v_BTGD: values.
        pattern: one of `patterns.PATTERNS`.
        row_length: positions of a row.
        backend: one of `BACKENDS`; "auto" takes xformers where it runs, else sdpa.

    Returns:
        [B, T, H, D]; zeros if a query has no key.

    Raises:
        InputError: for an unknown backend, or xformers where it cannot run.
    """
    backend = resolve(backend, q_BTHD.device)
    if backend == "reference":
        return _reference(q_BTHD, k_BTGD, v_BTGD, pattern, row_length)
    length = q_BTHD.shape[1]
    padding = -length % row_length if pattern != "dense" else 0
    if padding:
        # Padding comes after every real position, so no real query sees it.
        q_BTHD, k_BTGD, v_BTGD = (
            F.pad(x, (0, 0, 0, 0, 0, padding)) for x in (q_BTHD, k_BTGD, v_BTGD)
        )
    pieces = parts(pattern, length + padding, row_length)
    short = q_BTHD.device.type == "cpu" and backend == "sdpa" and row_length <= _SHORT_BLOCK
    if not pieces:
        out_BTHD = torch.zeros_like(q_BTHD)
    elif pattern == "local" and short:
        out_BTHD = local_attention(q_BTHD, k_BTGD, v_BTGD, row_length)
    elif pattern in ("strided", "fixed") and short and length <= _MOST_AT_ONCE:
        out_BTHD = sparse_attention(q_BTHD, k_BTGD, v_BTGD, pattern, row_length)
    elif len(pieces) == 1 and q_BTHD.device.type != "meta":
        out_BTHD = _single(q_BTHD, k_BTGD, v_BTGD, pieces[0], row_length, backend)
    else:
        kernel = TorchKernel() if backend == "sdpa" else xformers.XformersKernel()
        out_BTHD = merged_attention(q_BTHD, k_BTGD, v_BTGD, pieces, row_length, kernel)
    return out_BTHD[:, :length] if padding else out_BTHD


def resolve(backend: str, device: torch.device) -> str:
    """The backend that a name means on a device.

    Raises:
        InputError: for an unknown name, or xformers where it cannot run.
    """
    if backend not in BACKENDS:
        raise unknown("attention backend", backend, BACKENDS)
    if backend == "auto":
        return "xformers" if xformers.available(device) else "sdpa"
    if backend == "xformers" and not xformers.available(device):
        raise InputError(f"xformers cannot run on {device}; set the backend to sdpa or auto")
    return backend


def _single(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, part: PatternPart, row_length: int, backend: str
) -> Tensor:
    """A pattern of one part: only `previous_row` leaves queries out, those of row 0."""
    q, k, v = (
        fold(x.contiguous(), row_length)
        for fold, x in ((part.queries, q_BTHD), (part.keys, k_BTGD), (part.keys, v_BTGD))
    )
    if backend == "xformers":
        k, v = spread_heads(k, q.shape[2]), spread_heads(v, q.shape[2])
        out = xformers.plain(q, k, v, part)
    else:
        out = _inside(q, k, v, causal=part.sees == "causal")
    if part.skips == 0:
        return out.reshape(q_BTHD.shape)
    rest = out.reshape(q_BTHD.shape[0], -1, *q_BTHD.shape[2:])
    return F.pad(rest, (0, 0, 0, 0, part.skips * row_length, 0))


def _inside(q_NSHD: Tensor, k_NSGD: Tensor, v_NSGD: Tensor, causal: bool) -> Tensor:
    """Attention inside N separate sequences of S positions."""
    n, s, h, d = q_NSHD.shape
    if q_NSHD.device.type == "cpu" and s <= _SHORT_BLOCK:
        q, k, v = (
            spread_heads(x, h).transpose(1, 2).reshape(n * h, s, d)
            for x in (q_NSHD, k_NSGD, v_NSGD)
        )
        seen = torch.ones((s, s), dtype=torch.bool).tril_()
        out = block_attention(q, k, v, bias_of(seen, q) if causal else None)
        return out.view(n, h, s, d).transpose(1, 2).contiguous()
    if causal and is_fast(q_NSHD):
        return dense_attention(q_NSHD, k_NSGD, v_NSGD)
    out_NHSD = F.scaled_dot_product_attention(
        q_NSHD.transpose(1, 2),
        k_NSGD.transpose(1, 2),
        v_NSGD.transpose(1, 2),
        is_causal=causal,
        enable_gqa=k_NSGD.shape[2] != h,
    )
    return out_NHSD.transpose(1, 2).contiguous()


def _reference(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, pattern: str, row_length: int
) -> Tensor:
    """Every pair's score, masked by the specification."""
    length, heads = q_BTHD.shape[1:3]
    k_BTHD, v_BTHD = spread_heads(k_BTGD, heads), spread_heads(v_BTGD, heads)
    seen = torch.from_numpy(mask(pattern, length, row_length)).to(q_BTHD.device)
    scores = torch.einsum("bihd,bjhd->bhij", q_BTHD, k_BTHD).to(wide(q_BTHD.dtype))
    scores = (scores * q_BTHD.shape[-1] ** -0.5).masked_fill(~seen, float("-inf"))
    weights = scores.softmax(-1).masked_fill(~seen.any(-1)[:, None], 0)
    return torch.einsum("bhij,bjhd->bihd", weights.to(q_BTHD.dtype), v_BTHD)
