"""Where the recipe stands in a generated file: in an event that notation programs do not print.

It is a sequencer-specific meta event: FF 7F, the manufacturer number 7D (nobody's), "MuseNet", and
JSON compressed with zlib against a dictionary of what most recipes say. Earlier versions wrote the
JSON as a text event.
"""

from __future__ import annotations

import zlib

from tokenizer import records
from tokenizer.errors import InputError
from tokenizer.midi import events
from tokenizer.midi.smf import SEQUENCER_SPECIFIC, TEXT

RECIPE = "MuseNet recipe "
"""What the text events of earlier versions begin with."""
MAKER = b"\x7dMuseNet"
"""What the sequencer-specific event begins with."""

_LONGEST = 1 << 26  # bytes of JSON; no more is unpacked
_COMMON = (
    b'{"task":"fill","edit":"","variations":[1,"tracks":[],"added":[],"keep_rhythm":false,'
    b'"keep_pitches":false,"distance":null,"bars":[[,"begin":null,"stop":null,"instruments":[0,128,'
    b'{"program":"0.1.0","weights":","model":"mini","fresh":false,"fresh":true,"digest":"","name":"'
    b'","origin":0,"boundary":,"tracks":,"end":,"options":{"composer":null,"styles":[],"chords":'
    b'null,"keep_chords":true,"keep_chords":false,"instrument_balance":1.0,"style_penalty":1.0,'
    b'"polyphony":null,"density":null,"unisons":true,"scale":null,"temperature":{"wait":0.85,'
    b'"instrument":0.85,"pitch":0.85,"duration":0.85,"velocity":0.85},{"wait":1.0,"instrument":1.0,'
    b'"pitch":1.0,"duration":1.0,"velocity":1.0},"top_k":{"wait":0,"instrument":0,"pitch":0,'
    b'"duration":0,"velocity":0},"top_p":{"wait":0.98,"instrument":0.98,"pitch":0.95,"duration":'
    b'0.96,"velocity":0.96},"min_p":{"wait":0.0,"instrument":0.0,"pitch":0.0,"duration":0.0,'
    b'"velocity":0.0},"loop_penalty":1.5,"overlap":0.5,"seed":0,"engine":"int8","variations":[1],'
    b'"bars":16,"length":null,"ending":false,"begin":null,"stop":null,"hear_as":null,"instruments":'
    b'[],"new_instruments":false,"tempo":null,"meter":null,"key":null,"guidance":1.0,'
    b'"only_instruments":null},"alone":false,"heard":[0]}'
)
"""The dictionary of the compression. It may never change: files depend on it."""


def recipe_event(recipe: object) -> events.Event:
    """A recipe, a dataclass, as the event at the beginning of a file."""
    packer = zlib.compressobj(9, zdict=_COMMON)
    packed = packer.compress(records.to_json(recipe).encode()) + packer.flush()
    return events.Event(0, events.meta(SEQUENCER_SPECIFIC, MAKER + packed))


def recipe_text(event: events.Event) -> str:
    """The JSON of a recipe's event, of this version or an earlier one.

    Raises:
        InputError: if it is damaged or of a later version.
    """
    if event.meta == TEXT:
        return events.words(event).removeprefix(RECIPE)
    unpacker = zlib.decompressobj(zdict=_COMMON)
    try:
        data = unpacker.decompress(events.body(event).removeprefix(MAKER), _LONGEST)
        if not unpacker.eof:
            raise ValueError("cut off")
        return data.decode()
    except (ValueError, zlib.error) as error:
        raise InputError("the recipe in the file is damaged or of another version") from error


def drop_last_recipe(tracks: list[list[events.Event]]) -> None:
    """Delete the last recipe of the first track that has one."""
    for track in tracks:
        recipes = [index for index, event in enumerate(track) if is_recipe(event)]
        if recipes:
            del track[recipes[-1]]
            break


def same_music(one: bytes, other: bytes) -> bool:
    """Whether two generated files are identical except for how their recipes are written.

    A recipe of an earlier version is rewritten with today's names.
    """

    def without(data: bytes) -> tuple[int, list[list[events.Event]]]:
        file = events.parse(data)
        return file.end, [[e for e in track if not is_recipe(e)] for track in file.tracks]

    try:
        return one == other or without(one) == without(other)
    except events.UnsupportedMidi:
        return False


def is_recipe(event: events.Event) -> bool:
    """Whether an event is a recipe, of this version or an earlier one."""
    if event.meta == SEQUENCER_SPECIFIC:
        return events.body(event).startswith(MAKER)
    return event.meta == TEXT and events.words(event).startswith(RECIPE)
