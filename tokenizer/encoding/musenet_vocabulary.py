"""MuseNet's served vocabulary: what each of its 4,836 ids means.

    0 … 3967      a sound: family × 128 + MIDI pitch, with 31 families:
                    0                  piano off
                    1 … 13             piano on, velocity 24, 32, … 120
                    14/15 … 28/29      violin, cello, bass, guitar, flute, clarinet, trumpet, harp,
                                       each on (at velocity 80) and off
                    30                 drums (on only)
    3968 … 4095   a wait of 1 … 128 units
    4096          start of a piece
    4097          end of a piece
    4098          end of a sample
    4099 … 4225   a set of instruments: 4098 + mask
    4226 … 4835   styles: composers, genres, bands; which is which is the tokenizer's to say

A unit of waiting is 10 ms, as MuseNet served it; on the `beat` clock it is a step of the grid.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.typing import Integers, Ints

Ids = Ints

SOUNDS = 3968
FIRST_WAIT = SOUNDS
LONGEST_WAIT = 128
START, END, END_OF_SAMPLE = 4096, 4097, 4098
FIRST_STYLE = 4226
SIZE = 4836
MOST_STYLES = SIZE - FIRST_STYLE

INSTRUMENTS = (
    "piano", "violin", "cello", "bass", "guitar", "flute", "clarinet", "trumpet", "harp", "drums"
)  # fmt: skip
"""MuseNet's ten instruments, in the order of their families."""

PIANO, DRUM_KIT = 0, 9

PROGRAMS = np.array([0, 40, 42, 32, 24, 73, 71, 56, 46, DRUMS], dtype=np.uint8)
"""General MIDI program of each instrument, 128 for drums."""

GROUPS = ("drums", "winds", "harp", "guitar", "bass", "strings", "piano")
"""What an instrument set can name; group i has the bit 1 << i."""

_GROUP_OF = {"violin": "strings", "cello": "strings"} | dict.fromkeys(INSTRUMENTS[5:8], "winds")
MASKS = np.array([1 << GROUPS.index(_GROUP_OF.get(name, name)) for name in INSTRUMENTS])
"""Bit in an instrument set of each instrument."""

_IMPORTED = {
    "violin": (40, 41, 44, 45, 48, 49, 50, 51),
    "cello": (42, 43),
    "bass": range(32, 40),
    "guitar": range(24, 32),
    "flute": range(72, 80),
    "clarinet": range(64, 72),
    "trumpet": range(56, 64),
    "harp": (46,),
    "drums": (DRUMS,),
}

INSTRUMENT_OF_PROGRAM = np.zeros(129, dtype=np.uint8)
"""MuseNet's instrument for every program 0–128; what has none of its own is played by the piano."""
for _name, _programs in _IMPORTED.items():
    INSTRUMENT_OF_PROGRAM[list(_programs)] = INSTRUMENTS.index(_name)

# Of each family: whose it is, whether it begins a sound, and how loud.
FAMILY_INSTRUMENT = np.array([0] * 14 + [1 + i // 2 for i in range(16)] + [9], dtype=np.uint8)
FAMILY_VELOCITY = np.array(
    [0, *range(24, 121, 8), *([80, 0] * 8), 80], dtype=np.uint8
)  # 0 ends a sound

ON_FAMILY = np.array([1, 14, 16, 18, 20, 22, 24, 26, 28, 30])
"""First family of each instrument that begins a sound; the piano's is its softest."""

OFF_FAMILY = np.array([0, 15, 17, 19, 21, 23, 25, 27, 29, -1])
"""Family that ends a sound of each instrument; drums have none."""


def on_family(instrument: Integers, velocity: Integers) -> Ids:
    """The family of a beginning sound; the piano's velocity is rounded to the nearest of 13."""
    loudness = np.clip((velocity.astype(np.int64) - 20) // 8, 0, 12)
    return ON_FAMILY[instrument] + np.where(instrument == PIANO, loudness, 0)


def instrument_set(programs: Iterable[int]) -> int | None:
    """The id of the set that holds these programs (0–127, drums 128); None for none."""
    mask = 0
    for program in programs:
        mask |= int(MASKS[INSTRUMENT_OF_PROGRAM[program]])
    return END_OF_SAMPLE + mask if mask else None


def programs_of_set(token: int) -> tuple[int, ...]:
    """The General MIDI programs of every instrument in a set's id, 4099 … 4225."""
    mask = token - END_OF_SAMPLE
    return tuple(int(p) for p, bit in zip(PROGRAMS, MASKS, strict=True) if mask & bit)


def describe(token: int, styles: tuple[str, ...] = ()) -> str:
    """What an id says, in words: `describe(1084)` is "piano 60 on, velocity 80".

    Args:
        token: an id.
        styles: names of the style range, from its first id on.
    """
    if 0 <= token < SOUNDS:
        family, pitch = divmod(token, 128)
        name, velocity = INSTRUMENTS[FAMILY_INSTRUMENT[family]], FAMILY_VELOCITY[family]
        return f"{name} {pitch} on, velocity {velocity}" if velocity else f"{name} {pitch} off"
    if SOUNDS <= token < START:
        return f"wait {token - FIRST_WAIT + 1}"
    if START <= token <= END_OF_SAMPLE:
        return ("start", "end", "end of sample")[token - START]
    if END_OF_SAMPLE < token < FIRST_STYLE:
        mask = token - END_OF_SAMPLE
        return "instruments " + ", ".join(g for i, g in enumerate(GROUPS) if mask >> i & 1)
    if FIRST_STYLE <= token < SIZE:
        place = token - FIRST_STYLE
        return f"style {styles[place]}" if place < len(styles) else f"style {place}, unnamed"
    return f"no token of this vocabulary ({token})"
