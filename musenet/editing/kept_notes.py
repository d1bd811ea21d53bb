"""What is kept of a hole's notes that are written anew: their rhythm, or their pitches.

On a channel no pitch is drawn that sounds at the time: its note-off would end the wrong note.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musenet.sampling.given import Rhythm
from musenet.sampling.kept_pitches import PitchOrder
from musenet.sampling.replacements import Replacements
from tokenizer.encoding.compound import Events, note_rows
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import INSTRUMENT
from tokenizer.errors import InputError
from tokenizer.score.score import NOTES
from tokenizer.typing import Array, Ints, Mask, Notes, Steps, Tokens

from .piece import Piece

_ROOM = 4  # onsets to a beat for which room is left


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


def order_of(
    piece: Piece,
    gone: Array,
    ticks: tuple[int, int],
    steps: tuple[int, int],
    tokenizer: Tokenizer,
) -> PitchOrder:
    """The pitches that each instrument plays in a hole.

    The first comes when no note sounds into the hole any more that would be heard as one with it.

    Args:
        piece: the user's file.
        gone: all notes that get another rhythm, `FILE_NOTES` by start and pitch.
        ticks: the first of the hole and the first after it.
        steps: likewise.
        tokenizer: of the rows.

    Raises:
        InputError: if the hole has no steps for so many notes.
    """
    grid = tokenizer.vocabulary.grid
    mine = gone[(gone["start"] >= ticks[0]) & (gone["start"] < ticks[1])]
    pitches = {
        program + 1: tuple((mine["pitch"][mine["program"] == program] + 1).tolist())
        for program in np.unique(mine["program"]).tolist()
    }
    free, begin = _free_from(piece, gone, mine, ticks), steps[0]
    if free > ticks[0]:
        begin = GridClock(piece.score, grid).step(free) + 1
    order = PitchOrder(pitches, begin, steps[1], max(1, grid.beat // _ROOM))
    if order.most > steps[1] - begin:
        bar = piece.bars.number(ticks[0]) + 1
        raise InputError(
            f"--keep-pitches: other notes leave no room for those of the hole at bar {bar}; "
            "choose other bars or tracks"
        )
    return order


def replacements_of(
    piece: Piece, gone: Array, ticks: tuple[int, int], end: int, tokenizer: Tokenizer
) -> Replacements:
    """Where the notes of a hole that are written anew stood.

    Args:
        piece: the user's file.
        gone: all notes that are written anew, `FILE_NOTES`.
        ticks: the first of the hole and the first after it.
        end: the first step after the hole.
        tokenizer: of the rows.
    """
    mine = gone[(gone["start"] >= ticks[0]) & (gone["start"] < ticks[1])]
    steps, _ = tokenizer.steps_and_classes(piece.score, _columns(mine))
    times = {
        program + 1: np.sort(steps[mine["program"] == program])
        for program in np.unique(mine["program"]).tolist()
    }
    return Replacements(times, tokenizer.vocabulary.grid.beat, end)


def _free_from(piece: Piece, gone: Array, mine: Array, ticks: tuple[int, int]) -> int:
    """The tick from which no other note sounds on the channel and pitch of one in a hole."""
    begin, end = ticks
    taken = set(gone[["track", "on"]].tolist())
    places = set(mine[["port", "channel", "pitch"]].tolist())
    notes = piece.notes.notes
    near = notes[(notes["start"] < end) & (notes["end"] > begin)]
    ends = [
        until if start < begin else end
        for start, until, track, on, *place in near[
            ["start", "end", "track", "on", "port", "channel", "pitch"]
        ].tolist()
        if (track, on) not in taken and tuple(place) in places
    ]
    ends += [
        end
        for (where, pitch), spans in piece.notes.busy.items()
        if (where >> 4, where & 15, pitch) in places
        and any(first < end and last >= begin for first, last in spans)
    ]
    return max(ends, default=begin)


def owners(
    gone: Array, rows: Tokens, times: Steps, holes: Sequence[tuple[int, int]], clock: GridClock
) -> Array:
    """The old note for each row `(N, 5)`: in each hole the next one of its instrument."""
    found = []
    waiting = {}
    for number, (begin, end) in enumerate(holes):
        inside = gone[(gone["start"] >= begin) & (gone["start"] < end)]
        for program in np.unique(inside["program"]).tolist():
            waiting[number, program] = iter(inside[inside["program"] == program])
    begins = np.array([clock.step(begin) for begin, _ in holes])
    for row, time in zip(rows, times.tolist(), strict=True):
        number = int(np.searchsorted(begins, time, side="right")) - 1
        found.append(next(waiting[number, int(row[INSTRUMENT]) - 1]))
    return np.array(found, dtype=gone.dtype)


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
