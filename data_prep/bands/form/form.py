"""The form of a song: sections with their chords and energy, and the bars that they are made of.

Decided before anybody plays: what comes when, in which key, where the fills, breaks and pauses are,
and how the song ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from data_prep.bands.harmony import library
from data_prep.bands.harmony.chords import Chord, Key
from data_prep.bands.notation.pattern import Meter
from data_prep.bands.notation.style import ENERGIES, Style, sections

from . import progressions
from .progressions import ChordBar, Numerals

MINUTES = 6
"""No song is longer."""

_LISTED = 25  # percent of sections, in styles that name moods, with a progression of the library


@dataclass(frozen=True)
class Section:
    """A part of the form.

    Attributes:
        kind: such as "verse".
        occurrence: how many of its kind came before.
        key: with the key change, where there was one.
        energy: how hard the band plays, 1–5.
        chords: by bar.
        first: the number of its first bar in the song.
        theme: which melody it has; sections of one theme have the same chords.
    """

    kind: str
    occurrence: int
    key: Key
    energy: int
    chords: tuple[ChordBar, ...]
    first: int
    theme: str = ""

    @property
    def bars(self) -> int:
        """How many bars it has."""
        return len(self.chords)


@dataclass(frozen=True)
class Bar:
    """A bar of the song.

    Attributes:
        start: in ticks of the song.
        section: of the form.
        number: within the section, from 0.
        chords: of this bar.
        after: the first chord of the next bar.
        fill: beats of fill at its end.
        stop: whether the band stops after the first beat.
        ending: how the song ends, in its last bar; else empty.
    """

    start: int
    section: Section
    number: int
    chords: ChordBar
    after: Chord
    fill: int = 0
    stop: bool = False
    ending: str = ""

    def chord_at(self, tick: int) -> Chord:
        """The chord at a tick of the bar."""
        return progressions.chord_at(self.chords, tick)


@dataclass(frozen=True)
class Form:
    """A song's form.

    Attributes:
        meter: of the whole song.
        key: at the beginning.
        sections: in order; the last one is the ending's bar.
        bars: of all sections.
        ending: one of `style.ENDINGS`.
    """

    meter: Meter
    key: Key
    sections: tuple[Section, ...]
    bars: tuple[Bar, ...]
    ending: str

    @property
    def summary(self) -> str:
        """Such as "intro4 verse8 chorus8"."""
        return " ".join(f"{section.kind}{section.bars}" for section in self.sections)


def planned(style: Style, meter: Meter, key: Key, tempo: int, random: Random) -> Form:
    """Choose a form of the style and fill it with chords."""
    longest = MINUTES * tempo * meter.pulse // meter.bar
    plan: list[tuple[str, int]] = []
    for kind, bars, optional in sections(random.choice(style.forms)):
        if optional and random.randrange(100) < 45:
            continue
        if sum(b for _, b in plan) + bars > longest - 8 and plan:
            break
        plan.append((kind, bars))
    lift = _key_change(style, plan, random)
    written = {
        kind: _written(style, key.mode, kind, random) for kind in dict.fromkeys(k for k, _ in plan)
    }
    found: list[Section] = []
    first = 0
    for number, (kind, bars) in enumerate(plan):
        here = key.transposed(lift[1]) if lift and number >= lift[0] else key
        numerals = progressions.fitted(written[kind], bars)
        occurrence = sum(k == kind for k, _ in plan[:number])
        if occurrence and random.randrange(100) < style.reharmonise_chance:
            numerals = progressions.reharmonised(numerals, style, key.mode, random)
        if number + 1 < len(plan) and random.randrange(100) < 60:
            numerals = progressions.with_turnaround(numerals, style, random)
        chords = progressions.in_key(numerals, here, meter)
        energy = _energy(style, kind, occurrence, number, plan, random)
        found.append(Section(kind, occurrence, here, energy, chords, first, kind))
        first += bars
    return closed(style, meter, key, tuple(found), random)


def _written(style: Style, mode: str, kind: str, random: Random) -> Numerals:
    """This song's progression for a kind of section."""
    options = progressions.progressions_for(style.chords[mode], kind)
    listed = library.suited(mode, style.moods) if style.moods else ()
    if listed and random.randrange(100) < _LISTED:
        options = listed
    numerals = progressions.parse(random.choice(options))
    other = progressions.parse(random.choice(options))
    if len(numerals) == len(other) and len(other) in (4, 8) and random.randrange(100) < 50:
        half = len(other) // 2
        numerals = [*numerals[:half], *other[half:]]
    if random.randrange(100) < style.reharmonise_chance:
        numerals = progressions.reharmonised(numerals, style, mode, random)
    return numerals


def _key_change(
    style: Style, plan: list[tuple[str, int]], random: Random
) -> tuple[int, int] | None:
    """From which section on the song is so many semitones higher, if it is at all."""
    repeated = [n for n, (kind, _) in enumerate(plan) if kind in [k for k, _ in plan[:n]]]
    loud = [n for n in repeated if plan[n][0] in ("chorus", "a", "head", "verse", "drop")]
    if not loud or random.randrange(100) >= style.key_change:
        return None
    return loud[-1], random.choice((1, 2, 2, 3))


def _energy(
    style: Style,
    kind: str,
    occurrence: int,
    number: int,
    plan: list[tuple[str, int]],
    random: Random,
) -> int:
    base = style.energy.get(kind, ENERGIES.get(kind, 3))
    last = max((n for n, (k, _) in enumerate(plan) if k == kind), default=0)
    if occurrence and number == last and kind in ("chorus", "a", "head", "drop"):
        base += 1
    if not occurrence and kind == "verse" and random.randrange(2):
        base -= 1
    if occurrence and kind == "verse" and random.randrange(4) == 0:
        base -= 1
    return max(1, min(5, base))


def closed(
    style: Style, meter: Meter, key: Key, found: tuple[Section, ...], random: Random
) -> Form:
    """Add the ending, and lay out the bars with their fills and breaks."""
    ending = random.choice(style.endings)
    last = found[-1]
    tonic = progressions.in_key([[_final(last.key, last.chords, random)]], last.key, meter)
    if ending == "tag" and last.bars >= 4:
        chords = (*last.chords, *last.chords[-2:])
        found = (*found[:-1], replace(last, chords=chords))
    elif ending == "cadence" and last.bars >= 4:
        five = [["iv", "V7"] if last.key.is_minor else ["IV", "V7"]]
        chords = (*last.chords[:-1], *progressions.in_key(five, last.key, meter))
        found = (*found[:-1], replace(last, chords=chords))
    end = found[-1].first + found[-1].bars
    final = Section("end", 0, last.key, max(2, last.energy), tonic, end, "end")
    sections = (*found, final)
    return Form(meter, key, sections, _bars(style, meter, sections, ending, random), ending)


def _final(key: Key, chords: tuple[ChordBar, ...], random: Random) -> str:
    """The numeral of the last chord, as rich as the chords of the song are."""
    rich = sum(len(c.classes) > 3 for bar in chords for _, c in bar)
    many = sum(len(bar) for bar in chords)
    if 2 * rich <= many:
        return "i" if key.is_minor else "I"
    blue = chords[0][0][1].quality in ("7", "9", "13", "7#9")
    if key.is_minor:
        return random.choice(("im7", "im6", "im9")).replace("im", "i")
    return random.choice(("I7", "I9", "I13") if blue else ("Imaj7", "I69", "Imaj9"))


def _bars(
    style: Style, meter: Meter, found: tuple[Section, ...], ending: str, random: Random
) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    beats = meter.bar // meter.beat
    for number, section in enumerate(found):
        last = number + 2 == len(found)
        louder = number + 1 < len(found) and found[number + 1].energy > section.energy
        stops = section.bars >= 4 and not last and random.randrange(100) < style.breaks
        for place, chords in enumerate(section.chords):
            fill, stop = 0, False
            at_end = place + 1 == section.bars
            if section.kind != "end":
                if at_end:
                    stop = stops and (louder or random.randrange(3) == 0)
                    fill = random.choice((1, 2, 2, beats) if louder else (1, 1, 2, 2))
                elif (place + 1) % 4 == 0 and random.randrange(100) < 45:
                    fill = random.choice((1, 1, 2))
            bars.append(
                Bar(
                    (section.first + place) * meter.bar,
                    section,
                    place,
                    chords,
                    chords[0][1],
                    min(fill, beats),
                    stop,
                    ending if section.kind == "end" else "",
                )
            )
    return tuple(
        replace(bar, after=bars[min(n + 1, len(bars) - 1)].chords[0][1])
        for n, bar in enumerate(bars)
    )
