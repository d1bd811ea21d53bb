"""The decoder of `delay` and `flatten` heads, where a row's fields come from several steps.

With `delay`, the first fields of later rows are sampled before the last fields of this one. Such
rows stay incomplete when a finished row is returned, and are visible as `in_flight`. Shape suffixes
as in `musenet.decoding.decoder`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from musenet.model.heads import FieldsHead
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError
from tokenizer.typing import Integers, Ints, Mask

from .decode_step import DecodeStep
from .decoder import Choose, InFlight, Peek, has_decode_step
from .inference import inference


class DelayedDecoder:
    """A model with a `delay` or `flatten` head in its native precision; see `Decoder`.

    Attributes:
        position: rows so far.
        in_flight: see `Decoder`.

    Raises:
        InputError: for another head.
    """

    @inference
    def __init__(self, model: Transformer, batch: int) -> None:
        if not isinstance(model.head, FieldsHead):
            raise InputError(
                "this decoder supports only parallel, delay and flatten heads; use --engine auto"
            )
        self._model, self._head = model, model.head
        self._order = model.head.interleaving
        self._batch = batch
        self._device = model.embedding.weight.device
        self._cache = model.new_cache(batch)
        self._step = DecodeStep(model) if has_decode_step(model.config) else None
        self._state = torch.empty(0)
        self._rows: list[Ints] = []
        self._columns: list[Integers] = []
        self._drawn: list[int] = []
        self._next_step = 0
        self.position = 0
        self.in_flight = InFlight()

    @inference
    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `Decoder.start`."""
        count, length = rows_NTF.shape[:2]
        self.position, self._next_step = length, self._order.step(length, 0)
        source = np.resize(np.arange(count), self._batch)
        self._rows = list(rows_NTF[source].astype(np.int64).swapaxes(0, 1))
        self._columns = list(columns_NTS[source].swapaxes(0, 1))
        self._drawn = [self._order.fields] * length
        steps = self._order.build(self._tensor(rows_NTF))[:, : self._next_step]
        begun = torch.from_numpy(self._order.rows_begun(length)[: self._next_step])
        columns = self._tensor(columns_NTS)[:, begun.to(self._device)]
        states = []
        for number in range(count):
            single = self._model.new_cache(1)
            here = slice(number, number + 1)
            states.append(self._model.trunk(steps[here], columns[here], single)[:, -1])
            self._cache.copy_sequence(single, torch.from_numpy(np.flatnonzero(source == number)))
        self._state = torch.cat(states)[torch.from_numpy(source).to(self._device)]

    @inference
    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `Decoder.advance`; a row other than the sampled one discards what came after it."""
        row, taken = self.position, self.position < len(self._rows)
        if not (taken and np.array_equal(self._rows[row], rows_BF)):
            del self._rows[row:], self._columns[row:], self._drawn[row:]
            self._rows.append(rows_BF.astype(np.int64))
            self._columns.append(columns_BS)
            self._drawn.append(self._order.fields)
            self._cache.position = min(self._cache.position, self._order.step(row, 0))
            self._next_step = self._order.step(row + 1, 0)
        self.position += 1

    def drop(self, ended: Mask) -> None:
        """See `Decoder.drop`; this one computes them all the same."""

    @inference
    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `Decoder.sample`."""
        row = self.position
        while row >= len(self._rows) or self._drawn[row] < self._order.fields:
            self._feed()
            for later, field in self._order.coordinates_of(self._next_step):
                if later >= row:
                    self._draw(later, field, choose, peek)
            self._next_step += 1
        self.in_flight = InFlight()
        return self._rows[row].copy()

    def _draw(self, row: int, field: int, choose: Choose, peek: Peek) -> None:
        if row == len(self._rows):
            self._rows.append(np.zeros((self._batch, self._order.fields), np.int64))
            self._drawn.append(0)
        begun = slice(self.position, row)
        following = self._rows[row + 1][:, 0] if row + 1 < len(self._rows) else None
        self.in_flight = InFlight(tuple(self._rows[begun]), tuple(self._drawn[begun]), following)
        logits = self._head.logits(self._state, field).float().numpy(force=True)
        self._rows[row][:, field] = choose(field, logits, self._rows[row])
        self._drawn[row] += 1
        if field == 0:
            self._columns.append(peek(self._rows[row][:, 0]))

    def _feed(self) -> None:
        """Feed all steps before the next one."""
        model, cache = self._model, self._cache
        while cache.position < self._next_step:
            step = cache.position
            values = np.zeros((self._batch, self._order.fields), np.int64)
            for later, field in self._order.coordinates_of(step):
                values[:, field] = self._rows[later][:, field]
            begun = step // self._order.fields if self._order.name == "flatten" else step
            row, columns = self._tensor(values), self._tensor(self._columns[begun])
            rotation = model.rotations(step, step + 1, model.embedding.weight)
            if self._step is None or rotation is None:
                self._state = model.trunk(row[:, None], columns[:, None], cache)[:, -1]
                continue
            turn = model.by_head(rotation, columns[:, None])[:, 0]
            self._state = self._step(row, columns, turn, cache)
            cache.position += 1

    def _tensor(self, values: Integers) -> Tensor:
        return torch.from_numpy(values.astype(np.int64)).to(self._device)
