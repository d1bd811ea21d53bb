"""The entry point for a tokenizer of any encoding: make, load, print tokens, round trip.

How each encoding is written to its file and read back is in `saved`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

from tokenizer.errors import InputError, unknown
from tokenizer.score.score import Score
from tokenizer.typing import Tokens

from .grid import Grid
from .learned.chordwise import ChordwiseTokenizer
from .learned.learned import LearnedTokenizer
from .learned.onsets import OnsetTokenizer
from .musenet import MuseNetTokenizer
from .musenet_vocabulary import describe
from .pretty import lines as compound_lines
from .roundtrip import RoundTrip, learned_round_trip, musenet_round_trip, round_trip
from .saved import read_json
from .tokenizer import Pedal, Tokenizer
from .vocabulary import Vocabulary

AnyTokenizer = Tokenizer | MuseNetTokenizer | LearnedTokenizer

LEARNED: dict[str, type[LearnedTokenizer]] = {
    one.encoding: one for one in (ChordwiseTokenizer, OnsetTokenizer)
}
"""The encodings whose vocabulary is learned from music."""

_KINDS: dict[str, type[AnyTokenizer]] = {
    "compound": Tokenizer,
    "musenet": MuseNetTokenizer,
    **LEARNED,
}
ENCODINGS = tuple(_KINDS)
CLOCKS = ("beat", "seconds")
PEDALS: dict[str, Pedal] = {"drop": "drop", "durations": "durations", "events": "events"}
_MUSENET_PEDALS: dict[str, Literal["drop", "durations"]] = {
    "drop": "drop",
    "durations": "durations",
}


def make(
    encoding: str = "compound",
    clock: str | None = None,
    pedal: str = "drop",
    tempo_changes: bool = False,
) -> AnyTokenizer:
    """A tokenizer without labels, by the names of its choices.

    Args:
        encoding: `compound`, `musenet`, `chordwise` or `onsets`; the last two have learned nothing.
        clock: `beat` or `seconds`; by default the encoding's own.
        pedal: `drop`, `durations`, or `events` (not `musenet`).
        tempo_changes: whether they are kept (not `musenet`).

    Raises:
        InputError: for an unknown name, or a choice that the encoding does not have.
    """
    for kind, given, known in (
        ("encoding", encoding, ENCODINGS),
        ("clock", clock or "beat", CLOCKS),
        ("use of the pedal", pedal, PEDALS),
    ):
        if given not in known:
            raise unknown(kind, given, known)
    grid = {"beat": Grid.beats, "seconds": Grid.seconds}
    if encoding != "musenet":
        vocabulary = Vocabulary.create(grid[clock or "beat"]())
        compound = Tokenizer(vocabulary, PEDALS[pedal], tempo_changes)
        return LEARNED[encoding](compound) if encoding in LEARNED else compound
    if pedal == "events" or tempo_changes:
        raise InputError(
            "MuseNet's vocabulary has no pedal and no tempo; use another encoding for those"
        )
    return MuseNetTokenizer(grid[clock or "seconds"](), pedal=_MUSENET_PEDALS[pedal])


def load(path: str | os.PathLike[str]) -> AnyTokenizer:
    """Read a tokenizer of any encoding.

    Raises:
        InputError: if the file cannot be read, is no tokenizer, or is of another version.
    """
    return from_json(read_json(path), str(path))


def from_json(data: object, source: str) -> AnyTokenizer:
    """The inverse of `to_json` for any encoding; `source` names the tokenizer in errors."""
    encoding = data.get("encoding") if isinstance(data, dict) else None
    return _KINDS.get(str(encoding), Tokenizer).from_json(data, source)


def lines(tokens: Tokens, tokenizer: AnyTokenizer) -> Iterator[str]:
    """Tokens `(T, F)` as readable text, one line per row."""
    if isinstance(tokenizer, Tokenizer):
        return compound_lines(tokens, tokenizer)
    if isinstance(tokenizer, LearnedTokenizer):
        return tokenizer.lines(tokens)
    return (describe(token, tokenizer.styles) for token in tokens[:, 0].tolist())


def try_out(tokenizer: AnyTokenizer, score: Score) -> RoundTrip:
    """Encode and decode a score, and say what changed."""
    if isinstance(tokenizer, Tokenizer):
        return round_trip(tokenizer, score)
    if isinstance(tokenizer, LearnedTokenizer):
        return learned_round_trip(tokenizer, score)
    return musenet_round_trip(tokenizer, score)
