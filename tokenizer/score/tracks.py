"""The tracks of a score, and what must agree between them and the columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.typing import Array

from .columns import NO_TRACK


class Track(NamedTuple):
    """One instrument's part.

    Attributes:
        name: as the file has it, possibly empty.
        program: 0–127 General MIDI, 128 for drums; every note of the track has the same.
        is_drum: whether it plays on the percussion channel.
        kit: the percussion channel's own program (0 is the standard kit); 0 elsewhere.
    """

    name: str
    program: int
    is_drum: bool = False
    kit: int = 0


def tracks_of(notes: Array) -> tuple[Track, ...]:
    """A nameless track for each track number in `notes`.

    Raises:
        InputError: if the numbers do not go from 0 upwards.
    """
    numbers, first = np.unique(notes["track"], return_index=True)
    if numbers[-1] != len(numbers) - 1:
        raise InputError("notes skip a track number; number tracks from 0, or give tracks=…")
    return tuple(Track("", int(p), int(p) == DRUMS) for p in notes["program"][first])


def check_tracks(tracks: tuple[Track, ...], columns: Mapping[str, Array]) -> None:
    """Raise InputError if a track is none of MIDI's, or a row names a track or program amiss."""
    count = len(tracks)
    for number, track in enumerate(tracks):
        if not 0 <= track.program <= DRUMS or track.is_drum != (track.program == DRUMS):
            raise InputError(
                f"track {number} has program {track.program} and is_drum={track.is_drum}; "
                "programs are 0 to 127, and 128 for drums"
            )
        if not 0 <= track.kit <= 127:
            raise InputError(f"track {number} has kit {track.kit}; kits are 0 to 127")
    for kind in ("notes", "pedals", "controls", "pitch_bends", "lyrics"):
        track_numbers = columns[kind]["track"]
        bad = track_numbers >= count
        if kind == "lyrics":
            bad &= track_numbers != NO_TRACK
        if bad.any():
            raise InputError(
                f"{kind} name track {int(track_numbers[bad][0])}; the score has {count}, "
                "counted from 0"
            )
    notes = columns["notes"]
    if len(notes):
        programs = np.array([track.program for track in tracks], np.uint8)
        wrong = programs[notes["track"]] != notes["program"]
        if wrong.any():
            note = notes[wrong][0]
            raise InputError(
                f"a note of track {note['track']} has program {note['program']}, the track "
                f"{programs[note['track']]}; give each program a track of its own"
            )
