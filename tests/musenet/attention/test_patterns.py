"""The attention patterns against their definitions in the papers, walked position by position."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.attention.patterns import PATTERNS, allowed, mask, unreachable

LENGTHS = [(1, 4), (7, 4), (16, 4), (19, 4), (12, 1), (9, 16), (40, 8)]


def by_definition(pattern: str, i: int, row: int) -> set[int]:
    """The keys of query i, written down as the papers say them."""
    row_start = i - i % row
    whole = set(range(i + 1))
    own_row = set(range(row_start, i + 1))
    column = set(range(i % row, i + 1, row))
    latest = set(range(max(0, i - row + 1), i + 1))
    summaries = {j for j in whole if j % row >= row - max(1, row // 8)}
    return {
        "dense": whole,
        "row": own_row,
        "column": column,
        "previous_row": set(range(row_start - row, row_start)) if row_start else set(),
        "local": latest,
        "strided": latest | column,
        "fixed": own_row | summaries,
    }[pattern]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), LENGTHS)
def test_patterns_are_what_the_papers_define(pattern: str, length: int, row: int) -> None:
    found = mask(pattern, length, row)
    for i in range(length):
        assert set(np.flatnonzero(found[i])) == by_definition(pattern, i, row)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pattern_looks_ahead(pattern: str) -> None:
    assert not np.triu(mask(pattern, 50, 8), 1).any()


def test_the_docstring_drawing_is_true() -> None:
    from musenet.attention import patterns as module

    assert module.__doc__ is not None
    lines = [line.split() for line in module.__doc__.splitlines()]
    drawn = {line[0]: "".join(line[1:4]) for line in lines if line and line[0] in PATTERNS}
    assert set(drawn) == set(PATTERNS)
    for pattern, picture in drawn.items():
        seen = allowed(pattern, np.array(9), np.arange(12), 4)
        assert picture == "".join("x" if x else "." for x in seen), pattern


def test_row_and_column_alone_never_look_to_the_left() -> None:
    """Walked pair by pair: information only moves right in rows and down in columns."""
    row, length = 8, 64
    reason = unreachable(["row", "column"] * 3, row, length)
    assert reason is not None
    assert "previous_row" in reason
    step = {p: mask(p, length, row) for p in ("row", "column")}
    for i in range(length):
        reached = {i}
        for pattern in ["column", "row"] * 3:
            reached |= {int(j) for k in reached for j in np.flatnonzero(step[pattern][k])}
        assert reached == {j for j in range(i + 1) if j % row <= i % row}


@pytest.mark.parametrize(
    ("patterns", "row", "context", "reachable"),
    [
        (["dense"], 64, 4096, True),
        (["row", "column", "previous_row"], 64, 4096, True),
        (["row", "column", "previous_row"] * 2, 64, 4096, True),
        (["strided", "strided"], 64, 4096, True),
        (["fixed", "fixed"], 64, 4096, True),
        (["row"] * 6, 64, 4096, False),
        (["column"] * 6, 64, 4096, False),
        (["row", "previous_row"] * 3, 64, 4096, False),
        (["local"] * 6, 64, 4096, False),
        (["local"] * 6, 64, 128, True),
        (["row"], 64, 64, True),
        (["row", "dense"], 64, 4096, True),
    ],
)
def test_which_stacks_reach_everything(
    patterns: list[str], row: int, context: int, reachable: bool
) -> None:
    assert (unreachable(patterns, row, context) is None) == reachable
