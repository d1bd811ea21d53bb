"""Keys and values of the int8 decoder, in the arrays that its graphs read: nothing is copied.

The layers of a pattern share a buffer, so that the rows of all of them are written at once. Each
layer's part is divided into slots; each step writes one and reads one. Shape suffixes: L layers,
B batch, G key-value heads, C channels of a head, S positions of a slot.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from musenet.attention.patterns import kept
from musenet.model.config import ModelConfig
from tokenizer.typing import Array, Float32s, Ints

_GROWTH = 64  # the buffer of a dense layer has a multiple of so many positions


class Slot(NamedTuple):
    """The keys and values that one step of a layer reads, as runtime values."""

    keys: Any
    values: Any


class PatternKeys:
    """Keys and values [L, slots, B, G, S, C] of all layers with one pattern.

    A slot contains what one step can read: `column` has one per column, `previous_row` two, one of
    which is written while the other is read. That of `dense` layers grows with the sequence, so
    that a step reads little more than there is.

    Attributes:
        layers: their numbers.
        capacity: S, which grows in `dense` layers up to `largest`.
        is_new: whether S has changed since this was last set to False.
    """

    def __init__(self, config: ModelConfig, pattern: str, batch: int) -> None:
        self.pattern, self._length = pattern, config.row_length
        self.layers = [i for i, each in enumerate(config.layer_patterns) if each == pattern]
        self.largest = capacity(pattern, config.row_length, config.context)
        self.mask = pattern != "previous_row"
        count = {"column": self._length, "previous_row": 2}.get(pattern, 1)
        self._shape = (len(self.layers), count, batch, config.groups)
        self._channels = config.head_width
        self._allocate(1)

    def _allocate(self, positions: int) -> None:
        """New buffers, of zeros, for at least some positions."""
        self.capacity = self._capacity_for(positions)
        # Memory that is not written to costs nothing yet; into it the buffers grow.
        self._room = min(self.largest, 2 * self.capacity)
        layers, count, *sequences = self._shape
        size = math.prod(sequences) * self._room * self._channels
        self._memory = np.zeros((2, layers, count, size), np.float32)
        self._use()

    def _capacity_for(self, positions: int) -> int:
        """Room for some positions; of dense layers a quarter more, so that they seldom grow."""
        if self.pattern != "dense":
            return self.largest
        return min(self.largest, -(-(positions + positions // 4) // _GROWTH) * _GROWTH)

    def _use(self) -> None:
        """Divide the memory among sequences, heads and positions as they are now."""
        shape = (*self._shape, self.capacity, self._channels)
        used = self._memory[..., : math.prod(shape[2:])]
        self._keys, self._values = used.reshape(2, *shape)
        self._slots = [
            [Slot(as_value(k), as_value(v)) for k, v in zip(keys, values, strict=True)]
            for keys, values in zip(
                self._keys.swapaxes(0, 1), self._values.swapaxes(0, 1), strict=True
            )
        ]
        self._bound: int | None = None
        self.is_new = True

    def clear(self, positions: int) -> None:
        """Clear all slots to zero, with room for some positions."""
        self._allocate(positions)

    def select(self, sequences: Ints) -> None:
        """Keep some sequences alone, the first of them where they are: only others are copied."""
        self._shape = (*self._shape[:2], len(sequences), self._shape[3])
        for buffer in (self._keys, self._values):
            for place, sequence in enumerate(sequences.tolist()):
                if place != sequence:
                    buffer[:, :, place] = buffer[:, :, sequence]
        self._use()

    def fill(self, layer: int, k_GTC: Float32s, v_GTC: Float32s, sequences: Ints) -> None:
        """Write the keys and values of a layer for the first positions of some sequences."""
        slots, places = self._slots_of(np.arange(k_GTC.shape[1]))
        place = self.layers.index(layer)
        for new_GTC, kept_here in ((k_GTC, self._keys[place]), (v_GTC, self._values[place])):
            for sequence in sequences:
                # Of positions that share a place, the last one stays.
                kept_here[slots, sequence, :, places] = new_GTC.transpose(1, 0, 2)

    def read(self, position: int) -> list[Slot]:
        """The slots of all layers that a position reads; none if those of the one before."""
        if self.capacity <= position < self.largest:
            self._grow(position + 1)
        row, column = divmod(position, self._length)
        number = 0
        if self.pattern == "column":
            number = column
        elif self.pattern == "previous_row":
            number = (row - 1) % 2
        if number == self._bound:
            return []
        self._bound = number
        return self._slots[number]

    def _grow(self, positions: int) -> None:
        """Make room for more positions, in the same memory as long as that has any."""
        old, filled = (self._keys, self._values), self.capacity
        if self._capacity_for(positions) > self._room:
            self._allocate(positions)
        else:
            self.capacity = self._capacity_for(positions)
            self._use()
        # From the last on, so that nothing is written over before it has moved.
        for sequence, group in reversed([*np.ndindex(*self._shape[2:])]):
            for buffer, before in zip((self._keys, self._values), old, strict=True):
                buffer[:, :, sequence, group, :filled] = before[:, :, sequence, group]

    def put(self, new_LB2GC: Float32s, position: int) -> None:
        """Write the keys and values of a position."""
        slot, place = self._slots_of(position)
        self._keys[:, slot, :, :, place] = new_LB2GC[:, :, 0]
        self._values[:, slot, :, :, place] = new_LB2GC[:, :, 1]

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
