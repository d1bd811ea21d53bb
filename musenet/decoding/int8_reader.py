"""Reading the first rows of a sequence, many at once, with the same int8 weights as each step.

Shape suffixes: T rows, G key-value heads, S positions, C channels of a head.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from musenet.attention.patterns import allowed
from musenet.model.config import ModelConfig
from tokenizer.typing import Array, Float32s, Integers

from .int8_turns import Turns

CHUNK = 256  # rows; more at once take more memory and gain nothing
_REACH = {"row": 1, "local": 1, "previous_row": 2}
"""How many row lengths back a pattern looks; the others look back to the beginning."""


class Reader:
    """Keys and values of first rows.

    Args:
        session: of `int8_graph.reader`.
        config: the model's.
        scales: from `int8_turns.head_scales`.
    """

    def __init__(self, session: Any, config: ModelConfig, scales: Float32s) -> None:
        self._session, self._config, self._scales = session, config, scales

    def read(self, values_TN: Integers, time_T1: Integers) -> list[tuple[Float32s, Float32s]]:
        """The keys and values [G, T, C] of every layer.

        Args:
            values_TN: of the rows, as places in the embedding's table.
            time_T1: their times in steps.
        """
        config, length = self._config, len(values_TN)
        shape = (config.groups, length, config.head_width)
        found = [(np.empty(shape, np.float32), np.empty(shape, np.float32)) for _ in self._scales]
        for start in range(0, length, CHUNK):
            rows = slice(start, min(start + CHUNK, length))
            new = self._session.run(None, self._inputs(values_TN, time_T1, rows, found))
            for (keys, values), k_G1TC, v_G1TC in zip(found, new[::2], new[1::2], strict=True):
                keys[:, rows], values[:, rows] = k_G1TC[:, 0], v_G1TC[:, 0]
        return found

    def _inputs(
        self,
        values_TN: Integers,
        time_T1: Integers,
        rows: slice,
        found: list[tuple[Float32s, Float32s]],
    ) -> dict[str, Array]:
        """The inputs of the graph for some rows, given the keys and values of all before them."""
        config, count = self._config, rows.stop - rows.start
        turns = Turns(config, self._scales, count)
        turns.turn(rows, time_T1[rows])
        given: dict[str, Array] = {
            "values": values_TN[rows].astype(np.int64),
            "middle": np.full(count, 128, np.uint8),
            "bottom": np.zeros(count, np.uint8),
            **turns.inputs,
        }
        for layer, (pattern, (keys, values)) in enumerate(
            zip(config.layer_patterns, found, strict=True)
        ):
            first = self._first(pattern, rows.start)
            given[f"keys{layer}"] = _after_nothing(keys[:, None, first : rows.start])
            given[f"values{layer}"] = _after_nothing(values[:, None, first : rows.start])
            if f"seen_{pattern}" not in given:
                query, key = np.arange(rows.start, rows.stop), np.arange(first, rows.stop)
                seen = allowed(pattern, query[:, None], key[None], config.row_length)
                seen = np.concatenate([~seen.any(1, keepdims=True), seen], axis=1)
                given[f"seen_{pattern}"] = np.where(seen, np.float32(0), np.float32(-np.inf))
        wanted = {value.name for value in self._session.get_inputs()}
        return {name: value for name, value in given.items() if name in wanted}

    def _first(self, pattern: str, position: int) -> int:
        """The first position that any position from this one on looks at."""
        length = self._config.row_length
        rows = _REACH.get(pattern)
        return 0 if rows is None else max(0, (position // length - rows) * length)


def _after_nothing(kept_G1SC: Float32s) -> Float32s:
    """Keys or values after one of zeros, for rows that see no other: `previous_row` has some."""
    return np.concatenate(
        [np.zeros((len(kept_G1SC), 1, 1, kept_G1SC.shape[3]), np.float32), kept_G1SC], axis=2
    )
