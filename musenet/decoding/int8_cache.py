"""Keys and values of the int8 decoder, in the arrays that its graphs read: nothing is copied.

A layer's buffer is divided into slots; each step writes one and reads one. Shape suffixes: B batch,
G key-value heads, C channels of a head, S positions of a slot.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from musenet.attention.patterns import kept
from musenet.model.config import ModelConfig
from tokenizer.typing import Array, Float32s

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

    def __init__(self, config: ModelConfig, pattern: str, batch: int) -> None:
        self.pattern, self._length = pattern, config.row_length
        self.largest = capacity(pattern, config.row_length, config.context)
        self.mask = pattern != "previous_row"
        count = {"column": self._length, "previous_row": 2}.get(pattern, 1)
        self._shape = (count, batch, config.groups)
        self._channels = config.head_width
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

    def fill(self, k_GTC: Float32s, v_GTC: Float32s, lanes: slice) -> None:
        """Write the keys and values of the first positions of some sequences."""
        slots, places = self._slots_of(np.arange(k_GTC.shape[1]))
        for new_GTC, kept_here in ((k_GTC, self._keys), (v_GTC, self._values)):
            for lane in range(kept_here.shape[1])[lanes]:
                # Of positions that share a place, the last one stays.
                kept_here[slots, lane, :, places] = new_GTC.transpose(1, 0, 2)

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
        slot, place = self._slots_of(position)
        self._keys[slot, :, :, place] = k_BGC
        self._values[slot, :, :, place] = v_BGC

    def _slots_of(self, position: Any) -> tuple[Any, Any]:
        """The slot that a position is written to and the place there, of one or of an array."""
        row, column = divmod(position, self._length)
        if self.pattern == "column":
            return column, row
        if self.pattern == "previous_row":
            return row % 2, column
        return position * 0, position % self.capacity

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
