"""Instrument balance: an instrument that has fallen silent becomes more likely to play again.

A small model that starts to write drums alone continues with drums alone, because much of its
training data is like that; a rare combination of instruments has almost no probability. The prompt
gives the share of the notes that each instrument has. The difference from the recent notes (half
the sum of absolute differences, 0 to 1) times a strength is the probability λ that the instrument
of a note is sampled from the missing ones instead of the model:

    p = (1 − λ) p_model + λ max(0, share in the prompt − recent share) / (the sum of these)

While the shares agree, λ is 0 and the model is unchanged. An instrument that rests for longer than
it ever did in the prompt gets an additional probability at each onset, because real music seldom
rests that long. Pitch, length and velocity of the note are always the model's.

A piece without a prompt has no shares to keep. If instruments are requested, the others are made
less likely by a fixed factor; `musenet.sampling.constraints` can rule them out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.typing import Floats, Integers, Logits, Mask, Tokens

from .histogram import Histogram
from .processor import RowState, SamplerContext


@dataclass(frozen=True)
class InstrumentBalance:
    """Strength and constants; `benchmarks/generation.py`, table `asked`, measures their effect.

    Attributes:
        strength: 0 turns it off; 1 restores a share as fast as it was lost.
        instruments: requested programs: with a prompt each counts like an average instrument of
            it; without one the others become less likely.
        beginning: programs that share the notes evenly where the prompt has none of them.
        even: programs that share the notes evenly whatever they did in the prompt, whose last
            notes count as sampled.
        half_life: half-life of the recent shares, in notes.
        most: the highest probability λ.
        rested: the probability of an instrument that has rested too long, at strength 1.
        onsets: minimum number of onsets in the prompt for an instrument's rests to count.
        rest: quarter notes (or half seconds) that any instrument may rest.
        unasked: penalty in nats of an instrument that was not requested, at strength 1.
    """

    strength: float = 1.0
    instruments: tuple[int, ...] = ()
    beginning: tuple[int, ...] = ()
    even: tuple[int, ...] = ()
    half_life: float = 48
    most: float = 0.9
    rested: float = 0.2
    onsets: int = 8
    rest: int = 2
    unasked: float = 2.0

    def build(self, context: SamplerContext) -> InstrumentBalanceProcessor:
        """The processor of a batch."""
        return InstrumentBalanceProcessor(self, context)


class InstrumentBalanceProcessor:
    """The processor of a batch; columns are values of the instrument field."""

    def __init__(self, config: InstrumentBalance, context: SamplerContext) -> None:
        prompt, vocabulary, batch = context.prompt, context.vocabulary, context.batch
        size = vocabulary.sizes[INSTRUMENT]
        played = prompt[vocabulary.is_note(prompt), INSTRUMENT]
        counts = np.bincount(played, minlength=size).astype(np.float64)
        new = [program + 1 for program in (*config.beginning, *config.even)]
        if config.even:
            counts[:] = 0
        if not counts[new].any():
            counts[new] = 1
        present, asked = counts > 0, [program + 1 for program in config.instruments]
        if present.any():
            counts[[value for value in asked if not present[value]]] = counts[present].mean()
        self._unasked = np.zeros(size)
        if asked and not present.any():
            self._unasked[1:] = config.unasked * config.strength
            self._unasked[asked] = 0.0
        if context.constraints.programs is not None:
            allowed = [program + 1 for program in context.constraints.programs]
            counts[np.setdiff1d(np.arange(size), allowed)] = 0
        self._config = config
        self._strength = config.strength if (counts > 0).sum() > 1 else 0.0
        self._histogram = Histogram([counts], batch, config.half_life)
        self._missing = np.zeros((batch, size))
        self._rest, last = _rests(prompt, vocabulary, config)
        self._rest[counts == 0] = np.inf
        self._last = np.tile(last, (batch, 1))
        if config.even and self._strength:
            recent = played[np.isin(played, new)][-round(2 * config.half_life) :]
            for value in recent:
                self._count(np.full(batch, value), np.ones(batch, dtype=bool))

    @property
    def missing(self) -> Floats:
        """The probability `(B, 130)` of each missing instrument; a row sums to λ."""
        return self._missing

    def apply(self, field: int, logits: Logits, allowed: Mask, state: RowState) -> Logits:
        """The logits `(B, 130)` of the instrument field with the missing instruments mixed in."""
        if field != INSTRUMENT:
            return logits
        if self._strength == 0:
            return logits - self._unasked if self._unasked.any() else logits
        z = np.where(allowed, logits, -np.inf).astype(np.float64, copy=False)
        z -= np.maximum.reduce(z, axis=1, keepdims=True)
        p = np.exp(z, out=z)
        p /= np.add.reduce(p, axis=1, keepdims=True)
        chance = self._missing
        rested = state.time[:, None] - self._last > self._rest
        if rested.any():
            most = self._config.most
            chance = chance + self._strength * self._config.rested * rested
            chance *= most / np.maximum(most, chance.sum(axis=1, keepdims=True))
        chance = chance * allowed
        # A row that is not a note allows only 0 and stays unchanged.
        p *= 1 - np.add.reduce(chance, axis=1, keepdims=True)
        p += chance
        return np.log(p, out=np.full_like(p, -np.inf), where=p > 0)

    def push(self, state: RowState) -> None:
        """Count the instruments of rows that are sampled notes: given ones ask for no company."""
        if self._strength == 0:
            return
        note = state.written_note
        index = np.flatnonzero(note)
        self._last[index, state.rows[index, INSTRUMENT]] = state.time[index]
        self._count(state.rows[:, INSTRUMENT], note)

    def _count(self, values: Integers, note: Mask) -> None:
        """Count the instruments `(B,)` of rows that are sampled notes."""
        self._histogram.push(values[:, None], note[:, None])
        gap = self._histogram.share - self._histogram.recent
        np.maximum(gap, 0.0, out=gap)
        # The gaps sum to half the differences, so that λ is strength times their sum.
        total = np.add.reduce(gap, axis=1, keepdims=True)
        chance = np.minimum(self._strength * total, self._config.most)
        self._missing = gap * (chance / np.maximum(total, 1e-12))


def _rests(
    prompt: Tokens, vocabulary: Vocabulary, config: InstrumentBalance
) -> tuple[Floats, Floats]:
    """The longest rest of each instrument in the prompt, in steps, and its last onset, `(130,)`.

    A rest reaches from one onset to the next, from the prompt's beginning to the first, and from
    the last to the prompt's last row. An unknown rest is infinite.
    """
    size = vocabulary.sizes[INSTRUMENT]
    longest, last = np.full(size, np.inf), np.zeros(size)
    note, times = vocabulary.is_note(prompt), row_times(prompt, vocabulary)
    for value in np.unique(prompt[note, INSTRUMENT]):
        onsets = np.unique(times[note & (prompt[:, INSTRUMENT] == value)])
        if len(onsets) >= config.onsets:
            between = np.diff(onsets, prepend=0, append=times[-1])
            longest[value] = max(int(between.max()), config.rest * vocabulary.grid.beat)
            last[value] = onsets[-1]
    return longest, last
