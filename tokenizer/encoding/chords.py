"""Chords of compound tokens, estimated from their notes."""

from __future__ import annotations

import numpy as np

from tokenizer.chords.beats import Beats, Meter, beats_of
from tokenizer.chords.estimate import estimate_chords
from tokenizer.instruments import DRUMS
from tokenizer.typing import Ints, Steps, Tokens

from .vocabulary import DURATION, INSTRUMENT, PITCH, WAIT, Vocabulary


def token_chords(
    tokens: Tokens,
    times: Steps,
    vocabulary: Vocabulary,
    meter: tuple[int, int] = (4, 4),
    bar_line: int = 0,
) -> tuple[Steps, Ints]:
    """The chords of tokens `(T, 5)`, a whole piece or a part of one, estimated from all but drums.

    On the `seconds` clock a quarter note is taken for half a second.

    Args:
        tokens: rows, of which only notes and time signatures count.
        times: of each row in steps, ascending: see `tokenizer.encoding.compound.row_times`.
        vocabulary: what the tokens mean.
        meter: the time signature before the first one among the tokens.
        bar_line: the time of any bar line of that meter.

    Returns:
        Times in steps, ascending from `times[0]`, and numbers in `CHORDS` of the chords that begin
        there, each unlike the one before. Nothing for no tokens.
    """
    if not len(tokens):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    grid = vocabulary.grid
    note = (tokens[:, INSTRUMENT] > 0) & (tokens[:, INSTRUMENT] != DRUMS + 1)
    starts = times[note]
    ends = starts + np.maximum(grid.durations.take(tokens[note, DURATION] - 1), 1)
    whole = 4 * grid.beat
    bar = max(1, whole * meter[0] // meter[1])
    begin = bar_line + (int(times[0]) - bar_line) // bar * bar
    meters = [Meter(begin, *meter), *_meters(tokens, times, vocabulary)]
    stop = max(int(times[-1]) + 1, int(ends.max(initial=0)))
    lines, accents = beats_of(meters, stop, whole)
    first = int(np.searchsorted(lines, times[0], side="right")) - 1
    beats = Beats(lines[first:], accents[first:])
    changes, chords = estimate_chords(starts, ends, tokens[note, PITCH].astype(int) - 1, beats)
    return np.maximum(beats.lines[changes], times[0]), chords


def _meters(tokens: Tokens, times: Steps, vocabulary: Vocabulary) -> list[Meter]:
    """The time signatures among tokens."""
    rows = np.flatnonzero(vocabulary.bar_steps.take(tokens[:, WAIT]) > 0)
    found = []
    for row in rows.tolist():
        name = vocabulary.name(int(tokens[row, WAIT])).removeprefix("time_signature:")
        numerator, denominator = map(int, name.split("/"))
        found.append(Meter(int(times[row]), numerator, denominator))
    return found
