"""The file that music is written to: MIDI, or MusicXML by its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizer.chords.chord import CHORDS
from tokenizer.files import write_bytes
from tokenizer.midi.read import read
from tokenizer.notation.library import MUSICXML_SUFFIXES, music21
from tokenizer.notation.write import write_musicxml
from tokenizer.score.chords import file_chords
from tokenizer.score.score import Score

MIDI_SUFFIXES = (".mid", ".midi")
MUSIC_SUFFIXES = (*MIDI_SUFFIXES, *MUSICXML_SUFFIXES)


def is_musicxml(path: Path) -> bool:
    """Whether a file's name says MusicXML."""
    return path.suffix.lower() in MUSICXML_SUFFIXES


def check_library(path: Path) -> None:
    """Check before generating that a file of this name can be made.

    Raises:
        InputError: if it is MusicXML and music21 is not installed.
    """
    if is_musicxml(path):
        music21("stream")


def save_music(
    data: bytes, path: Path, *, title: str, chords: Sequence[tuple[int, str]] = ()
) -> None:
    """Write music as MIDI, or as MusicXML by the suffix, whole or not at all.

    Args:
        data: a MIDI file.
        path: the file to write.
        title: of the music, on a score.
        chords: chord symbols at ticks, on a score; by default those that the file's texts name.

    Raises:
        InputError: if the file cannot be written, or music21 is not installed.
    """
    if not is_musicxml(path):
        write_bytes(path, data)
        return
    score = read(data)
    write_musicxml(score, path, title=title, chords=chords or named_chords(score))


def named_chords(score: Score) -> list[tuple[int, str]]:
    """The ticks and symbols of the chords that the texts of a score name."""
    found = file_chords(score)
    if found is None:
        return []
    return [(int(tick), CHORDS[number].symbol) for tick, number in zip(*found, strict=True)]
