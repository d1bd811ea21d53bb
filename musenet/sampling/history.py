"""The state of the sampler after the rows so far: structure, grammar, processors.

Heads with the pattern `delay` start later rows before a row is complete. The masks of such a row
come from a copy of the state that has advanced by the rows before it, with the lowest allowed
values for missing fields: so simultaneous notes stay sorted, and an unfinished note counts as short
until its duration is sampled.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np

from musenet.decoding.decoder import InFlight
from tokenizer.encoding.structure import POSITION, StructureState
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT, Vocabulary
from tokenizer.typing import Integers, Logits, Mask, Structure, Tokens

from .given import GivenRows
from .grammar import Grammar
from .processors.processor import Processor, RowState

_NO_WAIT = 1  # the value of a wait of no steps


@dataclass
class History:
    """The state of `B` continuations after their last rows.

    Attributes:
        vocabulary: of the rows.
        structure: the position of each continuation.
        grammar: masks of what may come next.
        processors: applied to the logits in this order.
        given: what is given to each continuation, if anything is.
        written: which of the last rows were sampled, `(B,)`; None if all are.
    """

    vocabulary: Vocabulary
    structure: StructureState
    grammar: Grammar
    processors: list[Processor]
    given: GivenRows | None = None
    written: Mask | None = None
    _last: RowState | None = None

    def push(self, rows: Tokens) -> Structure:
        """Advance by one row `(B, 5)` each; returns the structure of the rows."""
        written = self.given.decided[0].written if self.given else None
        roles = self.given.push(rows, self.structure.time) if self.given else None
        columns = self.structure.push(rows, roles)
        self.written = written
        position = columns[:, POSITION]
        state = RowState.of(rows, self.structure.time, self.vocabulary, self.written, position)
        if self.given:
            state = state._replace(note=state.note & ~self.given.told)
            self.grammar.not_before = self.given.begins.tolist()
        self.grammar.push(state)
        for processor in self.processors:
            processor.push(state)
        return columns

    def process(
        self, field: int, logits: Logits, rows: Integers, next_first: Integers | None = None
    ) -> tuple[Logits, Mask]:
        """The logits of a field after all processors, and the allowed values, `(B, V)` each.

        Args:
            field: its number.
            logits: of the model.
            rows: `(B, 5)` up to this field.
            next_first: field 0 `(B,)` of the next row, if it has been sampled already.
        """
        state = self._state(field, rows)
        allowed = self.grammar.allowed(field, state)
        if field == PITCH and next_first is not None:
            # A note already started at the same time needs a pitch or an instrument above.
            room = self.ahead(InFlight((rows,), (PITCH,))).grammar.room_after(rows)
            allowed &= room | (next_first != _NO_WAIT)[:, None]
        if self.given and field > WAIT:
            self.given.decided[0].narrow(field, allowed, rows)
        elif self.given:
            self.given.narrow_waits(state.time, allowed)
            state = state._replace(room=self.given.next_times - state.time)
        logits = logits[:, : allowed.shape[1]]
        for processor in self.processors:
            logits = processor.apply(field, logits, allowed, state)
        return logits, allowed

    def ahead(self, flight: InFlight) -> History:
        """The history after incomplete rows; itself if there are none."""
        if not flight.before:
            return self
        shared = {id(x): x for x in (self.vocabulary, self.grammar.relaxed)}
        later = copy.deepcopy(self, shared)
        for rows, drawn in zip(flight.before, flight.drawn, strict=True):
            whole = rows.astype(np.int16)
            for field in range(drawn, whole.shape[1]):
                allowed = later.grammar.allowed(field, later._state(field, whole))
                if later.given:
                    later.given.decided[0].narrow(field, allowed, whole)
                whole[:, field] = allowed.argmax(1)
            later.push(whole)
        return later

    def _state(self, field: int, rows: Integers) -> RowState:
        """What processors see of rows up to a field: nothing else of it changes after the pitch."""
        last = self._last
        if field <= PITCH or last is None or last.rows is not rows:
            time = self.structure.time + self.vocabulary.steps.take(rows[:, WAIT])
            last = self._last = RowState.of(rows, time, self.vocabulary)
            if field == INSTRUMENT:
                return last._replace(position=self.structure.peek(rows[:, WAIT])[:, POSITION])
        return last
