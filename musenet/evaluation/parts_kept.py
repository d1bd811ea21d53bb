"""Parts kept: whether a continuation goes on with what the prompt of a band sets up.

Whole bars of the prompt are compared with the whole bars after it. An overlap is that of two
histograms of sum 1: the sum of their minima, 0 to 1. Of each part (a track):

    presence        share of bars in which it plays, over that in the prompt, at most 1
    onsets          overlap of onset positions in the bar, on 4 or 6 steps per quarter note
    register        overlap of pitches by half octave, of drums by key
    kept            the mean of the three; 0 where the part falls silent

Of the whole:

    parts           mean of `kept` over the parts that have at least 4 notes in the prompt
    harmony         overlap of each bar's pitch classes, weighted by length, with the most similar
                    bar of the prompt at the same place of its chord loop; all bars with all bars
                    where the prompt has no loop
    in_place        share of new bars that fit no other place of the loop better than their own
    on_kit          share of drum hits on keys that the part has in the prompt
    silent_parts    parts of the prompt without a note in the new bars
    silence         the longest time, in quarter notes, in which nothing sounds
    texture         notes per onset, and onsets per bar: of prompt and new bars the smaller over the
                    larger, the mean of both
    copies          share of new bars that are a bar of the prompt, note for note on the grid
    score           mean of `parts` and `harmony`; `parts` alone if the prompt is drums only

The prompt played again scores 1. Real bands score less, as real music changes: 1 is not the aim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.errors import InputError
from tokenizer.score.bars import Bars
from tokenizer.score.pedals import sustained
from tokenizer.score.score import DRUMS, Score
from tokenizer.typing import Array, Floats, Ints

MIN_NOTES = 4
LOOPS = (1, 2, 4)
"""Lengths of chord loops in bars, the shortest first."""

_SIMILAR, _NEARLY_BEST = 0.7, 0.05
_GRIDS = (4, 6)
_FINER = 0.01
_HALF_OCTAVE = 6


@dataclass(frozen=True)
class PartKept:
    """What one part keeps; see the module for the figures.

    Attributes:
        name: of its track.
        program: 0–127, 128 drums.
        notes: in the prompt and in the new bars.
    """

    name: str
    program: int
    notes: tuple[int, int]
    presence: float
    onsets: float
    register: float
    on_kit: float | None

    @property
    def kept(self) -> float:
        """The mean of presence, onsets and register."""
        return (self.presence + self.onsets + self.register) / 3


@dataclass(frozen=True)
class PartsKept:
    """What a continuation keeps; see the module for the figures.

    Attributes:
        scored: the parts with enough notes in the prompt, or all if none has.
        loop: length of the prompt's chord loop in bars, or None.
    """

    scored: tuple[PartKept, ...]
    loop: int | None
    harmony: float | None
    in_place: float | None
    silence: float
    texture: float
    copies: float

    @property
    def parts(self) -> float:
        """The mean of what each part keeps."""
        return float(np.mean([part.kept for part in self.scored]))

    @property
    def score(self) -> float:
        """One figure, 0 to 1."""
        return self.parts if self.harmony is None else (self.parts + self.harmony) / 2

    def figures(self) -> dict[str, float | None]:
        """All figures by name; None where one is not defined."""
        hits = [part.on_kit for part in self.scored if part.on_kit is not None]
        means = {
            name: float(np.mean([getattr(part, name) for part in self.scored]))
            for name in ("presence", "onsets", "register")
        }
        return {
            "score": self.score,
            "parts": self.parts,
            **means,
            "on_kit": float(np.mean(hits)) if hits else None,
            "harmony": self.harmony,
            "in_place": self.in_place,
            "silent_parts": float(sum(part.notes[1] == 0 for part in self.scored)),
            "silence": self.silence,
            "texture": self.texture,
            "copies": self.copies,
        }


def parts_kept(score: Score, boundary: int, bars: int, loop: int | None = None) -> PartsKept:
    """Compare the whole bars before a boundary with as many as asked for after it.

    Args:
        score: the prompt and what follows it, each part on the same track throughout.
        boundary: the tick at which the new music begins.
        bars: how many bars to compare, from the first bar line at or after the boundary.
        loop: length of the chord loop in bars; 0 for none, None to find it in the prompt.

    Raises:
        InputError: if no note begins in the whole bars before the boundary.
    """
    lines = Bars(score.time_signatures, score.ticks_per_quarter)
    before = lines.number(boundary)
    first = before + (lines.tick(before) < boundary)
    every = np.array([lines.tick(bar) for bar in range(first + bars + 1)], dtype=np.int64)
    notes = score.notes
    early = notes[notes["start"] < every[before]]
    if not len(early):
        raise InputError(
            "no note begins in the whole bars before the boundary; give a longer prompt"
        )
    grid = _grid(early["start"], score.ticks_per_quarter)
    quarter = score.ticks_per_quarter
    old = _Passage.of(notes, every[: before + 1], quarter, grid)
    new = _Passage.of(notes, every[first:], quarter, grid)
    kept = [
        _part(old.of_track(number), new.of_track(number), track.name, track.program)
        for number, track in enumerate(score.tracks)
        if (old.notes["track"] == number).any()
    ]
    enough = tuple(part for part in kept if part.notes[0] >= MIN_NOTES)
    harmony = _harmony(old.pitch_classes(), new.pitch_classes(), first, loop)
    return PartsKept(
        scored=enough or tuple(kept),
        loop=harmony.loop,
        harmony=harmony.overlap,
        in_place=harmony.in_place,
        silence=_silence(sustained(score), int(every[first]), int(every[-1])) / quarter,
        texture=_texture(old, new),
        copies=_copies(old, new),
    )


def _grid(start: Ints, quarter: int) -> int:
    """Steps per quarter note that onsets are nearer to, in steps: fair to the finer grid."""
    four, six = (
        float(np.abs(start * steps / quarter - np.rint(start * steps / quarter)).mean())
        for steps in _GRIDS
    )
    return _GRIDS[six < four - _FINER]


@dataclass(frozen=True)
class _Passage:
    """Notes of consecutive whole bars, and where they begin.

    Attributes:
        lines: the bar lines `(B + 1,)` in ticks.
        quarter: ticks per quarter note.
        notes: those that begin between the first and the last line.
        bar: the bar of each; one that rounds up to a bar line is at the beginning of that bar.
        step: the position of each in its bar, in steps of the grid.
    """

    lines: Ints
    quarter: int
    notes: Array
    bar: Ints
    step: Ints

    @classmethod
    def of(cls, notes: Array, lines: Ints, quarter: int, grid: int) -> _Passage:
        start = notes["start"].astype(np.int64)
        inside = (start >= lines[0]) & (start < lines[-1])
        start = start[inside]
        bar = np.searchsorted(lines, start, side="right") - 1
        step = (2 * (start - lines[bar]) * grid + quarter) // (2 * quarter)
        late = step >= (2 * np.diff(lines)[bar] * grid + quarter) // (2 * quarter)
        bar = np.minimum(bar + late, len(lines) - 2)
        return cls(lines, quarter, notes[inside], bar, np.where(late, 0, step))

    @property
    def bars(self) -> int:
        """Number of bars."""
        return len(self.lines) - 1

    def of_track(self, number: int) -> _Passage:
        """The notes of one track."""
        mine = self.notes["track"] == number
        return replace(self, notes=self.notes[mine], bar=self.bar[mine], step=self.step[mine])

    def pitch_classes(self) -> Floats:
        """Quarter notes for which each pitch class sounds in each bar, `(bars, 12)`; no drums."""
        notes = self.notes[self.notes["program"] != DRUMS]
        start = notes["start"].astype(np.int64)[:, None]
        stop = start + np.maximum(notes["duration"].astype(np.int64)[:, None], 1)
        sounding = np.minimum(stop, self.lines[1:]) - np.maximum(start, self.lines[:-1])
        found = np.zeros((12, self.bars))
        np.add.at(found, notes["pitch"] % 12, np.maximum(sounding, 0) / self.quarter)
        return found.T


def _part(old: _Passage, new: _Passage, name: str, program: int) -> PartKept:
    """What one part keeps."""
    share, now = (len(np.unique(p.bar)) / p.bars for p in (old, new))
    pitches = [p.notes["pitch"].astype(np.int64) for p in (old, new)]
    registers = pitches if program == DRUMS else [p // _HALF_OCTAVE for p in pitches]
    on_kit = None
    if program == DRUMS and len(new.notes):
        on_kit = float(np.isin(pitches[1], pitches[0]).mean())
    return PartKept(
        name=name,
        program=program,
        notes=(len(old.notes), len(new.notes)),
        presence=min(1.0, now / share),
        onsets=_overlap(old.step, new.step),
        register=_overlap(*registers),
        on_kit=on_kit,
    )


def _overlap(a: Ints, b: Ints) -> float:
    """Overlap of the histograms of two lists of numbers; 0 if one is empty."""
    if not len(a) or not len(b):
        return 0.0
    size = int(max(a.max(), b.max())) + 1
    return float(np.minimum(*(np.bincount(x, minlength=size) / len(x) for x in (a, b))).sum())


@dataclass(frozen=True)
class _Harmony:
    loop: int | None
    overlap: float | None
    in_place: float | None


def _harmony(old: Floats, new: Floats, first: int, loop: int | None) -> _Harmony:
    """How new bars `(n, 12)` go on with the harmony of the prompt's `(m, 12)`.

    Args:
        old: weights of pitch classes in the prompt's bars.
        new: the same of the new bars.
        first: number of the first new bar, counted from the prompt's first.
        loop: length of the loop, 0 for none, None to find it.
    """
    if not old.any():
        return _Harmony(None, None, None)
    length = chord_loop(old) if loop is None else loop or None
    if length is None:
        whole = np.minimum(_shares(old.sum(axis=0)), _shares(new.sum(axis=0))).sum()
        return _Harmony(None, float(whole), None)
    table = np.minimum(_shares(new)[:, None], _shares(old)[None]).sum(axis=-1)
    silent = (weights.sum(axis=1) == 0 for weights in (new, old))
    table[np.ix_(*silent)] = 1  # bars without a pitch are alike
    places = np.arange(len(old)) % length
    fits = np.array([table[:, places == q].max(axis=1, initial=0.0) for q in range(length)])
    own = (first + np.arange(len(new))) % length, np.arange(len(new))
    mine = fits[own]
    if length == 1:
        return _Harmony(length, float(mine.mean()), None)
    best = (mine >= fits.max(axis=0) - 1e-9) & (mine > 0)
    return _Harmony(length, float(mine.mean()), float(best.mean()))


def chord_loop(pitch_classes: Floats) -> int | None:
    """Bars after which the harmony comes again: the fewest that do about as well as any.

    Args:
        pitch_classes: weights `(bars, 12)`.
    """
    shares = _shares(pitch_classes)
    full = shares.sum(axis=1) > 0
    similar = {}
    for length in LOOPS:
        both = full[:-length] & full[length:]
        if both.sum() >= 2:
            overlaps = np.minimum(shares[:-length], shares[length:]).sum(axis=1)
            similar[length] = float(overlaps[both].mean())
    least = max(_SIMILAR, max(similar.values(), default=0.0) - _NEARLY_BEST)
    return next((length for length, value in similar.items() if value >= least), None)


def _shares(weights: Floats) -> Floats:
    """Weights `(..., 12)` over their sums; 0 where all are 0."""
    total = weights.sum(axis=-1, keepdims=True)
    found: Floats = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return found


def _silence(notes: Array, start: int, stop: int) -> int:
    """The longest time in ticks between `start` and `stop` in which nothing sounds."""
    notes = notes[(notes["start"] >= start) & (notes["start"] < stop)]
    begin = notes["start"].astype(np.int64)
    end = np.maximum.accumulate(begin + notes["duration"])
    gaps = np.append(begin, stop) - np.concatenate([[start], end])
    return int(max(0, gaps.max()))


def _texture(old: _Passage, new: _Passage) -> float:
    """How alike two passages are in notes per onset and in onsets per bar, 0 to 1."""
    if not len(new.notes):
        return 0.0
    onsets = [len(np.unique(np.stack([p.bar, p.step]), axis=1).T) for p in (old, new)]
    sizes, rates = zip(
        *((len(p.notes) / n, n / p.bars) for p, n in zip((old, new), onsets, strict=True)),
        strict=True,
    )
    return (min(sizes) / max(sizes) + min(rates) / max(rates)) / 2


def _copies(old: _Passage, new: _Passage) -> float:
    """Share of the new bars that a bar of the prompt equals, note for note on the grid."""

    def contents(passage: _Passage) -> list[frozenset[tuple[int, ...]]]:
        found: list[set[tuple[int, ...]]] = [set() for _ in range(passage.bars)]
        columns = (passage.bar, passage.notes["track"], passage.step, passage.notes["pitch"])
        for bar, *note in zip(*(column.tolist() for column in columns), strict=True):
            found[bar].add(tuple(note))
        return [frozenset(notes) for notes in found]

    known = {bar for bar in contents(old) if bar}
    return float(np.mean([bar in known for bar in contents(new)]))


def mean_figures(kept: Sequence[PartsKept]) -> dict[str, float | None]:
    """The mean of each figure over those for which it is defined."""
    found = [one.figures() for one in kept]
    means: dict[str, float | None] = {}
    for name in found[0] if found else ():
        values = [value for value in (row[name] for row in found) if value is not None]
        means[name] = float(np.mean(values)) if values else None
    return means
