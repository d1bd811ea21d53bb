"""The entry point for a tokenizer of either encoding: make, load, print tokens, round trip.

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
from .musenet import MuseNetTokenizer
from .musenet_vocabulary import describe
from .pretty import lines as compound_lines
from .roundtrip import RoundTrip, musenet_round_trip, round_trip
from .saved import read_json
from .tokenizer import Pedal, Tokenizer
from .vocabulary import Vocabulary

AnyTokenizer = Tokenizer | MuseNetTokenizer

ENCODINGS = ("compound", "musenet")
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
        encoding: `compound` or `musenet`.
        clock: `beat` or `seconds`; by default the encoding's own.
        pedal: `drop`, `durations`, or `events` (`compound` only).
        tempo_changes: whether they are kept (`compound` only).

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
    if encoding == "compound":
        vocabulary = Vocabulary.create(grid[clock or "beat"]())
        return Tokenizer(vocabulary, PEDALS[pedal], tempo_changes)
    if pedal == "events" or tempo_changes:
        raise InputError("MuseNet's vocabulary has no pedal and no tempo; use compound for those")
    return MuseNetTokenizer(grid[clock or "seconds"](), pedal=_MUSENET_PEDALS[pedal])


def load(path: str | os.PathLike[str]) -> AnyTokenizer:
    """Read a tokenizer of either encoding.

    Raises:
        InputError: if the file cannot be read, is no tokenizer, or is of another version.
    """
    return from_json(read_json(path), str(path))


def from_json(data: object, source: str) -> AnyTokenizer:
    """The inverse of `to_json` for either encoding; `source` names the tokenizer in errors."""
    if isinstance(data, dict) and data.get("encoding") == "musenet":
        return MuseNetTokenizer.from_json(data, source)
    return Tokenizer.from_json(data, source)


def sizes(tokenizer: AnyTokenizer) -> tuple[int, ...]:
    """How many values each field has."""
    return tokenizer.vocabulary.sizes if isinstance(tokenizer, Tokenizer) else tokenizer.sizes


def lines(tokens: Tokens, tokenizer: AnyTokenizer) -> Iterator[str]:
    """Tokens `(T, F)` as readable text, one line per row."""
    if isinstance(tokenizer, Tokenizer):
        return compound_lines(tokens, tokenizer)
    return (describe(token, tokenizer.styles) for token in tokens[:, 0].tolist())


def try_out(tokenizer: AnyTokenizer, score: Score) -> RoundTrip:
    """Encode and decode a score, and say what changed."""
    if isinstance(tokenizer, Tokenizer):
        return round_trip(tokenizer, score)
    return musenet_round_trip(tokenizer, score)
