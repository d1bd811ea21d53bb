"""The engine `eager`: the model in PyTorch, in its native precision, on any device.

Shape suffixes as in `musenet.decoding.decoder`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from musenet.model.transformer import Transformer
from tokenizer.typing import Integers, Ints, Mask

from .decode_step import DecodeStep
from .decoder import Choose, InFlight, Peek, has_decode_step
from .inference import inference


class EagerDecoder:
    """The model's trunk and head in eager mode; see `Decoder`.

    The batch is padded to a power of two, at least four, because matrix products with fewer rows
    are summed in another order. So, on one thread, many CPUs compute the same numbers for a
    sequence alone and among others; on the rest, such as those with AMX, they agree to rounding.
    """

    in_flight = InFlight()

    @inference
    def __init__(self, model: Transformer, batch: int) -> None:
        self._model = model
        self._batch = batch
        self._padded = padded_batch(batch)
        self._copies = np.resize(np.arange(batch), self._padded)
        self._device = model.embedding.weight.device
        self._cache = model.new_cache(self._padded)
        self._step = DecodeStep(model) if has_decode_step(model.config) else None
        self._state = torch.empty(0)

    @property
    def position(self) -> int:
        """See `Decoder`."""
        return self._cache.position

    @inference
    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `Decoder.start`."""
        states, several = [], len(rows_NTF)
        for sequence in range(several):
            here = slice(sequence, sequence + 1)
            single = self._model.new_cache(1)
            rows, columns = self._tensor(rows_NTF[here]), self._tensor(columns_NTS[here])
            states.append(self._model.trunk(rows, columns, single)[:, -1])
            mine = np.flatnonzero(self._copies % several == sequence)
            self._cache.copy_sequence(single, torch.from_numpy(mine))
        self._state = torch.cat(states)[self._copies % several]

    @inference
    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `Decoder.advance`."""
        rows, columns = (self._tensor(x[self._copies]) for x in (rows_BF, columns_BS))
        model, cache, place = self._model, self._cache, self._cache.position
        rotation = model.rotations(place, place + 1, model.embedding.weight)
        if self._step is None or rotation is None:
            self._state = model.trunk(rows[:, None], columns[:, None], cache)[:, -1]
            return
        turn = model.by_head(rotation, columns[:, None])[:, 0]
        self._state = self._step(rows, columns, turn, cache)
        cache.position += 1

    def drop(self, ended: Mask) -> None:
        """See `Decoder.drop`; this one computes them all the same."""

    @inference
    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `Decoder.sample`."""

        def chosen(field: int, logits: Tensor, rows: Tensor) -> Tensor:
            scores = logits[: self._batch].float().numpy(force=True)
            values = choose(field, scores, rows[: self._batch].numpy(force=True))
            return self._tensor(values[self._copies])

        def peeked(first: Tensor) -> Tensor:
            return self._tensor(peek(first[: self._batch].numpy(force=True))[self._copies])

        rows = self._model.head.sample(self._state, chosen, peeked)
        return rows[: self._batch].numpy(force=True)

    def _tensor(self, values: Integers) -> Tensor:
        return torch.from_numpy(values.astype(np.int64)).to(self._device)


def padded_batch(sequences: int) -> int:
    """The padded batch size for a number of sequences."""
    return max(4, 1 << (sequences - 1).bit_length())
