"""Cleaning: rules with names and thresholds that say which files are not music to learn from.

A rule looks at a score and gives a sentence when the score breaks it. The first rule broken is the
reason that the report counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

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
class _Times:
    """A score's notes in seconds, computed once for all rules: arrays `(N,)`."""

    start: np.ndarray
    end: np.ndarray

    @property
    def length(self) -> float:
        return float(self.end.max() - self.start[0]) if len(self.start) else 0.0


Rule = Callable[[Score, _Times, Thresholds], "str | None"]


def _too_few_notes(score: Score, _: _Times, limits: Thresholds) -> str | None:
    count = len(score.notes)
    return f"{count} notes" if count < limits.min_notes else None


def _too_many_notes(score: Score, _: _Times, limits: Thresholds) -> str | None:
    count = len(score.notes)
    return f"{count} notes" if count > limits.max_notes else None


def _too_short(_: Score, times: _Times, limits: Thresholds) -> str | None:
    return f"{times.length:.1f} s" if times.length < limits.min_seconds else None


def _too_long(_: Score, times: _Times, limits: Thresholds) -> str | None:
    return f"{times.length:.0f} s" if times.length > limits.max_seconds else None


def _one_note_repeated(score: Score, _: _Times, limits: Thresholds) -> str | None:
    programs = score.notes["program"].astype(np.int64)
    if (programs == DRUMS).all():
        return None
    share = np.bincount(programs << 7 | score.notes["pitch"]).max() / len(programs)
    return f"{share:.0%} of the notes are one" if share > limits.max_repeated else None


def _impossible_density(_: Score, times: _Times, limits: Thresholds) -> str | None:
    most = limits.max_notes_per_second
    if len(times.start) <= most:
        return None
    span = (times.start[most:] - times.start[:-most]).min()
    return f"more than {most} notes in {span:.2f} s" if span < 1 else None


def _silent_gap(_: Score, times: _Times, limits: Thresholds) -> str | None:
    sounded_until = np.maximum.accumulate(times.end)
    gap = (times.start[1:] - sounded_until[:-1]).max(initial=0.0)
    return f"{gap:.0f} s of silence" if gap > limits.max_silence else None


# A drum's pitch is no pitch: every one is in range.
_RANGES = np.array([*(range_of(program) for program in range(DRUMS)), (0, 127)], dtype=np.uint8)
_LOW, _HIGH = np.ascontiguousarray(_RANGES.T)


def _out_of_range(score: Score, _: _Times, limits: Thresholds) -> str | None:
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
    notes = score.notes
    start = notes["start"].astype(np.int64)
    times = _Times(score.seconds(start), score.seconds(start + notes["duration"]))
    for name, rule in RULES.items():
        detail = rule(score, times, limits)
        if detail is not None:
            return Broken(name, detail)
    return None
