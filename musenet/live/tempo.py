"""The tempo of a phrase that nobody counted in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenizer.score.beat_tracking import FRAME, beat_period, onset_strength
from tokenizer.typing import Floats

from .listener import Key

USUAL = 120.0
"""Quarter notes per minute of a phrase that says nothing of its own."""
_FEWEST = 4  # onsets that say anything
_TOGETHER = 0.04  # seconds within which notes are a chord
_FINEST = 4  # parts of a beat on which onsets are meant
_RATIOS = (1.0, 2 / 3, 3 / 2)
_NEAR = 0.1  # of a beat, by which it may be corrected


def phrase_tempo(keys: Sequence[Key]) -> float:
    """Quarter notes per minute of a phrase: its most regular beat, fitted to its onsets.

    The beat is found as in `tokenizer.score.beat_tracking`; then the straight line through the
    onsets, each at its nearest sixteenth, gives it to more than a hundredth of a second.

    Args:
        keys: in order of time.
    """
    begins = np.array([key.begin for key in keys]) - keys[0].begin
    onsets = begins[np.append(True, np.diff(begins) > _TOGETHER)]
    if len(onsets) < _FEWEST:
        return USUAL
    lengths = np.array([(key.end or key.begin) - key.begin for key in keys])
    pitches = np.array([float(key.pitch) for key in keys])
    velocities = np.array([float(key.velocity) for key in keys])
    found = beat_period(onset_strength(begins, lengths, pitches, velocities)) * FRAME
    # Even notes have no beat of their own: three of them could be one as well as two or four.
    period = min((found * ratio for ratio in _RATIOS), key=lambda beat: _misfit(onsets, beat))
    places = np.rint(onsets / period * _FINEST) / _FINEST
    fitted = float(np.polyfit(places, onsets, 1)[0]) if places[-1] > 0 else period
    return 60 / (fitted if abs(fitted / period - 1) < _NEAR else period)


def _misfit(onsets: Floats, beat: float) -> float:
    """How far onsets lie from sixteenths of a beat, in sixteenths."""
    places = onsets / beat * _FINEST
    return float(np.abs(places - np.rint(places)).mean())
