"""Notes of a user's file with other pitches or in another rhythm; every other event stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.midi.events import Event, File
from tokenizer.score.columns import NOTES
from tokenizer.typing import Array, Integers, Notes

from .merge import note_events
from .replace_notes import Edit, events_of_notes, insert_events, removed_events, without_notes


def repitched(file: File, notes: Array, pitches: Integers) -> tuple[File, Edit, Notes]:
    """A file in which some of its `FILE_NOTES` have other pitches, and nothing else is changed.

    Returns:
        What `replaced` returns.
    """
    tracks = [[*track] for track in file.tracks]
    numbers = {track: sorted(of) for track, of in events_of_notes(notes).items()}
    removed = removed_events(file, notes)
    for (track, on, off), pitch in zip(
        notes[["track", "on", "off"]].tolist(), pitches.tolist(), strict=True
    ):
        for number in (on, off):
            tick, data = tracks[track][number]
            tracks[track][number] = Event(tick, data[:1] + bytes((pitch,)) + data[2:])
    new = np.zeros(len(notes), NOTES)
    for name in ("start", "velocity", "program", "track"):
        new[name] = notes[name]
    new["duration"], new["pitch"] = notes["end"] - notes["start"], pitches
    edit = Edit(len(file.tracks), removed, numbers)
    return File(file.division, tracks, file.end), edit, new


def retimed(
    file: File, notes: Array, new: Notes, stretches: Sequence[tuple[int, int]]
) -> tuple[File, Edit, Notes]:
    """A file in which each of some `FILE_NOTES` is played as a new note, on its track and channel.

    A new note ends with its stretch, or where the next of its pitch begins on its channel.

    Args:
        file: the user's.
        notes: that are taken out.
        new: `NOTES` of the same pitches, one for each of them.
        stretches: the first tick of each and the first after it.

    Returns:
        What `replaced` returns.
    """
    changed = without_notes(file, notes)
    new = new.copy()
    new["track"] = notes["track"]
    for begin, end in stretches:
        inside = (new["start"] >= begin) & (new["start"] < end)
        new["duration"][inside] = np.clip(new["duration"][inside], 1, end - new["start"][inside])
    last: dict[tuple[int, int, int], int] = {}
    for index in range(len(new)):
        key = (*notes[["port", "channel"]][index].tolist(), int(new["pitch"][index]))
        if key in last:
            before = last[key]
            most = new["start"][index] - new["start"][before]
            new["duration"][before] = min(new["duration"][before], most)
        last[key] = index
    added = {}
    for track in np.unique(notes["track"]).tolist():
        events: list[Event] = []
        for channel in np.unique(notes["channel"][notes["track"] == track]).tolist():
            mine = (notes["track"] == track) & (notes["channel"] == channel)
            events += note_events(new[mine], channel)
        added[track] = insert_events(changed, track, events)
    return changed, Edit(len(file.tracks), removed_events(file, notes), added), new
