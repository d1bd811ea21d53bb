"""Musical statistics of scores, as the literature defines them, for comparison with real music.

    pitch_class_entropy     MusPy; Wu & Yang 2020, "The Jazz Transformer on the Front Line" (H)
    pitch_class_entropy_1   MusDr's H over 1 bar, the mean over all bars with notes; _4 over 4 bars
    scale_consistency       MusPy; Mogren 2016, "C-RNN-GAN"
    groove_consistency      MusPy: onsets of neighbouring bars
    groove_similarity       MusDr's GS (Wu & Yang 2020): onsets of all pairs of bars
    polyphony               MusPy: pitches that sound together, where any sounds
    polyphony_rate          MusPy: share of the time with more than two; Dong et al. 2018, MuseGAN
    empty_beat_rate         MusPy; Dong et al. 2018, Pypianoroll
    pitch_range             MusPy, in semitones
    notes_per_quarter       notes over the length in quarters
    notes_per_second        notes over the length in seconds
    self_similarity         after Foote 1999: the mean over bars of the cosine with the most similar
                            earlier bar, of onsets (pitch class by sixteenth of the bar)

MusPy: Dong et al. 2020, ISMIR; MusDr: github.com/slSeanWU/MusDr. Drums count only for rhythm.
MusPy's measures assume one time signature: its groove takes the first bar's length for all. A
statistic that is not defined for a score (no pitched note, one bar) is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tokenizer.score.bars import Bars
from tokenizer.score.score import DRUMS, Score
from tokenizer.theory import SCALES
from tokenizer.typing import Floats, Integers, Ints, Mask

from .bootstrap import bootstrap

RESOLUTION = 24
"""Steps per quarter note to which times are rounded, MusPy's default."""

POSITIONS = 64
"""Positions in a bar for MusDr's groove."""

_SLOTS = 16


@dataclass(frozen=True)
class BarGrid:
    """A score on MusPy's grid, with its bars.

    Attributes:
        score: at `RESOLUTION` ticks per quarter note.
    """

    score: Score

    @classmethod
    def of(cls, score: Score) -> BarGrid:
        """Round a score to the grid."""
        return cls(score.resample(RESOLUTION))

    @cached_property
    def start(self) -> Ints:
        """Onsets of all notes in steps, `(N,)`."""
        return self.score.notes["start"].astype(np.int64)

    @cached_property
    def stop(self) -> Ints:
        """Ends of all notes in steps, `(N,)`."""
        return self.start + self.score.notes["duration"]

    @cached_property
    def pitched(self) -> Mask:
        """Which notes are not drums, `(N,)`."""
        return self.score.notes["program"] != DRUMS

    @cached_property
    def lines(self) -> Ints:
        """Bar lines in steps, from that of the first bar to the one that closes the last."""
        bars = Bars(self.score.time_signatures, RESOLUTION)
        last = bars.number(max(0, int(self.start.max()))) if len(self.start) else 0
        return np.array([bars.tick(bar) for bar in range(last + 2)], dtype=np.int64)

    @cached_property
    def bar(self) -> Ints:
        """The bar in which each note begins, `(N,)`."""
        return np.searchsorted(self.lines, self.start, side="right") - 1

    @cached_property
    def pitch_classes(self) -> Ints:
        """Number of onsets of each pitch class in each bar, `(bars, 12)`."""
        count = np.zeros((len(self.lines) - 1, 12), dtype=np.int64)
        pitch = self.score.notes["pitch"][self.pitched].astype(np.int64) % 12
        np.add.at(count, (self.bar[self.pitched], pitch), 1)
        return count

    def onsets(self, positions: int) -> Mask:
        """The onset positions in each bar, `(bars, positions)`."""
        first, length = self.lines[self.bar], np.diff(self.lines)[self.bar]
        place = (self.start - first) * positions // np.maximum(length, 1)
        found = np.zeros((len(self.lines) - 1, positions), dtype=bool)
        found[self.bar, np.minimum(place, positions - 1)] = True
        return found

    @cached_property
    def sounding(self) -> Mask:
        """Which pitches sound at each step, `(steps, 128)`; drums do not."""
        last = int(self.stop.max(initial=0))
        edges = np.zeros((last + 1, 128), dtype=np.int32)
        pitch = self.score.notes["pitch"][self.pitched].astype(np.int64)
        np.add.at(edges, (self.start[self.pitched], pitch), 1)
        np.add.at(edges, (self.stop[self.pitched], pitch), -1)
        return edges.cumsum(axis=0)[:-1] > 0


def _entropy(count: Integers) -> float:
    """Entropy of a distribution given as counts, in bits."""
    share = count[count > 0] / count.sum()
    return float(-(share * np.log2(share)).sum())


def pitch_class_entropy(grid: BarGrid, bars: int | None = None) -> float:
    """Entropy of the pitch classes of all notes, or the mean over runs of bars that have any."""
    count = grid.pitch_classes
    if bars is None:
        return _entropy(count.sum(axis=0)) if count.any() else math.nan
    width = min(bars, len(count))
    sums = np.concatenate([np.zeros((1, 12), dtype=np.int64), count.cumsum(axis=0)])
    runs = sums[width:] - sums[:-width]
    found = [_entropy(run) for run in runs if run.any()]
    return float(np.mean(found)) if found else math.nan


def scale_consistency(grid: BarGrid) -> float:
    """The largest share of notes in one major or natural minor scale."""
    count = grid.pitch_classes.sum(axis=0)
    if not count.any():
        return math.nan
    inside = [
        count[[(root + s) % 12 for s in scale]].sum()
        for scale in (SCALES["major"], SCALES["natural minor"])
        for root in range(12)
    ]
    return float(max(inside) / count.sum())


def groove_consistency(grid: BarGrid) -> float:
    """One minus the mean Hamming distance of the onsets of neighbouring bars."""
    width = int(grid.lines[1] - grid.lines[0])
    bars = int(grid.stop.max(initial=0)) // width + 1
    if bars < 2:
        return math.nan
    onsets = np.zeros((bars, width), dtype=bool)
    onsets[grid.start // width, grid.start % width] = True
    return float(1 - (onsets[1:] != onsets[:-1]).sum() / (width * (bars - 1)))


def groove_similarity(grid: BarGrid) -> float:
    """One minus the mean Hamming distance of the onsets of all pairs of bars.

    At a position where k of n bars have an onset, k·(n − k) pairs differ.
    """
    onsets = grid.onsets(POSITIONS)
    n = len(onsets)
    if n < 2:
        return math.nan
    k = onsets.sum(axis=0)
    return float(1 - (k * (n - k)).sum() / (POSITIONS * n * (n - 1) / 2))


def polyphony(grid: BarGrid) -> float:
    """Pitches that sound at a time, over the steps at which any does."""
    together = grid.sounding.sum(axis=1)
    return float(together.sum() / (together > 0).sum()) if together.any() else math.nan


def polyphony_rate(grid: BarGrid) -> float:
    """Share of steps at which more than two pitches sound."""
    together = grid.sounding.sum(axis=1)
    return float((together > 2).mean()) if len(together) else math.nan


def empty_beat_rate(grid: BarGrid) -> float:
    """Share of quarter notes in which no note sounds; the end step of a note counts as sounding."""
    last = int(grid.stop.max(initial=0))
    if last < 1:
        return math.nan
    edges = np.zeros(last // RESOLUTION + 2, dtype=np.int64)
    np.add.at(edges, grid.start // RESOLUTION, 1)
    np.add.at(edges, grid.stop // RESOLUTION + 1, -1)
    return float((edges.cumsum()[:-1] == 0).mean())


def pitch_range(grid: BarGrid) -> float:
    """Semitones from the lowest to the highest note."""
    pitch = grid.score.notes["pitch"][grid.pitched].astype(np.int64)
    return float(pitch.max() - pitch.min()) if len(pitch) else math.nan


def notes_per_quarter(grid: BarGrid) -> float:
    """Notes over the length in quarters."""
    last = int(grid.stop.max(initial=0))
    return len(grid.start) * RESOLUTION / last if last else math.nan


def notes_per_second(grid: BarGrid) -> float:
    """Notes over the length in seconds."""
    seconds = float(grid.score.seconds(np.array([grid.score.end]))[0])
    return len(grid.start) / seconds if seconds > 0 else math.nan


def self_similarity(grid: BarGrid) -> float:
    """The mean over bars of the cosine with the most similar earlier bar."""
    first, length = grid.lines[grid.bar], np.diff(grid.lines)[grid.bar]
    slot = np.minimum((grid.start - first) * _SLOTS // np.maximum(length, 1), _SLOTS - 1)
    pitch = np.where(grid.pitched, grid.score.notes["pitch"].astype(np.int64) % 12, 12)
    shape = (len(grid.lines) - 1, _SLOTS, 13)
    content = np.zeros(shape)
    content[grid.bar, slot, pitch] = 1.0
    flat = content.reshape(shape[0], -1)
    flat = flat[flat.any(axis=1)]
    if len(flat) < 2:
        return math.nan
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    cosines = np.tril(unit @ unit.T, -1)
    return float(cosines[1:].max(axis=1).mean())


STATISTICS: dict[str, Callable[[BarGrid], float]] = {
    "pitch_class_entropy": pitch_class_entropy,
    "pitch_class_entropy_1": lambda grid: pitch_class_entropy(grid, 1),
    "pitch_class_entropy_4": lambda grid: pitch_class_entropy(grid, 4),
    "scale_consistency": scale_consistency,
    "groove_consistency": groove_consistency,
    "groove_similarity": groove_similarity,
    "polyphony": polyphony,
    "polyphony_rate": polyphony_rate,
    "empty_beat_rate": empty_beat_rate,
    "pitch_range": pitch_range,
    "notes_per_quarter": notes_per_quarter,
    "notes_per_second": notes_per_second,
    "self_similarity": self_similarity,
}


def statistics_of(score: Score) -> dict[str, float]:
    """Every statistic of a score; NaN where it is not defined."""
    if len(score.notes) == 0:
        return dict.fromkeys(STATISTICS, math.nan)
    grid = BarGrid.of(score)
    return {name: statistic(grid) for name, statistic in STATISTICS.items()}


def compare_statistics(
    ours: Sequence[Mapping[str, float]],
    real: Sequence[Mapping[str, float]],
) -> dict[str, dict[str, Any]]:
    """The mean of each statistic beside that of real music.

    `interval` holds 95 % of the means of as many real pieces drawn with replacement; `distance` is
    how far our mean lies from the real one in the real music's standard deviations.
    """
    result = {}
    for name in STATISTICS:
        mine, theirs = (_defined(pieces, name) for pieces in (ours, real))
        if len(mine) == 0 or len(theirs) == 0:
            continue
        low, high = bootstrap(theirs, size=len(mine))
        spread = float(theirs.std()) or math.nan
        result[name] = {
            "ours": float(mine.mean()),
            "real": float(theirs.mean()),
            "interval": [low, high],
            "inside": bool(low <= mine.mean() <= high),
            "distance": float((mine.mean() - theirs.mean()) / spread),
        }
    return result


def _defined(pieces: Sequence[Mapping[str, float]], name: str) -> Floats:
    values = np.array([piece[name] for piece in pieces], dtype=np.float64)
    return values[~np.isnan(values)]
