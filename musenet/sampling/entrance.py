"""Entrance: an instrument that is to be written and stays silent becomes more likely to play.

Beside given parts a model may expect to wait on and on: in its training data many parts rest while
others play. After some quarter notes without a sounding note of an instrument, short waits become
more likely than long ones, and that instrument more likely than others, by an amount that
grows with the silence. Which short wait, pitch, length and velocity follow is the model's to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, WAIT
from tokenizer.typing import Floats, Logits, Mask

from .processor import RowState, SamplerContext


@dataclass(frozen=True)
class Entrance:
    """Which instruments are to be heard, and how strongly.

    Attributes:
        instruments: programs, 128 for drums.
        begins: the first step of each hole, ascending; silence counts from there.
        patience: quarter notes (or half seconds) of silence without any effect.
        growth: nats per further quarter note.
        most: the largest effect in nats.
    """

    instruments: tuple[int, ...]
    begins: tuple[int, ...] = (0,)
    patience: float = 2.0
    growth: float = 2.0
    most: float = 12.0

    def build(self, context: SamplerContext) -> EntranceProcessor:
        """The processor of a batch."""
        return EntranceProcessor(self, context)


class EntranceProcessor:
    """The processor of a batch."""

    def __init__(self, config: Entrance, context: SamplerContext) -> None:
        grid = context.vocabulary.grid
        self._config, self._quarter = config, grid.beat
        self._values = np.array([program + 1 for program in config.instruments], dtype=np.int64)
        self._begins = np.array(config.begins, dtype=np.int64)
        self._lengths = np.concatenate([[0], grid.durations])
        self._until = np.zeros((context.batch, len(self._values)), dtype=np.int64)

    def apply(self, field: int, logits: Logits, _allowed: Mask, state: RowState) -> Logits:
        """The logits of the wait and of the instrument, more likely to end a silence."""
        if field not in (WAIT, INSTRUMENT) or not len(self._values):
            return logits
        more = self._more(state)
        if not more.any():
            return logits
        changed = logits.astype(np.float64)
        if field == WAIT:
            changed[:, 1 : 1 + self._quarter] += more.max(axis=1, keepdims=True)
        else:
            changed[:, self._values] += more
        return changed

    def push(self, state: RowState) -> None:
        """Note how long each instrument sounds."""
        written = state.written_note[:, None] & (state.rows[:, INSTRUMENT, None] == self._values)
        ends = state.time + self._lengths[state.rows[:, DURATION]]
        self._until = np.where(written, np.maximum(self._until, ends[:, None]), self._until)

    def _more(self, state: RowState) -> Floats:
        """The nats `(B, I)` by which each instrument becomes more likely."""
        config = self._config
        hole = self._begins[np.maximum(self._begins.searchsorted(state.time, side="right") - 1, 0)]
        silent = (state.time[:, None] - np.maximum(self._until, hole[:, None])) / self._quarter
        more: Floats = np.clip((silent - config.patience) * config.growth, 0.0, config.most)
        return more
