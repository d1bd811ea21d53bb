"""The interface of logits processors, and the row state that they see.

A processor changes the logits of a field before a value is sampled, and is updated with each
sampled row. Its strength and constants are one frozen dataclass, which builds it for a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.instruments import DRUMS
from tokenizer.typing import Integers, Logits, Mask, Steps, Tokens

from ..constraints import Constraints

DRUMS_VALUE = DRUMS + 1
"""The value of the instrument of drums."""


class RowState(NamedTuple):
    """The rows being sampled, one per continuation, or just sampled.

    Attributes:
        rows: `(B, 5)`; fields that are not sampled yet are 0.
        note: `(B,)`, which rows are notes, known once the instrument is.
        time: `(B,)`, the step at which each row begins; while its wait is being sampled, that of
            the row before.
        written: `(B,)`, which rows are sampled, not given; None if all are.
        room: `(B,)`, steps before the next given row, while a wait is sampled; None if none comes.
        position: `(B,)`, that of each row in its bar, as `tokenizer.encoding.structure` counts it;
            known while the instrument is sampled and of complete rows, else None.
    """

    rows: Integers
    note: Mask
    time: Steps
    written: Mask | None = None
    room: Steps | None = None
    position: Integers | None = None

    @property
    def written_note(self) -> Mask:
        """`(B,)`, which rows are sampled notes."""
        return self.note if self.written is None else self.note & self.written

    @property
    def pitched_note(self) -> Mask:
        """`(B,)`, which rows are notes of an instrument with pitches, not drums."""
        return self.note & (self.rows[:, INSTRUMENT] != DRUMS_VALUE)

    @property
    def position_or_zero(self) -> Integers:
        """`(B,)`, `position`, 0 where it is unknown."""
        return np.zeros(len(self.rows), np.int64) if self.position is None else self.position

    @classmethod
    def of(
        cls,
        rows: Integers,
        time: Steps,
        vocabulary: Vocabulary,
        written: Mask | None = None,
        position: Integers | None = None,
    ) -> RowState:
        """The state of rows `(B, 5)` that begin at `time` `(B,)`."""
        return cls(rows, vocabulary.is_note(rows), time, written, position=position)


class Processor(Protocol):
    """Changes logits for a batch of continuations."""

    def apply(self, field: int, logits: Logits, allowed: Mask, state: RowState, /) -> Logits:
        """The changed logits `(B, V)` of a field, as a new array.

        Args:
            field: its number in `tokenizer.encoding.vocabulary`.
            logits: of the model, or of the processor before.
            allowed: the allowed values `(B, V)`; at least one per row.
            state: the rows up to this field.
        """

    def push(self, state: RowState, /) -> None:
        """Update the state with complete rows."""


@dataclass(frozen=True)
class SamplerContext:
    """What a processor is built from.

    Attributes:
        prompt: the prompt's rows `(T, 5)`; empty without a prompt.
        constraints: on what may be sampled.
        vocabulary: of the rows.
        batch: the number of continuations.
        positions: of the prompt's rows in their bars, `(T,)`, as `tokenizer.encoding.structure`
            counts them; None if they are unknown.
    """

    prompt: Tokens
    constraints: Constraints
    vocabulary: Vocabulary
    batch: int
    positions: Integers | None = None


class ProcessorConfig(Protocol):
    """The strength and the constants of a processor."""

    def build(self, context: SamplerContext) -> Processor:
        """A new processor for a batch."""
