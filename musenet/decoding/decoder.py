"""The interface of all decoders: a batch of sequences, extended row by row, field by field.

Shape suffixes: B batch, N one or B, T positions, F fields, S structural features, V values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tokenizer.typing import Integers, Ints, Logits

Choose = Callable[[int, Logits, Ints], Ints]
"""choose(field, logits [B, V], rows so far [B, F]) returns the values [B] of the field."""

Peek = Callable[[Ints], Integers]
"""peek(field 0 [B]) returns the structure [B, S] that the new row will have."""


class InFlight(NamedTuple):
    """Incomplete rows around the one being sampled; only `delay` has any.

    Attributes:
        before: the incomplete rows [B, F] before it, in order.
        drawn: how many fields of each of them have been sampled, the first ones.
        next_first: field 0 [B] of the row after it if that has been sampled, else None.
    """

    before: tuple[Integers, ...] = ()
    drawn: tuple[int, ...] = ()
    next_first: Integers | None = None


class Decoder(Protocol):
    """A batch of sequences, each independent of the others."""

    @property
    def in_flight(self) -> InFlight:
        """The other incomplete rows while `sample` calls its callbacks."""

    @property
    def position(self) -> int:
        """The position of the next row."""

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """Start with rows and their structure: one sequence for all, one for each, or N in turn.

        Sequence b begins as sequence b modulo N of the rows.
        """

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """Append one row to each sequence."""

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """Sample the next row of each sequence, [B, F], field by field."""
