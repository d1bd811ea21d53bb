"""What a tokenizer of any encoding keeps of a score, and what it drops or changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tokenizer.score.pedals import sustained
from tokenizer.score.score import Score
from tokenizer.typing import Array, Steps, Tokens

from .controls import unknown_meters
from .grid import Grid
from .learned.learned import LearnedTokenizer
from .musenet import MuseNetTokenizer, longest_notes
from .musenet_vocabulary import DRUM_KIT, INSTRUMENT_OF_PROGRAM
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
    """How a score differs after encoding and decoding.

    Attributes:
        tokens: how many rows the body took.
        onset_error: largest distance of a note's start from where it was, in steps.
        duration_error: largest error of a duration, as a share of it, where it is more than half
            a step (more than one where an encoding rounds both ends of a note).
        velocity_error: largest error of a velocity.
        clipped: notes longer than the longest duration.
        fates: one for each kind of event that the score has.
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
    prefix = tokenizer.prefix(tokenizer.labels(score))
    return _compared(tokenizer, score, np.concatenate([prefix, body]), len(body))


def learned_round_trip(tokenizer: LearnedTokenizer, score: Score) -> RoundTrip:
    """Encode and decode a score by a learned encoding, and compare."""
    prefix = tokenizer.prefix(tokenizer.labels(score))
    body = np.concatenate([tokenizer.body(score), tokenizer.end()])
    rows = tokenizer.rows_of(np.concatenate([prefix, body]))
    return _compared(tokenizer.compound, score, rows, len(body) - 1)


def _compared(tokenizer: Tokenizer, score: Score, rows: Tokens, tokens: int) -> RoundTrip:
    """A score beside what compound rows `(T, 5)` say; `tokens` is how many its body took."""
    again = tokenizer.decode(rows)
    before, after = _matched(tokenizer, score), again.notes
    step = tokenizer.vocabulary.grid.ticks_per_step
    longest = int(tokenizer.vocabulary.grid.durations[-1])
    onset = np.abs(before["start"] - after["start"] / step)
    duration = np.abs(before["duration"] - after["duration"] / step)
    whole = (duration > 0.5) & (before["duration"] <= longest)
    velocity = np.abs(before["velocity"].astype(int) - after["velocity"])
    return RoundTrip(
        tokens=tokens,
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
    """One for each kind of event that the score has any of."""
    tempos = "kept as tempo changes" if tokenizer.tempo_changes else "one tempo for all"
    pedals = {
        "drop": "dropped",
        "durations": "turned into durations",
        "events": "kept as one pedal for all instruments",
    }[tokenizer.pedal]
    if not tokenizer.vocabulary.grid.is_beat:
        tempos = "turned into seconds"
    meters = "kept where the meter changes" if tokenizer.vocabulary.grid.is_beat else "dropped"
    if lost := unknown_meters(score, tokenizer.vocabulary):
        meters += f"; not in the vocabulary: {', '.join(lost)}"
    lines = [
        Fate("notes", len(score.notes), len(again.notes), "rounded to the grid"),
        Fate("tracks", len(score.tracks), len(again.tracks), "one per instrument"),
        Fate("tempos", len(score.tempos), len(again.tempos), tempos),
        Fate(
            "time signatures",
            len(score.time_signatures),
            len(again.time_signatures),
            meters,
        ),
        Fate("key signatures", len(score.key_signatures), 0, "one key as a label"),
        Fate("pedals", len(score.pedals), len(again.pedals), pedals),
        Fate("controls", len(score.controls), 0, "dropped"),
        Fate("pitch bends", len(score.pitch_bends), 0, "dropped"),
        Fate("lyrics", len(score.lyrics), 0, "dropped"),
        Fate("markers", len(score.markers), 0, "dropped"),
    ]
    return [line for line in lines if line.found]


def musenet_round_trip(tokenizer: MuseNetTokenizer, score: Score) -> RoundTrip:
    """Encode and decode a score, and compare.

    Notes of one instrument, pitch and onset become one note, whose errors are those against each of
    them. Drums have no durations here, and so no duration errors.
    """
    body = tokenizer.body(score)
    again = tokenizer.decode(body)
    notes = sustained(score) if tokenizer.pedal == "durations" else score.notes
    before = exact_notes(tokenizer.grid, score, notes)
    step = tokenizer.grid.ticks_per_step
    after = again.notes[_decoded_indices(tokenizer, score, again)]
    instrument = INSTRUMENT_OF_PROGRAM[score.notes["program"]]
    clipped = (before["duration"] > longest_notes(tokenizer.grid)[instrument]) & (
        instrument != DRUM_KIT
    )
    duration = np.abs(before["duration"] - after["duration"] / step)
    wrong = (duration > 1) & ~clipped & (instrument != DRUM_KIT) & (before["duration"] > 0)
    cut = wrong & (after["duration"] / step < before["duration"])
    velocity = np.abs(before["velocity"].astype(int) - after["velocity"])
    fates = _musenet_fates(tokenizer, score, again, int(cut.sum()))
    return RoundTrip(
        tokens=len(body),
        onset_error=float(np.abs(before["start"] - after["start"] / step).max(initial=0)),
        duration_error=float((duration[wrong] / before["duration"][wrong]).max(initial=0)),
        velocity_error=int(velocity.max(initial=0)),
        clipped=int(clipped.sum()),
        fates=tuple(fate for fate in fates if fate.found),
    )


def _onset_keys(tokenizer: MuseNetTokenizer, score: Score) -> Steps:
    """Onset, instrument and pitch of each note as one number."""
    instrument = INSTRUMENT_OF_PROGRAM[score.notes["program"]].astype(np.int64)
    start = tokenizer.grid.steps(score, score.notes["start"])
    return start << 11 | instrument << 7 | score.notes["pitch"]


def _decoded_indices(tokenizer: MuseNetTokenizer, score: Score, again: Score) -> Steps:
    """For each note of a score, the index of the decoded note that stands for it."""
    keys = _onset_keys(tokenizer, again)
    order = np.argsort(keys)
    return order[np.searchsorted(keys[order], _onset_keys(tokenizer, score))]


def _musenet_fates(
    tokenizer: MuseNetTokenizer, score: Score, again: Score, cut: int
) -> Iterator[Fate]:
    beat = tokenizer.grid.is_beat
    yield Fate("notes", len(score.notes), len(again.notes), "notes of one pitch and onset are one")
    yield Fate("overlaps", cut, 0, "a note ends where its pitch is played again")
    yield Fate("tracks", len(score.tracks), len(again.tracks), "one of ten instruments each")
    tempos = "dropped" if beat else "turned into seconds"
    yield Fate("tempos", len(score.tempos), 0, tempos)
    for kind in (
        "time_signatures",
        "key_signatures",
        "pedals",
        "controls",
        "pitch_bends",
        "lyrics",
        "markers",
    ):
        turned = kind == "pedals" and tokenizer.pedal == "durations"
        fate = "turned into durations" if turned else "dropped"
        yield Fate(kind.replace("_", " "), len(getattr(score, kind)), 0, fate)
