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
    from tokenizer.encoding.grid import Grid
    from tokenizer.encoding.musenet import MuseNetTokenizer
    from tokenizer.encoding.structure import StructureState, structure
    from tokenizer.encoding.tokenizer import Tokenizer
    from tokenizer.encoding.vocabulary import Vocabulary
    from tokenizer.errors import InputError, MidiError
    from tokenizer.labels import Labels
    from tokenizer.midi.read import read, read_all, read_reporting, to_bytes, write
    from tokenizer.score.score import Score, Track

_HOMES = {
    "Grid": "encoding.grid",
    "InputError": "errors",
    "Labels": "labels",
    "MidiError": "errors",
    "MuseNetTokenizer": "encoding.musenet",
    "Score": "score.score",
    "StructureState": "encoding.structure",
    "Tokenizer": "encoding.tokenizer",
    "Track": "score.score",
    "Vocabulary": "encoding.vocabulary",
    "read": "midi.read",
    "read_all": "midi.read",
    "read_reporting": "midi.read",
    "structure": "encoding.structure",
    "to_bytes": "midi.read",
    "write": "midi.read",
}
__all__ = [
    "Grid",
    "InputError",
    "Labels",
    "MidiError",
    "MuseNetTokenizer",
    "Score",
    "StructureState",
    "Tokenizer",
    "Track",
    "Vocabulary",
    "read",
    "read_all",
    "read_reporting",
    "structure",
    "to_bytes",
    "write",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tokenizer' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
