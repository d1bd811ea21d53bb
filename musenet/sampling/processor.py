"""What leans on a draw: one interface for all processors, and what they are told of a row.

A processor changes the logits of a field before a value is drawn, and takes note of each row that
was. Its strength and its constants are one frozen record, which builds it for a batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.typing import Integers, Logits, Mask, Steps, Tokens

from .constraints import Constraints


@dataclass(frozen=True)
class RowState:
    """The rows that are being drawn, one in each continuation, or that have just been drawn.

    Attributes:
        rows: `(B, 5)`; fields that are not drawn yet are 0.
        note: `(B,)`, which rows are notes, known once the instrument is.
        time: `(B,)`, the step at which each row begins; while its wait is being drawn, that which
            the row before has reached.
    """

    rows: Integers
    note: Mask
    time: Steps

    @classmethod
    def of(cls, rows: Integers, time: Steps, vocabulary: Vocabulary) -> RowState:
        """The state of rows `(B, 5)` that begin at `time` `(B,)`."""
        return cls(rows, vocabulary.is_note(rows), time)


class Processor(Protocol):
    """Something that leans on what is drawn, for `B` continuations side by side."""

    def apply(self, field: int, logits: Logits, allowed: Mask, state: RowState, /) -> Logits:
        """The logits `(B, V)` of a field, changed; the array that came in is left as it is.

        Args:
            field: which one, as numbered in `tokenizer.encoding.vocabulary`.
            logits: of the model, or of the processor before.
            allowed: which values may be drawn `(B, V)`; at least one a row.
            state: the rows up to this field.
        """

    def push(self, state: RowState, /) -> None:
        """Take note of whole rows."""


@dataclass(frozen=True)
class SamplerContext:
    """What a processor is built for.

    Attributes:
        prompt: the prompt's rows `(T, 5)`; none if there is no prompt.
        constraints: what may be drawn.
        vocabulary: what the rows mean.
        batch: how many continuations are drawn side by side.
    """

    prompt: Tokens
    constraints: Constraints
    vocabulary: Vocabulary
    batch: int


class ProcessorConfig(Protocol):
    """The strength and the constants of a processor."""

    def build(self, context: SamplerContext) -> Processor:
        """The processor of a batch, at its beginning."""
