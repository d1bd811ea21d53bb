"""What turns and scales the heads of each layer: inputs of the int8 graphs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

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
        self._by_index = _by_index(config.context, pairs)
        timed = config.positions == "rotary_time"
        self._rates = time_rates(pairs, config.steps_per_quarter) if timed else None
        self._is_timed = np.zeros((heads, pairs), dtype=bool)
        self._is_timed[config.heads // 2 : config.heads] = True
        self._is_timed[config.heads + config.groups // 2 :] = True
        self._by_time = np.zeros((2, rows, 1, pairs), np.float32)
        self._scales = np.repeat(scales[:, None, None, :, None], pairs, axis=4)
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


@cache
def _by_index(context: int, pairs: int) -> Float32s:
    """Cosines and sines `(2, context, pairs)` of the turns by a row's index."""
    angles = np.arange(context)[:, None] * index_rates(pairs)
    return np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def head_scales(config: ModelConfig, parameters: Mapping[str, Float32s]) -> Float32s:
    """The gain of each query head over √C, and 1 for the key heads, (layers, H + G)."""
    scales = np.ones((config.layers, config.heads + config.groups), np.float32)
    for layer in range(config.layers):
        gain = parameters[f"blocks.{layer}.gain"]
        scales[layer, : config.heads] = gain * config.head_width**-0.5
    return scales
