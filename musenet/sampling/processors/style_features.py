"""Features of style: classes of notes, and how often each occurs in the prompt.

Style penalty (`musenet.sampling.processors.style_penalty`) compares these counts with those of the
recent notes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.structure import POSITION, STRUCTURE_SIZES
from tokenizer.encoding.vocabulary import (
    DURATION,
    INSTRUMENT,
    PITCH,
    VELOCITY,
    VELOCITY_BINS,
    WAIT,
    Vocabulary,
)
from tokenizer.typing import Ints

from .processor import DRUMS_VALUE, RowState
from .repeated_pitches import RepeatedPitches, for_pitched


@dataclass(frozen=True)
class Feature:
    """One classification of notes, with classes from 1; class 0 is never penalised.

    Attributes:
        field: the field whose values have classes, and whose logits are penalised.
        prompt: counts of the classes in the prompt, `(C,)`.
        table: the classes `(K, V)` of the field's first values, by the place in the beat of the
            row before for the wait, by the position in the bar for the instrument, and by
            instrument for the other fields.
        pitched: whether it counts pitched notes alone.
    """

    field: int
    prompt: Ints
    table: Ints
    pitched: bool = False


def style_features(
    prompt: RowState,
    vocabulary: Vocabulary,
    repeated: RepeatedPitches,
    *,
    key: bool,
    texture: bool,
    register: int,
    durations: int,
    velocities: int,
) -> list[Feature]:
    """All features in the order of their fields, with the counts of their classes in the prompt.

    Args:
        prompt: its notes.
        vocabulary: of the rows.
        repeated: the pitches that its instruments repeat.
        key: whether pitch classes are a feature.
        texture: whether times since the note before are.
        register: width of a register class in semitones.
        durations: classes per octave of durations, and of times since the note before.
        velocities: number of velocity classes.
    """
    return [
        _place_in_beat(prompt, vocabulary),
        *([_wait(prompt, vocabulary, durations)] if texture else []),
        _velocity(prompt, velocities),
        _duration(prompt, vocabulary, durations),
        Feature(PITCH, repeated.prompt, repeated.table, pitched=True),
        *([_pitch_class(prompt, vocabulary)] if key else []),
        _register(prompt, vocabulary, register),
        _position(prompt, vocabulary),
    ]


def _place_in_beat(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """The steps since the last beat; a rest has none."""
    beat, waits = vocabulary.grid.beat, np.arange(vocabulary.grid.wait_count)
    places = 1 + (np.arange(beat)[:, None] + waits) % beat
    counts = np.bincount(1 + prompt.time % beat, minlength=1 + beat)
    return Feature(WAIT, counts, np.pad(places, ((0, 0), (1, 0))))


def _wait(prompt: RowState, vocabulary: Vocabulary, per_octave: int) -> Feature:
    """The time since the note before: 1 for none, then classes on a logarithmic scale."""
    octaves = np.log2(np.arange(1, vocabulary.grid.wait_count))
    table = np.concatenate([[0, 1], 2 + np.rint(per_octave * octaves).astype(np.int64)])
    counts = np.bincount(table[prompt.rows[:, WAIT]], minlength=1 + int(table.max()))
    return Feature(WAIT, counts, np.tile(table, (vocabulary.grid.beat, 1)))


def _velocity(prompt: RowState, number: int) -> Feature:
    """Velocity classes."""
    classes = 1 + np.arange(VELOCITY_BINS) * number // VELOCITY_BINS
    table = np.tile(np.concatenate([[0], classes]), (DRUMS_VALUE + 1, 1))
    return _by_instrument(VELOCITY, prompt, table)


def _duration(prompt: RowState, vocabulary: Vocabulary, per_octave: int) -> Feature:
    """Duration classes on a logarithmic scale; the shortest is half a step."""
    octaves = np.log2(np.maximum(vocabulary.grid.durations, 0.5) / 0.5)
    classes = 1 + np.rint(per_octave * octaves).astype(np.int64)
    return _by_instrument(DURATION, prompt, for_pitched(classes), pitched=True)


def _pitch_class(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """Pitch classes; C is 1."""
    classes = 1 + np.arange(vocabulary.sizes[PITCH] - 1) % 12
    return _by_instrument(PITCH, prompt, for_pitched(classes), pitched=True)


def _register(prompt: RowState, vocabulary: Vocabulary, semitones: int) -> Feature:
    """What each instrument plays in the prompt, by half octave or drum; 1 is all else for it."""
    pitches = np.arange(vocabulary.sizes[PITCH] - 1)
    table = np.zeros((vocabulary.sizes[INSTRUMENT], 1 + len(pitches)), dtype=np.int64)
    last = 1
    for instrument in np.unique(prompt.rows[:, INSTRUMENT]):
        places = pitches if instrument == DRUMS_VALUE else pitches // semitones
        played = places[prompt.rows[prompt.rows[:, INSTRUMENT] == instrument, PITCH] - 1]
        table[instrument, 1:] = np.where(np.isin(places, played), last + 1 + places, 1)
        last = int(table.max())
    return _by_instrument(PITCH, prompt, table)


def _position(prompt: RowState, vocabulary: Vocabulary) -> Feature:
    """1 for the sixteenths of the bar in which an instrument of the prompt starts no note there."""
    sixteenth = vocabulary.grid.beat // 4
    # A position of 1 is on the bar line; notes up to half a sixteenth early or late belong to one.
    places = (np.arange(STRUCTURE_SIZES[POSITION]) - 1 + sixteenth // 2) // sixteenth
    played = np.zeros((places[-1] + 1, vocabulary.sizes[INSTRUMENT]), dtype=bool)
    played[places[prompt.position_or_zero], prompt.rows[:, INSTRUMENT]] = True
    table = (played.any(axis=0) & ~played[places]).astype(np.int64)
    return Feature(INSTRUMENT, np.array([len(prompt.rows), 0]), table)


def _by_instrument(field: int, prompt: RowState, table: Ints, *, pitched: bool = False) -> Feature:
    """A feature with a table of classes by instrument and value of its field."""
    rows = prompt.rows[prompt.pitched_note] if pitched else prompt.rows
    counts = np.bincount(table[rows[:, INSTRUMENT], rows[:, field]], minlength=1 + int(table.max()))
    return Feature(field, counts, table, pitched)
