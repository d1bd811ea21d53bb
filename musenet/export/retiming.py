"""Music that was played beside the beats of its file: heard in the beats that it has.

Whoever records without a click leaves a file that says 120 beats a minute whatever was played. The
beats are found (`tokenizer.score.beat_tracking`), and the file is read in other ticks, in which
each of them is a quarter note. What is made in these ticks comes back to those of the file, and
what the user played to exactly where it was: quarter notes have at least as many ticks as beats in
the file, and the one way rounds down, the other up, in whole numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tokenizer.midi.events import Event, File
from tokenizer.score.beat_tracking import grid_fit, onset_strength, track_beats
from tokenizer.score.columns import TEMPOS, TIME_SIGNATURES
from tokenizer.score.score import Score
from tokenizer.typing import Floats, Ints

_LEAST_OWN, _LEAST_FOUND = 0.3, 0.6  # how well onsets keep to the file's beats, to found ones
_PARTS = (2, 3, 4, 6, 8)  # of the file's own beats, which a score may be written in
_FEWEST = 32  # onsets
_LAST = 8  # beats that say how fast the music goes on
_AT_ONCE = 0.1  # of a beat, by which music may begin late
_FINEST, _STEPS = 480, 24  # ticks of a quarter note: at least, and a multiple of
_MOST = 0x7FFF


@dataclass(frozen=True)
class Retiming:
    """The beats of a performance.

    Attributes:
        beats: their ticks in the file, ascending; two at least.
        first: how many beats after the beginning of the first bar the first of them comes.
        meter: beats in a bar.
        gap: ticks between beats after the last.
        division: ticks of a beat as it is heard.
    """

    beats: tuple[int, ...]
    first: int
    meter: int
    gap: int
    division: int

    def heard_tick(self, tick: int) -> int:
        """Where a tick of the file is heard."""
        number, begin, gap = self._beat(bisect_right(self.beats, tick) - 1)
        return (self.first + number) * self.division + (tick - begin) * self.division // gap

    def file_tick(self, heard: int) -> int:
        """The first tick of the file that is heard at a tick, or later.

        The first bar may begin before the file does, as before an upbeat.
        """
        place = heard // self.division - self.first
        number, begin, gap = self._beat(min(place, len(self.beats) - 1))
        inside = heard - (self.first + number) * self.division
        return max(0, begin + -(-inside * gap // self.division))

    def _beat(self, number: int) -> tuple[int, int, int]:
        """A beat's number, tick and length; before the first, those of the first."""
        number = max(number, 0)
        if number == len(self.beats) - 1:
            return number, self.beats[number], self.gap
        return number, self.beats[number], self.beats[number + 1] - self.beats[number]

    def heard(self, file: File) -> File:
        """A file in the ticks in which it is heard."""
        tracks = [[Event(self.heard_tick(e.tick), e.data) for e in track] for track in file.tracks]
        return File(self.division, tracks, self.heard_tick(file.end))

    def original(self, file: File, division: int) -> File:
        """The inverse of `heard`."""
        tracks = [[Event(self.file_tick(e.tick), e.data) for e in track] for track in file.tracks]
        return File(division, tracks, self.file_tick(file.end))

    def timed(self, heard: Score, own: Score) -> Score:
        """A score in heard ticks with the meter and the tempos that are heard.

        Args:
            heard: the score.
            own: the file's, in its own ticks.
        """
        edges = np.array([*self.beats, self.beats[-1] + self.gap], dtype=np.int64)
        microseconds = np.rint(np.diff(own.seconds(edges)) * 1e6)
        at = (self.first + np.arange(len(self.beats))) * self.division
        at[0] = 0
        rows = list(zip(at.tolist(), microseconds.astype(int).tolist(), strict=True))
        meters = np.array([(0, self.meter, 4)], TIME_SIGNATURES)
        return replace(heard, tempos=np.array(rows, TEMPOS), time_signatures=meters)

    def at_tempo(self, heard: int, tempo: float, own: Score) -> Retiming:
        """The same up to the first beat at or after a heard tick, then at a tempo in BPM."""
        count = -(-heard // self.division) - self.first + 1
        beats = [*self.beats]
        while len(beats) < count:
            beats.append(beats[-1] + self.gap)
        beats = beats[: max(count, 2)]
        begin = float(own.seconds(np.array([beats[-1]]))[0])
        after = int(own.ticks(np.array([begin + 60 / tempo]))[0])
        return replace(self, beats=tuple(beats), gap=max(after - beats[-1], 1))

    def to_numbers(self) -> tuple[int, ...]:
        """The retiming as whole numbers, for a recipe."""
        return (self.first, self.meter, self.gap, self.beats[0], *np.diff(self.beats).tolist())

    @classmethod
    def from_numbers(cls, numbers: Sequence[int]) -> Retiming:
        """The inverse of `to_numbers`.

        Raises:
            ValueError: if they are none.
        """
        first, meter, gap, *steps = numbers
        beats = tuple(np.cumsum(steps).tolist())
        if len(beats) < 2 or min(meter, gap, *steps[1:]) < 1:
            raise ValueError("these are no beats")
        return cls(beats, first, meter, gap, _division(beats, gap))


def found_beats(score: Score) -> tuple[Retiming | None, str]:
    """The beats of music that does not keep to those of its file, and a sentence that says so.

    Returns:
        None and "" where it does, or has too few notes to tell; None and a sentence where no beats
        are certain.
    """
    onsets = np.unique(score.notes["start"])
    own_fit = grid_fit(onsets / score.ticks_per_quarter, _PARTS)
    if len(onsets) < _FEWEST or own_fit >= _LEAST_OWN:
        return None, ""
    said = f"The notes do not keep to the beats of the file ({_tempo(score)} BPM)"
    uncertain = f"{said}, and no others are certain: it goes on in those of the file."
    times, lengths = score.seconds(score.notes["start"]), _lengths(score)
    pitches = score.notes["pitch"].astype(np.float64)
    velocities = score.notes["velocity"].astype(np.float64)
    seconds = track_beats(times, lengths, pitches, velocities)
    beats = np.unique(score.ticks(seconds)) if len(seconds) else np.empty(0, dtype=np.int64)
    if len(beats) < 2 * _LAST:
        return None, uncertain
    inside = onsets[(onsets >= beats[0]) & (onsets <= beats[-1])]
    if grid_fit(np.interp(inside, beats, np.arange(len(beats)))) < _LEAST_FOUND:
        return None, uncertain
    accents = onset_strength(times, lengths, pitches, velocities * np.clip(100 - pitches, 10, 60))
    found = _retiming(beats, accents, seconds, _meter(score))
    if found.division > _MOST:
        return None, uncertain
    tempo = 60 * (len(seconds) - 1) / float(seconds[-1] - seconds[0])
    return found, (
        f"{said}: it goes on in those that are found, about {tempo:.0f} BPM; your notes stay where "
        "they are."
    )


def _retiming(beats: Ints, accents: Floats, seconds: Floats, meter: int) -> Retiming:
    """The retiming of beats, the strongest of each bar its first."""
    frames = np.clip(np.rint(seconds * 100).astype(np.int64), 0, len(accents) - 1)
    loud = accents[frames[: len(beats)]]
    strongest = max(range(meter), key=lambda phase: float(loud[phase::meter].mean()))
    gap = int(beats[1] - beats[0])
    ticks = beats.tolist()
    if ticks[0] < _AT_ONCE * gap:
        ticks[0] = 0
    before = -(-ticks[0] // gap)
    first = before + (-strongest - before) % meter
    last = int(np.median(np.diff(ticks[-_LAST:])))
    return Retiming(tuple(ticks), first, meter, last, _division(ticks, last))


def _division(beats: Sequence[int], gap: int) -> int:
    """Ticks of a quarter note that are as fine as those of the file."""
    most = max(_FINEST, *np.diff(beats).tolist(), gap)
    return _STEPS * -(-most // _STEPS)


def _lengths(score: Score) -> Floats:
    ends = score.notes["start"].astype(np.int64) + score.notes["duration"]
    lengths: Floats = score.seconds(ends) - score.seconds(score.notes["start"])
    return lengths


def _meter(score: Score) -> int:
    """The beats in a bar: those of the file's first time signature in quarter notes, else 4."""
    signatures = score.time_signatures
    if len(signatures) and signatures["denominator"][0] == 4:
        return int(np.clip(signatures["numerator"][0], 2, 12))
    return 4


def _tempo(score: Score) -> str:
    """The tempo at the beginning of a score, in words."""
    tempos = score.tempos["microseconds"]
    return f"{60e6 / int(tempos[0]) if len(tempos) else 120:.4g}"
