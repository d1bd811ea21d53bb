"""Patterns and grooves as one song has them: each song varies what the style file writes.

What makes a style stays: the first step of a bar, accents, a kick on every beat, the clave and the
bells. The rest is moved by a step, left out, added, combined with another pattern of the style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from data_prep.bands.notation.kit import CYMBALS
from data_prep.bands.notation.pattern import TICKS, Meter, PatternBar, Step

Lines = dict[str, tuple[PatternBar, ...]]
"""A groove: bars, straight, of each part of the kit."""

FIXED = ("clave", "bell", "cowbell", "agogo", "agogo_low", "surdo", "surdo_mute", "crash", "china")
_OPTIONAL = (
    "tambourine", "shaker", "cowbell", "conga", "conga_low", "conga_mute", "bongo", "bongo_low",
    "maracas", "cabasa", "guiro", "clap", "triangle", "jingle", "timbale",
)  # fmt: skip
_TIME = ("hat", "ride")
_INSTEAD = {
    "hat": ("hat", "hat", "ride", "pedal", "shaker", "tambourine", "floor"),
    "ride": ("ride", "ride", "hat", "ride2", "bell"),
    "kick": ("kick", "kick2"),
    "snare": ("snare", "snare2", "rim"),
    "rim": ("rim", "snare2", "woodblock"),
    "clap": ("clap", "snare2", "snare"),
    "shaker": ("shaker", "cabasa", "maracas", "tambourine"),
    "tambourine": ("tambourine", "shaker", "jingle"),
    "woodblock": ("woodblock", "rim", "castanets"),
    "triangle": ("triangle", "bell", "jingle"),
}
"""What may take a part of the kit in a song: the same rhythm on another drum or cymbal."""

_SAME_CHORD = {"1": ("8", "1", "5"), "5": ("5", "3", "8"), "3": ("5", "3"), "8": ("8", "5", "1")}


def groove(own: Lines, other: Lines, meter: Meter, random: Random) -> Lines:
    """A groove for this song: `own`, varied, perhaps with the kick or the cymbals of `other`."""
    lines = dict(own)
    for names in (("kick",), ("hat", "open", "ride")):
        shared = [name for name in names if name in lines and name in other]
        if shared and random.randrange(100) < 30:
            lines |= {name: other[name] for name in shared}
        elif shared and random.randrange(100) < 40:
            lines |= {
                name: tuple(crossed(bar, random.choice(other[name])) for bar in lines[name])
                for name in shared
            }
    lines = _fewer(lines, random)
    found: Lines = {}
    for name, bars in lines.items():
        if name in FIXED:
            found[name] = bars
            continue
        twice = len(bars) == 1 and random.randrange(100) < 40
        found[name] = tuple(_stroke(name, bar, lines, meter, random) for bar in bars * (1 + twice))
    return found


def _fewer(lines: Lines, random: Random) -> Lines:
    """Without some of the hand percussion, where enough is left."""
    found = dict(lines)
    for name in _OPTIONAL:
        if name in found and len(found) > 3 and random.randrange(100) < 25:
            rest = [other for other in found if other != name]
            if any(other in CYMBALS or other in FIXED for other in rest):
                del found[name]
    return found


def kit_of_song(random: Random) -> dict[str, str]:
    """Which drum or cymbal of the kit plays which part in this song."""
    return {
        name: random.choice(options) if random.randrange(100) < 60 else name
        for name, options in _INSTEAD.items()
    }


def _stroke(name: str, bar: PatternBar, lines: Lines, meter: Meter, random: Random) -> PatternBar:
    """One bar of one line, varied as a drummer varies it."""
    if name in ("kick", "kick2"):
        return _kick(bar, lines, meter, random)
    if name in _TIME or name in CYMBALS:
        return _cymbal(bar, meter, random)
    steps = []
    unit = bar.size
    if len(bar.steps) > 8 and random.randrange(100) < 60:  # a roll with another figure in it
        turn, gone = random.choice((4, 8, 8)), random.randrange(1, 4)
        bar = replace(
            bar,
            steps=tuple(s for n, s in enumerate(bar.steps) if n % turn != gone or s.symbol == "X"),
        )
    taken = {step.start for step in bar.steps}
    for step in bar.steps:
        chance = random.randrange(100)
        if step.symbol == "X" or chance >= 40:
            steps.append(step)
        elif chance < 15:
            free = [t for t in (step.start - unit, step.start + unit) if _is_free(t, taken, meter)]
            moved = random.choice(free) if free else step.start
            taken.add(moved)
            steps.append(step._replace(start=moved))
        elif chance < 28:
            continue
        else:
            steps.append(step)
    if name == "snare" and unit <= 160 and random.randrange(100) < 55:
        for _ in range(random.randint(1, 3)):
            free = [t for t in range(unit, meter.bar, unit) if t not in taken and t % meter.beat]
            if free:
                taken.add(random.choice(free))
                steps.append(Step(max(taken, key=lambda t: (t in free, t)), unit, "g"))
    return replace(bar, steps=tuple(sorted(set(steps))))


def _is_free(tick: int, taken: set[int], meter: Meter) -> bool:
    return 0 < tick < meter.bar and tick not in taken


def _kick(bar: PatternBar, lines: Lines, meter: Meter, random: Random) -> PatternBar:
    """The bass drum: the first stroke and a stroke on every beat stay, the others wander."""
    starts = {step.start for step in bar.steps}
    if starts >= set(range(0, meter.bar, meter.beat)) or len(bar.steps) > 10:
        if random.randrange(100) < 25 and bar.size <= 160:
            extra = random.choice(range(bar.size, meter.bar, bar.size))
            if extra not in starts:
                return replace(bar, steps=tuple(sorted((*bar.steps, Step(extra, bar.size, "o")))))
        return bar
    backbeat = {s.start for b in lines.get("snare", ()) for s in b.steps if s.symbol in "xX"}
    steps: list[Step] = []
    taken = set(starts)
    for step in bar.steps:
        chance = random.randrange(100)
        if step.start == 0 or chance >= 45:
            steps.append(step)
        elif chance < 27:
            near = (step.start - bar.size, step.start + bar.size)
            free = [t for t in near if _is_free(t, taken, meter) and t not in backbeat]
            moved = random.choice(free) if free else step.start
            taken.add(moved)
            steps.append(step._replace(start=moved))
    if random.randrange(100) < 45:
        grid = range(2 * bar.size, meter.bar, bar.size)
        free = [t for t in grid if t not in taken and t not in backbeat]
        if free:
            steps.append(Step(random.choice(free), bar.size, "x"))
    if not steps:
        return bar
    return replace(bar, steps=tuple(sorted(steps)))


def _cymbal(bar: PatternBar, meter: Meter, random: Random) -> PatternBar:
    """What keeps time: as written, thinner, thicker, or with another place left out."""
    chance = random.randrange(100)
    steps = bar.steps
    if chance < 30 or len(steps) < 3:
        return bar
    if chance < 45:  # on the beats, and sometimes one between
        kept = [s for s in steps if s.start % meter.beat == 0 or random.randrange(4) == 0]
        return replace(bar, steps=tuple(kept)) if len(kept) > 1 else bar
    if chance < 75 and len(steps) <= meter.bar // 200:  # soft strokes between
        half = [s.start + s.length // 2 for s in steps if s.length // 2 == 120]
        wanted = random.choice((half, half[1::2], half[3::4]))
        between = [Step(t, 120, "o") for t in wanted]
        return replace(bar, steps=tuple(sorted((*steps, *between))))
    if chance < 88:
        gone = random.randrange(1, len(steps))
        return replace(bar, steps=steps[:gone] + steps[gone + 1 :])
    turn = random.choice((2, 4))
    kept = [s for n, s in enumerate(steps) if n % turn or s.start % meter.beat == 0]
    return replace(bar, steps=tuple(kept))


def line(
    own: Sequence[PatternBar], other: Sequence[PatternBar], role: str, random: Random
) -> tuple[PatternBar, ...]:
    """The bars of a pattern for this song, perhaps with a bar of another pattern in turn.

    Args:
        own: the pattern, straight.
        other: another one for the same section, perhaps the same.
        role: of the part.
        random: the player's.
    """
    bars = [
        crossed(bar, random.choice(other)) if random.randrange(100) < 45 else bar for bar in own
    ]
    if role in ("chords", "arpeggio") and random.randrange(100) < 35:
        bars = [turned(bar) for bar in bars]
    if len(bars) <= 2 and random.randrange(100) < 35:
        bars = [bars[0], other[-1]]
    elif len(bars) == 1 and random.randrange(100) < 45:
        bars = bars * 2
    if random.randrange(100) < (55 if role in ("chords", "arpeggio") else 40):
        bars = _thinned(bars, random.randint(30, 80), random)
    voices = _renumbered(random) if role == "arpeggio" and random.randrange(100) < 55 else {}
    bars = [_line_bar(bar, role, voices, random) for bar in bars]
    if role != "bass" or random.randrange(2):
        bars = [_line_bar(bar, role, {}, random) for bar in bars]
    return tuple(bars)


def crossed(bar: PatternBar, other: PatternBar) -> PatternBar:
    """The first half of one bar and the second half of another, where nothing is cut."""
    length = max((s.start + s.length for b in (bar, other) for s in b.steps), default=0)
    half = length // 2
    whole = all(not s.start < half < s.start + s.length for b in (bar, other) for s in b.steps)
    if not whole or bar.size != other.size:
        return bar
    steps = [s for s in bar.steps if s.start < half] + [s for s in other.steps if s.start >= half]
    return replace(bar, steps=tuple(steps)) if steps else bar


def turned(bar: PatternBar) -> PatternBar:
    """A bar with its halves exchanged, where nothing is cut: what is off the beat stays so."""
    length = max((s.start + s.length for s in bar.steps), default=0)
    half = length // 2
    if any(s.start < half < s.start + s.length for s in bar.steps) or bar.carry or half % TICKS:
        return bar
    steps = [s._replace(start=s.start + (-half if s.start >= half else half)) for s in bar.steps]
    return replace(bar, steps=tuple(sorted(steps)))


def _thinned(bars: list[PatternBar], percent: int, random: Random) -> list[PatternBar]:
    """So many percent of the notes, at the same places in each bar; the others are held longer."""
    starts = sorted({step.start for bar in bars for step in bar.steps if step.start})
    gone = {start for start in starts if random.randrange(100) >= percent}
    found = []
    for bar in bars:
        steps: list[Step] = []
        for step in bar.steps:
            if step.start not in gone or not steps:
                steps.append(step)
            elif steps[-1].start + steps[-1].length == step.start and "^" not in steps[-1].symbol:
                steps[-1] = steps[-1]._replace(length=step.start + step.length - steps[-1].start)
        found.append(replace(bar, steps=tuple(steps)))
    return found


def _renumbered(random: Random) -> dict[str, str]:
    """The voices of a broken chord in another order; the lowest stays where it is."""
    others = ["2", "3", "4"]
    random.shuffle(others)
    return dict(zip("234", others, strict=True))


def _line_bar(bar: PatternBar, role: str, voices: dict[str, str], random: Random) -> PatternBar:
    steps = [
        s._replace(symbol=voices.get(s.symbol[0], s.symbol[0]) + s.symbol[1:]) for s in bar.steps
    ]
    if len(steps) < 2:
        return bar
    chance = random.randrange(100)
    place = random.randrange(1, len(steps))
    step, before = steps[place], steps[place - 1]
    if chance < 20 and len(steps) > 3:  # one less, the one before held or not
        if random.randrange(2):
            steps[place - 1] = before._replace(length=step.start + step.length - before.start)
        del steps[place]
    elif chance < 45 and before.length >= 2 * bar.size:  # one earlier
        steps[place - 1] = before._replace(length=before.length - bar.size)
        steps[place] = Step(step.start - bar.size, step.length + bar.size, step.symbol)
    elif chance < 60 and step.length >= 2 * bar.size:  # one later
        steps[place] = Step(step.start + bar.size, step.length - bar.size, step.symbol)
    elif chance < 75 and step.length >= 2 * bar.size:  # one twice
        half = step.length // bar.size // 2 * bar.size
        steps[place : place + 1] = [
            step._replace(length=half),
            Step(step.start + half, step.length - half, step.symbol),
        ]
    if role == "riff":
        words = [s.symbol for s in steps]
        steps = steps[:1] + [
            s._replace(symbol=random.choice(words)) if random.randrange(100) < 30 else s
            for s in steps[1:]
        ]
    if role in ("bass", "riff") and random.randrange(100) < 45:
        place = random.randrange(1, len(steps))
        symbol = steps[place].symbol
        if symbol in _SAME_CHORD:
            steps[place] = steps[place]._replace(symbol=random.choice(_SAME_CHORD[symbol]))
    return replace(bar, steps=tuple(steps))
