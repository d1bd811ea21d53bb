"""Codebook patterns: the order in which the fields of all rows go through the trunk.

A step contains some coordinates (row t, field k). Its values are the trunk's input at that step,
and the state there predicts the values of the next step (MusicGen, arXiv:2306.05284). With F = 3
fields, each line a field, each column a step, each entry the row:

    parallel   0 1 2 3       delay   0 1 2 3 . .       flatten   0 . . 1 . . 2 . .
               0 1 2 3               . 0 1 2 3 .                 . 0 . . 1 . . 2 .
               0 1 2 3               . . 0 1 2 3                 . . 0 . . 1 . . 2

Every coordinate comes once, and a row's fields never come after those of a later row's same field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tokenizer.typing import Ints

INTERLEAVINGS = ("parallel", "delay", "flatten")

Coordinates = list[tuple[int, int]]


@dataclass(frozen=True)
class Interleaving:
    """An order of coordinates.

    Attributes:
        name: one of `INTERLEAVINGS`.
        fields: number of fields per row.
    """

    name: str
    fields: int

    def step(self, row: int, field: int) -> int:
        """The step that contains a coordinate."""
        return int(self.steps_of(row + 1)[row, field])

    def steps_of(self, rows: int) -> Ints:
        """The step of every coordinate of `rows` rows, [rows, fields]."""
        row = np.arange(rows)[:, None]
        field = np.arange(self.fields)[None, :]
        orders = {
            "parallel": row + 0 * field,
            "delay": row + field,
            "flatten": row * self.fields + field,
        }
        return orders[self.name]

    def coordinates_of(self, step: int) -> Coordinates:
        """The coordinates of one step of an endless sequence, rows in order."""
        if self.name == "flatten":
            return [divmod(step, self.fields)]
        if self.name == "parallel":
            return [(step, field) for field in range(self.fields)]
        return [(step - k, k) for k in reversed(range(self.fields)) if k <= step]

    def length(self, rows: int) -> int:
        """Steps that `rows` rows need."""
        return int(self.steps_of(rows).max()) + 1 if rows else 0

    def rows_within(self, steps: int) -> int:
        """The most rows that can be predicted in that many steps."""
        taken = {
            "parallel": steps,
            "delay": steps - self.fields + 1,
            "flatten": steps // self.fields,
        }
        return max(0, taken[self.name])

    def coordinates(self, rows: int) -> list[Coordinates]:
        """The pattern itself: the coordinates of every step, fields in order."""
        steps: list[Coordinates] = [[] for _ in range(self.length(rows))]
        for (row, field), step in np.ndenumerate(self.steps_of(rows)):
            steps[step].append((row, field))
        return [sorted(step, key=lambda coordinate: coordinate[1]) for step in steps]

    def build(self, tokens_BTF: Tensor) -> Tensor:
        """Rows in steps, [B, S, F]; 0 where a step has no value for a field."""
        rows = tokens_BTF.shape[1]
        steps, fields = self._index(rows, tokens_BTF.device)
        out = tokens_BTF.new_zeros((tokens_BTF.shape[0], self.length(rows), self.fields))
        out[:, steps, fields] = tokens_BTF
        return out

    def revert(self, steps_BSF: Tensor, rows: int) -> Tensor:
        """The inverse of `build`: the first `rows` rows, [B, rows, F]."""
        steps, fields = self._index(rows, steps_BSF.device)
        return steps_BSF[:, steps, fields]

    def rows_begun(self, rows: int) -> Ints:
        """For every step, the last row whose field 0 is known, [S]."""
        starts = self.steps_of(rows)[:, 0]
        return np.searchsorted(starts, np.arange(self.length(rows)), side="right") - 1

    def _index(self, rows: int, device: torch.device) -> tuple[Tensor, Tensor]:
        steps = torch.from_numpy(self.steps_of(rows)).to(device)
        return steps, torch.arange(self.fields, device=device).expand(rows, -1)


def positions(head: str, fields: int, rows: int) -> int:
    """Positions of the trunk that predict `rows` rows, each from those before it.

    Args:
        head: of the model; one of no interleaving takes a position a row.
        fields: number of fields per row.
        rows: in a training window.
    """
    order = Interleaving(head if head in INTERLEAVINGS else "parallel", fields)
    return order.length(rows + 1) - 1
