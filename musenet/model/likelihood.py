"""Likelihood: the nats of each field of each row of a batch.

Rests, advances and controls cost nats but are not notes, so the total nats divided by the notes is
the code length per note; divided by ln 2 it is the bits per note of all reports.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tokenizer.encoding.learned.learned import NOTES_BEGUN
from tokenizer.encoding.vocabulary import INSTRUMENT

from .transformer import Transformer

BITS = 1.0 / math.log(2.0)
"""Bits per nat."""


@dataclass(frozen=True)
class Batch:
    """Windows as tensors; row i of a window predicts row i + 1.

    Attributes:
        tokens: `(B, T + 1, F)` int64.
        structure: `(B, T + 1, S)` int64.
        counted: `(B, T + 1, F)` bool, the fields that are predicted.
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
        """Number of notes that are predicted; given ones are not."""
        if self.tokens.shape[-1] == 1:  # ids of a learned encoding, which begin several or none
            return int((self.structure[:, 1:, NOTES_BEGUN] * self.counted[:, 1:, 0]).sum())
        return int(note_mask(self).sum())

    @property
    def rows(self) -> int:
        """Number of predicted rows."""
        return int(self.counted[:, 1:].any(dim=-1).sum())


def note_mask(batch: Batch) -> Tensor:
    """Which predicted rows `(B, T)` are notes that count, not given ones."""
    return (batch.tokens[:, 1:, INSTRUMENT] > 0) & batch.counted[:, 1:, INSTRUMENT]


def field_nats(model: Transformer, batch: Batch) -> Tensor:
    """Nats of every predicted field `(B, T, F)` in fp32, zero where it does not count."""
    return model.nll(batch.tokens, batch.structure).float() * batch.counted[:, 1:]
