"""Embedding of a row and its structure: the sum of one embedding per column.

All tables are in one matrix, so that the eleven vectors of a position are one summed look-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tokenizer.encoding.structure import COLUMNS
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError

from .config import ModelConfig


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


def check_tokens(tokens_BTF: Tensor, config: ModelConfig) -> None:
    """Refuse rows that a model has no embeddings for.

    Raises:
        InputError: for a shape that does not fit, or a value outside its field.
    """
    fields, shape = len(config.field_sizes), tuple(tokens_BTF.shape)
    if tokens_BTF.ndim != 3 or shape[2] != fields or shape[1] < 2:
        raise InputError(f"tokens have the shape (B, T, {fields}) with T ≥ 2, not {shape}")
    names = FIELDS if fields == len(FIELDS) else tuple(map(str, range(fields)))
    _check_values("field", tokens_BTF, names, config.field_sizes)


def check_structure(structure_BTS: Tensor, tokens_BTF: Tensor, config: ModelConfig) -> None:
    """Refuse structure that a model has no embeddings for, or that is not of the tokens.

    Raises:
        InputError: for a shape that does not fit, or a value outside its feature.
    """
    features, shape = len(config.structure_sizes), tuple(tokens_BTF.shape)
    columns = features + (config.positions == "rotary_time")
    if structure_BTS.shape[:2] != shape[:2] or structure_BTS.shape[2] < columns:
        raise InputError(
            f"structure has the shape ({shape[0]}, {shape[1]}, S) with S ≥ {columns}, "
            f"not {tuple(structure_BTS.shape)}"
        )
    _check_values("structure", structure_BTS[..., :features], COLUMNS, config.structure_sizes)


def _check_values(
    kind: str, values_BTC: Tensor, names: Sequence[str], sizes: Sequence[int]
) -> None:
    outside = (values_BTC < 0) | (values_BTC >= torch.tensor(sizes, device=values_BTC.device))
    if outside.any():
        sequence, row, column = outside.nonzero()[0].tolist()
        raise InputError(
            f"{kind} {names[column]} of row {row} of sequence {sequence} is "
            f"{int(values_BTC[sequence, row, column])}; it must be 0 to {sizes[column] - 1}"
        )
