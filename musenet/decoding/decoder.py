"""The interface of all decoders: sequences side by side that go on row by row, field by field.

Shape suffixes: B batch, N one or B, T positions, F fields, S structural features, V values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tokenizer.typing import Integers, Ints, Logits

Choose = Callable[[int, Logits, Ints], Ints]
"""choose(field, logits [B, V], rows so far [B, F]) gives the field's values [B]."""

Peek = Callable[[Ints], Integers]
"""peek(field 0 [B]) gives the structure [B, S] that the new row will have."""


class InFlight(NamedTuple):
    """The rows around the one being drawn of which fields are still missing; only `delay` has any.

    Attributes:
        before: the rows [B, F] before it that were begun after the last whole one, in order.
        drawn: how many fields of each of them have been drawn, the first ones.
        next_first: field 0 [B] of the row after it where that has been drawn, else None.
    """

    before: tuple[Integers, ...] = ()
    drawn: tuple[int, ...] = ()
    next_first: Integers | None = None


class Decoder(Protocol):
    """Sequences side by side, each independent of the others."""

    @property
    def in_flight(self) -> InFlight:
        """What else is being drawn while `sample` calls its callbacks."""

    @property
    def position(self) -> int:
        """The position that the next row gets."""

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """Begin anew with rows and their structure: one sequence for all, or one for each."""

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """Go on by one row each."""

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """Choose the next row of each, [B, F], field by field."""
