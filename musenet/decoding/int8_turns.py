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
        self._by_index = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
        timed = config.positions == "rotary_time"
        self._rates = time_rates(pairs, config.steps_per_quarter) if timed else None
        self._is_timed = np.zeros((heads, 1), dtype=bool)
        self._is_timed[config.heads // 2 : config.heads] = True
        self._is_timed[config.heads + config.groups // 2 :] = True
        self._by_time = np.zeros((2, rows, 1, pairs), np.float32)
        self._scales = scales[:, None, None, :, None]
        self._scaled = np.zeros((len(scales), 2, rows, heads, pairs), np.float32)
        self.inputs: dict[str, Array] = {"turned_by": np.arange(rows * heads).reshape(rows, -1)}
        for layer, pair in enumerate(self._scaled):
            for name, table in zip(("cosine", "sine"), pair, strict=True):
                self.inputs[f"{name}{layer}"] = table.reshape(rows * heads, -1)

    def turn(self, position: int | slice, time_B1: Integers) -> None:
        """Fill the inputs for rows at one position, or at one each, and at their times."""
        turn = self._by_index[:, position]
        turn = turn[:, None, None] if isinstance(position, int) else turn[:, :, None]
        if self._rates is not None:
            angles = (time_B1 * self._rates)[:, None]
            np.cos(angles, out=self._by_time[0], casting="same_kind")
            np.sin(angles, out=self._by_time[1], casting="same_kind")
            turn = np.where(self._is_timed, self._by_time, turn)
        np.multiply(turn, self._scales, out=self._scaled)


def head_scales(config: ModelConfig, parameters: Mapping[str, Float32s]) -> Float32s:
    """The gain of each query head over √C, and 1 for the key heads, (layers, H + G)."""
    scales = np.ones((config.layers, config.heads + config.groups), np.float32)
    for layer in range(config.layers):
        gain = parameters[f"blocks.{layer}.gain"]
        scales[layer, : config.heads] = gain * config.head_width**-0.5
    return scales
