"""A score laid out to be read: parts, staves, voices and measures, in steps of a quarter's 24th."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.labels import labels_of
from tokenizer.score.score import Score, Track
from tokenizer.theory import Key
from tokenizer.typing import Notes

from .durations import Symbol, symbols
from .measures import QUARTER, Measure, MeasureGrid, measures_of
from .percussion import by_foot
from .quantise import Divisions, WrittenNote, divisions, quantised
from .staves import BASS, TREBLE, clef_of, hands, on_two_staves
from .voices import WrittenChord, voices_of

_TEMPO_CHANGE = 0.06
"""A tempo is written where it differs by more than this part from the one written last."""


@dataclass(frozen=True)
class Staff:
    """A staff: its clef, and for each measure one row of symbols, or two, the upper voice first."""

    clef: str
    measures: tuple[tuple[tuple[Symbol, ...], ...], ...]


@dataclass(frozen=True)
class WrittenPart:
    """A part: the track it is of, and its staves from the top."""

    track: Track
    staves: tuple[Staff, ...]


@dataclass(frozen=True)
class Layout:
    """A score laid out; places are in steps.

    Attributes:
        measures: all of them.
        keys: (number of a measure, key).
        tempos: (place, quarter notes a minute).
        chords: (place, chord symbol).
        parts: those of the tracks that have notes.
    """

    measures: tuple[Measure, ...]
    keys: tuple[tuple[int, Key], ...]
    tempos: tuple[tuple[int, float], ...]
    chords: tuple[tuple[int, str], ...]
    parts: tuple[WrittenPart, ...]


def laid_out(score: Score, chords: Sequence[tuple[int, str]] = ()) -> Layout:
    """A score laid out, with chord symbols at their ticks."""
    last = score.end
    grid = measures_of(score, last)
    parts = []
    for number, track in enumerate(score.tracks):
        notes = score.notes[score.notes["track"] == number]
        if len(notes):
            parts.append(WrittenPart(track, tuple(_staves(notes, track.program, grid))))
    symbols_at = {_eighth(grid.place(tick)): symbol for tick, symbol in chords if tick < last}
    return Layout(
        grid.measures,
        _keys(score, grid),
        _tempos(score, grid),
        tuple(sorted(symbols_at.items())),
        tuple(parts),
    )


def _eighth(place: float) -> int:
    return round(place / (QUARTER // 2)) * (QUARTER // 2)


def _staves(notes: Notes, program: int, grid: MeasureGrid) -> list[Staff]:
    """The staves of a track's notes."""
    placed = [
        (grid.place(start), grid.place(start + duration), pitch, velocity)
        for start, duration, pitch, velocity in zip(
            *(notes[name].tolist() for name in ("start", "duration", "pitch", "velocity")),
            strict=True,
        )
    ]
    if program == DRUMS:
        return [_drum_staff(placed, grid)]
    pitches = notes["pitch"].tolist()
    if not on_two_staves(program, pitches):
        return [_staff(placed, clef_of(program, pitches), grid)]
    right = hands([(start, pitch) for start, _, pitch, _ in placed])
    staves = []
    for of_right, clef in ((True, TREBLE), (False, BASS)):
        own = [note for note, is_right in zip(placed, right, strict=True) if is_right == of_right]
        staves.append(_staff(own, clef, grid))
    return staves


def _staff(notes: list[tuple[float, float, int, int]], clef: str, grid: MeasureGrid) -> Staff:
    found = divisions([note[0] for note in notes], grid)
    return _filled(clef, voices_of(quantised(notes, found)), found, grid)


def _drum_staff(notes: list[tuple[float, float, int, int]], grid: MeasureGrid) -> Staff:
    """Hands above, feet below; each stroke lasts to the next one or to the next beat."""
    found = divisions([note[0] for note in notes], grid)
    written = quantised(notes, found)
    voices = []
    for feet in (False, True):
        own = [note for note in written if by_foot(note.pitch) == feet]
        starts = sorted({note.start for note in own})
        voices.append(
            [
                _stroke([n for n in own if n.start == start], following, found)
                for start, following in pairwise([*starts, grid.beats[-1]])
            ]
        )
    return _filled("drums", [voice for voice in voices if voice], found, grid)


def _stroke(notes: list[WrittenNote], following: int, found: Divisions) -> WrittenChord:
    start = notes[0].start
    end = min(following, found.beats[found.beat(start) + 1])
    return WrittenChord(start, end, tuple(notes))


def _filled(
    clef: str, voices: list[list[WrittenChord]], found: Divisions, grid: MeasureGrid
) -> Staff:
    """A staff whose voices are cut into measures; where one is silent, the other stands alone."""
    rows: list[list[tuple[Symbol, ...]]] = []
    places = [0] * len(voices)
    for measure in grid.measures:
        here: list[tuple[Symbol, ...]] = []
        for number, voice in enumerate(voices):
            while places[number] < len(voice) and voice[places[number]].end <= measure.start:
                places[number] += 1
            own = []
            for chord in voice[places[number] :]:
                if chord.start >= measure.stop:
                    break
                own.append(chord)
            if own:
                here.append(tuple(symbols(own, measure, found)))
        rows.append(here or [tuple(symbols([], measure, found))])
    return Staff(clef, tuple(tuple(row) for row in rows))


def _keys(score: Score, grid: MeasureGrid) -> tuple[tuple[int, Key], ...]:
    """The keys that the score states, or the one that is estimated."""
    stated = [
        (_measure(grid, grid.place(time)), Key(fifths, minor))
        for time, fifths, minor in score.key_signatures.tolist()
        if time < grid.lines[-1]
    ]
    if not stated:
        key = labels_of(score).key
        return ((0, Key(*key)),) if key else ()
    by_measure = dict(stated)
    found: list[tuple[int, Key]] = []
    for number, key in sorted(by_measure.items()):
        if not found or found[-1][1] != key:
            found.append((number, key))
    return tuple(found)


def _tempos(score: Score, grid: MeasureGrid) -> tuple[tuple[int, float], ...]:
    """The tempo at the beginning, and its changes that are large enough to be written."""
    found: list[tuple[int, float]] = [] if len(score.tempos) else [(0, 120.0)]
    for time, microseconds in score.tempos.tolist():
        place, tempo = round(grid.place(time)), 60e6 / microseconds
        if place >= grid.measures[-1].stop:
            break
        if found and found[-1][0] == place:
            found.pop()
        if not found or abs(tempo / found[-1][1] - 1) > _TEMPO_CHANGE:
            found.append((place, tempo))
    return tuple(found)


def _measure(grid: MeasureGrid, place: float) -> int:
    starts = np.array([measure.start for measure in grid.measures])
    return max(int(np.searchsorted(starts, round(place), side="right")) - 1, 0)
