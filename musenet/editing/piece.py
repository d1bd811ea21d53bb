"""A user's file that is to be changed: its bytes, events, notes and music."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from musenet.export.replace_notes import FileNotes, file_notes
from musenet.generation.prompt import plain_file, read_file
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.read import read, to_bytes
from tokenizer.score.bars import Bars
from tokenizer.score.score import Score


@dataclass(frozen=True)
class Piece:
    """A user's file.

    Attributes:
        name: without suffix, for titles and file names.
        said: its name in error messages.
        data: its bytes, or those of its music where these have to be interpreted.
        digest: the first 12 hexadecimal digits of the SHA-256 of the file.
    """

    name: str
    said: str
    data: bytes
    digest: str

    @cached_property
    def file(self) -> events.File:
        """Its events."""
        return events.parse(self.data)

    @cached_property
    def score(self) -> Score:
        """Its music, in its ticks."""
        return read(self.data)

    @cached_property
    def notes(self) -> FileNotes:
        """Its notes as events."""
        return file_notes(self.file)

    @cached_property
    def bars(self) -> Bars:
        """Its bar lines."""
        return Bars(self.score.time_signatures, self.score.ticks_per_quarter)

    @property
    def end(self) -> int:
        """The tick at which its music or the file ends, whichever is later."""
        return max(self.score.end, self.file.end)


def read_piece(path: str | os.PathLike[str] | Score) -> Piece:
    """Read a MIDI file that is to be changed.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
        InputError: if it cannot be read, or has no notes.
    """
    if isinstance(path, Score):
        data, score, name, said = to_bytes(path), path, "score", "the score"
    else:
        (data, score), name, said = read_file(path), Path(path).stem, str(path)
    if not len(score.notes):
        raise InputError(f"{said} has no notes; give a song with music around the hole")
    return _piece(data, score, name, said)


def piece_of(data: bytes, name: str, said: str) -> Piece:
    """A MIDI file that is to be changed.

    Args:
        data: the file.
        name: without suffix, for titles.
        said: its name in error messages.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
    """
    return _piece(data, read(data), name, said)


def _piece(data: bytes, score: Score, name: str, said: str) -> Piece:
    digest = hashlib.sha256(data).hexdigest()[:12]
    try:
        plain = events.parse(data).division == score.ticks_per_quarter
    except events.UnsupportedMidi:
        plain = False
    return Piece(name, said, data if plain else events.dump(plain_file(data, score)), digest)
