"""What a drummer changes from bar to bar: kick, ghost notes, open hi-hats, cymbals, hands.

The song's groove stays recognisable: first strokes, accents, a kick on every beat, the clave and
the bells are left alone. How much a drummer changes, and at which places of the bar, is drawn for
each song, so that songs differ more than bars do; machines change little.
"""

from __future__ import annotations

from random import Random

from data_prep.bands.notation.pattern import Meter, Step, Swing

from .variation import FIXED

Hits = dict[str, list[Step]]
"""The strokes of a bar, by part of the kit."""

_TIME = ("hat", "ride", "shaker", "maracas", "cabasa", "tambourine")
_HUMAN = 50  # from which `human` on a style is played by people


class Embellisher:
    """One drummer's habits."""

    def __init__(self, meter: Meter, swing: Swing, human: int, random: Random) -> None:
        self._meter = meter
        self._random = random
        people = human >= _HUMAN
        self._chances = {
            self._kick: random.randint(15, 70) if people else random.randint(0, 20),
            self._ghost: random.randint(15, 75) if people else 0,
            self._open: random.randint(0, 35) if people else random.randint(0, 15),
            self._time: random.randint(15, 70) if people else random.randint(0, 25),
            self._hands: random.randint(20, 60) if people else random.randint(0, 15),
        }
        self._unit = meter.beat // 4 if meter.beat == 480 else meter.beat // 3
        grid = [swing.warp(tick) for tick in range(self._unit, meter.bar, self._unit)]
        self._places = sorted(random.sample(grid, max(3, len(grid) * 2 // 5)))

    def change(self, hits: Hits) -> None:
        """Embellish one bar, in place; each kind of change by its chance."""
        for change, chance in self._chances.items():
            if self._random.randrange(100) < chance:
                change(hits)

    def _free(self, hits: Hits, *names: str) -> list[int]:
        """The drummer's places of the bar at which none of some parts has a stroke."""
        taken = {step.start for name in names for step in hits.get(name, ())}
        return [tick for tick in self._places if tick not in taken]

    def _loose(self, steps: list[Step]) -> list[Step]:
        """The strokes that may go: at the drummer's places, without accent."""
        return [step for step in steps if step.start in self._places and step.symbol != "X"]

    def _insert(self, steps: list[Step], tick: int, symbol: str) -> None:
        steps.append(Step(tick, self._unit, symbol))
        steps.sort()

    def _kick(self, hits: Hits) -> None:
        """One stroke less, one more, or one earlier or later."""
        kick = hits.get("kick", [])
        steady = {s.start for s in kick} >= set(range(0, self._meter.bar, self._meter.beat))
        free = self._free(hits, "kick", "snare", "clap", "rim")
        loose = self._loose(kick)
        if not kick or (steady and self._random.randrange(4)):
            return
        if steady or not loose or self._random.randrange(3) == 0:
            if free and len(kick) <= self._meter.bar // self._meter.beat + 2:
                self._insert(kick, self._random.choice(free), "o")
            return
        kick.remove(step := self._random.choice(loose))
        near = [tick for tick in free if abs(tick - step.start) <= self._meter.beat // 2]
        if near and self._random.randrange(5) < 3:
            self._insert(kick, self._random.choice(near), step.symbol)

    def _ghost(self, hits: Hits) -> None:
        """Ghost notes on the snare between the beats; one less where there are several."""
        snare = hits.get("snare")
        if not snare:
            return
        ghosts = [step for step in snare if step.symbol in "g?"]
        if len(ghosts) > 1 and self._random.randrange(2):
            snare.remove(self._random.choice(ghosts))
            return
        free = [t for t in self._free(hits, "snare") if t % self._meter.beat]
        for tick in self._random.sample(free, min(len(free), self._random.choice((1, 1, 2)))):
            self._insert(snare, tick, "g")

    def _open(self, hits: Hits) -> None:
        """One stroke of the hi-hat open, off the beat."""
        hat = hits.get("hat", [])
        loose = [step for step in self._loose(hat) if step.start % self._meter.beat]
        if len(hat) > 3 and loose:
            hat.remove(step := self._random.choice(loose))
            hits["open"] = sorted([*hits.get("open", []), step._replace(symbol="x")])

    def _time(self, hits: Hits) -> None:
        """A soft stroke more of what keeps time, or one less off the beat."""
        names = [name for name in _TIME if len(hits.get(name, ())) > 2]
        if not names:
            return
        steps = hits[self._random.choice(names)]
        loose = [step for step in self._loose(steps) if step.start % self._meter.beat]
        if loose and self._random.randrange(2):
            steps.remove(self._random.choice(loose))
            return
        taken = {step.start for step in steps}
        free = [tick for tick in self._free(hits) if tick not in taken]
        if free:
            self._insert(steps, self._random.choice(free), "o")

    def _hands(self, hits: Hits) -> None:
        """A stroke of other parts, hand percussion mostly, elsewhere, left out, or softly added."""
        names = [n for n in hits if n not in (*FIXED, *_TIME, "kick", "snare", "open", "pedal")]
        names = [name for name in names if len(hits[name]) > 1]
        if not names:
            return
        name = self._random.choice(names)
        steps = hits[name]
        loose = self._loose(steps)
        if loose and self._random.randrange(2):
            steps.remove(self._random.choice(loose))
        free = self._free(hits, name)
        if free and self._random.randrange(2):
            self._insert(steps, self._random.choice(free), "o")
