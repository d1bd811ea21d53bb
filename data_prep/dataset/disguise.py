"""Disguise: the same music for other instruments, with other loudness and another kit's keys.

A network that has met clean scores alone does not follow a user's loop, whose sounds and loudness
are others. So some training windows are disguised: each instrument may become another, of its
family or not; each plays louder, softer, flatter or with more contrast; drums strike other keys of
the same role. Which note sounds when, and how high, stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tokenizer.encoding.vocabulary import (
    INSTRUMENT,
    PITCH,
    VELOCITY,
    VELOCITY_BINS,
    WAIT,
    Vocabulary,
)
from tokenizer.instruments import DRUMS, FAMILIES, range_of
from tokenizer.labels import Labels
from tokenizer.typing import Integers, Tokens

DRUM_ROLES = (
    (35, 36),
    (38, 40),
    (37, 39),
    (42, 44),
    (41, 43, 45, 47, 48, 50),
    (49, 57, 52, 55),
    (51, 59, 53),
    (60, 61, 62, 63, 64),
    (54, 56, 69, 70, 75, 76, 77),
)
"""Keys of General MIDI's kit that stand for each other: kicks, snares, rims and claps, closed
hi-hats, toms, crashes, rides, hand drums, small percussion. An open hi-hat is like no other."""

_ATTEMPTS = 8
_DRUM_VALUE = DRUMS + 1


@dataclass(frozen=True)
class Disguise:
    """How often windows are disguised, and how far.

    Attributes:
        rate: share of windows.
        instruments: chance with which each instrument becomes another.
        family: chance with which that is one of its family.
        kit: chance with which the keys of a drum role are exchanged.
        contrast: most by which an instrument's loudness is spread: 0 … so many times.
        offset: most that is added to or taken from an instrument's velocities, of 127.
    """

    rate: float = 0.0
    instruments: float = 0.7
    family: float = 0.7
    kit: float = 0.5
    contrast: float = 1.5
    offset: float = 24.0


@dataclass(frozen=True)
class Tables:
    """What each value becomes.

    Attributes:
        instrument: `(130,)` values of the instrument field.
        velocity: `(130, 33)` values of the velocity field, by the instrument before.
        drum: `(129,)` values of a drum's pitch field.
    """

    instrument: Tokens
    velocity: Tokens
    drum: Tokens


def draw_disguise(disguise: Disguise, tokens: Tokens, random: np.random.Generator) -> Tables:
    """Draw what a disguise makes of rows `(T, 5)`; no two instruments become the same."""
    instrument = np.arange(_DRUM_VALUE + 1, dtype=np.int16)
    velocity = np.tile(np.arange(VELOCITY_BINS + 1, dtype=np.int16), (len(instrument), 1))
    values, counts = np.unique(tokens[:, INSTRUMENT], return_counts=True)
    present = [int(value) for value in values[np.argsort(-counts)] if value > 0]
    taken = set(present)
    for value in present:
        own = tokens[tokens[:, INSTRUMENT] == value]
        velocity[value] = _velocities(disguise, own[:, VELOCITY], random)
        if value != _DRUM_VALUE and random.random() < disguise.instruments:
            new = _other(value - 1, own[:, PITCH] - 1, taken, disguise.family, random)
            instrument[value] = new + 1
            taken.add(new + 1)
    return Tables(instrument, velocity, _kit(disguise.kit, random))


def _velocities(disguise: Disguise, played: Integers, random: np.random.Generator) -> Tokens:
    """A table of velocity values: more or less contrast around their mean, and an offset."""
    contrast, offset = disguise.contrast * random.random(), random.uniform(-1, 1)
    velocity = np.arange(-1, VELOCITY_BINS) * 4.0 + 2
    mean = float(played.mean()) * 4 - 2
    changed = mean + (velocity - mean) * contrast + offset * disguise.offset
    table = (np.rint(changed).clip(1, 127).astype(np.int16) // 4 + 1).astype(np.int16)
    table[0] = 0  # no note stays none
    return table


def _other(
    program: int, pitches: Integers, taken: set[int], family: float, random: np.random.Generator
) -> int:
    """Another program that can play these pitches and that nobody plays, or the same one."""
    same = next(programs for programs in FAMILIES.values() if program in programs)
    near = random.random() < family
    low, high = int(pitches.min()), int(pitches.max())
    for _ in range(_ATTEMPTS):
        new = int(random.integers(same.start, same.stop) if near else random.integers(DRUMS))
        bottom, top = range_of(new)
        if new + 1 not in taken and bottom <= low and high <= top:
            return new
    return program


def _kit(rate: float, random: np.random.Generator) -> Tokens:
    """A table of drum pitches in which the keys of some roles are exchanged."""
    table = np.arange(129, dtype=np.int16)
    for role in DRUM_ROLES:
        if random.random() < rate:
            table[np.array(role) + 1] = np.array(role)[random.permutation(len(role))] + 1
    return table


def disguised_labels(labels: Labels, tables: Tables) -> Labels:
    """The labels of disguised music: its instruments are the new ones."""
    programs = tuple(int(tables.instrument[p + 1]) - 1 for p in labels.instruments)
    return replace(labels, instruments=programs)


def apply_disguise(tokens: Tokens, tables: Tables, vocabulary: Vocabulary) -> None:
    """Disguise rows `(T, 5)` in place; notes of one time are put in order again."""
    before = tokens[:, INSTRUMENT].copy()
    drums = before == _DRUM_VALUE
    tokens[:, VELOCITY] = tables.velocity[before, tokens[:, VELOCITY]]
    tokens[drums, PITCH] = tables.drum[tokens[drums, PITCH]]
    tokens[:, INSTRUMENT] = tables.instrument[before]
    sort_chords(tokens, vocabulary)


def sort_chords(tokens: Tokens, vocabulary: Vocabulary) -> None:
    """Put the notes of each time in the order of tokens, in place; waits stay where they are."""
    note = np.flatnonzero(vocabulary.is_note(tokens))
    if not len(note):
        return
    chord = np.cumsum(vocabulary.steps[tokens[:, WAIT]])[note]
    rows = tokens[note, 1:]
    order = np.lexsort((*rows.T[::-1], chord))
    tokens[note, 1:] = rows[order]
