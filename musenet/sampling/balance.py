"""Keeping the players together: a lean towards instruments that have played less than before.

A small model that has begun to write drums alone goes on with drums alone, for much of what it
learned from is that. The prompt says how the notes are shared out among its instruments; where the
last notes are shared out otherwise, the logits of the instruments are moved by

    strength · log(share in the prompt / share of late)

which is nothing while the two agree. Strength 0 leaves the model as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tokenizer.vocabulary import INSTRUMENT, Tokens, Vocabulary

from .grammar import PROGRAMS

_HALF_LIFE = 48
_FURTHEST = 3.0

Floats = npt.NDArray[np.float64]


class Balance:
    """The lean for `batch` continuations side by side.

    Args:
        heard: the prompt's rows `(T, 5)`; without notes there is nothing to lean to.
        asked: programs asked for beside the prompt's; each counts like its average instrument.
        batch: how many continuations.
        strength: 0 is none, 1 makes up for the whole difference.
    """

    def __init__(
        self,
        heard: Tokens,
        asked: Iterable[int],
        vocabulary: Vocabulary,
        batch: int,
        strength: float,
    ) -> None:
        played = heard[vocabulary.is_note(heard), INSTRUMENT].astype(np.int64) - 1
        counts = np.bincount(played, minlength=PROGRAMS).astype(np.float64)
        present = counts > 0
        if present.any():
            added = [program for program in asked if not present[program]]
            counts[added] = counts[present].mean()
        self._known = counts > 0
        self._share = np.where(self._known, counts, 1.0) / max(1.0, counts.sum())
        self._strength = strength if self._known.sum() > 1 else 0.0
        self._keep = 0.5 ** (1 / _HALF_LIFE)
        # As if the prompt had gone on for as long as is remembered.
        weight = 1 / (1 - self._keep)
        self._late = np.tile(np.where(self._known, self._share, 0.0) * weight, (batch, 1))

    def bias(self) -> Floats | None:
        """What to add to the logits `(B, 130)` of the instrument field, or None for nothing."""
        if self._strength == 0:
            return None
        late = self._late / self._late.sum(axis=1, keepdims=True)
        lean = self._strength * (np.log(self._share) - np.log(late + 1e-3))
        moved = np.zeros((len(late), PROGRAMS + 1))
        moved[:, 1:] = np.where(self._known, np.clip(lean, -_FURTHEST, _FURTHEST), 0.0)
        return moved

    def push(self, rows: Tokens, note: npt.NDArray[np.bool_]) -> None:
        """Go on by rows `(B, 5)`, of which `note` says which are notes."""
        if self._strength == 0:
            return
        index = np.flatnonzero(note)
        self._late[index] *= self._keep
        self._late[index, rows[index, INSTRUMENT] - 1] += 1.0
