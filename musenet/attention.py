"""Attention by pattern, through reshapes: nothing here makes a T×T mask for a whole sequence.

With row length l and n = T/l rows, [B, T, H, D] is seen as
    row           [B*n, l, H, D]     causal inside
    column        [B, n, l*H, D]     causal inside, no copy
    previous_row  rows 1… against rows …n−2, unmasked; row 0 gives zeros
Shape suffixes: B batch, T positions, H query heads, G key-value heads, D channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .cache import LayerCache
from .functional import block_attention

# Above this, SDPA's tiling beats whole blocks of weights on CPU.
_SHORT_BLOCK = 256


def attend(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, pattern: str, row_length: int) -> Tensor:
    """Softmax attention restricted to `patterns.allowed(pattern, i, j, row_length)`.

    Args:
        q_BTHD: queries; scaled by 1/√D here.
        k_BTGD: keys; G divides H.
        v_BTGD: values.
        pattern: one of `patterns.PATTERNS`.
        row_length: positions of a row.

    Returns:
        [B, T, H, D]; zeros where a query has no key.
    """
    if pattern == "dense":
        return _inside(q_BTHD, k_BTGD, v_BTGD, causal=True)
    length = q_BTHD.shape[1]
    padding = -length % row_length
    if padding:
        # Padding comes after every real position, so no real query sees it.
        q_BTHD, k_BTGD, v_BTGD = (
            F.pad(x, (0, 0, 0, 0, 0, padding)) for x in (q_BTHD, k_BTGD, v_BTGD)
        )
    out_BTHD = _BY_ROWS[pattern](q_BTHD, k_BTGD, v_BTGD, row_length)
    return out_BTHD[:, :length] if padding else out_BTHD


def _row(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, row_length: int) -> Tensor:
    q, k, v = (
        x.reshape(-1, row_length, *x.shape[2:]) for x in (q_BTHD, k_BTGD, v_BTGD)
    )  # [B*n, l, H, D]
    return _inside(q, k, v, causal=True).view(q_BTHD.shape)


def _column(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, row_length: int) -> Tensor:
    q, k, v = (
        x.reshape(x.shape[0], -1, row_length * x.shape[2], x.shape[3])
        for x in (q_BTHD, k_BTGD, v_BTGD)
    )  # [B, n, l*H, D]
    return _inside(q, k, v, causal=True).view(q_BTHD.shape)


def _previous_row(q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, row_length: int) -> Tensor:
    if q_BTHD.shape[1] <= row_length:
        return torch.zeros_like(q_BTHD)
    q = q_BTHD[:, row_length:].reshape(-1, row_length, *q_BTHD.shape[2:])
    k, v = (
        x[:, :-row_length].reshape(-1, row_length, *x.shape[2:]) for x in (k_BTGD, v_BTGD)
    )  # [B*(n-1), l, H, D]
    out = _inside(q, k, v, causal=False)
    return F.pad(out.view(q_BTHD.shape[0], -1, *q_BTHD.shape[2:]), (0, 0, 0, 0, row_length, 0))


_BY_ROWS = {"row": _row, "column": _column, "previous_row": _previous_row}


def _inside(q_NSHD: Tensor, k_NSGD: Tensor, v_NSGD: Tensor, causal: bool) -> Tensor:
    """Attention inside N separate sequences of S positions."""
    n, s, h, d = q_NSHD.shape
    groups = k_NSGD.shape[2]
    if q_NSHD.device.type == "cpu" and s <= _SHORT_BLOCK:
        q, k, v = (
            (x if x.shape[2] == h else x.repeat_interleave(h // groups, 2))
            .transpose(1, 2)
            .reshape(n * h, s, d)
            for x in (q_NSHD, k_NSGD, v_NSGD)
        )
        return block_attention(q, k, v, causal).view(n, h, s, d).transpose(1, 2).contiguous()
    out_NHSD = F.scaled_dot_product_attention(
        q_NSHD.transpose(1, 2),
        k_NSGD.transpose(1, 2),
        v_NSGD.transpose(1, 2),
        is_causal=causal,
        enable_gqa=groups != h,
    )
    return out_NHSD.transpose(1, 2).contiguous()


def attend_cached(
    q_BTHD: Tensor, k_BTGD: Tensor, v_BTGD: Tensor, cache: LayerCache, start: int
) -> Tensor:
    """The same attention for positions start, start + 1, …, with the past from a cache.

    The new keys and values are written to the cache. Any division of a sequence into calls gives
    the same result. Past the cache's length, `dense` and `column` see the latest rows only.

    Returns:
        [B, T, H, D].
    """
    length = q_BTHD.shape[1]
    if start == 0 and 1 < length <= cache.length:
        cache.write(k_BTGD, v_BTGD, 0)
        return attend(q_BTHD, k_BTGD, v_BTGD, cache.pattern, cache.row_length)
    pieces = []
    first = start
    while first < start + length:
        # A piece stays inside one row: its keys are then one slice of the cache.
        stop = min(start + length, (first // cache.row_length + 1) * cache.row_length)
        here = slice(first - start, stop - start)
        cache.write(k_BTGD[:, here], v_BTGD[:, here], first)
        pieces.append(_piece(q_BTHD[:, here], cache, first, stop))
        first = stop
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)


def _piece(q_BTHD: Tensor, cache: LayerCache, first: int, stop: int) -> Tensor:
    """Attention of positions first…stop − 1 of one row; their keys are in the cache."""
    row, column = divmod(first, cache.row_length)
    if cache.pattern == "previous_row":
        if row == 0:
            return torch.zeros_like(q_BTHD)
        slot = (row - 1) % 2 * cache.row_length
        return _against(q_BTHD, cache, slot, slot + cache.row_length, None)
    if cache.pattern == "column":
        rows = min(row + 1, cache.rows)
        width = stop - first
        k, v = (
            x[:, column : column + width, :, :rows].transpose(2, 3).flatten(0, 1)
            for x in (cache.keys, cache.values)
        )  # [B*S, rows, G, D]
        out = _sdpa(q_BTHD.flatten(0, 1)[:, :, None], k.transpose(1, 2), v.transpose(1, 2), None)
        return out.view(q_BTHD.shape)
    if cache.pattern == "row":
        end = stop - row * cache.row_length
        return _against(q_BTHD, cache, 0, end, _causal(q_BTHD, end))
    end = min(row + 1, cache.rows) * cache.row_length
    if row < cache.rows:
        return _against(q_BTHD, cache, 0, stop, _causal(q_BTHD, stop))
    # Rolled over: this row's places beyond each query still hold the oldest row.
    places = torch.arange(end, device=q_BTHD.device) - row % cache.rows * cache.row_length
    queries = torch.arange(column, column + stop - first, device=q_BTHD.device)
    seen = (places < 0) | (places >= cache.row_length) | (places <= queries[:, None])
    return _against(q_BTHD, cache, 0, end, seen)


def _causal(q_BTHD: Tensor, keys: int) -> Tensor | None:
    """Mask [S, keys] for the last S of `keys` positions, or None for a single one."""
    length = q_BTHD.shape[1]
    if length == 1:
        return None
    return q_BTHD.new_ones((length, keys), dtype=torch.bool).tril_(keys - length)


def _against(q_BTHD: Tensor, cache: LayerCache, low: int, high: int, seen: Tensor | None) -> Tensor:
    out_BHTD = _sdpa(
        q_BTHD.transpose(1, 2), cache.keys[:, :, low:high], cache.values[:, :, low:high], seen
    )
    return out_BHTD.transpose(1, 2)


def _sdpa(q_BHTD: Tensor, k_BGSD: Tensor, v_BGSD: Tensor, seen: Tensor | None) -> Tensor:
    return F.scaled_dot_product_attention(
        q_BHTD, k_BGSD, v_BGSD, attn_mask=seen, enable_gqa=q_BHTD.shape[1] != k_BGSD.shape[1]
    )
