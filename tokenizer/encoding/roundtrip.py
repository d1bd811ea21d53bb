"""What a tokenizer keeps of a score, and what it cannot hold: nothing is lost silently."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.score.pedals import sustained
from tokenizer.score.score import Score
from tokenizer.typing import Array

from .grid import Grid
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Fate:
    """What became of one kind of event: how many there were, how many came back, and how."""

    kind: str
    found: int
    kept: int
    fate: str


@dataclass(frozen=True)
class RoundTrip:
    """A score after encoding and decoding, beside the score before.

    Attributes:
        tokens: how many rows the body took.
        onset_error: largest distance of a note's start from where it was, in steps.
        duration_error: largest error of a duration, as a share of it, where it is more than half
            a step (more than one where an encoding rounds both ends of a note).
        velocity_error: largest error of a velocity.
        clipped: notes longer than the longest duration.
        fates: a line for each kind of event that the score has.
    """

    tokens: int
    onset_error: float
    duration_error: float
    velocity_error: int
    clipped: int
    fates: tuple[Fate, ...]


def round_trip(tokenizer: Tokenizer, score: Score) -> RoundTrip:
    """Encode and decode a score, and compare."""
    body = tokenizer.body(score)
    again = tokenizer.decode(np.concatenate([tokenizer.prefix(tokenizer.labels(score)), body]))
    before, after = _matched(tokenizer, score), again.notes
    step = tokenizer.vocabulary.grid.ticks_per_step
    longest = int(tokenizer.vocabulary.grid.durations[-1])
    onset = np.abs(before["start"] - after["start"] / step)
    duration = np.abs(before["duration"] - after["duration"] / step)
    whole = (duration > 0.5) & (before["duration"] <= longest)
    velocity = np.abs(before["velocity"].astype(int) - after["velocity"])
    return RoundTrip(
        tokens=len(body),
        onset_error=float(onset.max(initial=0)),
        duration_error=float((duration[whole] / before["duration"][whole]).max(initial=0)),
        velocity_error=int(velocity.max(initial=0)),
        clipped=int((before["duration"] > longest).sum()),
        fates=tuple(_fates(tokenizer, score, again)),
    )


def exact_notes(grid: Grid, score: Score, notes: Array) -> Array:
    """Start, duration and velocity of notes of a score, times in exact, unrounded steps."""
    exact = np.zeros(len(notes), dtype=[("start", "f8"), ("duration", "f8"), ("velocity", "u1")])
    if grid.is_beat:
        per_tick = grid.resolution / score.ticks_per_quarter
        exact["start"] = notes["start"] * per_tick
        exact["duration"] = notes["duration"] * per_tick
    else:
        start = score.seconds(notes["start"])
        end = score.seconds(notes["start"].astype(np.int64) + notes["duration"])
        exact["start"] = start * grid.resolution
        exact["duration"] = (end - start) * grid.resolution
    exact["velocity"] = notes["velocity"]
    return exact


def _matched(tokenizer: Tokenizer, score: Score) -> Array:
    """The exact notes of a score in the order of their tokens."""
    grid = tokenizer.vocabulary.grid
    notes = sustained(score) if tokenizer.pedal == "durations" else score.notes
    start_step, classes = tokenizer.steps_and_classes(score, notes)
    keys = (notes["velocity"] // 4, classes, notes["pitch"], notes["program"], start_step)
    return exact_notes(grid, score, notes)[np.lexsort(keys)]


def _fates(tokenizer: Tokenizer, score: Score, again: Score) -> list[Fate]:
    """A line for each kind of event that the score has any of."""
    tempos = "kept as metronome marks" if tokenizer.tempo_changes else "one tempo for all"
    pedals = {
        "drop": "dropped",
        "durations": "turned into durations",
        "events": "kept as one pedal for all parts",
    }[tokenizer.pedal]
    if not tokenizer.vocabulary.grid.is_beat:
        tempos = "turned into seconds"
    lines = [
        Fate("notes", len(score.notes), len(again.notes), "rounded to the grid"),
        Fate("tracks", len(score.tracks), len(again.tracks), "one an instrument"),
        Fate("tempos", len(score.tempos), len(again.tempos), tempos),
        Fate(
            "time signatures",
            len(score.time_signatures),
            len(again.time_signatures),
            "kept where the meter changes" if tokenizer.vocabulary.grid.is_beat else "dropped",
        ),
        Fate("key signatures", len(score.key_signatures), 0, "one key as a label"),
        Fate("pedals", len(score.pedals), len(again.pedals), pedals),
        Fate("controls", len(score.controls), 0, "dropped"),
        Fate("pitch bends", len(score.pitch_bends), 0, "dropped"),
        Fate("lyrics", len(score.lyrics), 0, "dropped"),
        Fate("markers", len(score.markers), 0, "dropped"),
    ]
    return [line for line in lines if line.found]
