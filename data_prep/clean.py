"""Cleaning: rules with names and thresholds that say which files are not music to learn from.

A rule looks at a score and gives a sentence when the score breaks it. The first rule broken is the
reason that the report counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS, range_of
from tokenizer.score import Score


@dataclass(frozen=True)
class Thresholds:
    """When a rule is broken.

    Attributes:
        min_notes: fewer notes than this are `too_few_notes`.
        min_seconds: music shorter than this is `too_short`.
        max_seconds: music longer than this is `too_long`.
        max_notes: more notes than this are `too_many_notes`.
        max_repeated: a greater share of notes on one pitch of one instrument is
            `one_note_repeated` (drums alone excepted: a drum is one pitch).
        max_notes_per_second: more notes starting within any one second are `impossible_density`.
        max_silence: a longer time in seconds in which nothing sounds is `silent_gap`.
        max_out_of_range: a greater share of notes outside their instruments' ranges is
            `out_of_range` (drums have none).
    """

    min_notes: int = 8
    min_seconds: float = 1.0
    max_seconds: float = 3 * 3600.0
    max_notes: int = 400_000
    max_repeated: float = 0.8
    max_notes_per_second: int = 400
    max_silence: float = 120.0
    max_out_of_range: float = 0.8


@dataclass(frozen=True)
class Broken:
    """A rule that a score breaks: its name, and how, as a sentence's end."""

    rule: str
    detail: str


@dataclass(frozen=True)
class _Outline:
    """What several rules ask of a score: ticks `(N,)`, and its length in seconds.

    Attributes:
        start: of each note, ascending.
        sounded_until: the latest end of a note and of all before it.
        seconds: from the first note to the last end.
    """

    start: npt.NDArray[np.int64]
    sounded_until: npt.NDArray[np.int64]
    seconds: float

    @classmethod
    def of(cls, score: Score) -> _Outline:
        start = score.notes["start"].astype(np.int64)
        until = np.maximum.accumulate(start + score.notes["duration"])
        if len(start) == 0:
            return cls(start, until, 0.0)
        first, last = score.seconds(np.array([start[0], until[-1]])).tolist()
        return cls(start, until, last - first)


Rule = Callable[[Score, _Outline, Thresholds], "str | None"]


def _too_few_notes(score: Score, _: _Outline, limits: Thresholds) -> str | None:
    count = len(score.notes)
    return f"{count} notes" if count < limits.min_notes else None


def _too_many_notes(score: Score, _: _Outline, limits: Thresholds) -> str | None:
    count = len(score.notes)
    return f"{count} notes" if count > limits.max_notes else None


def _too_short(_: Score, outline: _Outline, limits: Thresholds) -> str | None:
    return f"{outline.seconds:.1f} s" if outline.seconds < limits.min_seconds else None


def _too_long(_: Score, outline: _Outline, limits: Thresholds) -> str | None:
    return f"{outline.seconds:.0f} s" if outline.seconds > limits.max_seconds else None


def _one_note_repeated(score: Score, _: _Outline, limits: Thresholds) -> str | None:
    program = score.notes["program"]
    if (program == DRUMS).all():
        return None
    counts = np.bincount(program.astype(np.int16) << 7 | score.notes["pitch"])
    share = int(counts.max()) / len(program)
    return f"{share:.0%} of the notes are one" if share > limits.max_repeated else None


def _impossible_density(score: Score, outline: _Outline, limits: Thresholds) -> str | None:
    most, start = limits.max_notes_per_second, outline.start
    if len(start) <= most:
        return None
    # At the fastest tempo every stretch of so many notes is at its shortest: mostly long enough.
    fastest = int(score.tempos["microseconds"].min(initial=500_000))
    span = int((start[most:] - start[:-most]).min())
    if span * fastest >= 1_000_000 * score.ticks_per_quarter:
        return None
    seconds = score.seconds(start)
    shortest = float((seconds[most:] - seconds[:-most]).min())
    return f"more than {most} notes in {shortest:.2f} s" if shortest < 1 else None


def _silent_gap(score: Score, outline: _Outline, limits: Thresholds) -> str | None:
    silent = np.flatnonzero(outline.start[1:] > outline.sounded_until[:-1])
    ends = score.seconds(outline.start[silent + 1])
    gap = float((ends - score.seconds(outline.sounded_until[silent])).max(initial=0.0))
    return f"{gap:.0f} s of silence" if gap > limits.max_silence else None


# A drum's pitch is no pitch: every one is in range.
_RANGES = np.array([*(range_of(program) for program in range(DRUMS)), (0, 127)], dtype=np.uint8)
_LOW, _HIGH = np.ascontiguousarray(_RANGES.T)


def _out_of_range(score: Score, _: _Outline, limits: Thresholds) -> str | None:
    program, pitch = score.notes["program"], score.notes["pitch"]
    outside = int(np.count_nonzero((pitch < _LOW[program]) | (pitch > _HIGH[program])))
    share = outside / max(int(np.count_nonzero(program != DRUMS)), 1)
    return f"{share:.0%} of the notes" if share > limits.max_out_of_range else None


RULES: dict[str, Rule] = {
    "too_few_notes": _too_few_notes,
    "too_many_notes": _too_many_notes,
    "too_short": _too_short,
    "too_long": _too_long,
    "one_note_repeated": _one_note_repeated,
    "impossible_density": _impossible_density,
    "silent_gap": _silent_gap,
    "out_of_range": _out_of_range,
}
"""Every rule by name, in the order in which they are asked."""


def first_broken(score: Score, limits: Thresholds) -> Broken | None:
    """The first rule that a score breaks, or None."""
    outline = _Outline.of(score)
    for name, rule in RULES.items():
        detail = rule(score, outline, limits)
        if detail is not None:
            return Broken(name, detail)
    return None
