"""Music as data: scores, MIDI files, grids, vocabularies and encodings.

from tokenizer import Tokenizer, read, write

score = read("song.mid")
tokens = Tokenizer.default().encode(score)      # int16 (T, 5): one row per note
write(Tokenizer.default().decode(tokens), "again.mid")
"""

from tokenizer.encoding.grid import Grid
from tokenizer.encoding.musenet import MuseNetTokenizer
from tokenizer.encoding.structure import StructureState, structure
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.midi.read import read, read_all, read_reporting, to_bytes, write
from tokenizer.score.score import Score, Track

from .errors import InputError, MidiError
from .labels import Labels

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
