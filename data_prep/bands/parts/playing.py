"""What all players share: notes, the chart that they read, and the pattern of each section.

Above the form, below the parts: `lines`, `comping`, `drums` and `melody` turn a chart into notes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from data_prep.bands.form.form import Bar, Form, Section
from data_prep.bands.notation.pattern import Meter, PatternBar, Swing, line_bars
from data_prep.bands.notation.style import Part, Pattern, Style

from . import variation


class Note(NamedTuple):
    """A note in ticks of the song; velocity as the pattern wants it, before dynamics."""

    start: int
    duration: int
    pitch: int
    velocity: int

    @property
    def stop(self) -> int:
        """The tick at which it ends."""
        return self.start + self.duration


class Tone(NamedTuple):
    """A melody note: start in ticks of its section (before 0 in an upbeat), duration, pitch."""

    start: int
    duration: int
    pitch: int


PLAIN, ACCENT, SOFT, GHOST = 82, 100, 66, 42


@dataclass(frozen=True)
class Chart:
    """What lies on every music stand."""

    style: Style
    form: Form
    swing: Swing
    themes: Mapping[str, Sequence[Tone]] = field(default_factory=dict)
    """Melodies that are given, by the sections' theme."""

    @property
    def meter(self) -> Meter:
        """The time signature."""
        return self.form.meter

    def bars_of(self, section: Section) -> tuple[Bar, ...]:
        """The bars of a section."""
        return self.form.bars[section.first : section.first + section.bars]


@dataclass(frozen=True)
class Player:
    """A part in this song.

    Attributes:
        part: of the style.
        program: General MIDI, of the part's instruments.
        name: of the track.
        sections: the numbers of the sections in which it plays.
    """

    part: Part
    program: int
    name: str
    sections: frozenset[int]


def plays_in(wanted: str, kind: str) -> bool:
    """Whether a list of sections such as "verse chorus" or "-intro -break" has a kind in it."""
    names = wanted.split()
    if not names or kind == "end":
        return True
    if f"-{kind}" in names:
        return False
    return kind in names or all(name.startswith("-") for name in names)


def for_section(
    patterns: Sequence[Pattern], kind: str, style: Style, meter: Meter
) -> list[Pattern]:
    """The patterns for a kind of section in a meter: those that name it, else those for all."""
    fitting = [pattern for pattern in patterns if style.meter_of(pattern.meter) == meter]
    named = [p for p in fitting if p.sections and plays_in(p.sections, kind)]
    return named or [p for p in fitting if not p.sections] or fitting


class Repertoire:
    """What a player plays in each section: this song's form of the style's patterns."""

    def __init__(self, part: Part, chart: Chart, random: Random) -> None:
        self._chart = chart
        self._part = part
        self._random = random
        self._chosen: dict[str, tuple[PatternBar, ...]] = {}
        self._of_song: dict[Pattern, tuple[PatternBar, ...]] = {}
        self._favourite: Pattern | None = None

    def take(self, section: Section) -> tuple[PatternBar, ...]:
        """The bars of a section's pattern; none if the style has none in this meter."""
        kind = section.kind
        chart = self._chart
        options = for_section(self._part.written(), kind, chart.style, chart.meter)
        if not options:
            return ()
        if kind not in self._chosen:
            same = self._favourite in options and self._random.randrange(100) < 45
            pattern = self._favourite if same else self._random.choice(options)
            self._favourite = self._favourite or pattern
            self._chosen[kind] = self._bars(pattern or options[0], options)
        if section.occurrence and self._random.randrange(100) < 22:
            return self._bars(self._random.choice(options), options)
        return self._chosen[kind]

    def _bars(self, pattern: Pattern, options: list[Pattern]) -> tuple[PatternBar, ...]:
        if pattern not in self._of_song:
            chart = self._chart
            own = line_bars(pattern.play, chart.meter)
            other = line_bars(self._random.choice(options).play, chart.meter)
            bars = variation.line(own, other, self._part.role, self._random)
            self._of_song[pattern] = tuple(bar.swung(chart.swing) for bar in bars)
        return self._of_song[pattern]
