"""Edits of notes by hand; every other event of the file stays as it is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from musenet.editing.piece import Piece, piece_of
from musenet.export.file_notes import Spot, file_notes
from musenet.export.replace_notes import replaced, without_notes
from musenet.tree.tree import Node
from tokenizer import records
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.score.columns import LAST_TICK, NOTES
from tokenizer.typing import Array, Ints

_SAME = ("start", "duration", "pitch", "velocity", "program")


@dataclass(frozen=True)
class EditedNote:
    """A note as it shall be: ticks, MIDI numbers, and the number of its track in the score."""

    start: int
    duration: int
    pitch: int
    velocity: int
    track: int

    def __post_init__(self) -> None:
        """Reject what MIDI cannot hold."""
        if not (0 <= self.start and 1 <= self.duration <= LAST_TICK - self.start):
            raise InputError(f"a note cannot last from {self.start} for {self.duration} ticks")
        if not (0 <= self.pitch <= 127 and 1 <= self.velocity <= 127):
            raise InputError(
                f"a note has a pitch of 0 to 127 and a velocity of 1 to 127, not {self.pitch} and "
                f"{self.velocity}"
            )


@dataclass(frozen=True)
class Edits:
    """What shall be done to the notes of a score, which are named by their indices.

    Attributes:
        add: new notes.
        remove: indices.
        change: indices, and what each note becomes.
    """

    add: tuple[EditedNote, ...] = ()
    remove: tuple[int, ...] = ()
    change: tuple[tuple[int, EditedNote], ...] = ()


def edits_of(data: dict[str, Any]) -> Edits:
    """The edits in decoded JSON.

    Raises:
        InputError: if something else is there, or nothing to do.
    """
    edits = records.from_data(Edits, data, "the edit")
    if edits == Edits():
        raise InputError("the edit is empty; give notes to add, remove or change")
    return edits


def edited(node: Node, edits: Edits) -> Node:
    """A new node with the edited music.

    A note stays on its track and channel. On a channel a pitch sounds once at a time, so a note is
    shortened, moved or left out where another one sounds.

    Raises:
        InputError: if a note or track is not there.
    """
    if not node.data:
        raise InputError(f"node {node} is empty; there is nothing to edit")
    piece = piece_of(node.data, node.title, f"node {node}")
    notes, spots = _in_the_score(piece, node)
    touched = [*edits.remove, *(index for index, _ in edits.change)]
    for index in touched:
        if not 0 <= index < len(notes):
            raise InputError(f"there is no note {index}; the score has {len(notes)}")
    if len(set(touched)) < len(touched):
        raise InputError("a note is named twice; remove or change it once")
    file = without_notes(piece.file, notes[np.array(touched, dtype=np.int64)])
    for spot, new in _by_spot(edits, spots).items():
        here = file_notes(file)
        begin = int(new["start"].min())
        new["program"] = here.program_at(spot, begin)
        span = (begin, int((new["start"].astype(np.int64) + new["duration"]).max()))
        file, _, _ = replaced(file, here, here.notes[:0], new, [span], [spot])
    return Node(0, node.number, node.title, events.dump_over(piece.data, file))


def track_numbers(node: Node) -> list[int]:
    """The number in the file, from 1, of each track of a node's score."""
    if not node.data:
        return []
    return [track + 1 for track, _ in _in_the_score(piece_of(node.data, "", ""), node)[1]]


def _in_the_score(piece: Piece, node: Node) -> tuple[Array, list[Spot]]:
    """The file's notes in the order of the score, and the track and channel of each of its tracks.

    Both hold the same notes, and the score's tracks stand in the order of the file's.
    """
    score = read(node.data)
    found, notes = piece.notes.notes, score.notes
    keys = [found["start"], found["end"] - found["start"], *(found[k] for k in _SAME[2:])]
    theirs: Ints = np.lexsort((found["channel"], found["track"], *keys))
    ours: Ints = np.lexsort((notes["track"], *(notes[k] for k in _SAME)))
    ordered = np.empty_like(found)
    ordered[ours] = found[theirs]
    _, first = np.unique(notes["track"], return_index=True)
    spots = [(int(track), int(channel)) for track, channel in ordered[first][["track", "channel"]]]
    return ordered, spots


def _by_spot(edits: Edits, spots: list[Spot]) -> dict[Spot, Array]:
    """The notes to put in, `NOTES`, by the track and channel that they go to."""
    rows: dict[Spot, list[tuple[int, ...]]] = defaultdict(list)
    for note in (*edits.add, *(note for _, note in edits.change)):
        if not 0 <= note.track < len(spots):
            raise InputError(f"there is no track {note.track}; the score has {len(spots)}")
        row = (note.start, note.duration, note.pitch, note.velocity, 0, 0)
        rows[spots[note.track]].append(row)
    return {spot: np.array(found, NOTES) for spot, found in rows.items()}
