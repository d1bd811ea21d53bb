"""Beats of a performance: dynamic programming over onsets.

D. Ellis, Beat tracking by dynamic programming, Journal of New Music Research 36 (2007): a global
tempo from the autocorrelation of the onset strength, weighted towards 120 beats a minute, and then
the sequence of beats that lies best on strong onsets while its tempo changes little. The onset
strength is made from notes, not audio: each counts by its loudness, length and depth (S. Dixon,
Automatic extraction of tempo and beat from expressive performances, 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.typing import Floats, Ints

FRAME = 0.01  # seconds
_SLOWEST, _FASTEST = 1.5, 0.25  # seconds a beat
_USUAL, _OCTAVES = 0.6, 0.7  # the weighting of tempos: its centre in seconds, and spread
_SPREAD = 2.0  # frames by which an onset is spread
_TIGHT = 100.0  # how dearly a change of tempo is paid
_FEWEST = 16  # onsets
_LONGEST = 3600.0  # seconds


def onset_strength(times: Floats, lengths: Floats, pitches: Floats, velocities: Floats) -> Floats:
    """The strength of the onsets of notes, `(frames,)`, from time 0; it has variance 1.

    Args:
        times: of the notes, in seconds.
        lengths: in seconds.
        pitches: MIDI numbers.
        velocities: 1–127.
    """
    frames = np.zeros(int(times.max() / FRAME) + 2)
    deep = np.clip((84 - pitches) / 48, 0.25, 1.0)
    weights = velocities / 127 * np.sqrt(np.clip(lengths, 0.05, 1.0)) * deep
    np.add.at(frames, np.round(times / FRAME).astype(np.int64), weights)
    frames = np.sqrt(frames)  # a chord of ten notes is not ten onsets
    reach = int(4 * _SPREAD)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SPREAD) ** 2)
    strength: Floats = np.convolve(frames, kernel, "same")
    scaled: Floats = strength / max(float(strength.std()), 1e-9)
    return scaled


def beat_period(strength: Floats) -> float:
    """The length of a beat in frames: the best lag, with its double and its triple."""
    most = int(3 * _SLOWEST / FRAME) + 2
    size = 1 << (2 * len(strength) - 1).bit_length()
    centred = strength - strength.mean()
    power = np.abs(np.fft.rfft(centred, size)) ** 2
    lags = np.zeros(most)
    found = np.fft.irfft(power, size)[: min(most, len(strength))]
    lags[: len(found)] = found
    first, last = int(_FASTEST / FRAME), int(_SLOWEST / FRAME)
    period = np.arange(first, last + 1)
    usual = np.exp(-0.5 * (np.log2(period * FRAME / _USUAL) / _OCTAVES) ** 2)
    twice = np.maximum.reduce([lags[2 * period + d] for d in (-1, 0, 1)])
    score = usual * (lags[period] + 0.5 * twice + 0.25 * lags[2 * period])
    return float(period[int(score.argmax())])


def beats_along(strength: Floats, period: float) -> Ints:
    """The frames of the beats that lie best on strong onsets at about a period."""
    gaps = np.arange(round(period / 2), round(2 * period) + 1)
    price = -_TIGHT * np.log(gaps / period) ** 2
    longest = int(gaps[-1])
    total = np.zeros(len(strength) + longest)
    before = np.full(len(strength), -1)
    for frame in range(len(strength)):
        earlier = total[frame + longest - gaps] + price
        best = int(earlier.argmax())
        reached = frame - int(gaps[best])
        if reached >= 0:
            before[frame] = reached
        total[frame + longest] = strength[frame] + max(float(earlier[best]), 0.0)
    found = total[longest:]
    last = int(len(found) - longest + found[-longest:].argmax()) if len(found) > longest else 0
    beats = [last]
    while before[beats[-1]] >= 0:
        beats.append(int(before[beats[-1]]))
    return np.array(beats[::-1], dtype=np.int64)


def track_beats(times: Floats, lengths: Floats, pitches: Floats, velocities: Floats) -> Floats:
    """The times of the beats of a performance in seconds; none where it has too few onsets.

    The arguments are those of `onset_strength`.
    """
    if len(np.unique(np.round(times / FRAME))) < _FEWEST or times.max() > _LONGEST:
        return np.empty(0)
    strength = onset_strength(times, lengths, pitches, velocities)
    return (beats_along(strength, beat_period(strength)) * FRAME).astype(np.float64)


def f_measure(found: Floats, true: Floats, tolerance: float = 0.07) -> float:
    """The F-measure of found beats: each is right within 70 ms of a true one that no other hit."""
    hits, at = 0, 0
    for beat in true.tolist():
        while at < len(found) and found[at] < beat - tolerance:
            at += 1
        if at < len(found) and found[at] <= beat + tolerance:
            hits, at = hits + 1, at + 1
    return 2 * hits / max(1, len(found) + len(true))


def grid_fit(positions: Floats, parts: Sequence[int] = (2, 3, 4)) -> float:
    """How well onsets keep to parts of beats: 0 by chance, 1 on the grid.

    Args:
        positions: in beats.
        parts: of a beat, of which one is enough: halves, thirds, quarters.
    """
    if not len(positions):
        return 0.0
    turns = np.exp(2j * np.pi * np.outer(parts, positions))
    return float(np.abs(turns.mean(axis=1)).max())
