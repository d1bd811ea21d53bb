"""Keys and values of the int8 decoder, in the arrays that its graphs read: nothing is copied.

A layer's buffer is divided into slots; each step writes one and reads one. Shape suffixes: B batch,
G key-value heads, C channels of a head, S positions of a slot.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from musenet.attention.kv_cache import LayerCache, kept
from musenet.model.blocks import Block
from tokenizer.typing import Array

Float32s = npt.NDArray[np.float32]

_GROWTH = 256  # positions by which the buffer of a dense layer grows


class Slot(NamedTuple):
    """The keys and values that one step of a layer reads, as runtime values."""

    keys: Any
    values: Any


class LayerKeys:
    """Keys and values [slots, B, G, S, C] of one layer.

    A slot contains what one step can read: `column` has one per column, `previous_row` two, one of
    which is written while the other is read. That of a `dense` layer grows with the sequence, so
    that a step reads little more than there is.

    Attributes:
        capacity: S, which grows in `dense` layers up to `largest`.
        is_new: whether S has changed since this was last set to False.
    """

    def __init__(self, block: Block, batch: int, context: int) -> None:
        self.pattern, self._length = block.pattern, block.row_length
        self.largest = capacity(block.pattern, block.row_length, context)
        self.mask = self.pattern != "previous_row"
        count = {"column": self._length, "previous_row": 2}.get(self.pattern, 1)
        self._shape = (count, batch, block.groups)
        self._channels = block.channels
        self._allocate(1)

    def _allocate(self, positions: int) -> None:
        """New buffers, of zeros, for at least some positions."""
        self.capacity = self.largest
        if self.pattern == "dense":
            self.capacity = min(self.largest, -(-positions // _GROWTH) * _GROWTH)
        shape = (*self._shape, self.capacity, self._channels)
        self._keys, self._values = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._slots = [
            Slot(as_value(keys), as_value(values))
            for keys, values in zip(self._keys, self._values, strict=True)
        ]
        self._bound: int | None = None
        self.is_new = True

    def clear(self, positions: int) -> None:
        """Clear all slots to zero, with room for some positions."""
        self._allocate(positions)

    def fill(self, layer: LayerCache, lanes: slice) -> None:
        """Copy the only sequence of a cache."""
        keys, values = (x[0].float().numpy() for x in (layer.keys, layer.values))
        if self.pattern == "column":  # [L, G, S, C]
            self._keys[:, lanes] = keys[:, None]
            self._values[:, lanes] = values[:, None]
            return
        for slot in range(len(self._keys)):
            part = slice(slot * self.capacity, (slot + 1) * self.capacity)
            self._keys[slot, lanes] = keys[:, part]
            self._values[slot, lanes] = values[:, part]

    def read(self, position: int) -> Slot | None:
        """The slot that a position reads, or None if it is that of the position before."""
        if self.capacity <= position < self.largest:
            self._grow(position + 1)
        row, column = divmod(position, self._length)
        number = 0
        if self.pattern == "column":
            number = column
        elif self.pattern == "previous_row":
            number = (row - 1) % 2
        if number == self._bound:
            return None
        self._bound = number
        return self._slots[number]

    def _grow(self, positions: int) -> None:
        keys, values = self._keys, self._values
        self._allocate(positions)
        self._keys[..., : keys.shape[3], :] = keys
        self._values[..., : keys.shape[3], :] = values

    def put(self, k_BGC: Float32s, v_BGC: Float32s, position: int) -> None:
        """Write the keys and values of a position."""
        row, column = divmod(position, self._length)
        slot, place = 0, position % self.capacity
        if self.pattern == "column":
            slot, place = column, row
        elif self.pattern == "previous_row":
            slot, place = row % 2, column
        self._keys[slot, :, :, place] = k_BGC
        self._values[slot, :, :, place] = v_BGC

    def hide(self, seen_S: Float32s, position: int) -> None:
        """Write −∞ for the entries of the slot that are not filled yet, or no longer seen."""
        row, column = divmod(position, self._length)
        count = {"column": row, "row": column}.get(self.pattern, position)
        seen_S[:count] = 0
        seen_S[count:] = -np.inf
        if self.pattern == "local" and count >= self._length:
            seen_S[count % self._length] = -np.inf


def capacity(pattern: str, row_length: int, context: int) -> int:
    """How many positions one step of a layer can read."""
    if pattern == "column":
        return kept(pattern, row_length, context) // row_length
    return row_length if pattern in ("row", "previous_row", "local") else context


def as_value(array: Array) -> Any:
    """A contiguous array as the runtime takes it: the same memory, no copy."""
    import onnxruntime

    return onnxruntime.OrtValue.ortvalue_from_numpy(array)
