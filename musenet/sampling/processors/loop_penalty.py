"""Loop penalty: a figure that is repeated too often becomes less likely, but not its rhythm.

Penalties on single values (CTRL, Keskar et al. 2019, arXiv:1909.05858) punish music for having a
meter and a key. As in DRY sampling (text-generation-webui, pull request 5677) a run is penalised
instead, and here it must be periodic: for L rows, each row has the same wait, instrument and pitch
as the row p rows before it. Such a figure of p rows has been repeated L / p times. Accompaniment
does this too, so nothing is penalised up to

    allowed(p) = the most of  repeats · p,  rows  and the longest such run in the prompt

rows. Beyond that, the probability of the pitch that would continue it is divided by `strength` to
the power of (L + 1 − allowed) / p: once more for every further repeat. Waits, instruments,
durations and velocities are not affected; a transposed repeat does not count.

The runs of all p are updated row by row, so the cost of a step does not depend on the length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT
from tokenizer.typing import Integers, Ints, Logits, Mask

from .processor import RowState, SamplerContext

LONGEST = 256
"""The longest figure that is recognised, in rows."""


@dataclass(frozen=True)
class LoopPenalty:
    """Strength and constants.

    `benchmarks/ranges.py` counts the notes of real pieces that such constants would penalise.

    Attributes:
        strength: 1 turns it off; 1.5 divides by 1.5 for every excess repeat.
        longest: the longest figure that is recognised, in rows.
        repeats: how often a figure may be repeated.
        rows: how many rows any figure may last, however short it is.
        prompt_rows: how many of the last rows of the prompt are searched for figures.
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
    """The processor of a batch; figures that repeat in the prompt may continue."""

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
        # By how many rows the run of each period would be too long if it continued.
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
        """Advance by the sampled rows, notes and rests."""
        if self._log_strength == 0:
            return
        keys = self._keys(state.rows)
        goes_on = self._recent == keys[:, None]
        self._over = np.where(goes_on, self._over + 1, 1 - self._allowed)
        self._recent[:, 1:] = self._recent[:, :-1].copy()
        self._recent[:, 0] = keys

    def _keys(self, rows: Integers) -> Ints:
        """A key for the wait, instrument and pitch of each row."""
        wide = rows.astype(np.int64)
        before = wide[:, WAIT] * self._instruments + wide[:, INSTRUMENT]
        return before * self._pitches + wide[:, PITCH]


def longest_runs(keys: Ints, longest: int = LONGEST) -> Ints:
    """For each period 1…longest, the longest run of rows that equal the row one period before."""
    runs = np.zeros(longest, dtype=np.int64)
    for period in range(1, min(longest, len(keys) - 1) + 1):
        differs = np.flatnonzero(keys[period:] != keys[:-period])
        edges = np.concatenate([[-1], differs, [len(keys) - period]])
        runs[period - 1] = np.diff(edges).max() - 1
    return runs
