"""Loop penalty: a figure that has been repeated too often becomes less likely, not its rhythm.

Penalties on single values (CTRL, Keskar et al. 2019, arXiv:1909.05858) punish music for having a
metre and a key. As in DRY sampling (text-generation-webui, pull request 5677) it is the run that
counts here, and moreover it must be periodic: a row is the same as the row p before it, and so was
the row before, and so on for L rows, all of the same wait, instrument and pitch. Such a figure of
p rows has been repeated L / p times. That is what accompaniment does, and is left alone up to

    allowed(p) = the most of  repeats · p,  rows  and the longest such run in the prompt

rows. From there on the pitch that would continue it has its probability divided by `strength` to
the power of (L + 1 − allowed) / p: once more for every further repeat. Waits, instruments,
durations and velocities are drawn as ever; a transposed repeat is no repeat.

The runs of all p are kept up row by row, so that a step costs the same however long the piece is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT
from tokenizer.typing import Integers, Ints, Logits, Mask

from .processor import RowState, SamplerContext

LONGEST = 256
"""Rows of the longest figure that is recognised."""


@dataclass(frozen=True)
class LoopPenalty:
    """Strength and constants.

    `benchmarks/ranges.py` counts the notes of real pieces that such constants would penalise.

    Attributes:
        strength: 1 is none; 1.5 divides by 1.5 for every repeat too many.
        longest: rows of the longest figure that is recognised.
        repeats: how often a figure may be repeated.
        rows: for how many rows a figure may go on in any case, however short it is.
        prompt_rows: how many of the prompt's last rows are searched for figures.
    """

    strength: float = 1.5
    longest: int = LONGEST
    repeats: int = 8
    rows: int = 64
    prompt_rows: int = 4096

    def build(self, context: SamplerContext) -> LoopPenaltyProcessor:
        """The processor of a batch."""
        return LoopPenaltyProcessor(self, context)


class LoopPenaltyProcessor:
    """The loops of the continuations of a context; what repeats in the prompt may go on."""

    def __init__(self, config: LoopPenalty, context: SamplerContext) -> None:
        sizes = context.vocabulary.sizes
        self._instruments, self._pitches = sizes[INSTRUMENT], sizes[PITCH]
        self._log_strength = float(np.log(config.strength))
        longest = config.longest
        period = np.arange(1, longest + 1)
        keys = self._keys(context.prompt)
        self._allowed = np.maximum(
            np.maximum(config.repeats * period, config.rows),
            longest_runs(keys[-config.prompt_rows :], longest),
        )
        self._period = period.astype(np.float64)
        newest = keys[: -longest - 1 : -1]
        recent = np.concatenate([newest, np.full(longest - len(newest), -1)])
        self._recent = np.tile(recent, (context.batch, 1))
        # By how many rows the run of each period would be too long if it went on.
        self._over = np.tile(1 - self._allowed, (context.batch, 1))

    def apply(self, field: int, logits: Logits, _allowed: Mask, state: RowState) -> Logits:
        """The logits `(B, 129)` of the pitch field, given the wait and the instrument."""
        over = self._over
        if field != PITCH or self._log_strength == 0 or over.max() <= 0:
            return logits
        rows = state.rows
        before = rows[:, WAIT].astype(np.int64) * self._instruments + rows[:, INSTRUMENT]
        lane, index = np.nonzero((over > 0) & (self._recent // self._pitches == before[:, None]))
        times = np.zeros(logits.shape)
        pitch = self._recent[lane, index] % self._pitches
        np.maximum.at(times, (lane, pitch), over[lane, index] / self._period[index])
        return logits - self._log_strength * times

    def push(self, state: RowState) -> None:
        """Go on by the sampled rows, notes and rests."""
        if self._log_strength == 0:
            return
        keys = self._keys(state.rows)
        goes_on = self._recent == keys[:, None]
        self._over = np.where(goes_on, self._over + 1, 1 - self._allowed)
        self._recent[:, 1:] = self._recent[:, :-1].copy()
        self._recent[:, 0] = keys

    def _keys(self, rows: Integers) -> Ints:
        """One number for the wait, instrument and pitch of each row."""
        wide = rows.astype(np.int64)
        before = wide[:, WAIT] * self._instruments + wide[:, INSTRUMENT]
        return before * self._pitches + wide[:, PITCH]


def longest_runs(keys: Ints, longest: int = LONGEST) -> Ints:
    """For each period 1…longest, the most rows in a row that equal the row one period before."""
    runs = np.zeros(longest, dtype=np.int64)
    for period in range(1, min(longest, len(keys) - 1) + 1):
        differs = np.flatnonzero(keys[period:] != keys[:-period])
        edges = np.concatenate([[-1], differs, [len(keys) - period]])
        runs[period - 1] = np.diff(edges).max() - 1
    return runs
