"""Style files: what a band of one kind plays, as data.

A style is a TOML file in `styles/`; `docs/bands.md` explains it to musicians. Reading one checks
every type, name and pattern, so that a mistake is one sentence with the file and the key in it.
"""

from __future__ import annotations

import sys
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import msgspec

from data_prep.bands.harmony import library
from data_prep.bands.harmony.chords import MODES, SCALES, Key, pitch_class, roman
from data_prep.bands.harmony.voicing import VOICINGS
from tokenizer.errors import InputError, unknown
from tokenizer.instruments import program
from tokenizer.labels import normalise_styles

from .kit import KITS, check_line
from .pattern import Meter, drum_bars, line_bars
from .words import check_word

FOLDER = Path(__file__).parents[1] / "styles"

Role = Literal["bass", "chords", "arpeggio", "pad", "riff", "lead", "answer", "counter", "solo"]
ENDINGS = ("held", "stop", "ritard", "tag", "cadence")
REHARMONISE = ("secondary", "two-five", "borrowed", "tritone", "sus", "passing", "pedal")
ENERGIES = {
    "intro": 2, "verse": 3, "prechorus": 3, "chorus": 4, "bridge": 3, "solo": 4, "outro": 3,
    "head": 3, "a": 3, "b": 3, "c": 4, "break": 1, "build": 3, "drop": 5, "interlude": 2,
}  # fmt: skip
"""How hard the band plays in a section, 1–5, where the style says nothing."""

MELODIC = ("lead", "answer", "counter", "solo")


class Pattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to play, for some sections or any, in one meter (the style's first, if empty)."""

    play: str
    sections: str = ""
    meter: str = ""


class Groove(msgspec.Struct, frozen=True):
    """What the drums play: a line for each part of the kit."""

    lines: dict[str, str]
    sections: str = ""
    meter: str = ""


class Drums(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The drummer. Grooves and fills are tables of lines, with `sections` and `meter` beside."""

    grooves: tuple[dict[str, str], ...]
    fills: tuple[dict[str, str], ...] = ()
    kits: tuple[str, ...] = ("standard",)
    chance: int = 93
    sections: str = ""
    crash: bool = True
    lag: int = 0

    def parsed(self, fills: bool = False) -> tuple[Groove, ...]:
        """The grooves or the fills, their lines apart from what is said of them."""
        beside = ("sections", "meter")
        return tuple(
            Groove(
                {name: text for name, text in table.items() if name not in beside},
                table.get("sections", ""),
                table.get("meter", ""),
            )
            for table in (self.fills if fills else self.grooves)
        )


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One player; the fields are explained in `docs/bands.md`."""

    role: Role
    instruments: tuple[str, ...]
    name: str = ""
    range: tuple[str, str] | None = None
    chance: int = 100
    sections: str = ""
    patterns: tuple[str | Pattern, ...] = ()
    rhythms: tuple[str | Pattern, ...] = ()
    voices: int = 3
    voicing: str = "close"
    scale: str = ""
    gate: int = 92
    lag: int = 0
    volume: int = 0

    def written(self) -> tuple[Pattern, ...]:
        """Patterns and rhythms, each as a `Pattern`."""
        rows = (*self.patterns, *self.rhythms)
        return tuple(Pattern(row) if isinstance(row, str) else row for row in rows)

    @property
    def programs(self) -> tuple[int, ...]:
        """The General MIDI programs that can play the part."""
        return tuple(program(instrument) for instrument in self.instruments)

    @property
    def pitches(self) -> tuple[int, int]:
        """The lowest and highest pitch that the part plays."""
        low, high = self.range or _RANGES[self.role]
        return pitch(low), pitch(high)


_RANGES: dict[str, tuple[str, str]] = {
    "bass": ("E1", "C3"),
    "chords": ("E3", "A4"),
    "arpeggio": ("C3", "E5"),
    "pad": ("G3", "C5"),
    "riff": ("E2", "E4"),
    "lead": ("A3", "D5"),
    "answer": ("C4", "F5"),
    "counter": ("G3", "C5"),
    "solo": ("E3", "E5"),
}


class Style(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A style file; the fields are explained in `docs/bands.md`."""

    title: str
    genre: str
    tempo: tuple[int, int]
    forms: tuple[str, ...]
    chords: dict[str, dict[str, tuple[str, ...]]]
    parts: tuple[Part, ...]
    drums: Drums | None = None
    modes: dict[str, int] = msgspec.field(default_factory=lambda: {"major": 1})
    keys: tuple[str, ...] = ()
    moods: tuple[str, ...] = ()
    meters: tuple[str, ...] = ("4/4",)
    swing: tuple[int, int] = (50, 50)
    swing_unit: int = 8
    human: int = 100
    reharmonise: tuple[str, ...] = ()
    reharmonise_chance: int = 35
    turnarounds: tuple[str, ...] = ()
    key_change: int = 0
    breaks: int = 15
    endings: tuple[str, ...] = ("held", "stop")
    energy: dict[str, int] = {}
    name: str = ""

    @cached_property
    def all_meters(self) -> tuple[Meter, ...]:
        """The time signatures."""
        return tuple(meter(text) for text in self.meters)

    def meter_of(self, written: str) -> Meter:
        """The meter that a pattern is for: the style's first, where the pattern says nothing."""
        return meter(written) if written else self.all_meters[0]


def meter(text: str) -> Meter:
    """A time signature such as "7/8".

    Raises:
        InputError: if the text is none.
    """
    above, _, below = text.partition("/")
    if not above.isdecimal() or below not in ("2", "4", "8", "16") or not 1 <= int(above) <= 16:
        raise InputError(f"'{text}' is no time signature; write 4/4, 6/8 or 7/8")
    return Meter(int(above), int(below))


def pitch(name: str) -> int:
    """The MIDI pitch of "C4" (60) or "Bb1".

    Raises:
        InputError: if the name is none.
    """
    letters, octave = name[:-1], name[-1:]
    if not octave.isdecimal():
        raise InputError(f"'{name}' is no pitch; write C4, F#2 or Bb1")
    wraps = -1 if letters.startswith("Cb") else 1 if letters.startswith("B#") else 0
    return pitch_class(letters) + 12 * (int(octave) + 1 + wraps)


def names() -> tuple[str, ...]:
    """The styles that are shipped, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def load(style: str) -> Style:
    """A shipped style by name, or one of the user's by the path of its TOML file.

    Raises:
        InputError: if there is none of that name, or the file is not a style.
    """
    path = Path(style) if style.endswith(".toml") else FOLDER / f"{style}.toml"
    if not path.is_file():
        if style.endswith(".toml"):
            raise InputError(f"{path}: there is no such file")
        raise unknown("style", style, names())
    return read(path)


def read(path: Path) -> Style:
    """Read and check a style file.

    Raises:
        InputError: naming the file and what is wrong in it.
    """
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        style = msgspec.convert({**table, "name": path.stem}, type=Style)
        _check(style)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {str(error).replace('$.', '')}") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return style


def _check(style: Style) -> None:
    """Raise InputError for a value that has the right type and still cannot be used."""
    if not normalise_styles(style.genre):
        raise InputError(f"genre '{style.genre}' says nothing")
    for low, high, key in ((*style.tempo, "tempo"), (*style.swing, "swing")):
        if not 1 <= low <= high:
            raise InputError(f"{key} is [{low}, {high}]; the lower comes first")
    _known("ending", style.endings, ENDINGS)
    _known("way to reharmonise", style.reharmonise, REHARMONISE)
    _known("mode", style.modes, MODES)
    _known("mood", style.moods, library.moods())
    for tonic in style.keys:
        pitch_class(tonic)
    for mode in style.modes:
        if mode not in style.chords:
            raise InputError(f"modes has {mode}, chords has not: write a table [chords.{mode}]")
    for mode, kinds in style.chords.items():
        for kind, progressions in kinds.items():
            for progression in (*progressions, *style.turnarounds):
                _at(f"chords.{mode}.{kind}", _check_progression, progression, style, mode)
    for form in style.forms:
        _at("forms", sections, form)
    if style.drums:
        _at("drums", _check_drums, style.drums, style)
    for number, part in enumerate(style.parts):
        where = f"parts[{number}] ({part.name or part.role})"
        _at(where, _check_part, part, style)


def _at(where: str, check: Any, *arguments: Any) -> None:
    try:
        check(*arguments)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _known(kind: str, written: Any, known: tuple[str, ...]) -> None:
    for name in written:
        if name not in known:
            raise unknown(kind, name, known)


def _check_progression(progression: str, style: Style, mode: str) -> None:
    for bar in progression.split("|"):
        slots = bar.split()
        if not any(style_meter.bar % max(1, len(slots)) == 0 for style_meter in style.all_meters):
            raise InputError(f"'{progression}' has a bar of {len(slots)} chords, not equal beats")
        if not slots or slots[0] in ".%":
            raise InputError(f"'{progression}' has a bar that does not begin with a chord")
        for numeral in slots:
            if numeral not in (".", "%"):
                roman(numeral, Key(0, mode))


def _check_drums(drums: Drums, style: Style) -> None:
    _known("drum kit", drums.kits, tuple(KITS))
    for fills in (False, True):
        for groove in drums.parsed(fills):
            for name, text in groove.lines.items():
                check_line(name, text)
                drum_bars(text, style.meter_of(groove.meter))


def _check_part(part: Part, style: Style) -> None:
    if not part.programs:
        raise InputError("instruments is empty")
    low, high = part.pitches
    if high - low < 11:
        raise InputError(f"range is {high - low} semitones; a part needs an octave")
    _known("voicing", (part.voicing,), VOICINGS)
    if part.scale:
        _known("scale", (part.scale,), tuple(SCALES))
    for pattern in part.written():
        its_meter = style.meter_of(pattern.meter)
        if pattern in _rhythms(part):
            drum_bars(pattern.play, its_meter)
            continue
        for bar in line_bars(pattern.play, its_meter):
            for step in bar.steps:
                check_word(step.symbol, part.role)


def _rhythms(part: Part) -> tuple[Pattern, ...]:
    return tuple(Pattern(row) if isinstance(row, str) else row for row in part.rhythms)


def sections(form: str) -> tuple[tuple[str, int, bool], ...]:
    """The sections of a form such as "intro4 solo8?": kind, bars, whether it may be left out.

    Raises:
        InputError: if the text is no form.
    """
    found = []
    for word in form.split():
        optional = word.endswith("?")
        kind = word.rstrip("?").rstrip("0123456789")
        bars = word.rstrip("?")[len(kind) :]
        if not kind.isalpha() or not bars or not 1 <= int(bars) <= 64:
            raise InputError(f"'{word}' is no section; write a name and its bars, such as verse8")
        found.append((kind, int(bars), optional))
    if not found:
        raise InputError("a form is empty")
    return tuple(found)
