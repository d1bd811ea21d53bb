"""How fast rotary positions turn, by the row's index and by musical time. NumPy only, no torch."""

from __future__ import annotations

import numpy as np

from tokenizer.typing import Floats

ROTARY_BASE = 10_000.0
SHORTEST, LONGEST = 0.25, 256.0
"""Wavelengths of musical time, in quarter notes (or half seconds)."""


def index_rates(pairs: int) -> Floats:
    """Radians `(C/2,)` by which each pair of channels turns from row to row."""
    return ROTARY_BASE ** -(np.arange(pairs) / pairs)


def time_rates(pairs: int, steps_per_quarter: int) -> Floats:
    """Radians `(C/2,)` by which each pair of channels turns in a step of the grid."""
    octaves = np.log2(LONGEST / SHORTEST) * np.arange(pairs)
    wavelengths = SHORTEST * 2.0 ** (octaves / max(1, pairs - 1))
    return 2 * np.pi / (wavelengths * steps_per_quarter)
