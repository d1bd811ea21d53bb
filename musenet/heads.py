"""How the fields of the next row are predicted from the trunk's last state.

A head has two faces: `nll` for training and `sample` for generating. The cascade goes through the
fields in order, each conditioned on the state and on the row's fields before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import ModelConfig
from .embeddings import SummedEmbedding
from .functional import negative_log_likelihood, rms_norm, squared_relu, wide

Choose = Callable[[int, Tensor, Tensor], Tensor]
"""choose(field, logits [B, V], rows so far [B, F]) gives the field's values [B]."""

Peek = Callable[[Tensor], Tensor]
"""peek(field 0 [B]) gives the structure [B, S] that the new row will have."""


class Head(Protocol):
    """What every head offers."""

    def nll(self, hidden_BTD: Tensor, targets_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """Negative log-likelihood of each field in nats, [B, T, F] in fp32, unmasked."""

    def sample(self, hidden_BD: Tensor, choose: Choose, peek: Peek) -> Tensor:
        """The next row of each sequence, [B, F] long."""


class CascadeHead(nn.Module):
    """Fields in order: each is predicted from a state to which the fields before it were added.

    After field 0, the structural features that it decides (elapsed time, bar, position in bar,
    note in chord) are added too. Between fields the state passes a small residual MLP.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width, fields = config.width, len(config.field_sizes)
        self.known_columns = config.known_columns
        self.values = SummedEmbedding(config.field_sizes[:-1] or (1,), width, 0.1)
        self.structure = SummedEmbedding(config.structure_sizes[: config.known_columns], width, 0.1)
        self.up = nn.ParameterList(_matrix(width, width) for _ in range(fields - 1))
        self.down = nn.ParameterList(
            nn.Parameter(torch.zeros(width, width)) for _ in range(fields - 1)
        )
        self.out = nn.ParameterList(
            nn.Parameter(torch.zeros(size, width)) for size in config.field_sizes
        )

    def nll(self, hidden_BTD: Tensor, targets_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """Negative log-likelihood of each field in nats, unmasked.

        Args:
            hidden_BTD: the trunk's last state.
            targets_BTF: the rows to predict, long.
            structure_BTS: their structure, of which only the first `known_columns` are used.

        Returns:
            [B, T, F] in fp32.
        """
        state = hidden_BTD
        losses = []
        for field in range(len(self.out)):
            if field > 0:
                known = structure_BTS if field == 1 else None
                state = self._advance(state, field, targets_BTF[..., field - 1], known)
            logits = F.linear(state, self.out[field].to(state.dtype))
            losses.append(negative_log_likelihood(logits, targets_BTF[..., field]))
        return torch.stack(losses, -1)

    def sample(self, hidden_BD: Tensor, choose: Choose, peek: Peek) -> Tensor:
        """Choose the next row of each sequence, field by field.

        Args:
            hidden_BD: the trunk's last state.
            choose: picks a field's values from its logits [B, V] (fp32).
            peek: the structure that a row gets with its field 0.

        Returns:
            [B, F] long.
        """
        state = hidden_BD
        rows = torch.zeros(
            (hidden_BD.shape[0], len(self.out)), dtype=torch.long, device=hidden_BD.device
        )
        for field in range(len(self.out)):
            if field > 0:
                known = peek(rows[:, 0]) if field == 1 else None
                state = self._advance(state, field, rows[:, field - 1], known)
            logits = F.linear(state, self.out[field].to(state.dtype))
            rows[:, field] = choose(field, logits.to(wide(logits.dtype)), rows)
        return rows

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden states."""
        return [*self.up, *self.down]

    def _advance(
        self, state: Tensor, field: int, values: Tensor, structure: Tensor | None
    ) -> Tensor:
        """The state for `field`, from the state for the field before and that field's values."""
        given = self.values.column(field - 1, values)
        if structure is not None:
            given = given + self.structure(structure[..., : self.known_columns])
        state = rms_norm(given + state, state.dtype)
        inner = squared_relu(F.linear(state, self.up[field - 1].to(state.dtype)))
        return state + F.linear(inner, self.down[field - 1].to(state.dtype))


def build_head(config: ModelConfig) -> CascadeHead:
    """The head that a configuration names."""
    return CascadeHead(config)


def _matrix(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(rows, columns).normal_(std=0.5 * columns**-0.5))
