"""What the sampler remembers of the rows so far: their structure, the grammar, the processors.

Heads with the pattern `delay` begin later rows before a row is whole. What such a row may be is
asked of a copy that has taken in the rows before it, with the lowest values that are allowed in
the place of fields still missing: so notes of one time stay in order, and a note in flight counts
as short until its duration is drawn.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from musenet.decoding.decoder import InFlight
from tokenizer.encoding.structure import StructureState
from tokenizer.encoding.vocabulary import PITCH, WAIT, Vocabulary
from tokenizer.typing import Integers, Logits, Mask, Structure, Tokens

from .grammar import Grammar
from .processor import Processor, RowState

_NO_WAIT = 1  # the value of a wait of no steps


@dataclass
class History:
    """The state of `B` continuations after their last rows.

    Attributes:
        vocabulary: what the rows mean.
        structure: where each stands.
        grammar: what may come next.
        processors: what leans on the draws, in this order.
    """

    vocabulary: Vocabulary
    structure: StructureState
    grammar: Grammar
    processors: list[Processor]

    def push(self, rows: Tokens) -> Structure:
        """Go on by a row `(B, 5)` each, and give the rows' structure."""
        columns = self.structure.push(rows)
        state = RowState.of(rows, self.structure.time, self.vocabulary)
        self.grammar.push(state)
        for processor in self.processors:
            processor.push(state)
        return columns

    def process(
        self, field: int, logits: Logits, rows: Integers, next_first: Integers | None = None
    ) -> tuple[Logits, Mask]:
        """The logits of a field after all processors, and the values allowed, `(B, V)` each.

        Args:
            field: which one.
            logits: of the model.
            rows: `(B, 5)` up to this field.
            next_first: field 0 `(B,)` of the row after, where it has been drawn already.
        """
        state = self._state(rows)
        allowed = self.grammar.allowed(field, state)
        if field == PITCH and next_first is not None:
            # A note that has been begun at the same time needs a pitch or an instrument above.
            room = self.ahead(InFlight((rows,), (PITCH,))).grammar.room_after(rows)
            allowed &= room | (next_first != _NO_WAIT)[:, None]
        logits = logits[:, : allowed.shape[1]]
        for processor in self.processors:
            logits = processor.apply(field, logits, allowed, state)
        return logits, allowed

    def ahead(self, flight: InFlight) -> History:
        """The history after rows that are not whole yet; itself where there are none."""
        if not flight.before:
            return self
        shared = {id(x): x for x in (self.vocabulary, self.grammar.relaxed)}
        later = copy.deepcopy(self, shared)
        for rows, drawn in zip(flight.before, flight.drawn, strict=True):
            whole = rows.astype(np.int16)
            for field in range(drawn, whole.shape[1]):
                whole[:, field] = later.grammar.allowed(field, later._state(whole)).argmax(1)
            later.push(whole)
        return later

    def _state(self, rows: Integers) -> RowState:
        time = self.structure.time + self.vocabulary.steps[rows[:, WAIT]]
        return RowState.of(rows, time, self.vocabulary)
