"""The drummer: a groove for each section with small changes, fills, crashes and breaks."""

from __future__ import annotations

from random import Random

from data_prep.bands.form.form import Bar, Section
from data_prep.bands.notation.kit import CYMBALS, HATS, KEYS, VELOCITIES
from data_prep.bands.notation.pattern import Step, drum_bars
from data_prep.bands.notation.style import Drums, Groove

from . import variation
from .embellishment import Embellisher, Hits
from .playing import Chart, Note, Player, plays_in
from .variation import Lines

_LENGTH = 60
_FLAM = 22  # ticks by which a flam's first stroke is early
_TOMS = ("tom1", "tom2", "tom3", "floor")


class Drummer:
    """One drummer through a song."""

    def __init__(self, drums: Drums, chart: Chart, random: Random) -> None:
        self._drums = drums
        self._chart = chart
        self._random = random
        self._grooves = self._of_meter(drums.parsed())
        self._fills = self._of_meter(drums.parsed(fills=True))
        self._chosen: dict[str, Groove] = {}
        self._of_song: dict[int, Lines] = {}
        self._notes: list[Note] = []
        self._song_fill = random.choice(self._fills) if self._fills else None
        self._kit = variation.kit_of_song(random)
        self._embellisher = Embellisher(chart.meter, chart.swing, chart.style.human, random)

    def _of_meter(self, grooves: tuple[Groove, ...]) -> list[Groove]:
        style = self._chart.style
        return [g for g in grooves if style.meter_of(g.meter) == self._chart.meter]

    def play(self, player: Player) -> list[Note]:
        """All strokes."""
        crash = False
        for number, section in enumerate(self._chart.form.sections):
            if number not in player.sections or not self._grooves:
                crash = True
                continue
            groove = self._groove(section)
            for bar in self._chart.bars_of(section):
                if bar.ending:
                    self._end(bar)
                    continue
                hits = self._bar(groove, bar)
                if bar.stop:
                    hits = self._stopped(hits, bar)
                elif bar.fill:
                    hits = self._filled(hits, bar)
                if crash and self._drums.crash and section.energy >= 2:
                    self._crash(hits, section)
                crash = bar.fill > 0 and bar.number + 1 == section.bars
                self._strike(bar, hits)
        return self._notes

    def _groove(self, section: Section) -> Lines:
        """The section's groove: the one of its kind, seldom another of the same choice."""
        kind = section.kind
        named = [g for g in self._grooves if g.sections and plays_in(g.sections, kind)]
        options = named or [g for g in self._grooves if not g.sections] or self._grooves
        if kind not in self._chosen:
            used = [g for g in options if g in self._chosen.values()]
            take = used if used and self._random.randrange(100) < 40 else options
            self._chosen[kind] = self._random.choice(take)
        groove = self._chosen[kind]
        if section.occurrence and self._random.randrange(100) < 18:
            groove = self._random.choice(options)
        place = self._grooves.index(groove)
        if place not in self._of_song:
            own, other = self._lines(groove), self._lines(self._random.choice(options))
            lines = variation.groove(own, other, self._chart.meter, self._random)
            self._of_song[place] = {
                name: tuple(bar.swung(self._chart.swing) for bar in bars)
                for name, bars in lines.items()
            }
        return self._of_song[place]

    def _lines(self, groove: Groove) -> Lines:
        """A groove's bars as the style file has them."""
        return {name: drum_bars(text, self._chart.meter) for name, text in groove.lines.items()}

    def _fill(self, groove: Groove) -> Hits:
        """The strokes of a fill."""
        meter, swing = self._chart.meter, self._chart.swing
        return {n: list(drum_bars(t, meter, swing)[0].steps) for n, t in groove.lines.items()}

    def _bar(self, groove: Lines, bar: Bar) -> Hits:
        """A bar of the groove as it is played this time."""
        hits = {name: list(bars[bar.number % len(bars)].steps) for name, bars in groove.items()}
        self._embellisher.change(hits)
        hits = self._on_kit(hits, bar.section)
        if bar.section.energy <= 1:
            hits = {name: steps for name, steps in hits.items() if name not in ("open", "crash")}
        return hits

    def _on_kit(self, hits: Hits, section: Section) -> Hits:
        """A bar on the drums and cymbals of this song; the side stick is for quiet sections."""
        found: Hits = {}
        for name, steps in hits.items():
            other = self._kit.get(name, name)
            loud = other == "rim" and section.energy > 2
            found[name if loud or other in hits or other in found else other] = steps
        return found

    def _filled(self, hits: Hits, bar: Bar) -> Hits:
        """The groove up to the fill, and the last beats of a fill."""
        begin = self._chart.meter.bar - bar.fill * self._chart.meter.beat
        fill = self._fill_for(bar)
        if fill is None:
            return hits
        strokes = {
            name: [step for step in steps if step.start >= begin]
            for name, steps in self._fill(fill).items()
        }
        kept = {
            name: [step for step in steps if step.start < begin or name in ("pedal", "shaker")]
            for name, steps in hits.items()
        }
        if not any(strokes.values()):
            return hits
        for name, steps in strokes.items():
            kept[name] = sorted([*kept.get(name, []), *steps])
        if self._random.randrange(100) < 25:
            self._reroute(kept, begin)
        return kept

    def _fill_for(self, bar: Bar) -> Groove | None:
        options = [g for g in self._fills if plays_in(g.sections, bar.section.kind)]
        if not options:
            return None
        if self._song_fill in options and self._random.randrange(100) < 30:
            return self._song_fill
        return self._random.choice(options)

    def _reroute(self, hits: Hits, begin: int) -> None:
        """The strokes of a fill's toms on other toms, each time another way round the kit."""
        names = [name for name in _TOMS if hits.get(name)]
        if len(names) < 2:
            return
        turned = names[1:] + names[:1]
        moved = {n: [s for s in hits[n] if s.start >= begin] for n in names}
        for name, other in zip(names, turned, strict=True):
            kept = [s for s in hits[other] if s.start < begin]
            hits[other] = sorted([*kept, *moved[name]])

    def _stopped(self, hits: Hits, bar: Bar) -> Hits:
        """The first stroke alone, and the fill after the silence, if there is one."""
        first = {name: [s for s in steps if s.start == 0] for name, steps in hits.items()}
        if not any(first.values()):
            first["kick"] = [Step(0, _LENGTH, "X")]
        if bar.fill and self._fills and self._random.randrange(100) < 70:
            begin = self._chart.meter.bar - min(bar.fill, 2) * self._chart.meter.beat
            fill = self._random.choice(self._fills)
            for name, steps in self._fill(fill).items():
                first.setdefault(name, []).extend(s for s in steps if s.start >= begin)
        return first

    def _crash(self, hits: Hits, section: Section) -> None:
        for name in HATS:
            hits[name] = [s for s in hits.get(name, ()) if s.start > 0]
        name = "crash2" if section.energy > 3 and self._random.randrange(3) == 0 else "crash"
        hits[name] = [Step(0, 480, "X" if section.energy > 2 else "x")]
        if not any(s.start == 0 for s in hits.get("kick", ())) and "kick" in hits:
            hits["kick"].insert(0, Step(0, _LENGTH, "x"))

    def _strike(self, bar: Bar, hits: Hits) -> None:
        beat = self._chart.meter.beat
        for name, steps in hits.items():
            key = KEYS[name]
            for step in steps:
                symbol = step.symbol
                if symbol == "?" and self._random.randrange(2):
                    continue
                velocity = VELOCITIES[symbol]
                if name in CYMBALS and symbol == "x":
                    velocity += 5 if step.start % beat == 0 else -12
                start = bar.start + step.start
                if symbol == "f":
                    self._notes.append(Note(max(0, start - _FLAM), _FLAM, key, 48))
                if symbol == "r":
                    half = step.length // 2
                    self._notes.append(Note(start + half, half, key, velocity + 6))
                    self._notes.append(Note(start, half, key, velocity))
                else:
                    self._notes.append(Note(start, _LENGTH, key, velocity))

    def _end(self, bar: Bar) -> None:
        """The last stroke: a crash, or a stop, or a roll on the cymbal before it dies away."""
        start = bar.start
        kit = {name for groove in self._grooves for name in groove.lines}
        last = [("kick" if "kick" in kit else sorted(kit)[0], 104)]
        if self._drums.crash:
            last.append(("crash", 104))
        if bar.ending in ("stop", "cadence") and "snare" in kit:
            last.append(("snare", 96))
        for name, velocity in last:
            self._notes.append(Note(start, _LENGTH, KEYS[name], velocity))
        if bar.ending in ("held", "ritard") and "snare" in kit and self._random.randrange(3) == 0:
            ticks = range(self._chart.meter.beat, self._chart.meter.bar - 240, 60)
            self._notes += [
                Note(start + tick, 50, KEYS["snare"], 74 - 44 * i // max(1, len(ticks)))
                for i, tick in enumerate(ticks)
            ]
