"""Keeping the players together: those who have played less than before are let in.

A small model that has begun to write drums alone goes on with drums alone, for much of what it
learned from is that; a combination that it seldom met it gives one chance in a million. The prompt
says how the notes are shared out among its instruments. How far the last notes are shared out
otherwise (half the sum of the differences, 0 to 1) times a strength is the chance that a note's
instrument is drawn from what is missing instead of from the model:

    p = (1 − λ) p_model + λ max(0, share before − share of late) / (the sum of these)

While shares agree, λ is 0 and the model is as it is. An instrument that pauses for longer than it
ever did in the prompt is let in with a chance of its own wherever something begins, for so long a
silence is rare in what real players go on to do. The pitch, length and loudness of the note are the
model's in any case.

A piece from nothing has no shares to keep. If instruments are asked for, the others are made less
likely by a fixed factor; to shut them out is a limit's business (`musenet.sampling.grammar`).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tokenizer.encoding.compound import row_times
from tokenizer.encoding.vocabulary import INSTRUMENT, WAIT, Vocabulary
from tokenizer.typing import Floats, Integers, Logits, Mask, Tokens

from .grammar import PROGRAMS

_HALF_LIFE = 48
_MOST = 0.9
_PAUSED = 0.2
"""The chance with which a player is let in who pauses for too long, at strength 1."""

_STROKES = 8
"""Times at which an instrument must have played in the prompt for its pauses to be known."""

_SHORTEST = 2
"""Quarter notes (or half seconds) that any player may pause."""

_UNASKED = 2.0
"""Nats by which an instrument is less likely that nobody asked for, at strength 1."""


class Balance:
    """The balance of `batch` continuations side by side.

    Args:
        heard: the prompt's rows `(T, 5)`; without notes there are no shares to keep.
        asked: programs asked for: beside the prompt's each counts like its average instrument;
            without a prompt the others are held back.
        only: the programs that may play, or None for any.
        vocabulary: what the rows mean.
        batch: how many continuations.
        strength: 0 is none; 1 makes up for what is missing as fast as it went missing.
    """

    def __init__(
        self,
        heard: Tokens,
        asked: Iterable[int],
        only: Iterable[int] | None,
        vocabulary: Vocabulary,
        batch: int,
        strength: float,
    ) -> None:
        played = heard[vocabulary.is_note(heard), INSTRUMENT].astype(np.int64) - 1
        asked = list(asked)
        counts = np.bincount(played, minlength=PROGRAMS).astype(np.float64)
        present = counts > 0
        if present.any():
            counts[[program for program in asked if not present[program]]] = counts[present].mean()
        self._held_back = np.zeros(vocabulary.sizes[INSTRUMENT])
        if asked and not present.any():
            self._held_back[1:] = _UNASKED * strength
            self._held_back[[program + 1 for program in asked]] = 0.0
        if only is not None:
            counts[np.setdiff1d(np.arange(PROGRAMS), list(only))] = 0
        self._strength = strength if (counts > 0).sum() > 1 else 0.0
        self._share = counts / max(1.0, counts.sum())
        self._keep = 0.5 ** (1 / _HALF_LIFE)
        # As if the prompt had gone on for ever: the late shares begin as, and stay, a whole.
        self._late = np.tile(self._share, (batch, 1))
        self._let_in = np.zeros((batch, vocabulary.sizes[INSTRUMENT]))
        self._steps = vocabulary.steps
        self._pause, last = _pauses(heard, vocabulary)
        self._pause[counts == 0] = np.inf
        self._last = np.tile(last, (batch, 1))

    @property
    def missing(self) -> Floats:
        """The chance `(B, 129)` with which each instrument is let in; rows sum to λ."""
        return self._let_in[:, 1:]

    def applied(self, logits: Logits, allowed: Mask, rows: Integers, times: Integers) -> Logits:
        """Logits `(B, 130)` of the instrument field with what is missing mixed in.

        Args:
            logits: of the model.
            allowed: which values may be.
            rows: the new rows `(B, 5)`, whose waits are known.
            times: the times `(B,)` in steps that the rows before have reached.
        """
        if self._strength == 0:
            return logits - self._held_back if self._held_back.any() else logits
        z = np.where(allowed, logits, -np.inf).astype(np.float64, copy=False)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        let_in = self._let_in
        now = times + self._steps[rows[:, WAIT]]
        paused = now[:, None] - self._last > self._pause
        if paused.any():
            let_in = let_in + np.pad(self._strength * _PAUSED * paused, ((0, 0), (1, 0)))
            let_in *= _MOST / np.maximum(_MOST, let_in.sum(axis=1, keepdims=True))
        let_in = let_in * allowed
        # A row that is no note (its one value is 0) lets nobody in and stays as it is.
        p = p * (1 - let_in.sum(axis=1, keepdims=True)) + let_in
        with np.errstate(divide="ignore"):
            return np.log(p)

    def push(self, rows: Integers, note: Mask, times: Integers) -> None:
        """Go on by rows `(B, 5)`, of which `note` says which are notes, that begin at `times`."""
        if self._strength == 0:
            return
        index = np.flatnonzero(note)
        self._last[index, rows[index, INSTRUMENT] - 1] = times[index]
        self._late[index] *= self._keep
        self._late[index, rows[index, INSTRUMENT] - 1] += 1 - self._keep
        gap = np.maximum(self._share - self._late, 0.0)
        # The gaps sum to half the differences, so that λ is strength times their sum.
        total = gap.sum(axis=1, keepdims=True)
        chance = np.minimum(self._strength * total, _MOST)
        self._let_in[:, 1:] = gap * (chance / np.maximum(total, 1e-12))


def _pauses(heard: Tokens, vocabulary: Vocabulary) -> tuple[Floats, Floats]:
    """The longest pause of each program in the prompt, in steps, and when it played last, `(129,)`.

    A pause reaches from one time at which it plays to the next, from the prompt's beginning to the
    first, and from the last to the prompt's last row. Where it is not known it is endless.
    """
    longest, last = np.full(PROGRAMS, np.inf), np.zeros(PROGRAMS)
    note, times = vocabulary.is_note(heard), row_times(heard, vocabulary)
    for program in np.unique(heard[note, INSTRUMENT] - 1):
        own = np.unique(times[note & (heard[:, INSTRUMENT] == program + 1)])
        if len(own) >= _STROKES:
            between = np.diff(own, prepend=0, append=times[-1])
            longest[program] = max(int(between.max()), _SHORTEST * vocabulary.grid.beat)
            last[program] = own[-1]
    return longest, last
