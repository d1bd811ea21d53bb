"""Each attention pattern as parts: views of the sequence with full or causal attention.

A part sees [B, T, H, D] as independent sequences in which every query sees all keys (`full`), the
keys up to its own place (`causal`) or those from its own place on (`after`). The parts of a
pattern do not overlap, and together they are `patterns.allowed`; T is a multiple of the row
length l, n = T/l.

    dense          [B, T]                 causal
    row            [B·n, l]               causal
    column         [B, n] with l·H heads  causal
    previous_row   rows 1… against rows …n−2, full
    local          row, and rows 1… against the ends of rows …n−2, after
    strided        local, and as columns: rows 1… against rows …n−2, causal
    fixed          row, and for each summary place: rows 1… against that place of …n−2, causal
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from .patterns import summary_length

View = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class Fold:
    """A view of [B, T, H, D] as sequences.

    Attributes:
        view: gives a view of the array, which may be written to.
        join: two neighbouring axes of the view to merge into one, or None.
    """

    view: View
    join: tuple[int, int] | None = None

    def __call__(self, x_BTHD: Tensor, row_length: int) -> Tensor:
        """Sequences [N, S, heads, D]; a copy if no view is possible."""
        seen = self.view(x_BTHD, row_length)
        return seen if self.join is None else seen.flatten(*self.join)


@dataclass(frozen=True)
class PatternPart:
    """Which queries attend to which keys, and how.

    Attributes:
        queries: fold of the queries and the result.
        keys: fold of keys and values.
        sees: "causal", "full" or "after".
        skips: rows at the beginning without queries.
        needs_length: the minimum row length for which there are queries.
    """

    queries: Fold
    keys: Fold
    sees: str
    skips: int = 0
    needs_length: int = 1


def _whole(x: Tensor, _: int) -> Tensor:
    return x


def _rows(x: Tensor, row_length: int) -> Tensor:
    return x.view(x.shape[0], -1, row_length, *x.shape[2:])  # [B, n, l, H, D]


def _columns(x: Tensor, row_length: int) -> Tensor:
    return x.view(x.shape[0], -1, row_length * x.shape[2], x.shape[3])  # [B, n, l*H, D]


def _later_rows(x: Tensor, row_length: int) -> Tensor:
    return _rows(x, row_length)[:, 1:]


def _earlier_rows(x: Tensor, row_length: int) -> Tensor:
    return _rows(x, row_length)[:, :-1]


def _later_rows_but_last(x: Tensor, row_length: int) -> Tensor:
    return _rows(x, row_length)[:, 1:, :-1]


def _earlier_rows_but_first(x: Tensor, row_length: int) -> Tensor:
    return _rows(x, row_length)[:, :-1, 1:]


def _later_columns(x: Tensor, row_length: int) -> Tensor:
    return _columns(x, row_length)[:, 1:]


def _earlier_columns(x: Tensor, row_length: int) -> Tensor:
    return _columns(x, row_length)[:, :-1]


def _later_rows_as_heads(x: Tensor, row_length: int) -> Tensor:
    return _rows(x, row_length)[:, 1:].transpose(2, 3)  # [B, n-1, H, l, D]


def _earlier_place(x: Tensor, row_length: int, *, back: int) -> Tensor:
    return _rows(x, row_length)[:, :-1, row_length - back]  # [B, n-1, H, D]


_FIRST_TWO = (0, 1)
_OWN_ROW = PatternPart(Fold(_rows, _FIRST_TWO), Fold(_rows, _FIRST_TWO), "causal")
_ROW_BEFORE = PatternPart(Fold(_later_rows, _FIRST_TWO), Fold(_earlier_rows, _FIRST_TWO), "full", 1)
# Place s sees places s + 1, … of the row before: dropping the last s and place 0, "from s on".
_END_OF_ROW_BEFORE = PatternPart(
    Fold(_later_rows_but_last, _FIRST_TWO),
    Fold(_earlier_rows_but_first, _FIRST_TWO),
    "after",
    skips=1,
    needs_length=2,
)
_COLUMN_ABOVE = PatternPart(Fold(_later_columns), Fold(_earlier_columns), "causal", 1)


def _summary_part(back: int) -> PatternPart:
    keys = Fold(partial(_earlier_place, back=back))
    return PatternPart(Fold(_later_rows_as_heads, (2, 3)), keys, "causal", 1)


def parts(pattern: str, length: int, row_length: int) -> list[PatternPart]:
    """The parts of a pattern for `length` positions, a multiple of the row length.

    A part without queries at this length is left out.
    """
    table = {
        "dense": [PatternPart(Fold(_whole), Fold(_whole), "causal")],
        "row": [_OWN_ROW],
        "column": [PatternPart(Fold(_columns), Fold(_columns), "causal")],
        "previous_row": [_ROW_BEFORE],
        "local": [_OWN_ROW, _END_OF_ROW_BEFORE],
        "strided": [_OWN_ROW, _END_OF_ROW_BEFORE, _COLUMN_ABOVE],
        "fixed": [_OWN_ROW, *map(_summary_part, range(1, summary_length(row_length) + 1))],
    }
    return [
        part
        for part in table[pattern]
        if length > part.skips * row_length and row_length >= part.needs_length
    ]
