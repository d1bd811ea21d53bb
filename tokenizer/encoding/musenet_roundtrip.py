"""What MuseNet's encoding keeps of a score, and what it cannot hold: nothing is lost silently."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tokenizer.score.pedals import sustained
from tokenizer.score.score import Score
from tokenizer.typing import Steps

from .musenet import MuseNetTokenizer, longest_notes
from .musenet_vocabulary import DRUM_KIT, INSTRUMENT_OF_PROGRAM
from .roundtrip import Fate, RoundTrip, exact_notes


def musenet_round_trip(tokenizer: MuseNetTokenizer, score: Score) -> RoundTrip:
    """Encode and decode a score, and compare.

    Strokes of one key at one moment become one note, whose errors are those against each of them.
    Drums have no durations here, and so no errors of any.
    """
    body = tokenizer.body(score)
    again = tokenizer.decode(body)
    notes = sustained(score) if tokenizer.pedal == "durations" else score.notes
    before = exact_notes(tokenizer.grid, score, notes)
    step = tokenizer.grid.ticks_per_step
    after = again.notes[_places(tokenizer, score, again)]
    instrument = INSTRUMENT_OF_PROGRAM[score.notes["program"]]
    clipped = (before["duration"] > longest_notes(tokenizer.grid)[instrument]) & (
        instrument != DRUM_KIT
    )
    duration = np.abs(before["duration"] - after["duration"] / step)
    wrong = (duration > 1) & ~clipped & (instrument != DRUM_KIT) & (before["duration"] > 0)
    cut = wrong & (after["duration"] / step < before["duration"])
    velocity = np.abs(before["velocity"].astype(int) - after["velocity"])
    return RoundTrip(
        tokens=len(body),
        onset_error=float(np.abs(before["start"] - after["start"] / step).max(initial=0)),
        duration_error=float((duration[wrong] / before["duration"][wrong]).max(initial=0)),
        velocity_error=int(velocity.max(initial=0)),
        clipped=int(clipped.sum()),
        fates=tuple(line for line in _fates(tokenizer, score, again, int(cut.sum())) if line.found),
    )


def _strokes(tokenizer: MuseNetTokenizer, score: Score) -> Steps:
    """Which key of which instrument each note strikes, and when, as one number."""
    instrument = INSTRUMENT_OF_PROGRAM[score.notes["program"]].astype(np.int64)
    start = tokenizer.grid.steps(score, score.notes["start"])
    return start << 11 | instrument << 7 | score.notes["pitch"]


def _places(tokenizer: MuseNetTokenizer, score: Score, again: Score) -> Steps:
    """For each note of a score, where its stroke is among the decoded notes."""
    strokes = _strokes(tokenizer, again)
    order = np.argsort(strokes)
    return order[np.searchsorted(strokes[order], _strokes(tokenizer, score))]


def _fates(tokenizer: MuseNetTokenizer, score: Score, again: Score, cut: int) -> Iterator[Fate]:
    beat = tokenizer.grid.is_beat
    yield Fate("notes", len(score.notes), len(again.notes), "a key struck twice at once is one")
    yield Fate("overlaps", cut, 0, "a note ends where its key is struck again")
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
