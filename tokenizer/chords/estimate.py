"""Chords estimated from notes: which chord sounds on each beat.

A hidden Markov model over beats, as in Raphael and Stoddard ("Functional Harmonic Analysis Using
Probabilistic Models", Computer Music Journal 28(3), 2004) and Sheh and Ellis ("Chord Segmentation
and Recognition using EM-Trained Hidden Markov Models", ISMIR 2003), with the parameters of all
chords of a quality tied by transposition. As in Masada and Bunescu ("Chord Recognition in Symbolic
Music", TISMIR 2(1), 2019), a beat's likelihoods are a log-linear model of features: which pitch
classes sound and which is lowest, on the beat, around it, in its bar, and in the whole passage,
which says the key. A change of chord has a cost, the least at a bar line; Viterbi's algorithm finds
the best path. `benchmarks/chord_weights.py` fits the weights, `benchmarks/chords.py` measures them.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from tokenizer.typing import Array, Floats, Integers, Ints, Mask

from .beats import BAR_LINE, Beats
from .chord import CHORDS, NO_CHORD

WEIGHTS = Path(__file__).with_name("estimate.json")

FEATURES = (
    *("beat", "present", "bass", "one beat around", "three beats around"),
    *("passage", "bar", "bass of the bar", "bass one beat around"),
)
"""Blocks of twelve features, one a pitch class."""

CHANGE_COST = 0.3
"""Nats that a change of chord costs at a bar line; as much more in its middle, and twice more
on any other beat."""

SILENCE = 4
"""Beats of silence from which on there is no chord."""

_MOST = 1.5  # beats that a pitch class counts for, however many notes double it
_PRESENT = 0.25  # beats from which on a pitch class counts as present
_AROUND = 3
_NEVER = -1e3


def estimate_chords(
    starts: Integers,
    ends: Integers,
    pitches: Integers,
    beats: Beats,
    weights: Floats | None = None,
) -> tuple[Ints, Ints]:
    """The chords of notes: the beats on which they change, and their numbers in `CHORDS`.

    The first change is at beat 0. No chord sounds in `SILENCE` or more beats without a
    note; in shorter rests the chord around goes on.

    Args:
        starts: of N notes, in any order, without drums; in the unit of the beats' lines.
        ends: of the notes.
        pitches: MIDI pitches.
        beats: the beats; what sounds outside of them does not count.
        weights: how much each note counts; all 1 if None.

    Returns:
        Two arrays of the same length: beats, ascending from 0, and chords, each unlike the one
        before.
    """
    sounding = features(starts, ends, pitches, beats, weights)
    path = viterbi(_scores(sounding), _change_costs(beats))
    changes = _first_of_runs(path)
    return changes, path[changes]


def features(
    starts: Integers,
    ends: Integers,
    pitches: Integers,
    beats: Beats,
    weights: Floats | None = None,
) -> Floats:
    """The features of S beats, `(S, len(FEATURES), 12)`: see `estimate_chords`."""
    tones, bass = _sounding(starts, ends, pitches, beats.lines, weights)
    present = np.minimum(tones / _PRESENT, 1)
    tones = np.minimum(tones, _MOST)
    bass = np.minimum(bass, 1)
    bar = np.cumsum(beats.accents == BAR_LINE)
    total = tones.sum(axis=0)
    passage = np.broadcast_to(3 * total / max(float(total.sum()), 1e-9), tones.shape)
    blocks = (
        *(tones, present, bass, _around(tones, 1), _around(tones, _AROUND)),
        *(passage, _mean_of_bars(tones, bar), _mean_of_bars(bass, bar), _around(bass, 1)),
    )
    return np.concatenate(blocks, axis=1).reshape(-1, len(FEATURES), 12)


def _sounding(
    starts: Integers, ends: Integers, pitches: Integers, lines: Ints, weights: Floats | None
) -> tuple[Floats, Floats]:
    """For how much of each beat each pitch class sounds, and sounds lowest: two `(S, 12)`."""
    count = len(lines) - 1
    first = np.maximum(np.searchsorted(lines, starts, side="right") - 1, 0)
    last = np.minimum(np.searchsorted(lines, ends, side="left"), count)
    spans = np.maximum(last - first, 0)
    note = np.repeat(np.arange(len(spans)), spans)
    beat = np.arange(len(note)) + np.repeat(first - (np.cumsum(spans) - spans), spans)
    begin, end = lines.take(beat), lines.take(beat + 1)
    share = np.minimum(ends.take(note), end) - np.maximum(starts.take(note), begin)
    share = np.maximum(share, 0) / np.maximum(end - begin, 1)
    if weights is not None:
        share *= weights.take(note)
    pitch = pitches.take(note).astype(np.int64)
    lowest = np.full(count, 128)
    np.minimum.at(lowest, beat, np.where(share > 0, pitch, 128))
    place = 12 * beat + pitch % 12
    lowest_share = share * (pitch == lowest.take(beat))
    tones, bass = (np.bincount(place, held, 12 * count) for held in (share, lowest_share))
    return np.asarray(tones.reshape(-1, 12)), np.asarray(bass.reshape(-1, 12))


def _around(values: Floats, beats: int) -> Floats:
    """The mean over so many beats before and after each one, of `(S, 12)`."""
    sums = np.zeros((len(values) + 1, 12))
    np.cumsum(values, axis=0, out=sums[1:])
    number = np.arange(len(values))
    begin, end = np.maximum(number - beats, 0), np.minimum(number + beats + 1, len(values))
    return np.asarray((sums.take(end, axis=0) - sums.take(begin, axis=0)) / (end - begin)[:, None])


def _mean_of_bars(values: Floats, bar: Ints) -> Floats:
    """The mean over each beat's bar, of `(S, 12)`; bars are numbered in order."""
    begin = _first_of_runs(bar)
    lengths = np.diff(np.append(begin, len(bar)))
    sums: Floats = np.add.reduceat(values, begin)
    means = np.asarray(sums / lengths[:, None], np.float64)
    return means.repeat(lengths, axis=0)


def _first_of_runs(values: Array) -> Ints:
    """Where each run of equal values `(S,)` begins."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


@cache
def _parameters() -> tuple[Floats, Floats]:
    """The weights `(len(FEATURES) · 12, C − 1)` of all chords but none, and their biases."""
    fitted = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    by_quality = np.array([row["weights"] for row in fitted["qualities"].values()])
    bias = np.array([row["bias"] for row in fitted["qualities"].values()])
    roots = [np.roll(by_quality, root, axis=2) for root in range(12)]
    weights = np.stack(roots, axis=1).reshape(len(CHORDS) - 1, -1).T
    return np.ascontiguousarray(weights), np.repeat(bias, 12)


def _scores(sounding: Floats) -> Floats:
    """The log-likelihoods of each chord on each beat but for a constant, `(S, C)`."""
    weights, bias = _parameters()
    scores = np.empty((len(sounding), len(CHORDS)))
    scores[:, 1:] = sounding.reshape(len(sounding), -1) @ weights + bias
    scores[:, NO_CHORD.number] = _NEVER
    silent = _is_silent(sounding)
    scores[silent] = _NEVER
    scores[silent, NO_CHORD.number] = 0
    return scores


def _is_silent(sounding: Floats) -> Mask:
    """Which beats lie within `SILENCE` or more that are silent."""
    silent = sounding[:, FEATURES.index("beat")].sum(axis=1) < 1e-9
    begin = _first_of_runs(silent)
    lengths = np.diff(np.append(begin, len(silent)))
    return np.repeat(silent[begin] & (lengths >= min(SILENCE, len(silent))), lengths)


def _change_costs(beats: Beats) -> Floats:
    return np.asarray(CHANGE_COST * (1 + BAR_LINE - beats.accents), np.float64)


def viterbi(scores: Floats, costs: Floats) -> Ints:
    """The path of states `(S,)` with the highest sum of scores, less the cost of each change.

    Args:
        scores: `(S, C)`, of each state at each time.
        costs: `(S,)`, of changing the state from the time before to this one.
    """
    count = len(scores)
    values = scores.copy()  # of the best path to each state
    entered = [0.0] * count  # by a change from the best state
    best = [0] * count
    value = values[0]
    for time, (row, cost) in enumerate(zip(values[1:], costs[1:].tolist(), strict=True), 1):
        best[time] = leader = int(value.argmax())
        entered[time] = value[leader] - cost
        row += np.maximum(value, entered[time])
        value = row
    path = np.empty(count, dtype=np.int64)
    path[-1] = state = int(value.argmax())
    for time in range(count - 1, 0, -1):
        if values[time - 1, state] < entered[time]:
            state = best[time]
        path[time - 1] = state
    return path
