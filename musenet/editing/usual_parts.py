"""What a written part plays beside what is usual for it, as evidence in nats.

That a part has gone wrong shows soonest in how many notes it plays, how long they are, and whether
it plays on downbeats. These are compared with the part's own notes, where the song has it
already, and else with what its instrument plays in real music.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from musenet.generation.reranking import MOST, Finding, Usual, unlike
from tokenizer.instruments import DRUMS, family_of
from tokenizer.instruments import name as instrument_name
from tokenizer.typing import Array, Ints, Notes

from .holed import HoledPiece

_FEWEST_NOTES = 8  # of a part's own, to say what is usual for it
_LEAST = 0.5  # notes: what a silent part counts as
_SHORTEST = 1 / 24  # quarter notes


class PartMeasures(NamedTuple):
    """What a part plays.

    Attributes:
        density: the base-2 logarithm of its notes per quarter.
        length: the base-2 logarithm of their median length in quarters; NaN without notes.
        downbeats: of the bars in which it plays, the share at whose beginning a note begins; 0
            without notes, NaN without bars.
    """

    density: float
    length: float
    downbeats: float


class UsualPart(NamedTuple):
    """What is usual for each of `PartMeasures`."""

    density: Usual
    length: Usual
    downbeats: Usual


class Expected(NamedTuple):
    """A mean and a standard deviation."""

    mean: float
    deviation: float


USUAL_PARTS: Mapping[str, UsualPart] = {
    "piano": UsualPart(Usual(0.18, 1.31, 1.05), Usual(-0.54, 1.24, 0.69), Usual(0.84, 0.29, 0.18)),
    "chromatic percussion": UsualPart(
        Usual(-1.16, 1.70, 1.24), Usual(0.24, 1.75, 0.59), Usual(0.70, 0.41, 0.15)
    ),
    "guitar": UsualPart(Usual(0.54, 1.67, 1.36), Usual(-0.92, 1.26, 0.87), Usual(0.86, 0.26, 0.15)),
    "bass": UsualPart(Usual(0.53, 1.15, 0.82), Usual(-1.10, 1.04, 0.55), Usual(0.88, 0.23, 0.13)),
    "strings": UsualPart(
        Usual(-0.03, 1.71, 1.12), Usual(-0.84, 1.28, 0.86), Usual(0.79, 0.28, 0.24)
    ),
    "ensemble": UsualPart(
        Usual(-0.85, 1.80, 0.97), Usual(1.03, 1.63, 0.63), Usual(0.80, 0.33, 0.15)
    ),
    "brass": UsualPart(Usual(-0.94, 1.67, 1.85), Usual(-0.10, 1.30, 1.36), Usual(0.74, 0.28, 0.31)),
    "reed": UsualPart(Usual(-0.06, 1.38, 1.43), Usual(-0.54, 1.04, 1.04), Usual(0.80, 0.19, 0.23)),
    "pipe": UsualPart(Usual(-0.16, 1.45, 1.31), Usual(-0.73, 1.12, 1.07), Usual(0.76, 0.23, 0.23)),
    "synth lead": UsualPart(
        Usual(0.04, 1.51, 1.36), Usual(-0.90, 1.38, 0.60), Usual(0.82, 0.30, 0.16)
    ),
    "synth pad": UsualPart(
        Usual(-1.71, 1.65, 1.58), Usual(1.66, 1.43, 0.82), Usual(0.86, 0.28, 0.25)
    ),
    "synth effects": UsualPart(
        Usual(-0.78, 1.54, 1.80), Usual(-0.77, 1.17, 1.20), Usual(0.74, 0.33, 0.20)
    ),
    "drums": UsualPart(Usual(1.58, 1.21, 0.68), Usual(-1.53, 0.83, 0.45), Usual(0.94, 0.17, 0.09)),
}
"""By family of instruments, from sixteen bars of pieces with three instruments or more
(`benchmarks/ranges.py`)."""

ANY_PART = UsualPart(Usual(0.04, 1.76, 1.21), Usual(-0.59, 1.48, 0.83), Usual(0.82, 0.28, 0.20))
"""Of all instruments together."""

_WORDS = (
    ("thinner than usual", "denser than usual"),
    ("in shorter notes than usual", "in longer notes than usual"),
    ("on fewer downbeats than usual", "on more downbeats than usual"),
)


def part_measures(
    starts: Ints, durations: Ints, lines: Ints, quarters: float, quarter: int
) -> PartMeasures:
    """What notes play.

    Args:
        starts: the ticks at which they begin, `(N,)`.
        durations: in ticks, `(N,)`.
        lines: the ticks at which bars begin in the music in which they lie.
        quarters: how long this music is.
        quarter: a quarter note in ticks.
    """
    density = math.log2(max(len(starts), _LEAST) / max(quarters, _SHORTEST))
    if not len(starts):
        return PartMeasures(density, math.nan, 0.0 if len(lines) else math.nan)
    length = math.log2(max(float(np.median(durations)) / quarter, _SHORTEST))
    if not len(lines):
        return PartMeasures(density, length, math.nan)
    ahead = quarter // 12  # a note a bit before a bar line is meant to be on it
    bars = np.searchsorted(lines, starts + ahead, side="right") - 1
    on = np.abs(starts - lines[np.maximum(bars, 0)]) <= ahead
    played = np.unique(bars[bars >= 0])
    downbeats = len(np.unique(bars[on])) / len(played) if len(played) else math.nan
    return PartMeasures(density, length, downbeats)


@dataclass(frozen=True)
class WrittenParts:
    """The parts that a fill writes, and what is usual for each.

    Attributes:
        usual: for each program what is expected of each of `PartMeasures`.
        lines: the ticks at which bars begin in the holes.
        quarters: the length of all holes together.
        quarter: a quarter note in ticks.
    """

    usual: Mapping[int, tuple[Expected, ...]]
    lines: Ints
    quarters: float
    quarter: int

    @classmethod
    def of(cls, holed: HoledPiece) -> WrittenParts:
        """The parts of a piece with holes."""
        quarter, bars = holed.piece.score.ticks_per_quarter, holed.piece.bars
        lines = np.concatenate([bars.lines(begin, end - 1) for begin, end in holed.holes])
        ticks = sum(end - begin for begin, end in holed.holes)
        usual = {program: _usual(holed, program) for program in holed.programs}
        return cls(usual, lines, ticks / quarter, quarter)

    def findings(self, notes: Notes) -> list[Finding]:
        """The evidence of new notes, `tokenizer.score.score.NOTES`, for each part and measure.

        A part without notes has one finding: it counts as a request that is not met, besides.
        """
        found: list[Finding] = []
        for program, usual in self.usual.items():
            own = notes[notes["program"] == program]
            starts, held = (own[name].astype(np.int64) for name in ("start", "duration"))
            measured = part_measures(starts, held, self.lines, self.quarters, self.quarter)
            if program == DRUMS:  # how long a drum is held does not sound
                measured = measured._replace(length=math.nan)
            name = instrument_name(program)
            apart = [
                0.0 if math.isnan(value) else (value - expected.mean) / expected.deviation
                for value, expected in zip(measured, usual, strict=True)
            ]
            if len(own):
                found += [
                    (unlike(z), f"{name} {words[z > 0]}")
                    for z, words in zip(apart, _WORDS, strict=True)
                ]
            else:  # it was asked for
                found.append((sum(map(unlike, apart)) - MOST, f"{name} silent"))
        return found


def _usual(holed: HoledPiece, program: int) -> tuple[Expected, ...]:
    """What is usual for a part: its own means where it has notes, else those of its family."""
    family = USUAL_PARTS.get(family_of(program), ANY_PART)
    own = _own_notes(holed, program)
    if len(own) < _FEWEST_NOTES:
        return tuple(Expected(one.mean, one.spread) for one in family)
    piece, bars = holed.piece, holed.piece.bars
    lines = bars.lines(0, bars.tick(bars.number(max(piece.end - 1, 0)) + 1))
    playing = np.unique(np.searchsorted(lines, own["start"], side="right") - 1)
    quarter = piece.score.ticks_per_quarter
    quarters = float(np.diff(lines)[playing].sum()) / quarter
    held = own["end"] - own["start"]
    measured = part_measures(own["start"], held, lines[:-1], quarters, quarter)
    return tuple(Expected(value, one.change) for value, one in zip(measured, family, strict=True))


def _own_notes(holed: HoledPiece, program: int) -> Array:
    """The notes `FILE_NOTES` of a part that stand outside of the holes, or were taken out.

    Where tracks are named, those on other tracks of the same instrument are not the part's own.
    """
    notes = holed.piece.notes.notes
    notes = notes[notes["program"] == program]
    if holed.spots:
        places = notes[["track", "channel"]].tolist()
        notes = notes[np.array([place in holed.spots for place in places], dtype=bool)]
    inside = np.zeros(len(notes), dtype=bool)
    for begin, end in holed.holes:
        inside |= (notes["start"] >= begin) & (notes["start"] < end)
    gone = holed.gone[holed.gone["program"] == program]
    return np.concatenate([notes[~inside], gone])
