"""Music as data: scores, MIDI files, grids, vocabularies and encodings.

from tokenizer import Tokenizer, read, write

score = read("song.mid")
tokens = Tokenizer.default().encode(score)      # int16 (T, 5): one row a note
write(Tokenizer.default().decode(tokens), "again.mid")
"""

from .errors import InputError, MidiError
from .grid import Grid
from .labels import Labels
from .midi import read, read_all, read_reporting, to_bytes, write
from .musenet_tokens import MuseNetTokenizer
from .score import Score, Track
from .structure import StructureState, structure
from .tokenizer import Tokenizer
from .vocabulary import Vocabulary

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
