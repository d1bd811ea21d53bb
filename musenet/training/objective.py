"""The training objective: nats per note.

    loss = Σ over counted fields of −ln p(field) / number of notes

Rests, advances and controls cost nats but are not notes, so the loss is the code length per note;
divided by ln 2 it is the bits per note of all reports. Endings are rare, so they may get a higher
weight in the gradient than in that sum.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from musenet.model.likelihood import Batch, field_nats
from musenet.model.transformer import Transformer
from tokenizer.encoding.structure import COUNTDOWN
from tokenizer.errors import InputError

from .mixup import Mixup

ENDING = 8
"""Length of an ending in quarter notes (or half seconds)."""


def ending_mask(batch: Batch) -> Tensor:
    """Which predicted rows `(B, T)` are endings of pieces whose length is known to the model."""
    countdown = batch.structure[:, 1:, COUNTDOWN]
    return (countdown > 0) & (countdown <= ENDING + 1)  # 0 is unknown, 1 is less than a quarter


class NoteCost(nn.Module):
    """A model with its objective, as one module to compile, to wrap and to run backward.

    Args:
        model: the model to train.
        ending_weight: weight of the rows of `ending_mask` in the gradient.
    """

    def __init__(self, model: Transformer, ending_weight: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self._ending_weight = ending_weight

    def forward(
        self, tokens: Tensor, structure: Tensor, counted: Tensor, mixup: Mixup | None = None
    ) -> Tensor:
        """Nats of each field, summed over the batch, and the same weighted: `(2, F)` in fp32."""
        batch = Batch(tokens, structure, counted)
        nats = field_nats(self.model, batch) if mixup is None else self._mixed(batch, mixup)
        weights = 1.0 + (self._ending_weight - 1.0) * ending_mask(batch)
        return torch.stack((nats.sum(dim=(0, 1)), (nats * weights[..., None]).sum(dim=(0, 1))))

    def _mixed(self, batch: Batch, mixup: Mixup) -> Tensor:
        """Nats `(B, T, F)` of mixed windows, each mixed like its embeddings."""
        model = self.model
        if model.head.interleaving.name != "parallel":
            raise InputError("mixup needs a head that predicts whole rows: parallel or cascade")
        mix = (mixup.share, mixup.other)
        hidden = model.trunk(batch.tokens[:, :-1], batch.structure[:, :-1], mix=mix)
        first, second = (
            model.head.nll(hidden, b.tokens[:, 1:], b.structure[:, 1:]) * b.counted[:, 1:]
            for b in (batch, batch.at(mixup.other))
        )
        return mixup.mix(first.float(), second.float())
