"""What a written part plays beside what is usual for it, as evidence in nats.

That a part has gone wrong shows soonest in how many notes it plays and how long they are. Both
are compared with the part's own notes, where the song has it already, and else with what its
instrument plays in real music.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from musenet.export.file_notes import FILE_NOTES
from musenet.generation.reranking import Finding, Usual, unlike
from tokenizer.instruments import family_of
from tokenizer.instruments import name as instrument_name
from tokenizer.typing import Array, Notes

from .holed import HoledPiece

_FEWEST_NOTES = 8  # of a part's own, to say what is usual for it
_LEAST = 0.5  # notes: what a silent part counts as
_SHORTEST = 1 / 24  # quarter notes


class UsualPart(NamedTuple):
    """Base-2 logarithms: a part's notes per quarter, and their median length in quarters."""

    density: Usual
    length: Usual


class Expected(NamedTuple):
    """A mean and a standard deviation."""

    mean: float
    deviation: float


USUAL_PARTS: Mapping[str, UsualPart] = {
    "piano": UsualPart(Usual(0.18, 1.31, 1.05), Usual(-0.54, 1.24, 0.69)),
    "chromatic percussion": UsualPart(Usual(-1.16, 1.7, 1.24), Usual(0.24, 1.75, 0.59)),
    "guitar": UsualPart(Usual(0.54, 1.67, 1.36), Usual(-0.92, 1.26, 0.87)),
    "bass": UsualPart(Usual(0.53, 1.15, 0.82), Usual(-1.1, 1.04, 0.55)),
    "strings": UsualPart(Usual(-0.03, 1.71, 1.12), Usual(-0.84, 1.28, 0.86)),
    "ensemble": UsualPart(Usual(-0.85, 1.8, 0.97), Usual(1.03, 1.63, 0.63)),
    "brass": UsualPart(Usual(-0.94, 1.67, 1.85), Usual(-0.1, 1.3, 1.36)),
    "reed": UsualPart(Usual(-0.06, 1.38, 1.43), Usual(-0.54, 1.04, 1.04)),
    "pipe": UsualPart(Usual(-0.16, 1.45, 1.31), Usual(-0.73, 1.12, 1.07)),
    "synth lead": UsualPart(Usual(0.04, 1.51, 1.36), Usual(-0.9, 1.38, 0.6)),
    "synth pad": UsualPart(Usual(-1.71, 1.65, 1.58), Usual(1.66, 1.43, 0.82)),
    "synth effects": UsualPart(Usual(-0.78, 1.54, 1.8), Usual(-0.77, 1.17, 1.2)),
    "drums": UsualPart(Usual(1.58, 1.21, 0.68), Usual(-1.53, 0.83, 0.45)),
}
"""By family of instruments, from sixteen bars of pieces with three instruments or more
(`benchmarks/ranges.py`)."""

ANY_PART = UsualPart(Usual(0.04, 1.76, 1.21), Usual(-0.59, 1.48, 0.83))
"""Of all instruments together."""

_WORDS = (("thinner", "denser"), ("in shorter notes", "in longer notes"))


def part_measures(durations: Array, quarters: float, quarter: int) -> tuple[float, float]:
    """The density and the length of a part's notes, as in `UsualPart`; NaN is no notes' length.

    Args:
        durations: of its notes, in ticks.
        quarters: how long the music is in which they lie.
        quarter: a quarter note in ticks.
    """
    density = math.log2(max(len(durations), _LEAST) / max(quarters, _SHORTEST))
    if not len(durations):
        return density, math.nan
    return density, math.log2(max(float(np.median(durations)) / quarter, _SHORTEST))


@dataclass(frozen=True)
class WrittenParts:
    """The parts that a fill writes, and what is usual for each.

    Attributes:
        usual: for each program, of its density and its length the mean and the deviation.
        quarters: the length of all holes together.
        quarter: a quarter note in ticks.
    """

    usual: Mapping[int, tuple[Expected, Expected]]
    quarters: float
    quarter: int

    @classmethod
    def of(cls, holed: HoledPiece) -> WrittenParts:
        """The parts of a piece with holes."""
        quarter = holed.piece.score.ticks_per_quarter
        ticks = sum(end - begin for begin, end in holed.holes)
        usual = {program: _usual(holed, program) for program in holed.programs}
        return cls(usual, ticks / quarter, quarter)

    def findings(self, notes: Notes) -> list[Finding]:
        """The evidence of new notes, `tokenizer.score.score.NOTES`, two findings for each part."""
        found: list[Finding] = []
        for program, usual in self.usual.items():
            own = notes[notes["program"] == program]
            measured = part_measures(own["duration"], self.quarters, self.quarter)
            for value, expected, words in zip(measured, usual, _WORDS, strict=True):
                z = 0.0 if math.isnan(value) else (value - expected.mean) / expected.deviation
                found.append((unlike(z), f"{instrument_name(program)} {words[z > 0]} than usual"))
        return found


def _usual(holed: HoledPiece, program: int) -> tuple[Expected, Expected]:
    """What is usual for a part: its own means where it has notes, else those of its family."""
    density, length = USUAL_PARTS.get(family_of(program), ANY_PART)
    own = _own_notes(holed, program)
    if len(own) < _FEWEST_NOTES:
        return Expected(density.mean, density.spread), Expected(length.mean, length.spread)
    piece, bars = holed.piece, holed.piece.bars
    lines = bars.lines(0, bars.tick(bars.number(max(piece.end - 1, 0)) + 1))
    playing = np.unique(np.searchsorted(lines, own["start"], side="right") - 1)
    quarter = piece.score.ticks_per_quarter
    quarters = float(np.diff(lines)[playing].sum()) / quarter
    notes, held = part_measures(own["end"] - own["start"], quarters, quarter)
    return Expected(notes, density.change), Expected(held, length.change)


def _own_notes(holed: HoledPiece, program: int) -> Array:
    """The notes `FILE_NOTES` of a part that stand outside of the holes, or were taken out."""
    notes = holed.piece.notes.notes
    notes = notes[notes["program"] == program]
    inside = np.zeros(len(notes), dtype=bool)
    for begin, end in holed.holes:
        inside |= (notes["start"] >= begin) & (notes["start"] < end)
    gone = holed.gone[holed.gone["program"] == program]
    return np.concatenate([notes[~inside], gone]).astype(FILE_NOTES)
