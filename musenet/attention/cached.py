"""Attention of new positions to themselves and to a cache: a chunk of any size, or a single step.

A chunk is split at row boundaries. Each part writes its keys and values to the cache and then reads
what its pattern can see, so any division of a sequence into chunks gives the same result. Past the
length of the cache, each new row replaces the oldest. Layers with the pattern `local` store no more
than one position sees, so a chunk reads before it writes.

Shape suffixes: B batch, T positions, H query heads, G key-value heads, D channels of a head.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .attend import attend
from .kv_cache import LayerCache
from .patterns import allowed


def attend_cached(
    q_BTHD: Tensor,
    k_BTGD: Tensor,
    v_BTGD: Tensor,
    cache: LayerCache,
    start: int,
    backend: str = "auto",
) -> Tensor:
    """Attention for positions start, start + 1, …, which are appended to the cache.

    Args:
        q_BTHD: queries of the new positions.
        k_BTGD: their keys.
        v_BTGD: their values.
        cache: keys and values of positions 0…start − 1.
        start: the first new position.
        backend: for the first chunk, which needs no cache.

    Returns:
        [B, T, H, D].
    """
    length = q_BTHD.shape[1]
    if start == 0 and 1 < length <= cache.length:
        cache.write(k_BTGD, v_BTGD, 0)
        return attend(q_BTHD, k_BTGD, v_BTGD, cache.pattern, cache.row_length, backend)
    if cache.pattern == "local" and length > 1:
        return _latest(q_BTHD, k_BTGD, v_BTGD, cache, start, backend)
    pieces = []
    first = start
    while first < start + length:
        # A part stays inside one row, so its keys are one slice of the cache.
        stop = min(start + length, (first // cache.row_length + 1) * cache.row_length)
        here = slice(first - start, stop - start)
        cache.write(k_BTGD[:, here], v_BTGD[:, here], first)
        pieces.append(read(q_BTHD[:, here].transpose(1, 2), cache, first, stop).transpose(1, 2))
        first = stop
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces, 1)


def attend_one(
    q_BHD: Tensor, k_BGD: Tensor, v_BGD: Tensor, cache: LayerCache, position: int
) -> Tensor:
    """Attention of one position, [B, H, 1, D], which is appended to the cache."""
    cache.put(k_BGD, v_BGD, position)
    return read(q_BHD[:, :, None], cache, position, position + 1)


def read(q_BHTD: Tensor, cache: LayerCache, first: int, stop: int) -> Tensor:
    """Attention of positions first…stop − 1 of one row, whose keys are already cached.

    Returns:
        [B, H, T, D].
    """
    row, column = divmod(first, cache.row_length)
    if cache.pattern == "row":
        return _against(q_BHTD, cache, 0, column + stop - first, q_BHTD.shape[2] > 1)
    if cache.pattern == "local":
        return _against(q_BHTD, cache, 0, min(stop, cache.capacity), False)
    if cache.pattern == "previous_row":
        if row == 0:
            return torch.zeros_like(q_BHTD)
        slot = (row - 1) % 2 * cache.row_length
        return _against(q_BHTD, cache, slot, slot + cache.row_length, False)
    if cache.pattern == "column":
        return _columns(q_BHTD, cache, min(row + 1, cache.rows), column)
    if cache.pattern == "dense" and row < cache.rows:
        return _against(q_BHTD, cache, 0, stop, q_BHTD.shape[2] > 1)
    return _by_specification(q_BHTD, cache, first, stop)


def _latest(
    q_BTHD: Tensor,
    k_BTGD: Tensor,
    v_BTGD: Tensor,
    cache: LayerCache,
    start: int,
    backend: str,
) -> Tensor:
    """Attention of a chunk in a layer of the pattern `local`, as if it began where it looks back.

    The queries of the positions before are zeros, and their results are dropped.
    """
    before = min(start, cache.capacity - 1)
    keys, values = cache.latest(before, start)
    q_BTHD = F.pad(q_BTHD, (0, 0, 0, 0, before, 0))
    k, v = (
        torch.cat((kept.to(new.dtype), new), 1) for kept, new in ((keys, k_BTGD), (values, v_BTGD))
    )
    cache.write(k_BTGD, v_BTGD, start)
    return attend(q_BTHD, k, v, cache.pattern, cache.row_length, backend)[:, before:]


def _against(q_BHTD: Tensor, cache: LayerCache, low: int, high: int, causal: bool) -> Tensor:
    """Attention to a slice of the cache; `causal` if its last keys are those of the queries."""
    keys, values = cache.keys[:, :, low:high], cache.values[:, :, low:high]
    seen = None
    if causal:
        queries = q_BHTD.shape[2]
        every = torch.ones((queries, high - low), dtype=torch.bool, device=q_BHTD.device)
        seen = every.tril_(high - low - queries)
    return sdpa(q_BHTD, keys, values, seen)


def _columns(q_BHTD: Tensor, cache: LayerCache, rows: int, column: int) -> Tensor:
    """Attention of each query to its column."""
    batch, heads, width, channels = q_BHTD.shape
    if width == 1:
        return sdpa(
            q_BHTD, cache.keys[:, column, :, :rows], cache.values[:, column, :, :rows], None
        )
    k, v = (
        x[:, column : column + width, :, :rows].flatten(0, 1) for x in (cache.keys, cache.values)
    )  # [B*T, G, rows, D]
    q = q_BHTD.transpose(1, 2).reshape(batch * width, heads, 1, channels)
    return sdpa(q, k, v, None).view(batch, width, heads, channels).transpose(1, 2)


def _by_specification(q_BHTD: Tensor, cache: LayerCache, first: int, stop: int) -> Tensor:
    """Attention to the positions allowed by `patterns.allowed` that are still cached."""
    capacity, row_length = cache.capacity, cache.row_length
    places = np.arange(capacity)
    # The position last written to each slot; negative if none was.
    held = stop - 1 - (stop - 1 - places) % capacity
    recent = held // row_length > (stop - 1) // row_length - cache.rows
    queries = np.arange(first, stop)[:, None]
    seen = allowed(cache.pattern, queries, held, row_length) & recent & (held >= 0)
    useful = torch.from_numpy(np.flatnonzero(seen.any(0))).to(q_BHTD.device)
    keys, values = cache.keys.index_select(2, useful), cache.values.index_select(2, useful)
    if stop - first == 1:
        return sdpa(q_BHTD, keys, values, None)
    return sdpa(q_BHTD, keys, values, torch.from_numpy(seen).to(q_BHTD.device)[:, useful])


def sdpa(q_BHTD: Tensor, k_BGSD: Tensor, v_BGSD: Tensor, seen: Tensor | None) -> Tensor:
    """PyTorch's attention; `seen` [… T, S] masks the keys, None for all."""
    return F.scaled_dot_product_attention(
        q_BHTD, k_BGSD, v_BGSD, attn_mask=seen, enable_gqa=q_BHTD.shape[1] != k_BGSD.shape[1]
    )
