"""What training minimises: the nats that a note costs.

    loss = Σ over counted fields of −ln p(field) / number of notes

Rests, advances and controls cost nats but are no notes, so that the loss is the length of the
music's code, a note; over ln 2 it is the bits per note that every report states. Endings are few,
and so may count for more in the gradient than in that sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from musenet.model.transformer import Transformer
from tokenizer.encoding.structure import COUNTDOWN
from tokenizer.encoding.vocabulary import INSTRUMENT
from tokenizer.errors import InputError

from .mixup import Mix

BITS = 1.0 / math.log(2.0)
"""Bits in a nat."""

ENDING = 8
"""Whole quarter notes (or half seconds) that an ending has left, at most."""


@dataclass(frozen=True)
class Batch:
    """Windows as tensors; row i of a window predicts row i + 1.

    Attributes:
        tokens: `(B, T + 1, F)` int64.
        structure: `(B, T + 1, S)` int64.
        counted: `(B, T + 1, F)` bool, the fields that are asked for.
    """

    tokens: Tensor
    structure: Tensor
    counted: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(self.tokens.to(device), self.structure.to(device), self.counted.to(device))

    def split(self, parts: int) -> list[Batch]:
        """The same in `parts` equal parts."""
        columns = zip(
            self.tokens.chunk(parts),
            self.structure.chunk(parts),
            self.counted.chunk(parts),
            strict=True,
        )
        return [Batch(*part) for part in columns]

    def at(self, windows: Tensor) -> Batch:
        """The windows at these indices."""
        return Batch(self.tokens[windows], self.structure[windows], self.counted[windows])

    @property
    def notes(self) -> int:
        """Notes among the rows that are asked for."""
        return int(note_mask(self).sum())

    @property
    def rows(self) -> int:
        """Rows that are asked for."""
        return int(self.counted[:, 1:].any(dim=-1).sum())


def note_mask(batch: Batch) -> Tensor:
    """Which predicted rows `(B, T)` are notes that count."""
    is_note = batch.tokens[:, 1:, INSTRUMENT] > 0
    return is_note & batch.counted[:, 1:].any(dim=-1)


def ending_mask(batch: Batch) -> Tensor:
    """Which predicted rows `(B, T)` are endings of pieces of which the length is told."""
    countdown = batch.structure[:, 1:, COUNTDOWN]
    return (countdown > 0) & (countdown <= ENDING + 1)  # 0 is unknown, 1 is less than a quarter


def field_nats(model: Transformer, batch: Batch) -> Tensor:
    """Nats of every predicted field `(B, T, F)` in fp32, zero where it does not count."""
    return model.nll(batch.tokens, batch.structure).float() * batch.counted[:, 1:]


class NoteCost(nn.Module):
    """A model with its objective, as one module to compile, to wrap and to run backward.

    Args:
        model: what is trained.
        ending_weight: how many times the rows of `ending_mask` count in the gradient.
    """

    def __init__(self, model: Transformer, ending_weight: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self._ending_weight = ending_weight

    def forward(
        self, tokens: Tensor, structure: Tensor, counted: Tensor, mix: Mix | None = None
    ) -> Tensor:
        """Nats of each field, summed over the batch, and the same weighted: `(2, F)` in fp32."""
        batch = Batch(tokens, structure, counted)
        nats = field_nats(self.model, batch) if mix is None else self._mixed(batch, mix)
        weights = 1.0 + (self._ending_weight - 1.0) * ending_mask(batch)
        return torch.stack((nats.sum(dim=(0, 1)), (nats * weights[..., None]).sum(dim=(0, 1))))

    def _mixed(self, batch: Batch, mix: Mix) -> Tensor:
        """Nats `(B, T, F)` of mixed windows, each mixed like its embeddings."""
        model = self.model
        if model.head.interleaving.name != "parallel":
            raise InputError("mixup needs a head that predicts whole rows: parallel or cascade")
        device = batch.tokens.device
        shares = (mix.share.to(device), mix.other.to(device))
        hidden = model.trunk(batch.tokens[:, :-1], batch.structure[:, :-1], mix=shares)
        other = batch.at(shares[1])
        own, theirs = (
            model.head.nll(hidden, b.tokens[:, 1:], b.structure[:, 1:]) * b.counted[:, 1:]
            for b in (batch, other)
        )
        return mix.weigh(own.float(), theirs.float())
