"""Parts of chords: comping, strumming, arpeggios, pads, horn stabs.

A pattern says when and which voices of the chord; the voicing leads every voice to the nearest note
of the next chord.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from data_prep.bands.form.form import Bar
from data_prep.bands.harmony.chords import Chord
from data_prep.bands.harmony.voicing import voiced
from data_prep.bands.notation.pattern import PatternBar, Step
from data_prep.bands.notation.words import Word, word

from .playing import ACCENT, GHOST, PLAIN, SOFT, Chart, Note, Player, Repertoire

_SHORT = 45
_STRING = 9  # ticks from string to string of a strum


class Comping:
    """One part of chords through a song."""

    def __init__(self, player: Player, chart: Chart, random: Random) -> None:
        self._part = player.part
        self._chart = chart
        self._random = random
        self._low, self._high = player.part.pitches
        self._before: tuple[int, ...] = ()
        self._notes: list[Note] = []
        self._sounding: list[int] = []  # where the notes of the last step stand
        self._repertoire = Repertoire(player.part, chart, random)
        self._chord: Chord | None = None
        self._down = True

    def play(self, player: Player) -> list[Note]:
        """All notes of the part."""
        for number, section in enumerate(self._chart.form.sections):
            if number not in player.sections:
                self._before = ()
                continue
            whole = PatternBar((Step(0, self._chart.meter.bar, "c"),))
            bars = self._repertoire.take(section) or (whole,)
            for bar in self._chart.bars_of(section):
                if bar.ending:
                    self._end(bar)
                    continue
                written = bars[bar.number % len(bars)]
                self._carry(bar, written.carry)
                for step in self._steps(bar, written.steps):
                    self._step(bar, step)
        return self._notes

    def _steps(self, bar: Bar, steps: tuple[Step, ...]) -> list[Step]:
        """The bar's steps with today's changes."""
        beat = self._chart.meter.beat
        if bar.stop:
            return [
                step._replace(length=min(step.length, beat)) for step in steps if not step.start
            ]
        found = self._at_changes(bar, list(steps))
        chance = self._random.randrange(100)
        if len(found) > 1 and bar.number and self._part.role == "chords":
            place = self._random.randrange(len(found))
            if chance < 9 and len(found) > 2:
                del found[place]
            elif chance < 16 and found[-1].start >= self._chart.meter.bar - beat:
                found[-1] = found[-1]._replace(symbol=found[-1].symbol.replace("c", "n"))
            elif chance < 22:
                step = found[place]
                half = step.length // 2
                if half >= 120 and half % 120 == 0:
                    found[place : place + 1] = [
                        step._replace(length=half),
                        step._replace(start=step.start + half, length=half),
                    ]
        return found

    def _at_changes(self, bar: Bar, steps: list[Step]) -> list[Step]:
        """A chord is played anew where it changes under a held one."""
        found: list[Step] = []
        for step in steps:
            starts = [
                tick
                for tick in (self._chart.swing.warp(start) for start, _ in bar.chords[1:])
                if step.start + 60 < tick < step.start + step.length
            ]
            if not starts or word(step.symbol).degree:
                found.append(step)
                continue
            edges = [step.start, *starts, step.start + step.length]
            found += [step._replace(start=a, length=b - a) for a, b in pairwise(edges)]
        return found

    def _carry(self, bar: Bar, ticks: int) -> None:
        if not ticks or bar.stop or not self._sounding:
            return
        if self._chord != bar.chord_at(0):  # held from before an unforeseen change
            pitches = self._pitches(bar.chord_at(0), word("c"))
            self._add(bar.start, ticks * self._part.gate // 100, pitches, PLAIN)
            return
        for place in self._sounding:
            note = self._notes[place]
            if bar.start - note.stop < self._chart.meter.beat // 2:
                duration = bar.start + ticks * self._part.gate // 100 - note.start
                self._notes[place] = note._replace(duration=duration)

    def _step(self, bar: Bar, step: Step) -> None:
        parsed = word(step.symbol)
        if parsed.maybe and self._random.randrange(2):
            return
        chord = bar.chord_at(step.start)
        if parsed.core == "n":
            chord = next((c for start, c in bar.chords if start > step.start), bar.after)
        pitches = self._pitches(chord, parsed)
        gate = _SHORT if parsed.short else self._part.gate
        length = max(30, step.length * gate // 100)
        velocity = PLAIN
        if parsed.accent:
            velocity = ACCENT
        elif parsed.ghost or parsed.core == "x":
            velocity = GHOST
        elif parsed.core in ("t", "f"):
            velocity = SOFT
        if parsed.core == "x":
            length = min(length, 50)
        self._add(bar.start + step.start, length, pitches, velocity)

    def _add(self, start: int, length: int, pitches: tuple[int, ...], velocity: int) -> None:
        """The notes of a chord; a guitar's strings one after another, down and up in turn."""
        self._sounding = []
        spread = _STRING if self._part.voicing == "guitar" and len(pitches) > 2 else 0
        order = pitches if self._down else tuple(reversed(pitches))
        if spread:
            self._down = start % (self._chart.meter.beat) < 40 or not self._down
        for string, pitch in enumerate(order):
            self._sounding.append(len(self._notes))
            begin = start + spread * string
            self._notes.append(Note(begin, max(30, length - spread * string), pitch, velocity))

    def _pitches(self, chord: Chord, parsed: Word) -> tuple[int, ...]:
        part = self._part
        self._chord = chord
        voicing = voiced(chord, part.voicing, part.voices, self._low, self._high, self._before)
        self._before = voicing
        if parsed.core in ("b", "f"):
            pitch = self._bass(chord, parsed.core)
            return (max(24, pitch + 12 * parsed.octave),)
        if parsed.degree:
            turns, place = divmod(parsed.degree - 1, len(voicing))
            return (min(108, voicing[place] + 12 * (turns + parsed.octave)),)
        if parsed.core == "t" and len(voicing) > 2:
            voicing = voicing[-2:]
        elif parsed.core == "x" and len(voicing) > 3:
            voicing = voicing[:3]
        return tuple(p + 12 * parsed.octave for p in voicing if 0 <= p + 12 * parsed.octave < 128)

    def _bass(self, chord: Chord, core: str) -> int:
        """The bass note under the voicing, or the chord's fifth there."""
        top = max(min(self._before), 43) - 1
        low = top - (top - chord.bass) % 12
        if core == "b":
            return low
        fifth = (
            chord.root + (6 if 6 in {(c - chord.root) % 12 for c in chord.classes} else 7)
        ) % 12
        below = low - (low - fifth) % 12
        return below if below >= 33 else below + 12

    def _end(self, bar: Bar) -> None:
        meter = self._chart.meter
        length = meter.beat if bar.ending == "stop" else meter.bar
        chord = bar.chords[0][1]
        pitches = voiced(
            chord, self._part.voicing, self._part.voices, self._low, self._high, self._before
        )
        self._down = True
        self._add(bar.start, length * 9 // 10, pitches, ACCENT)
