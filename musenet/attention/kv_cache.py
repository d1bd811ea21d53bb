"""The key-value cache: each layer stores only the positions that its pattern can use.

Every buffer is allocated once. With row length l: `row` and `local` store l positions, those of the
row and the latest, `previous_row` 2l, all others the whole length, after which the oldest row is
overwritten first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .patterns import kept


class LayerCache:
    """Keys and values of one layer.

    Attributes:
        pattern: the layer's attention pattern.
        row_length: positions of a row.
        length: positions of the longest sequence that fits.
        capacity: positions stored, a multiple of the row length.
        keys: [B, G, capacity, D]; for `column` [B, row_length, G, rows, D].
        values: like `keys`.
    """

    def __init__(
        self,
        pattern: str,
        row_length: int,
        shape: tuple[int, int, int, int],
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        batch, groups, length, channels = shape
        self.pattern = pattern
        self.row_length = row_length
        self.length = length
        self.capacity = kept(pattern, row_length, length)
        if pattern == "column":
            size: tuple[int, ...] = (batch, row_length, groups, self.rows, channels)
        else:
            size = (batch, groups, self.capacity, channels)
        self.keys = torch.zeros(size, dtype=dtype, device=device)
        self.values = torch.zeros(size, dtype=dtype, device=device)

    @property
    def rows(self) -> int:
        """Rows stored."""
        return self.capacity // self.row_length

    def write(self, k_BTGD: Tensor, v_BTGD: Tensor, start: int) -> None:
        """Write the keys and values of positions start, start + 1, …"""
        if k_BTGD.shape[1] == 1:
            self.put(k_BTGD[:, 0], v_BTGD[:, 0], start)
            return
        stop = start + k_BTGD.shape[1]
        first = max(start, stop - self.capacity)
        for new_BTGD, kept_here in ((k_BTGD, self.keys), (v_BTGD, self.values)):
            new_BTGD = new_BTGD[:, first - start :].to(kept_here.dtype)
            if self.pattern == "column":
                self._write_columns(new_BTGD, kept_here, first, stop)
            else:
                self._write_ring(new_BTGD.transpose(1, 2), kept_here, first, stop)

    def put(self, k_BGD: Tensor, v_BGD: Tensor, position: int) -> None:
        """Write the keys and values of one position."""
        if self.pattern == "column":
            row, column = divmod(position, self.row_length)
            self.keys[:, column, :, row % self.rows] = k_BGD
            self.values[:, column, :, row % self.rows] = v_BGD
        else:
            self.keys[:, :, position % self.capacity] = k_BGD
            self.values[:, :, position % self.capacity] = v_BGD

    def latest(self, count: int, position: int) -> tuple[Tensor, Tensor]:
        """Keys and values [B, count, G, D] of the positions before `position`, in order."""
        places = torch.arange(position - count, position, device=self.keys.device) % self.capacity
        keys, values = (x.index_select(2, places).transpose(1, 2) for x in (self.keys, self.values))
        return keys, values

    def _write_ring(self, new_BGTD: Tensor, ring: Tensor, first: int, stop: int) -> None:
        slot = first % self.capacity
        before_end = min(stop - first, self.capacity - slot)
        ring[:, :, slot : slot + before_end] = new_BGTD[:, :, :before_end]
        if before_end < stop - first:
            ring[:, :, : stop - first - before_end] = new_BGTD[:, :, before_end:]

    def _write_columns(self, new_BTGD: Tensor, columns: Tensor, first: int, stop: int) -> None:
        positions = torch.arange(first, stop, device=columns.device)
        rows = (positions // self.row_length) % self.rows
        columns[:, positions % self.row_length, :, rows] = new_BTGD.transpose(0, 1)


class Cache:
    """The layers' caches and how many positions they have seen.

    Attributes:
        layers: one `LayerCache` per layer.
        position: the position of the next token.
    """

    def __init__(self, layers: Sequence[LayerCache]) -> None:
        self.layers = tuple(layers)
        self.position = 0

    def reset(self) -> None:
        """Start again at position 0; the memory is reused, not freed."""
        self.position = 0

    def copy_sequence(self, single: Cache, sequences: Tensor) -> None:
        """Copy the only sequence of another cache to some of the sequences of this one."""
        for source, target in zip(single.layers, self.layers, strict=True):
            target.keys[sequences] = source.keys
            target.values[sequences] = source.values
        self.position = single.position

    @property
    def nbytes(self) -> int:
        """Bytes of all buffers."""
        return sum(layer.keys.nbytes + layer.values.nbytes for layer in self.layers)
