"""What a score says beside its notes, as controls of the vocabulary, and back.

Meter, tempo and pedal become `(time in steps, value of field 0)`, in the order in which they
take effect.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise

import numpy as np

from tokenizer.chords.chord import chord_of_control
from tokenizer.errors import InputError
from tokenizer.score.columns import DTYPES, LAST_TICK, NO_TRACK, prepared
from tokenizer.score.score import Score
from tokenizer.typing import Array, Steps

from .vocabulary import DENSITIES, METRONOME, POLYPHONIES, Vocabulary

ControlEvent = tuple[int, int]


def _half_way(values: Iterable[float]) -> list[float]:
    """Where ascending values are equally near by ratio."""
    return [math.sqrt(lower * higher) for lower, higher in pairwise(values)]


_HALF_WAY = _half_way(METRONOME)
_CLASSES = {
    kind: (names, _half_way(map(float, names)))
    for kind, names in (("density", DENSITIES), ("polyphony", POLYPHONIES))
}


def tempo_name(quarters_per_minute: float) -> str:
    """The control of the metronome mark nearest to a tempo, by ratio."""
    return f"tempo:{METRONOME[bisect_left(_HALF_WAY, quarters_per_minute)]}"


def class_name(kind: str, value: float) -> str:
    """The control of the class of `density` or `polyphony` nearest to a value, by ratio."""
    names, half_way = _CLASSES[kind]
    return f"{kind}:{names[bisect_left(half_way, value)]}"


def first_meter(score: Score) -> tuple[int, int]:
    """The time signature in force at the beginning; 4/4 where the score has none, as in MIDI."""
    for time, numerator, denominator in score.time_signatures[:1].tolist():
        if time == 0:
            return numerator, denominator
    return 4, 4


def first_tempo(score: Score) -> float:
    """The tempo at the beginning in quarter notes per minute; 120 where the score has none."""
    for time, microseconds in score.tempos[:1].tolist():
        if time == 0:
            return float(60e6 / microseconds)
    return 120.0


def unknown_meters(score: Score, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The score's time signatures that the vocabulary lacks, such as "3/64", in order of time."""
    found = [f"{n}/{d}" for _, n, d in score.time_signatures.tolist()]
    known = vocabulary.names("time_signature")
    return tuple(meter for meter in dict.fromkeys(found) if meter not in known)


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


def decoded_columns(times: Sequence[int], names: Sequence[str], tracks: int) -> dict[str, Array]:
    """The tempos, time signatures, pedals and chords of decoded controls, those that there are.

    Args:
        times: of the controls, in ticks, ascending.
        names: of the controls, such as "tempo:120".
        tracks: how many there are; each has the one pedal.

    Raises:
        InputError: if one stands later than a score can be long.
    """
    stated: dict[str, dict[int, tuple[int, ...]]] = {"tempos": {}, "time_signatures": {}}
    pedals: list[tuple[int, int, int]] = []
    chords: list[tuple[int, int, str]] = []
    down: int | None = None
    for time, name in zip(times, names, strict=True):
        kind, fields = _meaning(name)
        if kind in stated:
            stated[kind][time] = fields  # of several at one time, the last holds
        elif name == "pedal:down" and down is None:
            down = time
        elif name == "pedal:up" and down is not None:
            pedals += [(down, time - down, track) for track in range(tracks)]
            down = None
        elif name.startswith("chord:"):
            chords.append((time, NO_TRACK, chord_of_control(name).symbol))
    found = {kind: [(t, *row) for t, row in rows.items()] for kind, rows in stated.items() if rows}
    if any(rows[-1][0] > LAST_TICK for rows in found.values()):
        raise InputError("the tokens last longer than a score can; cut them")
    known = {kind: np.array(rows, DTYPES[kind]) for kind, rows in found.items()}
    for column in known.values():
        column.flags.writeable = False
    if pedals:
        known["pedals"] = prepared("pedals", pedals)
    if chords:
        known["markers"] = prepared("markers", chords)
    return known


@cache
def _meaning(name: str) -> tuple[str, tuple[int, ...]]:
    """The column that a control goes into, and the fields after the time; both empty for others."""
    kind, _, text = name.partition(":")
    row: tuple[int, ...]
    if kind == "tempo":
        column, row = "tempos", (round(60e6 / int(text)),)
    elif kind == "time_signature":
        column, row = "time_signatures", tuple(map(int, text.split("/")))
    else:
        return "", ()
    prepared(column, [(0, *row)])  # refuses what no score can hold
    return column, row
