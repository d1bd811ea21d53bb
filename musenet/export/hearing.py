"""The instrument that the model hears each part of a prompt as, and what says so.

`tokenizer.players` decides it from names, programs and notes; this module knows where these are in
a file, and what a user has said with `--as`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.errors import unknown
from tokenizer.instruments import DRUMS, name
from tokenizer.midi.events import File
from tokenizer.players import Heard, PlayerTrack, heard_as
from tokenizer.score.score import Score, Track
from tokenizer.typing import Ints

from .parts import Part, name_of, parts_of

_PIANO = 0
_WHY = {"name": "by its name", "music": "by its notes"}
Places = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Hearing:
    """The parts of a prompt as they are heard.

    Attributes:
        parts: the parts of its file, with the programs that they are heard as.
        names: the name of each: its track's, or the track's number among the parts.
        heard: what says so, for each.
    """

    parts: tuple[Part, ...] = ()
    names: tuple[str, ...] = ()
    heard: tuple[Heard, ...] = ()

    @property
    def changed(self) -> tuple[Part, ...]:
        """The parts that are heard as another instrument than their tracks state."""
        return tuple(part for part in self.parts if part.program != (part.stated or 0))

    @property
    def spots(self) -> dict[tuple[int, int], int]:
        """The programs of `changed`, by track and channel."""
        return {(part.track, c): part.program for part in self.changed for c in part.channels}

    @property
    def labels(self) -> tuple[str, ...]:
        """What to call each part: its track's name, or "track 2"."""
        return tuple(f"track {name}" if name.isdecimal() else name for name in self.names)

    def meant(self, programs: Iterable[int]) -> set[int]:
        """Programs as parts are heard: the siblings too, where several tracks state one of them."""
        wanted = set(programs)
        same = (
            part.program
            for part, each in zip(self.parts, self.heard, strict=True)
            if part.stated in wanted and each.source == "program"
        )
        return wanted | set(same)

    def __str__(self) -> str:
        """What was guessed, for the user: "Keys as Electric Piano 1 (by its name), …"."""
        if not any(each.guessed for each in self.heard):
            return ""
        said = []
        for label, each in zip(self.labels, self.heard, strict=True):
            why = f" ({_WHY[each.source]})" if each.guessed else ""
            said.append(f"{label} as {name(each.program)}{why}")
        other = "piano" if self.heard[0].program != _PIANO else "organ"
        return f"Heard: {', '.join(said)}. To change it: --as '{self.names[0]}={other}'"


def hear(
    file: File,
    score: Score,
    places: Places,
    given: Mapping[str, int],
    programs: Sequence[int] | None = None,
    *,
    first: int = 1,
) -> Hearing:
    """What the parts of a file are heard as.

    Args:
        file: the file.
        score: its music.
        places: of each track of the score, the track and channel in the file.
        given: programs by the names of tracks, or their numbers.
        programs: the program of each part, where it was decided before.
        first: the number of the file's first track, as users count.

    Raises:
        InputError: if a track that is named is not there, with the nearest one.
    """
    parts = parts_of(file)
    numbers = [part.track + first for part in parts]
    if len(file.tracks) == 1:  # then its players count
        numbers = [*range(1, len(parts) + 1)]
    names = [
        name_of(file.tracks[part.track]) or str(number)
        for number, part in zip(numbers, parts, strict=True)
    ]
    if programs is not None and len(programs) == len(parts):
        heard = [Heard(program, "given") for program in programs]
    else:
        owner = _owners(places, parts)[score.notes["track"]]
        drums = {number for number, track in enumerate(score.tracks) if track.is_drum}
        players = []
        for number, part in enumerate(parts):
            notes = score.notes[owner == number]
            is_drum = bool(drums & set(np.unique(notes["track"]).tolist()))
            said = name_of(file.tracks[part.track])
            players.append(PlayerTrack(said, DRUMS if is_drum else part.stated, notes))
        heard = heard_as(players, score.ticks_per_quarter, _given(names, numbers, given))
    found = (replace(part, program=each.program) for part, each in zip(parts, heard, strict=True))
    return Hearing(tuple(found), tuple(names), tuple(heard))


def _given(
    names: Sequence[str], numbers: Sequence[int], given: Mapping[str, int]
) -> list[int | None]:
    """The program that the user names for each part, by its name or its number."""
    known = [label.casefold() for label in names]
    found: list[int | None] = [None] * len(names)
    for track, program in given.items():
        wanted = track.strip().casefold()
        chosen = [index for index, label in enumerate(known) if label == wanted]
        if not chosen and wanted.isdecimal():
            chosen = [index for index, number in enumerate(numbers) if number == int(wanted)]
        if not chosen:
            raise unknown("track", track, names)
        for index in chosen:
            found[index] = program
    return found


def as_heard(score: Score, places: Places, parts: Sequence[Part]) -> Score:
    """A score whose notes have the programs that their parts are heard as.

    Args:
        score: the music of a file.
        places: of each of its tracks, the track and channel in the file.
        parts: those of the file, or some of them; other notes keep their programs.
    """
    if not parts or not len(score.notes):
        return score
    owner = _owners(places, parts)
    programs = np.array([part.program for part in parts])
    notes = score.notes.copy()
    mine = owner[notes["track"]]
    notes["program"] = np.where(mine < 0, notes["program"], programs[mine])
    tracks = tuple(
        track if index < 0 else _heard_track(track, int(programs[index]))
        for track, index in zip(score.tracks, owner.tolist(), strict=True)
    )
    return replace(score, notes=notes, tracks=tracks)


def _heard_track(track: Track, program: int) -> Track:
    drums = program == DRUMS
    return Track(track.name, program, drums, track.kit if drums else 0)


def _owners(places: Places, parts: Sequence[Part]) -> Ints:
    """For each track of a score the index of its part, −1 without one."""
    index = {
        (part.track, channel): number
        for number, part in enumerate(parts)
        for channel in part.channels
    }
    return np.array([index.get(place, -1) for place in places], dtype=np.int64)
