"""Music as data: scores, MIDI files, grids, vocabularies and encodings.

from tokenizer import Tokenizer, read, write

score = read("song.mid")
tokens = Tokenizer.default().encode(score)      # int16 (T, 5): one row per note
write(Tokenizer.default().decode(tokens), "again.mid")

A name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizer.chords.chart import chart, parse_chart
    from tokenizer.chords.symbols import parse_chord
    from tokenizer.encoding.compound import row_times
    from tokenizer.encoding.grid import Grid
    from tokenizer.encoding.learned.chordwise import ChordwiseTokenizer
    from tokenizer.encoding.learned.onsets import OnsetTokenizer
    from tokenizer.encoding.load import load
    from tokenizer.encoding.musenet import MuseNetTokenizer
    from tokenizer.encoding.structure import (
        COLUMNS,
        STRUCTURE_SIZES,
        StructureState,
        length_of,
        structure,
    )
    from tokenizer.encoding.tokenizer import Tokenizer
    from tokenizer.encoding.vocabulary import FIELDS, Vocabulary
    from tokenizer.errors import InputError, MidiError
    from tokenizer.interop import (
        from_miditoolkit,
        from_mido,
        from_pretty_midi,
        from_symusic,
        to_miditoolkit,
        to_mido,
        to_pretty_midi,
        to_symusic,
    )
    from tokenizer.labels import Labels, normalise_composer, normalise_styles
    from tokenizer.midi.read import read, read_all, read_reporting, to_bytes, write
    from tokenizer.score.chords import score_chart, score_chords
    from tokenizer.score.score import Score, Track

_HOMES = {
    "COLUMNS": "encoding.structure",
    "ChordwiseTokenizer": "encoding.learned.chordwise",
    "FIELDS": "encoding.vocabulary",
    "Grid": "encoding.grid",
    "InputError": "errors",
    "Labels": "labels",
    "MidiError": "errors",
    "MuseNetTokenizer": "encoding.musenet",
    "OnsetTokenizer": "encoding.learned.onsets",
    "STRUCTURE_SIZES": "encoding.structure",
    "Score": "score.score",
    "StructureState": "encoding.structure",
    "Tokenizer": "encoding.tokenizer",
    "Track": "score.score",
    "Vocabulary": "encoding.vocabulary",
    "chart": "chords.chart",
    "from_miditoolkit": "interop",
    "from_mido": "interop",
    "from_pretty_midi": "interop",
    "from_symusic": "interop",
    "length_of": "encoding.structure",
    "load": "encoding.load",
    "normalise_composer": "labels",
    "normalise_styles": "labels",
    "parse_chart": "chords.chart",
    "parse_chord": "chords.symbols",
    "read": "midi.read",
    "read_all": "midi.read",
    "read_reporting": "midi.read",
    "row_times": "encoding.compound",
    "score_chart": "score.chords",
    "score_chords": "score.chords",
    "structure": "encoding.structure",
    "to_bytes": "midi.read",
    "to_miditoolkit": "interop",
    "to_mido": "interop",
    "to_pretty_midi": "interop",
    "to_symusic": "interop",
    "write": "midi.read",
}
__all__ = [
    "COLUMNS",
    "FIELDS",
    "STRUCTURE_SIZES",
    "ChordwiseTokenizer",
    "Grid",
    "InputError",
    "Labels",
    "MidiError",
    "MuseNetTokenizer",
    "OnsetTokenizer",
    "Score",
    "StructureState",
    "Tokenizer",
    "Track",
    "Vocabulary",
    "chart",
    "from_miditoolkit",
    "from_mido",
    "from_pretty_midi",
    "from_symusic",
    "length_of",
    "load",
    "normalise_composer",
    "normalise_styles",
    "parse_chart",
    "parse_chord",
    "read",
    "read_all",
    "read_reporting",
    "row_times",
    "score_chart",
    "score_chords",
    "structure",
    "to_bytes",
    "to_miditoolkit",
    "to_mido",
    "to_pretty_midi",
    "to_symusic",
    "write",
]
PART_OF = "musenet"
"""Whose package this is: another distribution has one of the same name."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tokenizer' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
