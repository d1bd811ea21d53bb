"""What a score says beside its notes, as controls of the vocabulary, and back.

Meter, tempo and pedal become `(time in steps, value of field 0)`, in the order in which they
take effect.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from .grid import Steps
from .score import PEDALS, TEMPOS, TIME_SIGNATURES, Score
from .vocabulary import METRONOME, Vocabulary

ControlEvent = tuple[int, int]

_HALF_WAY = [math.sqrt(slower * faster) for slower, faster in pairwise(METRONOME)]


def tempo_name(quarters_a_minute: float) -> str:
    """The control of the metronome mark nearest to a tempo, by ratio."""
    return f"tempo:{METRONOME[bisect_left(_HALF_WAY, quarters_a_minute)]}"


def first_meter(score: Score) -> tuple[int, int]:
    """The time signature in force at the beginning; 4/4 where the score has none, as in MIDI."""
    for time, numerator, denominator in score.time_signatures[:1].tolist():
        if time == 0:
            return numerator, denominator
    return 4, 4


def first_tempo(score: Score) -> float:
    """The tempo at the beginning in quarters a minute; 120 where the score has none."""
    for time, microseconds in score.tempos[:1].tolist():
        if time == 0:
            return float(60e6 / microseconds)
    return 120.0


def meter_events(score: Score, steps: Steps, vocabulary: Vocabulary) -> Iterator[ControlEvent]:
    """Each change of meter after the beginning; `steps` are the signatures' times."""
    current = "time_signature:{}/{}".format(*first_meter(score))
    last_at = dict(zip(steps.tolist(), range(len(steps)), strict=True))
    for time, row in last_at.items():
        signature = score.time_signatures[row]
        meter = f"time_signature:{signature['numerator']}/{signature['denominator']}"
        value = vocabulary.control(meter)
        if time > 0 and value is not None and meter != current:
            current = meter
            yield time, value


def tempo_events(score: Score, steps: Steps, vocabulary: Vocabulary) -> Iterator[ControlEvent]:
    """Each change of the metronome mark after the beginning; `steps` are the tempos' times."""
    current = tempo_name(first_tempo(score))
    last_at = dict(zip(steps.tolist(), range(len(steps)), strict=True))
    for time, row in last_at.items():
        mark = tempo_name(60e6 / int(score.tempos["microseconds"][row]))
        value = vocabulary.control(mark)
        if time > 0 and value is not None and mark != current:
            current = mark
            yield time, value


def pedal_events(down: Steps, up: Steps, vocabulary: Vocabulary) -> Iterator[ControlEvent]:
    """One pedal for all parts, from the times at which each part's goes down and up."""
    pressed, released = vocabulary.control("pedal:down"), vocabulary.control("pedal:up")
    if pressed is None or released is None:
        return
    until = -1
    for begin, end in sorted(zip(down.tolist(), up.tolist(), strict=True)):
        if begin > until:
            if until >= 0:
                yield until, released
            yield begin, pressed
        until = max(until, end)
    if until >= 0:
        yield until, released


def decoded_tempos(
    times: Steps, names: list[str], ticks_per_step: int, *, seconds: bool
) -> npt.NDArray[Any]:
    """TEMPOS of decoded controls; on the `seconds` clock ticks are real time at 120."""
    if seconds:
        return np.array([(0, 500_000)], dtype=TEMPOS)
    rows = [
        (time * ticks_per_step, round(60e6 / int(name.removeprefix("tempo:"))))
        for time, name in zip(times.tolist(), names, strict=True)
        if name.startswith("tempo:")
    ]
    return np.array(rows, dtype=TEMPOS)


def decoded_meters(times: Steps, names: list[str], ticks_per_step: int) -> npt.NDArray[Any]:
    """TIME_SIGNATURES of decoded controls."""
    rows = [
        (time * ticks_per_step, *map(int, name.removeprefix("time_signature:").split("/")))
        for time, name in zip(times.tolist(), names, strict=True)
        if name.startswith("time_signature:")
    ]
    return np.array(rows, dtype=TIME_SIGNATURES)


def decoded_pedals(
    times: Steps, names: list[str], ticks_per_step: int, tracks: int
) -> npt.NDArray[Any]:
    """PEDALS of decoded controls, the same for every one of the tracks."""
    rows: list[tuple[int, int, int]] = []
    down: int | None = None
    for time, name in zip((times * ticks_per_step).tolist(), names, strict=True):
        if name == "pedal:down" and down is None:
            down = time
        elif name == "pedal:up" and down is not None:
            rows += [(down, time - down, track) for track in range(tracks)]
            down = None
    return np.array(rows, dtype=PEDALS)
