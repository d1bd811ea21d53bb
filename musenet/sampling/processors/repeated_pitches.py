"""Which pitches each instrument played at its last onset, and how often music repeats them."""

from __future__ import annotations

import numpy as np

from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.typing import Ints, Mask

from .processor import DRUMS_VALUE, RowState

_LAST, _BEFORE = 0, 1


class RepeatedPitches:
    """Which pitches each instrument played at its last onset, for a batch of pieces.

    A chord is one onset: its notes repeat the pitches that they share with the onset before.

    Args:
        prompt: the notes with which all pieces begin.
        vocabulary: of the rows.
        batch: the number of pieces.
        usual: assumed counts of notes that do not repeat a pitch, and that do, without a prompt.

    Attributes:
        prompt: counts of the classes among notes after an instrument's first onset.
        table: the classes `(130, 129)` of pitches that are not repeated; 0 for drums.
    """

    MOVED, REPEATED = 1, 2

    def __init__(
        self, prompt: RowState, vocabulary: Vocabulary, batch: int, usual: tuple[int, int]
    ) -> None:
        instruments, pitches = vocabulary.sizes[INSTRUMENT], vocabulary.sizes[PITCH]
        pitched = prompt.pitched_note
        by = prompt.rows[pitched, INSTRUMENT].astype(np.int64)
        pitch, times = prompt.rows[pitched, PITCH], prompt.time[pitched]
        # Onsets are numbered instrument by instrument, so that those of one are consecutive.
        _, onset = np.unique(np.stack([by, times]), axis=1, return_inverse=True)
        first, latest = np.full(instruments, len(by)), np.full(instruments, -1)
        np.minimum.at(first, by, onset)
        np.maximum.at(latest, by, onset)
        played = onset * pitches + pitch
        repeated = np.isin(played - pitches, played)[onset > first[by]]
        counts = np.bincount(self.MOVED + repeated.astype(np.int64), minlength=3)
        self.prompt = counts if len(prompt.rows) else np.array([0, *usual])
        self.table = for_pitched(np.full(pitches, self.MOVED))[:, 1:]
        self._onsets = np.zeros((batch, 2, instruments, pitches), dtype=bool)
        self._time = np.full((batch, instruments), -1, dtype=np.int64)
        now, ago = onset == latest[by], (onset == latest[by] - 1) & (onset >= first[by])
        self._onsets[:, _LAST, by[now], pitch[now]] = True
        self._onsets[:, _BEFORE, by[ago], pitch[ago]] = True
        self._time[:, by[now]] = times[now]

    def before(self, state: RowState) -> Mask:
        """The pitches `(B, 129)` of the previous onset of each row's instrument."""
        found = [
            onsets[_BEFORE if now <= time[instrument] else _LAST, instrument]
            for onsets, time, instrument, now in zip(
                self._onsets,
                self._time,
                state.rows[:, INSTRUMENT].tolist(),
                state.time.tolist(),
                strict=True,
            )
        ]
        return np.array(found)

    def push(self, state: RowState, pitched: Mask) -> None:
        """Advance by one row in each piece; `pitched` `(B,)` says which are pitched notes."""
        for piece in np.flatnonzero(pitched).tolist():
            instrument, pitch = state.rows[piece, [INSTRUMENT, PITCH]].tolist()
            onsets, now = self._onsets[piece], int(state.time[piece])
            if now > self._time[piece, instrument]:
                onsets[_BEFORE, instrument] = onsets[_LAST, instrument]
                onsets[_LAST, instrument] = False
                self._time[piece, instrument] = now
            onsets[_LAST, instrument, pitch] = True


def for_pitched(classes: Ints) -> Ints:
    """The classes of a field's values from 1 on, by instrument; 0 for drums."""
    instruments = np.arange(DRUMS_VALUE + 1)
    return np.outer(instruments != DRUMS_VALUE, np.concatenate([[0], classes]))
