"""Attention patterns as a specification: which earlier positions a position may look at.

Everything that computes attention is checked against `allowed`. NumPy only, no torch.

With row length l (4 here), the position i = 9 sees the marked positions j of 0…11:

    dense         xxxx xxxx xx..
    row           .... .... xx..      its own row, up to itself
    column        .x.. .x.. .x..      its own column, up to itself
    previous_row  .... xxxx ....      the whole row before
    local         .... ..xx xx..      the l latest positions
    strided       .x.. .xxx xx..      local and column (Sparse Transformer, arXiv:1904.10509)
    fixed         ...x ...x xx..      its own row, and the last l/8 (at least 1) of rows before

`row`, `column` and `previous_row` are Jukebox's (arXiv:2005.00341).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.typing import Ints, Mask

PATTERNS = ("dense", "row", "column", "previous_row", "local", "strided", "fixed")
_KEPT_ROWS = {"row": 1, "previous_row": 2, "local": 1}


def summary_length(row_length: int) -> int:
    """Positions at the end of a row that `fixed` lets all later rows see."""
    return max(1, row_length // 8)


def allowed(pattern: str, i: Ints, j: Ints, row_length: int) -> Mask:
    """Whether the query at position i may use the key at position j (arrays broadcast).

    Args:
        pattern: one of `PATTERNS`.
        i: query positions.
        j: key positions.
        row_length: positions of a row.

    Raises:
        KeyError: for a name that is no pattern; configurations are checked before.
    """
    past = j <= i
    rows_back = i // row_length - j // row_length
    local = past & (i - j < row_length)
    column = past & ((i - j) % row_length == 0)
    row = past & (rows_back == 0)
    summary = past & (j % row_length >= row_length - summary_length(row_length))
    rules: dict[str, Mask] = {
        "dense": past,
        "row": row,
        "column": column,
        "previous_row": past & (rows_back == 1),
        "local": local,
        "strided": local | column,
        "fixed": row | summary,
    }
    return rules[pattern]


def mask(pattern: str, length: int, row_length: int) -> Mask:
    """`allowed` for every pair of `length` positions, shape (length, length)."""
    positions = np.arange(length)
    return allowed(pattern, positions[:, None], positions[None, :], row_length)


def kept(pattern: str, row_length: int, length: int) -> int:
    """Positions that a layer with a pattern has to store for a sequence of `length`."""
    rows = -(-length // row_length)
    return row_length * _KEPT_ROWS.get(pattern, rows)


def unreachable(patterns: Sequence[str], row_length: int, context: int) -> str | None:
    """Why a stack of layers cannot carry every earlier position to every later one, or None.

    Rows are shortened to at most 8 positions: what a stack reaches depends on the rows.
    """
    if "dense" in patterns:
        return None
    rows = -(-context // row_length)
    short = min(row_length, 8)
    length = rows * short
    reached = np.eye(length, dtype=np.float32)
    step = {
        name: mask(name, length, short).astype(np.float32) + np.eye(length, dtype=np.float32)
        for name in set(patterns)
    }
    for pattern in patterns:
        reached = np.minimum(step[pattern] @ reached, 1)
    if not np.tril(reached == 0).any():
        return None
    return (
        f"attention layers {', '.join(dict.fromkeys(patterns))} together leave some earlier "
        "positions out of reach; add previous_row or dense layers, or more layers"
    )
