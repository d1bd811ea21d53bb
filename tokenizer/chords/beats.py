"""Beats of music in meters: where they begin, in ticks or steps, and which open or halve a bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tokenizer.typing import Ints

BAR_LINE, HALF_BAR, OTHER_BEAT = 2, 1, 0


class Meter(NamedTuple):
    """A time signature and the time of one of its bar lines, from which it holds."""

    begin: int
    numerator: int
    denominator: int


class Beats(NamedTuple):
    """Consecutive beats.

    Attributes:
        lines: where each of S beats begins and the last one ends, ascending, `(S + 1,)`.
        accents: of each beat, `(S,)`: `BAR_LINE`, `HALF_BAR` in the middle of a bar, `OTHER_BEAT`.
    """

    lines: Ints
    accents: Ints


def beats_of(meters: Sequence[Meter], stop: int, whole: int) -> Beats:
    """The beats from the first meter's begin to `stop`, the last one whole; one at least.

    A beat is three units in compound meters (6/8, 12/8), else the meter's unit and at most a
    quarter note. A meter's last bar is cut where the next begins.

    Args:
        meters: at least one, by ascending begin, the last one's before `stop`.
        stop: a time.
        whole: the length of a whole note, in the unit of the times.
    """
    lines: list[Ints] = []
    accents: list[Ints] = []
    for number, (begin, numerator, denominator) in enumerate(meters):
        compound = numerator % 3 == 0 and numerator > 3 and denominator >= 8
        units, part = (3, denominator) if compound else (1, max(4, denominator))
        beats = max(1, numerator * part // (denominator * units))
        end = meters[number + 1].begin if number + 1 < len(meters) else max(stop, begin + 1)
        count = -(-(end - begin) * part // (whole * units))
        place = np.arange(count, dtype=np.int64)
        lines.append(begin + place * (whole * units) // part)
        place %= beats
        accents.append(np.where(place == 0, BAR_LINE, (2 * place == beats) * HALF_BAR))
    last = begin + count * whole * units // part
    return Beats(np.append(np.concatenate(lines), last), np.concatenate(accents))
