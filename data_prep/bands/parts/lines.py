"""Parts of single notes under the tune: the bass and riffs.

A pattern's degrees become pitches over the chord of the moment; the line goes to the next root by
steps, adds a root where a chord changes under a long note, and fills where the form has a fill.
"""

from __future__ import annotations

from random import Random

from data_prep.bands.form.form import Bar
from data_prep.bands.harmony.chords import Chord, interval_of, scale_of
from data_prep.bands.notation.pattern import Step
from data_prep.bands.notation.words import Word, word

from .playing import ACCENT, GHOST, PLAIN, Chart, Note, Player, Repertoire

_SHORT = 45


class Line:
    """One line through a song."""

    def __init__(self, player: Player, chart: Chart, random: Random) -> None:
        self._part = player.part
        self._chart = chart
        self._random = random
        self._low, self._high = player.part.pitches
        self._pitch = self._low + 7
        self._root = self._low + 5
        self._notes: list[Note] = []
        self._repertoire = Repertoire(player.part, chart, random)
        self._is_bass = player.part.role == "bass"

    def play(self, player: Player) -> list[Note]:
        """All notes of the line."""
        for number, section in enumerate(self._chart.form.sections):
            if number not in player.sections:
                continue
            bars = self._repertoire.take(section)
            if not bars:
                continue
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
        found = list(steps)
        if bar.stop:
            return [
                step._replace(length=min(step.length, beat)) for step in found[:1] if not step.start
            ]
        if self._is_bass:
            found = self._at_changes(bar, found)
            if bar.fill and self._random.randrange(100) < 55:
                return self._filled(bar, found)
        chance = self._random.randrange(100)
        if len(found) > 2 and chance < 22 and bar.number:
            place = self._random.randrange(1, len(found))
            step = found[place]
            if chance < 7 and len(found) > 3:
                found[place - 1] = found[place - 1]._replace(
                    length=step.start + step.length - found[place - 1].start
                )
                del found[place]
            elif chance < 14 and word(step.symbol).degree and "'" not in step.symbol:
                found[place] = step._replace(symbol=_octave(step.symbol))
            elif self._is_bass and word(found[-1].symbol).core in "1358":
                found[-1] = found[-1]._replace(symbol="a")
        return found

    def _at_changes(self, bar: Bar, steps: list[Step]) -> list[Step]:
        """A root at each chord within the bar, unless a note begins there anyway."""
        for start, _ in bar.chords[1:]:
            tick = self._chart.swing.warp(start)
            if any(abs(step.start - tick) <= 80 for step in steps):
                continue
            found = []
            for step in steps:
                if step.start < tick < step.start + step.length:
                    rest = step.start + step.length - tick
                    found.append(step._replace(length=tick - step.start))
                    found.append(Step(tick, rest, "1"))
                else:
                    found.append(step)
            steps = found
        return steps

    def _filled(self, bar: Bar, steps: list[Step]) -> list[Step]:
        """The last beat or two walk to the next root in eighths or as the beat goes."""
        meter, swing = self._chart.meter, self._chart.swing
        begin = meter.bar - min(bar.fill, 2) * meter.beat
        size = meter.beat // (3 if meter.beat % 720 == 0 else 2)
        if not any(step.start >= begin for step in steps) and self._random.randrange(2):
            return steps
        kept = [
            step._replace(length=min(step.length, begin - step.start))
            for step in steps
            if step.start < begin
        ]
        ticks = [swing.warp(t) for t in range(begin, meter.bar + 1, size)]
        words = ["w"] * (len(ticks) - 2) + ["a"]
        run = [Step(a, b - a, w) for a, b, w in zip(ticks, ticks[1:], words, strict=False)]
        return [*kept, *run]

    def _carry(self, bar: Bar, ticks: int) -> None:
        """Let the last note ring over the bar line, where the pattern holds it."""
        if ticks and self._notes and not bar.stop:
            last = self._notes[-1]
            chord = bar.chord_at(0)
            if last.pitch % 12 not in (*chord.classes, chord.bass):  # it led here, and stops here
                self._root = self._pitch = self._near(chord.bass, last.pitch)
                self._notes.append(Note(bar.start, ticks * 9 // 10, self._root, PLAIN))
                return
            if bar.start - last.stop < self._chart.meter.beat // 2:
                self._notes[-1] = last._replace(duration=bar.start + ticks * 9 // 10 - last.start)

    def _step(self, bar: Bar, step: Step) -> None:
        parsed = word(step.symbol)
        if parsed.maybe and self._random.randrange(2):
            return
        pitch = self._pitch_of(bar, step, parsed)
        gate = _SHORT if parsed.short else self._part.gate
        duration = max(30, step.length * gate // 100)
        if parsed.core == "x":
            duration = min(duration, 60)
        velocity = PLAIN
        if parsed.accent:
            velocity = ACCENT
        elif parsed.ghost or parsed.core == "x":
            velocity = GHOST
        self._notes.append(Note(bar.start + step.start, duration, pitch, velocity))
        self._pitch = pitch

    def _pitch_of(self, bar: Bar, step: Step, parsed: Word) -> int:
        chord = bar.chord_at(step.start)
        after = self._after(bar, step)
        if parsed.core == "x":
            return self._pitch
        if parsed.core == "n":
            self._root = self._near(after.bass, self._root)
            return self._fit(self._root + 12 * parsed.octave)
        if parsed.core in ("a", "s", "w"):
            return self._walk(bar, chord, after, parsed.core)
        key = bar.section.key
        if parsed.of_key:
            tonic = Chord(key.tonic, "m" if key.is_minor else "", key.tonic)
            root = self._near(key.tonic, self._low + 5)
            interval = interval_of(tonic, key, parsed.degree, parsed.accidental)
        else:
            bass = chord.bass if parsed.degree == 1 and self._is_bass else chord.root
            root = self._near(bass, self._root if self._is_bass else self._low + 5)
            self._root = root
            interval = interval_of(chord, key, parsed.degree, parsed.accidental)
        return self._fit(root + interval + 12 * parsed.octave)

    def _after(self, bar: Bar, step: Step) -> Chord:
        """The chord that comes after the one at a step."""
        for start, chord in bar.chords:
            if start > step.start:
                return chord
        return bar.after

    def _walk(self, bar: Bar, chord: Chord, after: Chord, way: str) -> int:
        """A step to the next root: chromatic (a), of the scale (s), or on the way there (w)."""
        target = self._near(after.bass, self._pitch)
        scale = scale_of(chord, bar.section.key)
        side = -1 if self._pitch < target or self._pitch == target == self._high else 1
        if way in ("a", "s"):
            self._root = target
        if way == "a":
            if self._random.randrange(3) == 0:
                side = -side
            return self._fit(target + side)
        if way == "s":
            return self._fit(_next_of(scale, target, side))
        direction = -side
        if abs(self._pitch - target) <= 3:
            direction = self._random.choice((-1, 1))
        if self._pitch <= self._low + 2:
            direction = 1
        elif self._pitch >= self._high - 2:
            direction = -1
        tones = scale if self._random.randrange(100) < 60 else tuple(sorted(set(chord.classes)))
        return self._fit(_next_of(tones, self._pitch, direction))

    def _near(self, pitch_class: int, target: int) -> int:
        """The pitch of a class within the range, near a target, low rather than high."""
        middle = self._low + (self._high - self._low) * 2 // 5
        options = range(self._low + (pitch_class - self._low) % 12, self._high + 1, 12)
        return min(options, key=lambda p: (2 * abs(p - target) + abs(p - middle), p))

    def _fit(self, pitch: int) -> int:
        while pitch > self._high:
            pitch -= 12
        while pitch < self._low:
            pitch += 12
        return pitch

    def _end(self, bar: Bar) -> None:
        """The last note: the root, held or short as the song ends."""
        chord = bar.chords[0][1]
        meter = self._chart.meter
        length = meter.beat if bar.ending == "stop" else meter.bar
        root = self._near(chord.root, self._root)
        self._notes.append(Note(bar.start, length * 9 // 10, root, ACCENT))


def _octave(symbol: str) -> str:
    """The same word, an octave higher."""
    return symbol[:-1] + "')" if symbol.endswith(")") else symbol + "'"


def _next_of(classes: tuple[int, ...], pitch: int, direction: int) -> int:
    """The nearest pitch of some classes above or below a pitch."""
    return next(
        p for p in range(pitch + direction, pitch + 13 * direction, direction) if p % 12 in classes
    )
