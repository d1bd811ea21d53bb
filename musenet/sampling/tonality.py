"""Keeping the key: pitch classes that have come to be played much more than before are held back.

A small model that has slipped into a foreign key goes on there, for it hears itself. The prompt
says how its notes are shared out among the twelve pitch classes. A class that takes a larger share
of the late notes than that is held back by as much:

    logit − strength · max(0, ln (share of late + ε) / (share before + ε))

So a chromatic note costs nothing, and a foreign key establishes itself only where the model is
sure of it. Drums have no pitch class: they are neither counted nor held.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS
from tokenizer.vocabulary import INSTRUMENT, PITCH, Tokens, Vocabulary

from .logits import Logits

_HALF_LIFE = 32
_FLOOR = 0.04
_ENOUGH = 24
"""Notes that say as much about a key as the model's own opinion."""

_AT_ONE = 1.5
"""Nats by which strength 1 holds an e-fold excess: continuations of held-out pieces then keep to
the prompt's pitch classes as closely as the pieces themselves do."""

_DRUM_VALUE = DRUMS + 1


class Tonality:
    """The pitch classes of `batch` continuations side by side.

    Args:
        heard: the prompt's rows `(T, 5)`; without pitched notes there is nothing to keep.
        vocabulary: what the rows mean.
        batch: how many continuations.
        strength: 0 is none.
    """

    def __init__(self, heard: Tokens, vocabulary: Vocabulary, batch: int, strength: float) -> None:
        pitched = vocabulary.is_note(heard) & (heard[:, INSTRUMENT] != _DRUM_VALUE)
        counts = np.bincount(_class(heard[pitched, PITCH]), minlength=12).astype(np.float64)
        total = counts.sum()
        self._strength = _AT_ONE * strength * total / (total + _ENOUGH)
        self._share = counts / max(1.0, total)
        self._class_of_value = _class(np.arange(vocabulary.sizes[PITCH]))
        self._keep = 0.5 ** (1 / _HALF_LIFE)
        # As if the prompt had gone on for as long as is remembered.
        self._late = np.tile(self._share / (1 - self._keep), (batch, 1))

    def excess(self) -> npt.NDArray[np.float64]:
        """How much too often each class was played of late, `(B, 12)`, in nats."""
        late = self._late / np.maximum(self._late.sum(axis=1, keepdims=True), 1e-12)
        return np.log((late + _FLOOR) / (self._share + _FLOOR)).clip(0.0)

    def applied(self, logits: Logits, rows: Tokens) -> Logits:
        """Logits `(B, 129)` of the pitch field with what is too much held back.

        Args:
            logits: of the model.
            rows: the new rows `(B, 5)` up to their instrument.
        """
        if self._strength == 0:
            return logits
        held = self._strength * self.excess()[:, self._class_of_value]
        held[rows[:, INSTRUMENT] == _DRUM_VALUE] = 0.0
        return logits - held

    def push(self, rows: Tokens, note: npt.NDArray[np.bool_]) -> None:
        """Go on by rows `(B, 5)`, of which `note` says which are notes."""
        if self._strength == 0:
            return
        index = np.flatnonzero(note & (rows[:, INSTRUMENT] != _DRUM_VALUE))
        self._late[index] *= self._keep
        self._late[index, _class(rows[index, PITCH])] += 1.0


def _class(values: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Pitch classes of the pitch field's values, 0 being C."""
    return (values - 1) % 12
