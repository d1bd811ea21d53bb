"""Augmentation at load time: pitch, dynamics and tempo change at random, and labels are left out.

What is drawn for a window follows from its seed alone. `Augmentation` sets how often and how far;
`Change` is what was drawn for one passage, and can be printed. `Dropout` leaves out labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tokenizer import Labels
from tokenizer.encoding.compound import Events, decode_rows, encode_events, note_rows
from tokenizer.encoding.controls import tempo_name
from tokenizer.encoding.vocabulary import (
    INSTRUMENT,
    PITCH,
    VELOCITIES,
    VELOCITY,
    WAIT,
    Vocabulary,
)
from tokenizer.instruments import DRUMS, range_of
from tokenizer.theory import Key, fewest_accidentals
from tokenizer.typing import Tokens

# Indexed by the instrument field. The pitch of a drum identifies the drum and never changes: like a
# row that is not a note, it sets no bound.
_FAR = 1000
_RANGES = [(-_FAR, _FAR), *(range_of(program) for program in range(DRUMS)), (-_FAR, _FAR)]
_LOW, _HIGH = np.array(_RANGES, dtype=np.int16).T.copy()
_PITCHED = (_LOW >= 0).astype(np.int16)

WHOLE_OCTAVE = 12


@dataclass(frozen=True)
class Augmentation:
    """How often each change is made, and how far it may go.

    Attributes:
        transpose_rate: share of windows that are transposed.
        transpose: most semitones down and up. Notes stay within their instruments' ranges.
        volume_rate: share of windows whose volume is changed.
        volume_scale: most by which velocities are scaled: 1.25 means 0.8 … 1.25 times.
        volume_offset: most that is added to or subtracted from velocities, of 127.
        tempo_rate: share of windows whose tempo is changed.
        tempo: most by which the tempo is scaled: 1.1 means 0.91 … 1.1 times.
    """

    transpose_rate: float = 0.9
    transpose: int = 6
    volume_rate: float = 0.8
    volume_scale: float = 1.25
    volume_offset: float = 12.0
    tempo_rate: float = 0.5
    tempo: float = 1.1


NO_AUGMENTATION = Augmentation(transpose_rate=0.0, volume_rate=0.0, tempo_rate=0.0)
"""Nothing is changed."""


@dataclass(frozen=True)
class Change:
    """What was drawn for one passage.

    Attributes:
        semitones: transposition.
        scale: factor of velocities.
        offset: then added to velocities.
        tempo: factor of the tempo.
    """

    semitones: int = 0
    scale: float = 1.0
    offset: float = 0.0
    tempo: float = 1.0

    def __str__(self) -> str:
        said = [
            f"{self.semitones:+d} semitones" if self.semitones else "",
            f"velocity ×{self.scale:.2f} {self.offset:+.0f}"
            if (self.scale, self.offset) != (1.0, 0.0)
            else "",
            f"tempo ×{self.tempo:.2f}" if self.tempo != 1.0 else "",
        ]
        return ", ".join(filter(None, said)) or "unchanged"


def draw_change(augmentation: Augmentation, tokens: Tokens, random: np.random.Generator) -> Change:
    """Draw a change for some rows `(T, 5)` of a piece.

    The same count of random numbers is drawn whatever the rows and rates are.
    """
    rates = random.random(3)
    where = random.random(4)
    semitones, scale, offset, tempo = 0, 1.0, 0.0, 1.0
    if rates[0] < augmentation.transpose_rate:
        low, high = transpositions(tokens, augmentation.transpose)
        semitones = low + int(where[0] * (high - low + 1))
    if rates[1] < augmentation.volume_rate:
        scale = _spread(augmentation.volume_scale, where[1])
        offset = augmentation.volume_offset * (2 * where[2] - 1)
    if rates[2] < augmentation.tempo_rate:
        tempo = _spread(augmentation.tempo, where[3])
    return Change(semitones, scale, offset, tempo)


def _spread(most: float, where: float) -> float:
    """A factor between 1 / most and most, evenly in its logarithm."""
    return float(most ** (2 * where - 1))


def transpositions(tokens: Tokens, most: int) -> tuple[int, int]:
    """The lowest and highest transposition within `most` that every instrument can play.

    A note that is out of its instrument's range as it stands goes no further away from it.
    Twelve semitones are never exceeded.
    """
    most = min(most, WHOLE_OCTAVE)
    instrument, pitch = tokens[:, INSTRUMENT], tokens[:, PITCH] - 1
    down = int((pitch - _LOW.take(instrument)).min(initial=_FAR))
    up = int((_HIGH.take(instrument) - pitch).min(initial=_FAR))
    if down > 127:  # nothing has a pitch
        return 0, 0
    return -min(most, max(down, 0)), min(most, max(up, 0))


def changed_labels(labels: Labels, change: Change) -> Labels:
    """The labels of music after a change: key and tempo move along."""
    key, tempo = labels.key, labels.tempo
    if change.semitones and key is not None:
        fifths, minor = key
        key = Key(fewest_accidentals(fifths + 7 * change.semitones), minor)
    if tempo is not None:
        tempo *= change.tempo
    return replace(labels, key=key, tempo=tempo)


def velocity_table(change: Change) -> npt.NDArray[np.int16]:
    """What each value of the velocity field becomes, `(33,)`; a note never falls silent."""
    louder = np.rint(VELOCITIES * change.scale + change.offset).clip(1, 127).astype(np.int16)
    table: npt.NDArray[np.int16] = louder // 4 + 1
    table[0] = 0  # no note stays none
    return table


def apply(tokens: Tokens, change: Change, vocabulary: Vocabulary) -> None:
    """Make a change to rows `(T, 5)` in place, but for the tempo on the `seconds` clock."""
    if change.semitones:
        moved = _PITCHED[tokens[:, INSTRUMENT]]
        moved *= change.semitones
        tokens[:, PITCH] += moved
    if (change.scale, change.offset) != (1.0, 0.0):
        tokens[:, VELOCITY] = velocity_table(change)[tokens[:, VELOCITY]]
    if change.tempo != 1.0 and vocabulary.grid.is_beat:
        tempo = (tokens[:, INSTRUMENT] == 0) & (tokens[:, WAIT] >= vocabulary.first_control)
        for row in np.flatnonzero(tempo).tolist():
            tokens[row, WAIT] = _moved_tempo(int(tokens[row, WAIT]), change.tempo, vocabulary)


def _moved_tempo(control: int, factor: float, vocabulary: Vocabulary) -> int:
    """A tempo's control after a change of tempo; any other control is itself."""
    kind, _, mark = vocabulary.name(control).partition(":")
    if kind != "tempo":
        return control
    moved = vocabulary.control(tempo_name(float(mark) * factor))
    return control if moved is None else moved


def stretched(body: Tokens, factor: float, vocabulary: Vocabulary) -> Tokens:
    """A piece's body `(T, 5)` played `factor` times as fast, on the grid again.

    Times are rounded absolutely, so that they do not drift; notes that fall together are put in
    order, and rests are made anew, so that the body's length changes.
    """
    music = decode_rows(body, vocabulary)
    start = np.rint(music.start / factor).astype(np.int64)
    duration = np.rint(vocabulary.grid.durations[music.duration_class] / factor).astype(np.int64)
    starts, rows = note_rows(
        start,
        music.program,
        music.pitch,
        vocabulary.grid.duration_class(duration),
        music.velocity,
    )
    times = np.rint(music.control_times / factor).astype(np.int64)
    last = music.controls == vocabulary.end
    events = Events(starts, rows, times[~last], music.controls[~last])
    return np.concatenate([encode_events(events, vocabulary), body[len(body) - int(last.sum()) :]])


@dataclass(frozen=True)
class Dropout:
    """How often each piece of information about the music is left out, independently.

    Attributes:
        composer, styles, instruments, tempo, time_signature, key, density, polyphony: labels of
            the prefix.
        everything: all labels at once.
        length: the position within the piece and what is left of it (PART and COUNTDOWN).
    """

    composer: float = 0.3
    styles: float = 0.3
    instruments: float = 0.3
    tempo: float = 0.3
    time_signature: float = 0.1
    key: float = 0.3
    density: float = 0.6
    polyphony: float = 0.6
    everything: float = 0.1
    length: float = 0.5

    def labels(self, labels: Labels, random: np.random.Generator) -> Labels:
        """The labels that are left."""
        drawn = random.random(1 + len(_LABELS))
        if drawn[0] < self.everything:
            return Labels()
        kept = {
            name: getattr(labels, name)
            for name, where in zip(_LABELS, drawn[1:].tolist(), strict=True)
            if where >= getattr(self, name)
        }
        return Labels(**kept)


_LABELS = (
    *("composer", "styles", "instruments", "tempo", "time_signature", "key"),
    *("density", "polyphony"),
)
NO_DROPOUT = Dropout(*(0.0,) * 10)
