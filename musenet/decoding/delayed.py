"""Sampling row after row where a row's fields come from several steps of the trunk.

With `delay`, the first fields of later rows are chosen before the last fields of this one, so the
decoder keeps rows that are begun; it gives a row out when all its fields are there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from musenet.attention.block_attention import wide
from musenet.model.heads import Choose, FieldsHead
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

Advance = Callable[[Tensor], Tensor]
"""advance(field 0 [B]) gives the structure [B, S] of the next row, and goes there; once a row."""


class StepDecoder:
    """A model with a `parallel`, `delay` or `flatten` head, at work on a batch of sequences.

    Args:
        model: its head is a `FieldsHead`.
        tokens_BTF: rows to go on from, at least one.
        structure_BTS: their structure.

    Raises:
        InputError: for another head.
    """

    def __init__(self, model: Transformer, tokens_BTF: Tensor, structure_BTS: Tensor) -> None:
        if not isinstance(model.head, FieldsHead):
            raise InputError("only parallel, delay and flatten heads are sampled in steps")
        self._model, self._head = model, model.head
        self._order = model.head.interleaving
        self._rows, self._structure = tokens_BTF.clone(), structure_BTS.clone()
        self._given = np.ones(tokens_BTF.shape[1:], dtype=bool)
        self._next_row = tokens_BTF.shape[1]
        self._next_step = self._order.step(self._next_row, 0)
        self._cache = model.new_cache(tokens_BTF.shape[0])

    @torch.inference_mode()
    def next(self, choose: Choose, advance: Advance) -> Tensor:
        """The next row of each sequence, [B, F]; it is part of the sequence from then on.

        Args:
            choose: picks a field's values from its logits [B, V] and the row so far.
            advance: called with field 0 of every row in turn, possibly some rows ahead.
        """
        row = self._next_row
        while row >= len(self._given) or not self._given[row].all():
            state = self._feed()
            for later, field in self._coordinates(self._next_step):
                self._choose(later, field, state, choose, advance)
            self._next_step += 1
        self._next_row += 1
        return self._rows[:, row].clone()

    def _coordinates(self, step: int) -> list[tuple[int, int]]:
        """What is not yet given of a step."""
        rows = step + 1 if self._order.name != "flatten" else step // self._order.fields + 1
        first = max(0, rows - 2 * self._order.fields)
        places = np.argwhere(self._order.steps_of(rows)[first:] == step)
        found = [(first + int(row), int(field)) for row, field in places]
        return sorted(
            (row, field)
            for row, field in found
            if row >= len(self._given) or not self._given[row, field]
        )

    def _feed(self) -> Tensor:
        """The state after all steps before the next one."""
        start, stop = self._cache.position, self._next_step
        steps = self._order.build(self._rows)[:, start:stop]
        begun = self._order.rows_begun(self._rows.shape[1])[start:stop]
        structure = self._structure[:, torch.from_numpy(begun).to(self._structure.device)]
        return self._model.trunk(steps, structure, self._cache)[:, -1]

    def _choose(
        self, row: int, field: int, state: Tensor, choose: Choose, advance: Advance
    ) -> None:
        if row == len(self._given):
            batch, _, fields = self._rows.shape
            self._given = np.concatenate([self._given, np.zeros((1, fields), dtype=bool)])
            self._rows = torch.cat([self._rows, self._rows.new_zeros((batch, 1, fields))], 1)
        logits = self._head.logits(state, field)
        self._rows[:, row, field] = choose(field, logits.to(wide(logits.dtype)), self._rows[:, row])
        self._given[row, field] = True
        if field == 0:
            new = advance(self._rows[:, row, 0])[:, None].to(self._structure)
            self._structure = torch.cat([self._structure, new], 1)
