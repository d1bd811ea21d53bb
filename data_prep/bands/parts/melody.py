"""Melodies: themes grown from motifs that return, sung again with small changes.

A motif is a bar's rhythm and a contour of scale steps. Four-bar phrases put motifs in an order
such as a b a c, rise and fall, rest on a note of the chord, and breathe; the notes on strong beats
belong to the chord, the others to the scale over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from data_prep.bands.form.form import Bar, Section
from data_prep.bands.harmony.chords import scale_of
from data_prep.bands.notation.pattern import Meter, Step, drum_bars
from data_prep.bands.notation.style import Part, Pattern

from .playing import ACCENT, PLAIN, SOFT, Chart, Note, Player, Tone, for_section

PHRASE = 4
_ORDERS = ("abac", "aabc", "abab", "abcb", "aaab", "abca")
_CONTOURS = (
    (0, 1, 1, -1), (0, -1, -1, 1), (0, 2, -1, -1), (0, 0, 1, -1), (0, 1, -1, 0), (0, -2, 1, 1),
    (0, 1, 1, 1), (0, -1, -1, -1), (0, 0, 0, 2), (0, 3, -1, -1), (0, -1, 1, -2), (0, 0, -1, -1),
    (0, 1, 2, -1), (0, -3, 1, 1),
)  # fmt: skip
_ARC = (0, 1, 2, -1)  # how the bars of a phrase lie to its middle, in thirds


@dataclass(frozen=True)
class Motif:
    """A bar's idea: when its notes begin and how the line moves."""

    rhythm: tuple[Step, ...]
    contour: tuple[int, ...]
    start: int  # which note of the chord it begins near, counted from the middle


def default_rhythms(meter: Meter) -> tuple[Pattern, ...]:
    """Rhythms for a meter that a style gives none for: eighths in groups of two and three."""
    eighths = meter.bar // 240
    even = "x-" * (eighths // 2) + "x" * (eighths % 2)
    long = "x--" + "x-" * ((eighths - 3) // 2) + "-" * ((eighths - 3) % 2)
    late = ".x" + "x-" * ((eighths - 2) // 2) + "-" * ((eighths - 2) % 2)
    busy = "xx" + "x-" * ((eighths - 2) // 2) + "x" * ((eighths - 2) % 2)
    half = "x-" + "-" * (eighths - 4) + "x-"
    return tuple(Pattern(text, meter=str(meter)) for text in (even, long, late, busy, half))


class Singer:
    """One lead part through a song."""

    def __init__(self, player: Player, chart: Chart, random: Random) -> None:
        self._part = player.part
        self._chart = chart
        self._random = random
        self._low, self._high = player.part.pitches
        self._themes: dict[tuple[str, int], tuple[list[Tone], Section]] = {}
        self._rhythms = _rhythms(player.part, chart)

    def play(self, player: Player) -> list[Note]:
        """All notes of the part."""
        notes: list[Note] = []
        for number, section in enumerate(self._chart.form.sections):
            if number not in player.sections:
                continue
            bars = self._chart.bars_of(section)
            if section.kind == "end":
                notes += self._end(bars[0], notes)
                continue
            tones = self._tones(section, bars)
            notes += self._sung(tones, bars)
        return notes

    def _tones(self, section: Section, bars: tuple[Bar, ...]) -> list[Tone]:
        """The theme of the section, composed the first time and varied from then on."""
        known = self._themes.get((section.theme, len(bars)))
        given = self._chart.themes.get(section.theme)
        if known is None and given is not None:
            self._themes[section.theme, len(bars)] = (list(given), section)
            return list(given)
        if known is None:
            lift = {"chorus": 3, "prechorus": 2, "drop": 3, "bridge": 1}.get(section.kind, 0)
            composer = Composer(self._part, self._chart, self._random, self._rhythms, lift)
            tones = composer.theme(bars)
            self._themes[section.theme, len(bars)] = (tones, section)
            return tones
        tones, first = known
        shift = section.key.tonic - first.key.tonic
        shift = (shift + 5) % 12 - 5
        moved = [tone._replace(pitch=tone.pitch + shift) for tone in tones]
        low, high = self._low + min(shift, 0), self._high + max(shift, 0)
        return varied(moved, bars, self._random, self._chart.meter.beat, (low, high))

    def _sung(self, tones: list[Tone], bars: tuple[Bar, ...]) -> list[Note]:
        beat = self._chart.meter.beat
        gate = self._part.gate
        notes = []
        for number, tone in enumerate(tones):
            place = tone.start % beat
            velocity = PLAIN if place == 0 else SOFT + 8
            if tone.duration >= 2 * beat:
                velocity = ACCENT - 6
            tight = (
                number + 1 < len(tones) and tones[number + 1].start <= tone.start + tone.duration
            )
            length = tone.duration * (gate if tight else 100) // 100
            notes.append(
                Note(max(0, bars[0].start + tone.start), max(40, length), tone.pitch, velocity)
            )
        return notes

    def _end(self, bar: Bar, notes: list[Note]) -> list[Note]:
        """The last note: of the last chord, near where the melody was."""
        if not notes:
            return []
        before = notes[-1].pitch
        pitch = snapped(before, (bar.chords[0][1].root,), self._low, self._high)
        if abs(pitch - before) > 5:
            pitch = snapped(before, bar.chords[0][1].classes[:3], self._low, self._high)
        length = self._chart.meter.beat if bar.ending == "stop" else self._chart.meter.bar
        return [Note(bar.start, length * 9 // 10, pitch, ACCENT)]


class Composer:
    """Makes the theme of one section."""

    def __init__(
        self, part: Part, chart: Chart, random: Random, rhythms: list[Pattern], lift: int
    ) -> None:
        self._chart = chart
        self._random = random
        self._scale = part.scale
        self._low, self._high = part.pitches
        span = self._high - self._low
        self._middle = self._low + span * 2 // 5 + lift
        self._rhythms = rhythms
        self._order = random.choice(_ORDERS)
        self._motifs: dict[str, Motif] = {}

    def theme(self, bars: tuple[Bar, ...]) -> list[Tone]:
        """The notes of a section, in phrases of four bars."""
        tones: list[Tone] = []
        pitch = self._middle
        for first in range(0, len(bars), PHRASE):
            phrase = bars[first : first + PHRASE]
            turn = first // PHRASE
            if turn == 2 and len(bars) >= 16:
                self._motifs = {}
                self._order = self._random.choice(_ORDERS)
            for place, bar in enumerate(phrase):
                closing = place + 1 == len(phrase)
                letter = self._order[place] + ("'" if closing and turn % 2 else "")
                motif = self._motif(letter, closing)
                goal = self._middle + 3 * _ARC[place] + (2 if turn % 4 == 2 else 0)
                made = self._bar(motif, bar, goal, pitch, closing, turn)
                tones += made
                pitch = made[-1].pitch if made else pitch
        return self._with_pickups(tones, bars)

    def _motif(self, letter: str, closing: bool) -> Motif:
        if letter not in self._motifs:
            pattern = self._random.choice(self._rhythms)
            rhythm = self._random.choice(
                drum_bars(pattern.play, self._chart.meter, self._chart.swing)
            ).steps
            contour: tuple[int, ...] = ()
            while len(contour) < len(rhythm):
                contour += self._random.choice(_CONTOURS)
            self._motifs[letter] = Motif(rhythm, contour, self._random.choice((-1, 0, 0, 1)))
        motif = self._motifs[letter]
        if not closing:
            return motif
        return Motif(self._closed(motif.rhythm), motif.contour, motif.start)

    def _closed(self, rhythm: tuple[Step, ...]) -> tuple[Step, ...]:
        """A rhythm that comes to rest: its last note is long, and then it breathes."""
        meter = self._chart.meter
        early = [step for step in rhythm if step.start < meter.bar // 2]
        kept = early[: max(1, min(len(early), 1 + self._random.randrange(4)))]
        if not kept:
            return rhythm[:1]
        last = kept[-1]
        rest = meter.beat * (1 if meter.bar > 2 * meter.beat else 0) + meter.beat // 2
        kept[-1] = last._replace(length=max(last.length, meter.bar - rest - last.start))
        return tuple(kept)

    def _bar(
        self, motif: Motif, bar: Bar, goal: int, before: int, closing: bool, turn: int
    ) -> list[Tone]:
        """A motif over a bar's chords."""
        meter = self._chart.meter
        tones: list[Tone] = []
        pitch = before
        for number, step in enumerate(motif.rhythm):
            chord = bar.chord_at(step.start)
            scale = scale_of(chord, bar.section.key, self._scale)
            strong = step.start % meter.beat == 0 and step.length >= meter.beat // 2
            if number == 0:
                near = (goal + 3 * motif.start + before) // 2
                pitch = snapped(near, chord.classes[:4], self._low, self._high)
            else:
                pitch = stepped(pitch, motif.contour[number], scale, self._low, self._high)
                if strong or step.length >= 2 * meter.beat:
                    pitch = snapped(pitch, chord.classes[:4], self._low, self._high)
            if closing and number + 1 == len(motif.rhythm):
                pitch = self._cadence(pitch, bar, step, turn)
            tones.append(Tone(bar.number * meter.bar + step.start, step.length, pitch))
        return tones

    def _cadence(self, pitch: int, bar: Bar, step: Step, turn: int) -> int:
        """The note on which a phrase rests: open after the first, the tonic after the second."""
        chord = bar.chord_at(step.start)
        tonic = bar.section.key.tonic
        classes = chord.classes[:3]
        if turn % 2 and tonic in chord.classes:
            classes = (tonic,)
        elif not turn % 2 and tonic in classes and len(classes) > 1:
            classes = tuple(c for c in classes if c != tonic) or classes
        return snapped(pitch, classes, self._low, self._high)

    def _with_pickups(self, tones: list[Tone], bars: tuple[Bar, ...]) -> list[Tone]:
        """Two or three steps into some phrases, in the rest before them."""
        meter = self._chart.meter
        if meter.bar < 3 * meter.beat or self._random.randrange(100) < 55 or self._scale == "x":
            return tones
        found: list[Tone] = []
        size = meter.beat // 2
        for number, tone in enumerate(tones):
            is_first = tone.start % (PHRASE * meter.bar) == 0 and tone.start
            silence = tone.start - (found[-1].start + found[-1].duration) if found else 0
            if is_first and silence >= meter.beat and self._random.randrange(100) < 75:
                count = 2 if silence < 3 * size or self._random.randrange(2) else 3
                bar = bars[tone.start // meter.bar - 1]
                scale = scale_of(bar.after, bar.section.key, self._scale)
                side = self._random.choice((-1, -1, 1))
                pitches = [tone.pitch]
                for _ in range(count):
                    pitches.append(stepped(pitches[-1], side, scale, self._low, self._high))
                for place, pitch in zip(range(count, 0, -1), reversed(pitches[1:]), strict=True):
                    straight = tone.start - place * size
                    start = self._chart.swing.warp(straight)
                    stop = self._chart.swing.warp(straight + size)
                    found.append(Tone(start, stop - start, pitch))
            found.append(tones[number])
        return found


def _rhythms(part: Part, chart: Chart) -> list[Pattern]:
    """A part's rhythms in the song's meter, or those that fit any music."""
    fitting = for_section(part.written(), "", chart.style, chart.meter) if part.rhythms else []
    return fitting or list(default_rhythms(chart.meter))


def snapped(pitch: int, classes: tuple[int, ...], low: int, high: int) -> int:
    """The pitch of some classes nearest to a pitch, within a range."""
    options = [p for p in range(low, high + 1) if p % 12 in classes]
    return min(options, key=lambda p: (abs(p - pitch), p)) if options else pitch


def stepped(pitch: int, steps: int, scale: tuple[int, ...], low: int, high: int) -> int:
    """A pitch so many notes of a scale further, turned back at the ends of the range."""
    if not scale:
        return pitch
    direction = 1 if steps > 0 else -1
    place = pitch
    left = abs(steps)
    if place % 12 not in scale and not left:
        return snapped(place, scale, low, high)
    while left:
        place += direction
        if place > high or place < low:
            direction = -direction
            place = max(low, min(high, place))
            if place % 12 in scale:
                left -= 1
            continue
        if place % 12 in scale:
            left -= 1
    return place


def varied(
    tones: list[Tone], bars: tuple[Bar, ...], random: Random, beat: int, reach: tuple[int, int]
) -> list[Tone]:
    """A theme sung again: a note early, one divided, one left out, one decorated; chords obeyed."""
    found: list[Tone] = []
    for tone in tones:
        bar = bars[max(0, min(tone.start // _bar_size(bars, beat), len(bars) - 1))]
        chord = bar.chord_at(tone.start - (bar.start - bars[0].start))
        pitch = tone.pitch
        scale = scale_of(chord, bar.section.key)
        if pitch % 12 not in scale and pitch % 12 not in chord.classes:
            pitch = min((pitch - 1, pitch + 1), key=lambda p: (p % 12 not in scale, p))
        tone = tone._replace(pitch=pitch)
        chance = random.randrange(100)
        early = found and found[-1].start + found[-1].duration + beat // 2 <= tone.start
        if chance < 5 and early and tone.start % beat == 0:
            tone = Tone(tone.start - beat // 2, tone.duration + beat // 2, tone.pitch)
        elif chance < 11 and tone.duration >= beat and tone.duration % 240 == 0:
            half = tone.duration // 2
            found.append(Tone(tone.start, half, tone.pitch))
            other = pitch
            if random.randrange(2):
                other = stepped(pitch, random.choice((-1, 1)), scale, *reach)
            tone = Tone(tone.start + half, half, other)
        elif chance < 14 and len(tones) > 8 and tone.duration < beat:
            continue
        found.append(tone)
    return found


def _bar_size(bars: tuple[Bar, ...], beat: int) -> int:
    """Ticks from bar to bar."""
    return bars[1].start - bars[0].start if len(bars) > 1 else 64 * beat
