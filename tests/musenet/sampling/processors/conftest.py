"""What tests share: rows of notes and their state."""

from __future__ import annotations

import numpy as np

from musenet.sampling.processors.processor import RowState
from tokenizer.typing import Tokens

from ..conftest import VOCABULARY

QUARTER = VOCABULARY.grid.beat


def state_of(rows: Tokens, *times: int) -> RowState:
    return RowState.of(rows, np.array(times), VOCABULARY)


def rows(
    pitches: list[int],
    instrument: int = 1,
    steps: int = QUARTER,
    wait: int = QUARTER,
    velocity: int = 80,
) -> np.ndarray:
    """Notes after each other, each lasting so many steps and as many after the one before."""
    length = int(VOCABULARY.grid.duration_class(np.array(steps))) + 1
    loud = velocity // 4 + 1
    return np.array([[wait + 1, instrument, p + 1, length, loud] for p in pitches], dtype=np.int16)
