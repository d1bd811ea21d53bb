"""Breaking loops: a figure that has gone round too often becomes less likely, its rhythm does not.

Penalties on single values (CTRL, Keskar et al. 2019, arXiv:1909.05858) punish music for having a
metre and a key. As in DRY sampling (text-generation-webui, pull request 5677) it is the run that
counts here, and moreover it must be going round: a row is the same as the row p before it, and so
was the row before, and so on for L rows, all of the same wait, instrument and pitch. Such a figure
of p rows has been played L / p times more. That is what accompaniment does, and is left alone up to

    allowed(p) = the most of  REPEATS · p,  NOTES  and the longest such run in the prompt

rows. From there on the pitch that would carry it on has its probability divided by
`strength` to the power of (L + 1 − allowed) / p: once more for every further time round. Waits,
instruments, durations and velocities are drawn as ever; a transposed repeat is no repeat.

The runs of all p are kept up row by row, so that a step costs the same however long the piece is.
"""

from __future__ import annotations

import numpy as np

from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, WAIT, Vocabulary
from tokenizer.typing import Integers, Ints, Logits, Tokens

LONGEST = 256
"""Rows of the longest figure that is recognised."""

REPEATS = 8
"""How often a figure may be played again."""

NOTES = 64
"""Rows for which a figure may go on in any case, however short it is."""

_LOOKED_AT = 4096


class Repetition:
    """The loops of `batch` continuations side by side.

    Args:
        heard: the prompt's rows `(T, 5)`; what goes round in it may do so after it as well.
        vocabulary: what the rows mean.
        batch: how many continuations.
        strength: 1 is none; 1.5 divides by 1.5 for every time round too many.
    """

    def __init__(self, heard: Tokens, vocabulary: Vocabulary, batch: int, strength: float) -> None:
        self._instruments, self._pitches = vocabulary.sizes[INSTRUMENT], vocabulary.sizes[PITCH]
        self._log_strength = float(np.log(strength))
        period = np.arange(1, LONGEST + 1)
        keys = self._keys(heard)
        self._allowed = np.maximum(
            np.maximum(REPEATS * period, NOTES), longest_runs(keys[-_LOOKED_AT:])
        )
        self._period = period.astype(np.float64)
        newest = keys[: -LONGEST - 1 : -1]
        recent = np.concatenate([newest, np.full(LONGEST - len(newest), -1)])
        self._recent = np.tile(recent, (batch, 1))
        # By how many rows the run of each period would be too long if it went on.
        self._over = np.tile(1 - self._allowed, (batch, 1))

    def applied(self, logits: Logits, rows: Integers) -> Logits:
        """Logits `(B, 129)` of the pitch, given the wait and instrument of `rows` `(B, 5)`."""
        if self._log_strength == 0:
            return logits
        over = self._over
        if over.max() <= 0:
            return logits
        before = rows[:, WAIT].astype(np.int64) * self._instruments + rows[:, INSTRUMENT]
        lane, index = np.nonzero((over > 0) & (self._recent // self._pitches == before[:, None]))
        times = np.zeros(logits.shape)
        pitch = self._recent[lane, index] % self._pitches
        np.maximum.at(times, (lane, pitch), over[lane, index] / self._period[index])
        return logits - self._log_strength * times

    def push(self, rows: Integers) -> None:
        """Go on by the sampled rows `(B, 5)`."""
        if self._log_strength == 0:
            return
        keys = self._keys(rows)
        goes_on = self._recent == keys[:, None]
        self._over = np.where(goes_on, self._over + 1, 1 - self._allowed)
        self._recent[:, 1:] = self._recent[:, :-1].copy()
        self._recent[:, 0] = keys

    def _keys(self, rows: Integers) -> Ints:
        """One number for the wait, instrument and pitch of each row."""
        wide = rows.astype(np.int64)
        before = wide[:, WAIT] * self._instruments + wide[:, INSTRUMENT]
        return before * self._pitches + wide[:, PITCH]


def longest_runs(keys: Ints) -> Ints:
    """For each period 1…LONGEST, the most rows in a row that equal the row one period before."""
    longest = np.zeros(LONGEST, dtype=np.int64)
    for period in range(1, min(LONGEST, len(keys) - 1) + 1):
        differs = np.flatnonzero(keys[period:] != keys[:-period])
        edges = np.concatenate([[-1], differs, [len(keys) - period]])
        longest[period - 1] = np.diff(edges).max() - 1
    return longest
