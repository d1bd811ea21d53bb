"""Operations on whole columns, held against the same done note by note."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.score.columns import NOTES, disjoint_notes

note = st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(60, 62))


@given(st.lists(note, max_size=12), st.dictionaries(st.integers(60, 62), st.integers(1, 20)))
def test_disjoint_notes_never_sound_together(
    rows: list[tuple[int, int, int]], held: dict[int, int]
) -> None:
    notes = np.zeros(len(rows), NOTES)
    for row, (start, duration, pitch) in zip(notes, sorted(rows), strict=True):
        row["start"], row["duration"], row["pitch"] = start, duration, pitch
    clear, kept = disjoint_notes(notes, held)
    sounding: set[tuple[int, int]] = {(t, p) for p, until in held.items() for t in range(until)}
    for start, duration, pitch in clear[["start", "duration", "pitch"]].tolist():
        ticks = {(tick, pitch) for tick in range(start, start + duration)}
        assert duration > 0
        assert not ticks & sounding
        sounding |= ticks
    before = notes[kept]
    assert (clear["pitch"] == before["pitch"]).all()
    assert (clear["start"] >= before["start"]).all()
    ends = before["start"] + np.maximum(before["duration"], 1)
    assert (clear["start"] + clear["duration"] <= ends).all()
    # Of notes that no held one delays, every moment at which one starts has one that stays.
    free = {(s, p) for s, _, p in rows if s >= held.get(p, 0)}
    assert free <= set(clear[["start", "pitch"]].tolist())
