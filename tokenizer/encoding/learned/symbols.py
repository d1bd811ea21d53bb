"""The symbols of one-field encodings: what each id says before anything longer is learned.

    0 … K−1      field 0 of the compound encoding: padding, waits, rests, controls
    K …          instruments (129), pitches (128), signs of the encoding, loudness, durations,
                 then a beginning (and an ending, where there are any) of each known key, then what
                 was learned, then the controls that came later: old ids never change

A key is an instrument with a pitch, program × 128 + pitch. Keys that the corpus has are one id; any
other is spelled as its instrument and its pitch. So every score has an encoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tokenizer.encoding.pretty import control_words
from tokenizer.encoding.vocabulary import VELOCITIES, VELOCITY_BINS, WAIT, Vocabulary
from tokenizer.errors import InputError
from tokenizer.instruments import name
from tokenizer.theory import pitch_name
from tokenizer.typing import Ints, Mask, Tokens

PROGRAMS, PITCHES = 129, 128
KEYS = PROGRAMS * PITCHES

MOST_IDS = 2**15
"""Ids fit into an int16."""

(
    CONTROL, TIME, INSTRUMENT, PITCH, SIGN, LOUDNESS, DURATION, BEGIN, END, LEARNED
) = range(10)  # fmt: skip
"""Kinds of symbols; an instrument and a pitch together say what BEGIN or END says of one key."""

_USUAL_BIN = 20  # of velocity 82: where loudness is dropped


@dataclass(frozen=True)
class Symbols:
    """A one-field vocabulary.

    Attributes:
        vocabulary: of the compound encoding, whose field 0 comes first.
        first: K, the values of field 0 when the vocabulary was learned.
        keys: the known keys, ascending.
        volumes: classes of loudness: 1 (dropped) to 32 (all that the compound encoding has).
        durations: whether durations have symbols.
        ends: whether there are endings.
        signs: names of the encoding's own signs; where there are endings, the first is "on".
        learned: how many ids were learned.
    """

    vocabulary: Vocabulary
    first: int
    keys: tuple[int, ...]
    volumes: int
    durations: bool
    ends: bool
    signs: tuple[str, ...]
    learned: int

    def __post_init__(self) -> None:
        if self.volumes < 1 or VELOCITY_BINS % self.volumes:
            raise InputError(
                f"there are 1, 2, 4, 8, 16 or 32 classes of volume, not {self.volumes}"
            )
        if self.size > MOST_IDS:
            raise InputError(
                f"the vocabulary has {self.size:,} ids, and {MOST_IDS:,} are the most; learn fewer "
                "chords or merges"
            )
        if list(self.keys) != sorted({*self.keys}) or not all(0 <= key < KEYS for key in self.keys):
            raise InputError("the keys of a tokenizer must be instruments with pitches, ascending")
        if not self.vocabulary.first_control < self.first <= self.vocabulary.sizes[WAIT]:
            raise InputError(f"a vocabulary of this clock cannot have begun with {self.first} ids")

    @property
    def instrument(self) -> int:
        """The id of program 0."""
        return self.first

    @property
    def pitch(self) -> int:
        """The id of pitch 0."""
        return self.instrument + PROGRAMS

    @property
    def sign(self) -> int:
        """The id of the first sign."""
        return self.pitch + PITCHES

    @property
    def loudness(self) -> int:
        """The id of the softest class."""
        return self.sign + len(self.signs)

    @property
    def duration(self) -> int:
        """The id of duration class 0."""
        return self.loudness + (self.volumes if self.volumes > 1 else 0)

    @property
    def begin(self) -> int:
        """The id of the beginning of the first known key."""
        classes = len(self.vocabulary.grid.durations) if self.durations else 0
        return self.duration + classes

    @property
    def end(self) -> int:
        """The id of the ending of the first known key."""
        return self.begin + len(self.keys)

    @property
    def base(self) -> int:
        """How many symbols there are: the first learned id."""
        return self.end + (len(self.keys) if self.ends else 0)

    @property
    def later(self) -> int:
        """The id of the first control that came after the vocabulary was learned."""
        return self.base + self.learned

    @property
    def size(self) -> int:
        """How many ids there are."""
        return self.later + self.vocabulary.sizes[WAIT] - self.first

    @cached_property
    def kinds(self) -> Ints:
        """The kind of every id, `(size,)`."""
        kinds = np.empty(self.size, dtype=np.int64)
        bounds = (
            (0, CONTROL), (1, TIME), (self.vocabulary.first_control, CONTROL),
            (self.instrument, INSTRUMENT), (self.pitch, PITCH), (self.sign, SIGN),
            (self.loudness, LOUDNESS), (self.duration, DURATION), (self.begin, BEGIN),
            (self.end, END), (self.base, LEARNED), (self.later, CONTROL),
        )  # fmt: skip
        for start, kind in bounds:
            kinds[start:] = kind
        return kinds

    @cached_property
    def begins_note(self) -> Mask:
        """Which symbols begin a note, `(size,)`.

        That of a known key does. Of any other it is the pitch, or where keys may end too, the first
        sign behind the pitch.
        """
        last = np.arange(self.size) == self.sign if self.ends else self.kinds == PITCH
        return last | (self.kinds == BEGIN)

    @cached_property
    def values(self) -> Ints:
        """Field 0's value of every id, `(size,)`; 0 for those that are none of field 0."""
        values = np.zeros(self.size, dtype=np.int64)
        values[: self.first] = np.arange(self.first)
        values[self.later :] = np.arange(self.first, self.vocabulary.sizes[WAIT])
        return values

    @cached_property
    def steps(self) -> Ints:
        """How much time every id lets pass, `(size,)`."""
        return self.vocabulary.steps[self.values]

    @cached_property
    def ids_of_values(self) -> Ints:
        """The id of every value of field 0."""
        value = np.arange(self.vocabulary.sizes[WAIT])
        return np.where(value < self.first, value, value - self.first + self.later)

    @cached_property
    def place_of_key(self) -> Ints:
        """The place of every key among the known ones, `(KEYS,)`, or −1."""
        places = np.full(KEYS, -1)
        places[list(self.keys)] = np.arange(len(self.keys))
        return places

    def volume_of_bin(self, bins: Ints) -> Ints:
        """The class of loudness of velocity bins 0–31."""
        return bins * self.volumes // VELOCITY_BINS

    @cached_property
    def velocities(self) -> Ints:
        """The velocity that each class stands for."""
        if self.volumes == 1:
            middle = np.array([_USUAL_BIN])
        else:
            middle = (2 * np.arange(self.volumes) + 1) * VELOCITY_BINS // (2 * self.volumes)
        return VELOCITIES[middle + 1].astype(np.int64)

    def waits(self, steps: int) -> list[int]:
        """The ids that let time pass: rests, the longest first, then a wait."""
        grid = self.vocabulary.grid.wait_count
        ids = []
        while steps >= grid:
            value = min(
                self.vocabulary.first_control - 1, self.vocabulary.first_rest - 1 + steps // grid
            )
            ids.append(value)
            steps -= int(self.vocabulary.steps[value])
        return [*ids, steps + 1] if steps else ids

    def fields(self) -> dict[str, object]:
        """What is not told by the rest of a tokenizer, in types that JSON has."""
        keys = [f"{key // PITCHES}:{key % PITCHES}" for key in self.keys]
        return {"values": self.first, "volumes": self.volumes, "keys": keys}

    def described(self, token: int) -> str:
        """What a symbol says, in words."""
        kind, grid = self.kinds[token], self.vocabulary.grid
        if token == 0:
            return "padding"
        if kind == TIME:
            return f"wait {int(self.steps[token])}"
        if kind == CONTROL:
            return control_words(self.vocabulary.name(int(self.values[token])))
        if kind == INSTRUMENT:
            return name(token - self.instrument)
        if kind == PITCH:
            return pitch_name(token - self.pitch)
        if kind == SIGN:
            return self.signs[token - self.sign]
        if kind == LOUDNESS:
            return f"velocity {int(self.velocities[token - self.loudness])}"
        if kind == DURATION:
            return f"for {int(grid.durations[token - self.duration])}"
        place = token - (self.begin if kind == BEGIN else self.end)
        return key_words(self.keys[place]) + (" on" if kind == BEGIN else " off")


def key_words(key: int) -> str:
    """A key in words: "Violin C4"."""
    return f"{name(key // PITCHES)} {pitch_name(key % PITCHES)}"


def keys_in(bodies: Iterable[Tokens]) -> Ints:
    """How often each key begins in compound rows `(T, 5)`, `(KEYS,)`."""
    counts = np.zeros(KEYS, dtype=np.int64)
    for rows in bodies:
        notes = rows[rows[:, 1] > 0].astype(np.int64)
        counts += np.bincount((notes[:, 1] - 1) * PITCHES + notes[:, 2] - 1, minlength=KEYS)
    return counts


def parsed_keys(names: Sequence[str]) -> tuple[int, ...]:
    """The inverse of how `Symbols.fields` writes keys; raises ValueError."""
    pairs = [text.split(":") for text in names]
    return tuple(int(program) * PITCHES + int(pitch) for program, pitch in pairs)
