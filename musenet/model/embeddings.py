"""Embedding of a row and its structure: the sum of one embedding per column.

All tables are in one matrix, so that the eleven vectors of a position are one summed look-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SummedEmbedding(nn.Module):
    """The sum over columns of an embedding of each column's value.

    Value 0 has an embedding too: padding in a field, unknown in a structural feature.

    Args:
        sizes: how many values each column can take.
        width: channels.
        std: of the normal initialisation.
    """

    offsets: Tensor

    def __init__(self, sizes: Sequence[int], width: int, std: float) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.weight = nn.Parameter(torch.empty(sum(self.sizes), width).normal_(std=std))
        self.register_buffer("offsets", torch.empty(len(self.sizes), dtype=torch.long), False)
        self.reset_buffers()

    def reset_buffers(self) -> None:
        """Compute the offsets of the column tables, which are not stored."""
        starts = [0, *accumulate(self.sizes)][:-1]
        with torch.no_grad():
            self.offsets.copy_(torch.tensor(starts))

    def forward(self, *columns: Tensor) -> Tensor:
        """Sum the embeddings of integer arrays [..., C1], [..., C2], … side by side.

        Returns:
            [..., width] in the parameters' dtype.
        """
        values = columns[0] if len(columns) == 1 else torch.cat(columns, -1)
        rows = (values + self.offsets).flatten(0, -2)
        summed = F.embedding_bag(rows, self.weight, mode="sum")
        return summed.view(*values.shape[:-1], -1)

    def with_blends(self, rows: Mapping[int, Mapping[int, float]]) -> SummedEmbedding:
        """A copy in which some values of the first column are embedded as blends of values.

        Args:
            rows: of each such value, the values that it blends, with their shares.
        """
        other = SummedEmbedding(self.sizes, self.weight.shape[1], 0.0)
        own, weight = self.weight.detach(), self.weight.detach().clone()
        for value, shares in rows.items():
            weight[value] = sum(share * own[part] for part, share in shares.items())
        other.weight = nn.Parameter(weight, requires_grad=False)
        return other.to(own.device)

    def column(self, column: int, values: Tensor) -> Tensor:
        """The embedding of one column's values [...] alone, [..., width]."""
        start = sum(self.sizes[:column])
        return F.embedding(values, self.weight[start : start + self.sizes[column]])
