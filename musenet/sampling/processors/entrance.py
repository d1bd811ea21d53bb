"""Entrance: an instrument that is to be written and stays silent becomes more likely to play.

Beside given parts a model may expect to wait on and on: in its training data many parts rest while
others play. And music begun from nothing may never come to an instrument that was asked for. After
some quarter notes without a sounding note of an instrument, short waits become more likely
than long ones, and that instrument more likely than others, by an amount that grows with the
silence. Which short wait, pitch, length and velocity follow is the model's to say.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, WAIT, Vocabulary
from tokenizer.typing import Floats, Logits, Mask, Tokens

from .processor import RowState, SamplerContext

_NEW = 4.0  # quarter notes that a new instrument is awaited
# Quarter notes that an instrument of a new piece rests, in a band and in a larger ensemble: each
# then plays in about as many bars as in real music (docs/generation.md).
_REST, _LONG_REST = 4.0, 16.0
_BAND = 5  # instruments at most


@dataclass(frozen=True)
class Entrance:
    """Which instruments are to be heard, and how strongly.

    Attributes:
        instruments: programs, 128 for drums.
        begins: the first step of each hole, ascending; silence counts from there.
        patience: quarter notes (or half seconds) of silence without any effect, for all or each.
        again: the same for an instrument that has begun to play; None for its patience before.
        strength: a factor of the effect; 0 turns it off.
        growth: nats per further quarter note.
        most: the largest effect in nats.
    """

    instruments: tuple[int, ...]
    begins: tuple[int, ...] = (0,)
    patience: float | tuple[float, ...] = 2.0
    again: float | None = None
    strength: float = 1.0
    growth: float = 2.0
    most: float = 12.0

    @classmethod
    def within(
        cls,
        span: tuple[int, int],
        instruments: Sequence[int],
        prompt: Tokens,
        vocabulary: Vocabulary,
        strength: float = 1.0,
    ) -> Entrance:
        """For instruments that are to play in what follows a prompt, or in a new piece.

        New ones are awaited for a bar of 4/4, others for as long as they rest in the prompt, and
        all of them for half of the music at most. After that they may rest for as long as they
        like; in a new piece, which has no rests to go by, for a bar, or for four bars where there
        are more than five of them.

        Args:
            span: the first step of the music, and the first after it.
            instruments: programs, 128 for drums.
            prompt: its rows `(T, 5)`.
            vocabulary: of the rows.
            strength: of the effect.
        """
        beat = vocabulary.grid.beat
        most = (span[1] - span[0]) / 2 / beat
        note, times = vocabulary.is_note(prompt), row_times(prompt, vocabulary)
        patience = []
        for program in instruments:
            onsets = np.unique(times[note & (prompt[:, INSTRUMENT] == program + 1)])
            longest = 0 if not len(onsets) else np.diff(onsets, prepend=0, append=span[0]).max()
            patience.append(min(max(_NEW, float(longest) / beat), most))
        rest = _REST if len(instruments) <= _BAND else _LONG_REST
        again = math.inf if note.any() else min(rest, most)
        return cls(tuple(instruments), (span[0],), tuple(patience), again, strength)

    def build(self, context: SamplerContext) -> EntranceProcessor:
        """The processor of a batch."""
        return EntranceProcessor(self, context)


class EntranceProcessor:
    """The processor of a batch."""

    def __init__(self, config: Entrance, context: SamplerContext) -> None:
        grid = context.vocabulary.grid
        self._config, self._quarter = config, grid.beat
        self._values = np.array([program + 1 for program in config.instruments], dtype=np.int64)
        self._place_of = {value: place for place, value in enumerate(self._values.tolist())}
        self._begins = np.array(config.begins, dtype=np.int64)
        self._lengths = np.concatenate([[0], grid.durations])
        self._until = np.full((context.batch, len(self._values)), config.begins[0])
        again = config.patience if config.again is None else config.again
        self._again = np.full(len(self._values), again, dtype=np.float64)
        self._patience = np.full(self._until.shape, config.patience, dtype=np.float64)
        self._patient_until = [math.inf] * context.batch
        if len(context.prompt):  # what is sampled anew may be a later stretch
            times = row_times(context.prompt, context.vocabulary)
            here = times >= config.begins[0]
            ends = times + self._lengths[context.prompt[:, DURATION]]
            for index, value in enumerate(self._values):
                sounding = here & (context.prompt[:, INSTRUMENT] == value)
                if sounding.any():
                    self._patience[:, index] = self._again[index]
                self._until[:, index] = ends[sounding].max(initial=config.begins[0])
        for index in range(context.batch):
            self._settle(index)

    def apply(self, field: int, logits: Logits, _allowed: Mask, state: RowState) -> Logits:
        """The logits of the wait and of the instrument, more likely to end a silence."""
        if field not in (WAIT, INSTRUMENT) or not len(self._values) or not self._config.strength:
            return logits
        if all(map(operator.le, state.time.tolist(), self._patient_until)):
            return logits
        more = self._more(state)
        if not more.any():
            return logits
        changed = logits.astype(np.float64)
        if field == WAIT:
            # A wait that a given row cuts off says nothing of what is written.
            near = np.arange(self._quarter)
            cut = np.full(len(changed), self._quarter) if state.room is None else state.room
            heard = near < np.maximum(cut, 1)[:, None]
            changed[:, 1 : 1 + self._quarter] += more.max(axis=1, keepdims=True) * heard
        else:
            changed[:, self._values] += more
        return changed

    def push(self, state: RowState) -> None:
        """Note how long each instrument sounds."""
        for index, (written, row) in enumerate(
            zip(state.written_note.tolist(), state.rows.tolist(), strict=True)
        ):
            place = self._place_of.get(row[INSTRUMENT]) if written else None
            if place is not None:
                end = state.time[index] + self._lengths[row[DURATION]]
                self._until[index, place] = max(self._until[index, place], end)
                self._patience[index, place] = self._again[place]
                self._settle(index)

    def _settle(self, index: int) -> None:
        """Update the step to which the patience with all instruments of a continuation lasts."""
        over = self._until[index] + self._patience[index] * float(self._quarter)
        self._patient_until[index] = float(over.min(initial=np.inf))

    def _more(self, state: RowState) -> Floats:
        """The nats `(B, I)` by which each instrument becomes more likely."""
        config = self._config
        hole = self._begins[np.maximum(self._begins.searchsorted(state.time, side="right") - 1, 0)]
        silent = (state.time[:, None] - np.maximum(self._until, hole[:, None])) / self._quarter
        more: Floats = np.clip((silent - self._patience) * config.growth, 0.0, config.most)
        return config.strength * more
