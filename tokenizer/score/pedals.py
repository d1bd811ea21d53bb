"""The sustain pedal as durations: a note sounds until its pedal is released."""

from __future__ import annotations

import numpy as np

from tokenizer.typing import Array, Ints

from .score import Score


def sustained(score: Score) -> Array:
    """The notes of a score, each held until the pedal of its track under its end goes up.

    A note whose pitch is played again on the same track ends there, as on a piano.
    """
    notes = score.notes.copy()
    end = notes["start"].astype(np.int64) + notes["duration"]
    for track in np.unique(score.pedals["track"]).tolist():
        pedals = score.pedals[score.pedals["track"] == track]
        mine = np.flatnonzero((notes["track"] == track) & (notes["program"] < 128))
        if not len(mine):
            continue
        down = pedals["time"].astype(np.int64)
        up = np.maximum.accumulate(down + pedals["duration"])
        under = np.searchsorted(down, end[mine], side="right") - 1
        held = np.maximum(end[mine], np.where(under >= 0, up[np.maximum(under, 0)], 0))
        end[mine] = np.minimum(held, np.maximum(end[mine], _next_onsets(notes[mine])))
    notes["duration"] = end - notes["start"]
    return notes


def _next_onsets(notes: Array) -> Ints:
    """When each note's pitch starts again, in ticks; the largest int32 for the last of a pitch."""
    never = np.iinfo(np.int32).max
    again = np.full(len(notes), never, dtype=np.int64)
    order = np.lexsort((notes["start"], notes["pitch"]))
    first, second = order[:-1], order[1:]
    repeat = (notes["pitch"][first] == notes["pitch"][second]) & (
        notes["start"][first] < notes["start"][second]
    )
    again[first[repeat]] = notes["start"][second[repeat]]
    return again
