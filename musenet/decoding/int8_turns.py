"""What turns and scales the heads of each layer: inputs of the int8 graphs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from musenet.attention.rotary_rates import index_rates, time_rates
from musenet.model.config import ModelConfig
from tokenizer.typing import Array, Float32s, Integers


class Turns:
    """The rotations of every head times the gain and scale of queries.

    Args:
        config: the model's.
        scales: from `head_scales`.
        rows: how many are turned at once.

    Attributes:
        inputs: the graphs' inputs, which `turn` fills.
    """

    def __init__(self, config: ModelConfig, scales: Float32s, rows: int) -> None:
        pairs, heads = config.head_width // 2, config.heads + config.groups
        angles = np.arange(config.context)[:, None] * index_rates(pairs)
        self._by_index = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        timed = config.positions == "rotary_time"
        self._rates = time_rates(pairs, config.steps_per_quarter) if timed else None
        self._timed = (
            slice(config.heads // 2, config.heads),
            slice(config.heads + config.groups // 2, heads),
        )
        self._scales = scales
        self._turn = np.zeros((2, rows, heads, pairs), np.float32)
        self._scaled = np.zeros((len(scales), *self._turn.shape), np.float32)
        self.inputs: dict[str, Array] = {"turned_by": np.arange(rows * heads).reshape(rows, -1)}
        for layer, pair in enumerate(self._scaled):
            for name, table in zip(("cosine", "sine"), pair, strict=True):
                self.inputs[f"{name}{layer}"] = table.reshape(rows * heads, -1)

    def turn(self, position: int | slice, time_B1: Integers) -> None:
        """Fill the inputs for rows at one position, or at one each, and at their times."""
        by_time: tuple[Array, Array] | None = None
        if self._rates is not None:
            angles = (time_B1 * self._rates)[:, None]
            by_time = np.cos(angles), np.sin(angles)
        for part, table in enumerate(self._by_index):
            self._turn[part] = table[position][..., None, :]
            if by_time is not None:
                for heads in self._timed:
                    self._turn[part][:, heads] = by_time[part]
        np.multiply(self._turn, self._scales[:, None, None, :, None], out=self._scaled)


def head_scales(config: ModelConfig, parameters: Mapping[str, Float32s]) -> Float32s:
    """The gain of each query head over √C, and 1 for the key heads, (layers, H + G)."""
    scales = np.ones((config.layers, config.heads + config.groups), np.float32)
    for layer in range(config.layers):
        gain = parameters[f"blocks.{layer}.gain"]
        scales[layer, : config.heads] = gain * config.head_width**-0.5
    return scales
