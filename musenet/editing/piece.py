"""A user's file that is to be changed: its bytes, events, notes and music."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from musenet.export.file_notes import FileNotes, file_notes
from musenet.export.hearing import Hearing, as_heard, hear
from musenet.export.parts import places_of
from musenet.generation.prompt import names_of, plain_file, read_file
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import Source, read, to_bytes
from tokenizer.score.bars import Bars
from tokenizer.score.score import Score


@dataclass(frozen=True)
class Piece:
    """A user's file.

    Attributes:
        name: without suffix, for titles and file names.
        display_name: its name in error messages.
        data: its bytes, or those of its music where these have to be interpreted.
        digest: the first 12 hexadecimal digits of the SHA-256 of the file.
        hearing: its parts, and the instrument that the model hears each as; without any, each
            is heard as the file states.
    """

    name: str
    display_name: str
    data: bytes
    digest: str
    hearing: Hearing = field(default_factory=Hearing)

    def as_heard(self, given: Mapping[str, int], programs: Sequence[int] | None = None) -> Piece:
        """The piece as the model hears it; its file stays as it is.

        Args:
            given: programs by the names of tracks.
            programs: the program of each part, where it was decided before.

        Raises:
            InputError: if a track that is named is not there.
        """
        hearing = hear(self.file, read(self.data), places_of(self.file), given, programs)
        return replace(self, hearing=hearing)

    @cached_property
    def file(self) -> events.File:
        """Its events."""
        return events.parse(self.data)

    @cached_property
    def score(self) -> Score:
        """Its music, in its ticks, each part as it is heard."""
        return self.heard(self.file, read(self.data))

    def heard(self, file: events.File, score: Score) -> Score:
        """The music of its file, or of one that was made from it, with each part as it is heard."""
        return as_heard(score, places_of(file), self.hearing.changed)

    @cached_property
    def notes(self) -> FileNotes:
        """Its notes as events."""
        return file_notes(self.file, self.hearing.spots)

    @cached_property
    def bars(self) -> Bars:
        """Its bar lines."""
        return Bars(self.score.time_signatures, self.score.ticks_per_quarter)

    @property
    def end(self) -> int:
        """The tick at which its music or the file ends, whichever is later."""
        return max(self.score.end, self.file.end)


def read_piece(music: Source | Score) -> Piece:
    """Read a MIDI file that is to be changed: its path, its bytes, or its music as a score.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
        InputError: if it cannot be read, or has no notes.
        TypeError: for anything else in place of music.
    """
    if isinstance(music, Score):
        data, score, name, display_name = to_bytes(music), music, "score", "the score"
    else:
        (data, score), (display_name, name) = read_file(music), names_of(music)
    if not len(score.notes):
        raise InputError(f"{display_name} has no notes; give a song with music around the hole")
    return _piece(data, score, name, display_name)


def piece_of(data: bytes, name: str, display_name: str) -> Piece:
    """A MIDI file that is to be changed.

    Args:
        data: the file.
        name: without suffix, for titles.
        display_name: its name in error messages.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
    """
    return _piece(data, read(data), name, display_name)


def _piece(data: bytes, score: Score, name: str, display_name: str) -> Piece:
    digest = hashlib.sha256(data).hexdigest()[:12]
    try:
        plain = events.parse(data).division == score.ticks_per_quarter
    except events.UnsupportedMidi:
        plain = False
    return Piece(
        name, display_name, data if plain else events.dump(plain_file(data, score)), digest
    )
