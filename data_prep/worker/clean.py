"""Cleaning: named rules with thresholds that exclude files unsuitable for training.

A rule checks many scores at once and gives a sentence for each that breaks it. The first rule
broken is the reason that the report counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tokenizer.instruments import DRUMS, range_of
from tokenizer.score.batch import ScoreBatch, score_of
from tokenizer.typing import Floats, Mask


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


class Violation(NamedTuple):
    """A rule that a score breaks: its name, and how, to end a sentence."""

    rule: str
    detail: str


Rule = Callable[[ScoreBatch, Thresholds], "dict[int, str]"]
"""What is wrong with each piece that breaks the rule, by its number."""


def _too_few_notes(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    few = (music.note_counts < thresholds.min_notes).nonzero()[0].tolist()
    return {piece: f"{music.note_counts[piece]} notes" for piece in few}


def _too_many_notes(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    many = (music.note_counts > thresholds.max_notes).nonzero()[0].tolist()
    return {piece: f"{music.note_counts[piece]} notes" for piece in many}


def _too_short(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    seconds = _sounding_seconds(music)
    short = (seconds < thresholds.min_seconds).nonzero()[0].tolist()
    return {piece: f"{seconds[piece]:.1f} s" for piece in short}


def _too_long(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    seconds = _sounding_seconds(music)
    long = (seconds > thresholds.max_seconds).nonzero()[0].tolist()
    return {piece: f"{seconds[piece]:.0f} s" for piece in long}


def _sounding_seconds(music: ScoreBatch) -> Floats:
    """From each piece's first note to its last end, `(P,)`."""
    return music.tempo_maps.seconds(music.end) - music.tempo_maps.seconds(music.start[music.first])


def _one_note_repeated(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    found = {}
    # No note is more frequent than its pitch: few pieces need a look at the instruments.
    row = (np.arange(len(music.note_counts)) << 7).repeat(music.note_counts)
    pitches = np.bincount(row + music.pitch, minlength=len(music.note_counts) << 7)
    share = pitches.reshape(-1, 128).max(axis=1) / music.note_counts
    for piece in (share > thresholds.max_repeated).nonzero()[0].tolist():
        notes = music.notes_of(piece)
        program = music.program[notes]
        if (program == DRUMS).all():
            continue
        counts = np.bincount(program.astype(np.int16) << 7 | music.pitch[notes])
        exact = int(counts.max()) / len(program)
        if exact > thresholds.max_repeated:
            found[piece] = f"{exact:.0%} of the notes are one"
    return found


_LONGER = 1 << 32
"""Ticks: longer than any piece, shorter than from one piece to the next by the clock."""


def _impossible_density(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    most = thresholds.max_notes_per_second
    span = music.start[most:] - music.start[:-most]
    # At the fastest tempo every stretch of so many notes is at its shortest: mostly long enough.
    second = -(-1_000_000 * music.resolution // music.tempo_maps.fastest)
    short = span < np.minimum(second, _LONGER).repeat(music.note_counts)[: len(span)]
    found = {}
    for piece in np.unique(score_of(music.start[: len(span)][short])).tolist():
        seconds = music.tempo_maps.seconds(music.start[music.notes_of(piece)])
        shortest = float((seconds[most:] - seconds[:-most]).min())
        if shortest < 1:
            found[piece] = f"more than {most} notes in {shortest:.2f} s"
    return found


def _silent_gap(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    begin, end = music.sounded_until[:-1], music.start[1:]
    # A gap that is short even at twice the slowest tempo needs no look at the tempos.
    ticks = thresholds.max_silence * 1_000_000 * music.resolution / (2 * music.tempo_maps.slowest)
    short = np.minimum(ticks, _LONGER).astype(np.int64)
    at = (end - begin > short.repeat(music.note_counts)[1:]).nonzero()[0]
    at = at[score_of(begin[at]) == score_of(end[at])]
    gap = music.tempo_maps.seconds(end[at]) - music.tempo_maps.seconds(begin[at])
    longest = np.zeros(len(music.note_counts))
    np.maximum.at(longest, score_of(end[at]), gap)
    broken = (longest > thresholds.max_silence).nonzero()[0].tolist()
    return {piece: f"{longest[piece]:.0f} s of silence" for piece in broken}


def _outside() -> Mask:
    """Whether each pitch of each program is outside its range, at `program << 7 | pitch`."""
    # A drum's pitch is no pitch: every one is in range.
    ranges = np.array([*(range_of(program) for program in range(DRUMS)), (0, 127)])
    pitches = np.arange(128)
    outside = (pitches < ranges[:, :1]) | (pitches > ranges[:, 1:])
    return np.asarray(outside.ravel())


_OUTSIDE = _outside()


def _out_of_range(music: ScoreBatch, thresholds: Thresholds) -> dict[int, str]:
    outside = _OUTSIDE.take(music.program.astype(np.int64) << 7 | music.pitch)
    pitched = music.note_counts - music.count(music.program == DRUMS)
    share = music.count(outside) / np.maximum(pitched, 1)
    broken = (share > thresholds.max_out_of_range).nonzero()[0].tolist()
    return {piece: f"{share[piece]:.0%} of the notes" for piece in broken}


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
"""Every rule by name, in the order in which they are checked."""


def violations(music: ScoreBatch, thresholds: Thresholds) -> dict[int, Violation]:
    """The first rule that each piece breaks, by the pieces' numbers."""
    found: dict[int, Violation] = {}
    for name, rule in RULES.items():
        for piece, detail in rule(music, thresholds).items():
            found.setdefault(piece, Violation(name, detail))
    return found
