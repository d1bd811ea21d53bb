"""The rhythm of a hole's notes, to which new pitches are drawn.

On a channel no pitch is drawn that sounds at the time: its note-off would end the wrong note.
"""

from __future__ import annotations

import numpy as np

from musenet.sampling.given import Rhythm
from tokenizer.encoding.compound import Events, note_rows
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.score.score import NOTES
from tokenizer.typing import Array, Ints, Mask, Notes

from .piece import Piece


def row_order(piece: Piece, notes: Array, tokenizer: Tokenizer) -> Ints:
    """The order `(N,)` in which `FILE_NOTES` stand as rows."""
    columns = _columns(notes)
    start, classes = tokenizer.steps_and_classes(piece.score, columns)
    keys = (columns["velocity"], classes, columns["pitch"], columns["program"], start)
    return np.lexsort(keys)


def rhythm_of(
    piece: Piece, gone: Array, mine: Mask, hole: tuple[int, int], tokenizer: Tokenizer
) -> Rhythm:
    """The rhythm of some notes of a hole.

    Args:
        piece: the user's file.
        gone: all notes that get other pitches, `FILE_NOTES` in the order of their rows.
        mine: which of them stand in this hole.
        hole: its first step, and the first after it.
        tokenizer: of the rows.
    """
    notes = gone[mine]
    columns = _columns(notes)
    start, classes = tokenizer.steps_and_classes(piece.score, columns)
    times, rows = note_rows(
        np.clip(start, hole[0], hole[1] - 1),
        columns["program"],
        columns["pitch"],
        classes,
        columns["velocity"],
    )
    taken = set(gone[["track", "on"]].tolist())
    everything = piece.notes.notes
    stays = [place not in taken for place in everything[["track", "on"]].tolist()]
    kept = everything[np.array(stays, dtype=bool)]
    barred, beside = [], []
    for index, note in enumerate(notes):
        barred.append((*_pitches(kept[_with(kept, note)]), *_busy(piece, note)))
        beside.append(tuple(np.flatnonzero(_with(notes[:index], note)).tolist()))
    none = np.empty(0, dtype=np.int64)
    return Rhythm(Events(times, rows, none, none), tuple(barred), tuple(beside))


def _columns(notes: Array) -> Notes:
    """`FILE_NOTES` as `NOTES`."""
    columns = np.zeros(len(notes), NOTES)
    for name in ("start", "pitch", "velocity", "program"):
        columns[name] = notes[name]
    columns["duration"] = notes["end"] - notes["start"]
    return columns


def _with(others: Array, note: Array) -> Mask:
    """Which notes sound with a note on its channel."""
    same = (others["channel"] == note["channel"]) & (others["port"] == note["port"])
    end = np.maximum(others["end"], others["start"] + 1)
    sounding: Mask = (others["start"] < max(note["end"], note["start"] + 1)) & (end > note["start"])
    return same & sounding


def _pitches(notes: Array) -> tuple[int, ...]:
    """The values of the pitch field of some notes."""
    return tuple((notes["pitch"] + 1).tolist())


def _busy(piece: Piece, note: Array) -> tuple[int, ...]:
    """The values of pitches with a note that never ends, or a note-off without a note."""
    place = int(note["port"]) << 4 | int(note["channel"])
    return tuple(
        pitch + 1
        for (where, pitch), spans in piece.notes.busy.items()
        if where == place and any(b <= note["end"] and e >= note["start"] for b, e in spans)
    )
