"""What is made up over the changes: solos, answers in the melody's rests, counter-melodies."""

from __future__ import annotations

from bisect import bisect_left
from random import Random

from data_prep.bands.form.form import Bar
from data_prep.bands.harmony.chords import QUALITIES, Chord, scale_of
from data_prep.bands.notation.pattern import Step, drum_bars

from .melody import _rhythms, snapped, stepped
from .playing import ACCENT, PLAIN, SOFT, Chart, Note, Player

_RUN = (1, 1, 1, -1, -1, -1, 2, -2, 3, 0)


class Soloist:
    """Improvises in the player's sections: phrases that run, aim at the chord, and breathe."""

    def __init__(self, player: Player, chart: Chart, random: Random) -> None:
        self._part = player.part
        self._chart = chart
        self._random = random
        self._low, self._high = player.part.pitches
        self._rhythms = _rhythms(player.part, chart)
        self._pitch = (self._low + self._high) // 2

    def play(self, player: Player) -> list[Note]:
        """All notes of the part."""
        notes: list[Note] = []
        for number, section in enumerate(self._chart.form.sections):
            if number not in player.sections or section.kind == "end":
                continue
            bars = self._chart.bars_of(section)
            idea: tuple[Step, ...] = ()
            for bar in bars:
                closing = bar.number % 4 == 3
                if not idea or self._random.randrange(100) < 65:
                    idea = self._rhythm()
                steps = idea
                if closing:
                    steps = tuple(s for s in steps if s.start < self._chart.meter.bar * 5 // 8)
                if bar.number % 4 == 0 and self._random.randrange(100) < 40:
                    steps = tuple(s for s in steps if s.start >= self._chart.meter.beat)
                climb = 12 * bar.number // max(1, len(bars))
                notes += self._bar(bar, steps, climb)
        return notes

    def _rhythm(self) -> tuple[Step, ...]:
        pattern = self._random.choice(self._rhythms)
        bars = drum_bars(pattern.play, self._chart.meter, self._chart.swing)
        return self._random.choice(bars).steps

    def _bar(self, bar: Bar, steps: tuple[Step, ...], climb: int) -> list[Note]:
        notes = []
        beat = self._chart.meter.beat
        direction = self._random.choice((-1, 1))
        centre = (self._low + self._high) // 2 - 3 + climb * 2 // 3
        for number, step in enumerate(steps):
            chord = bar.chord_at(step.start)
            scale = scale_of(chord, bar.section.key, self._part.scale)
            if abs(self._pitch - centre) > 8:
                direction = 1 if self._pitch < centre else -1
            elif self._random.randrange(100) < 18:
                direction = -direction
            move = direction * abs(self._random.choice(_RUN))
            self._pitch = stepped(self._pitch, move, scale, self._low, self._high)
            last = number + 1 == len(steps)
            if (step.start % (2 * beat) == 0 or last) and self._random.randrange(100) < 80:
                self._pitch = snapped(self._pitch, chord.classes, self._low, self._high)
            velocity = PLAIN if step.start % beat else PLAIN + 6
            if step.symbol == "X" or step.length >= 2 * beat:
                velocity = ACCENT
            length = max(40, step.length * self._part.gate // 100)
            notes.append(Note(bar.start + step.start, length, self._pitch, velocity))
        return notes


def answers(player: Player, chart: Chart, lead: list[Note], random: Random) -> list[Note]:
    """Short answers where the lead rests for two beats or more: call and response."""
    low, high = player.part.pitches
    rhythms = _rhythms(player.part, chart)
    meter = chart.meter
    starts = [note.start for note in lead]
    notes: list[Note] = []
    lick: tuple[int, ...] = ()
    for number, section in enumerate(chart.form.sections):
        if number not in player.sections or section.kind == "end":
            continue
        for bar in chart.bars_of(section):
            begin = _silent_from(lead, starts, bar, meter.bar)
            if meter.bar - begin < meter.bar // 3 or random.randrange(100) < 25:
                continue
            pattern = random.choice(rhythms)
            steps = [
                step
                for step in random.choice(drum_bars(pattern.play, meter, chart.swing)).steps
                if step.start >= begin
            ]
            if not lick or random.randrange(3) == 0:
                lick = tuple(random.choice((-1, -1, 1, 1, 2, -2, 0)) for _ in range(16))
            pitch = (low + high) // 2
            for place, step in enumerate(steps):
                chord = bar.chord_at(step.start)
                scale = scale_of(chord, bar.section.key, player.part.scale)
                pitch = stepped(pitch, lick[place % 16], scale, low, high)
                if place in (0, len(steps) - 1):
                    pitch = snapped(pitch, chord.classes[:3], low, high)
                length = max(40, step.length * player.part.gate // 100)
                notes.append(Note(bar.start + step.start, length, pitch, SOFT + 6))
    return notes


def _silent_from(lead: list[Note], starts: list[int], bar: Bar, size: int) -> int:
    """From which tick of the bar on the lead is silent; the bar's length if it is not."""
    first = bisect_left(starts, bar.start - 2 * size)
    stop = bisect_left(starts, bar.start + size)
    ends = [lead[i].stop - bar.start for i in range(first, stop)]
    return max([0, *ends])


def counter(player: Player, chart: Chart, random: Random) -> list[Note]:
    """A slow line of thirds and sevenths, each near the one before, with passing notes."""
    low, high = player.part.pitches
    notes: list[Note] = []
    pitch = (low + high) // 2
    for number, section in enumerate(chart.form.sections):
        if number not in player.sections:
            continue
        for bar in chart.bars_of(section):
            edges = [start for start, _ in bar.chords] + [chart.meter.bar]
            for (start, chord), stop in zip(bar.chords, edges[1:], strict=True):
                pitch = snapped(pitch, _guides(chord), low, high)
                length = stop - start
                split = length >= 2 * chart.meter.beat and random.randrange(100) < 30
                first = length - chart.meter.beat if split else length
                notes.append(Note(bar.start + start, first * 97 // 100, pitch, SOFT))
                if split and not bar.ending:
                    scale = scale_of(chord, section.key)
                    passing = stepped(pitch, random.choice((-1, 1)), scale, low, high)
                    beat = chart.meter.beat
                    notes.append(
                        Note(bar.start + start + first, beat * 97 // 100, passing, SOFT - 6)
                    )
    return _tied(notes)


def _guides(chord: Chord) -> tuple[int, ...]:
    """The third (or what stands for it) and the seventh, or the fifth."""
    intervals = QUALITIES[chord.quality]
    wanted = intervals[1:2] + (intervals[3:4] or intervals[2:3])
    return tuple((chord.root + interval) % 12 for interval in wanted)


def _tied(notes: list[Note]) -> list[Note]:
    """Neighbours of one pitch joined, up to two at a time."""
    found: list[Note] = []
    joined = False
    for note in notes:
        near = found and found[-1].pitch == note.pitch and note.start - found[-1].stop < 60
        if near and not joined:
            found[-1] = found[-1]._replace(duration=note.stop - found[-1].start)
            joined = True
        else:
            found.append(note)
            joined = False
    return found
