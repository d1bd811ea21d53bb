"""Who plays, on which instrument, in which sections: the arranger's first decisions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from data_prep.bands.form.form import Form, Section
from data_prep.bands.notation.style import MELODIC, Part, Style
from data_prep.bands.parts.playing import Chart, Player, for_section, plays_in
from tokenizer.instruments import name as program_name

_TRIO, _SMALL, _FULL = 14, 34, 84  # percent of songs up to which a band is so large
_MOST_SURE = 82  # percent of songs in which a part plays that has every chance


def players(chart: Chart, random: Random) -> list[Player]:
    """The pitched players of a song, with the sections in which each plays."""
    parts = _with_lead(_band(chart, random), chart)
    if not parts:
        return []
    names: dict[str, int] = {}
    found = []
    waiting = _waiting(parts, random)
    for part in parts:
        program = random.choice(part.programs)
        name = part.name or f"{program_name(program)}"
        names[name] = names.get(name, 0) + 1
        if names[name] > 1:
            name = f"{name} {names[name]}"
        sections = _sections(part, chart.form, waiting.get(id(part), 0), random)
        if sections:
            found.append(Player(part, program, name, sections))
    return _nowhere_silent(found, chart.form)


def _nowhere_silent(band: list[Player], form: Form) -> list[Player]:
    """The band, with somebody in each section: whoever may play there, or the first of all."""
    backing = [player for player in band if player.part.role not in MELODIC]
    for number, section in enumerate(form.sections):
        if any(number in player.sections for player in backing) or not backing:
            continue
        able = [p for p in backing if plays_in(p.part.sections, section.kind)] or backing
        place = band.index(able[0])
        band[place] = replace(able[0], sections=able[0].sections | {number})
        backing = [player for player in band if player.part.role not in MELODIC]
    return band


def _band(chart: Chart, random: Random) -> list[Part]:
    """The parts of this song: by their chances, seldom only three of them or all."""
    style = chart.style
    able = [part for part in style.parts if _has_music(part, chart)]
    size = random.randrange(100)
    if size >= _FULL:
        return able
    by_chance = [part for part in able if random.randrange(100) < min(part.chance, _MOST_SURE)]
    if not any(part.role == "bass" for part in by_chance) and random.randrange(4):
        by_chance = [part for part in able if part.role == "bass"] + by_chance
    if size >= _SMALL and len(by_chance) >= 2:
        return [part for part in able if part in by_chance]
    few = 3 if size < _TRIO else 4
    chosen: list[Part] = []
    for roles in (("bass",), ("chords", "riff", "arpeggio", "pad"), ("lead",), ("solo", "chords")):
        options = [part for part in by_chance or able if part.role in roles and part not in chosen]
        chosen += options[:1]
    return [part for part in able if part in chosen[:few]]


def _with_lead(parts: list[Part], chart: Chart) -> list[Part]:
    """The band, with a lead where there is a tune to play."""
    if not chart.themes or any(part.role == "lead" for part in parts):
        return parts
    lead = next(part for part in chart.style.parts if part.role == "lead")
    return [part for part in chart.style.parts if part in parts or part is lead]


def _has_music(part: Part, chart: Chart) -> bool:
    """Whether a part can play in the song's meter."""
    if part.role in MELODIC or part.role in ("pad",) or not part.patterns:
        return True
    return bool(for_section(part.written(), "verse", chart.style, chart.meter))


def _waiting(parts: list[Part], random: Random) -> dict[int, int]:
    """How many sections some players wait, where the band comes in one by one."""
    if len(parts) < 3 or random.randrange(100) < 40:
        return {}
    backing = [part for part in parts if part.role not in MELODIC]
    random.shuffle(backing)
    first = 1 + (random.randrange(100) < 25)
    return {id(part): first for part in backing[1 : 1 + random.randint(1, len(backing) - 1 or 1)]}


def _sections(part: Part, form: Form, wait: int, random: Random) -> frozenset[int]:
    found = set()
    for number, section in enumerate(form.sections):
        if not plays_in(part.sections, section.kind):
            continue
        if section.kind != "end" and not _takes_part(part, section, number, wait, random):
            continue
        found.add(number)
    if found == {len(form.sections) - 1}:
        return frozenset()
    return frozenset(found)


def _takes_part(part: Part, section: Section, number: int, wait: int, random: Random) -> bool:
    if number < wait and section.kind in ("intro", "verse", "a", "head"):
        return section.kind != "intro" and number > 0
    if part.role == "lead":
        return section.kind not in ("intro", "solo", "break", "build")
    if part.role == "solo":
        return section.kind == "solo" or bool(part.sections)
    if part.role == "counter":
        return section.energy >= 3 and random.randrange(100) < 65
    if section.energy <= 1 and part.role not in ("pad", "arpeggio", "bass"):
        return random.randrange(100) < 45
    if section.energy == 2 and part.role in ("riff", "pad", "arpeggio"):
        return random.randrange(100) < 75
    return random.randrange(100) < 95 or part.role == "bass"


def drummer_sections(style: Style, form: Form, random: Random) -> frozenset[int]:
    """The sections in which the drummer plays; in some songs the band begins without."""
    assert style.drums is not None
    found = {
        number
        for number, section in enumerate(form.sections)
        if plays_in(style.drums.sections, section.kind)
    }
    if len(form.sections) > 3 and random.randrange(100) < 28:
        found.discard(0)
        if form.sections[0].bars <= 4 and random.randrange(100) < 25:
            found.discard(1)
    return frozenset(found)
