"""The rows that a model reads: a prefix, and the last part of the music so far.

When the context is full, a window is filled anew with the later half of its rows. The header of a
hole that would fall out of it is said again, at the time at which the kept rows begin, as training
does with passages from the middle of a piece. So is the chord that holds there, if any is given.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tokenizer.encoding.holes import control_rows, header_mask
from tokenizer.encoding.structure import COLUMNS, GIVEN, ROLE, TIME, structure
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.typing import Structure, Tokens

Header = Callable[[int, int], Tokens]
"""header(continuation, time in steps) returns the header of the hole that it is in."""


class Window:
    """The rows of B continuations since the window began, after its prefix.

    Args:
        vocabulary: of the rows.
        prefix: control rows `(P, 5)` that each window begins with; `start` in the first alone.
        music: the rows `(T, 5)` before the first that will be sampled.
        columns: the structure `(T, S)` of `music`.
        first: the first row of `music` that the window holds.
        batch: B.
        header: of holes, or None where there are none.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        prefix: Tokens,
        music: Tokens,
        columns: Structure,
        first: int,
        batch: int,
        header: Header | None = None,
    ) -> None:
        self._vocabulary, self._batch, self._header = vocabulary, batch, header
        later = prefix[prefix[:, WAIT] != vocabulary.start]
        self._later_prefix = later
        self._prefix = prefix if first == 0 else later
        chord = self._chord(music[:first])
        if chord >= 0:
            row, place = _given(chord, columns[first - 1])
            music = np.concatenate([music[:first], row, music[first:]])
            columns = np.concatenate([columns[:first], place, columns[first:]])
        # Time first: one entry per row, for all continuations.
        repeated = np.repeat(music[:, None], batch, axis=1)
        self._past = [*np.repeat(prefix[:, None], batch, axis=1), *repeated[:first]]
        self._rows = list(repeated[first:])
        self._columns = list(np.repeat(columns[first:, None], batch, axis=1))

    def append(self, rows: Tokens, columns: Structure) -> None:
        """Add one row `(B, 5)` each, with their structure `(B, S)`."""
        self._rows.append(rows)
        self._columns.append(columns)

    def arrays(self) -> tuple[Tokens, Structure]:
        """The window: rows `(B, P + T, 5)` and their structure."""
        rows = np.concatenate([r[None] for r in self._rows]) if self._rows else self._none(5)
        columns = (
            np.concatenate([c[None] for c in self._columns])
            if self._columns
            else self._none(len(COLUMNS))
        )
        return self._behind_prefix(rows.swapaxes(0, 1), columns.swapaxes(0, 1))

    def refill(self, keep: int) -> tuple[Tokens, Structure]:
        """Keep the last `keep` rows at most behind the prefix of a later window."""
        self._prefix = self._later_prefix
        rows, columns = np.stack(self._rows, axis=1), np.stack(self._columns, axis=1)
        past = np.stack(self._past, axis=1)
        kept = [
            self._last(index, past[index], rows[index], columns[index], keep)
            for index in range(self._batch)
        ]
        window = np.stack([one[0] for one in kept]), np.stack([one[1] for one in kept])
        self._past += self._rows[:-keep]
        self._rows, self._columns = self._rows[-keep:], self._columns[-keep:]
        return self._behind_prefix(*window)

    def _last(
        self, index: int, past: Tokens, rows: Tokens, columns: Structure, keep: int
    ) -> tuple[Tokens, Structure]:
        """The last rows of a continuation, `keep` in all, with its hole's header and its chord."""
        found, places, first = self._with_header(index, past, rows, columns, keep)
        chord = self._chord(past, rows[:first])
        if chord < 0 or keep < 2 or self._vocabulary.chords[rows[first, WAIT]]:
            return found, places
        found, places, first = self._with_header(index, past, rows, columns, keep - 1)
        told = int(header_mask(found, self._vocabulary).argmin())
        before = places[told - 1] if told else columns[first - 1]
        row, place = _given(self._chord(past, rows[:first]), before)
        return (
            np.concatenate([found[:told], row, found[told:]]),
            np.concatenate([places[:told], place, places[told:]]),
        )

    def _with_header(
        self, index: int, past: Tokens, rows: Tokens, columns: Structure, keep: int
    ) -> tuple[Tokens, Structure, int]:
        """The last rows of a continuation, `keep` in all, with the header of its hole.

        Also the first of the rows that are kept.
        """
        count = len(rows)
        marks = np.flatnonzero(rows[:, WAIT] == self._vocabulary.mark)
        if self._header is None or (len(marks) and marks[-1] >= count - keep):
            return rows[-keep:], columns[-keep:], count - keep
        # A header is longer where it has further to go to what comes after the hole.
        for first in range(count - keep + 1, count):
            told = self._header(index, self._time_before(first, rows, columns))
            if len(told) + count - first <= keep:
                break
        else:  # not even the instruments fit
            return rows[-keep:], columns[-keep:], count - keep
        if not len(told):
            return rows[-keep:], columns[-keep:], count - keep
        earlier = slice(first - (keep - len(told) - (count - first)), first)
        before = np.concatenate([past, rows[:first]])
        places = structure(
            np.concatenate([before, told]),
            self._vocabulary,
            start=len(before),
            roles=np.full(len(told), GIVEN),
        )
        return (
            np.concatenate([rows[earlier], told, rows[first:]]),
            np.concatenate([columns[earlier], places, columns[first:]]),
            earlier.start,
        )

    def _chord(self, *rows: Tokens) -> int:
        """The last chord that rows `(T, 5)` say, as a value of field 0; -1 without any."""
        for part in reversed(rows):
            said = np.flatnonzero(self._vocabulary.chords[part[:, WAIT]])
            if len(said):
                return int(part[said[-1], WAIT])
        return -1

    def _time_before(self, row: int, rows: Tokens, columns: Structure) -> int:
        """The time that the clock shows before a row, in steps."""
        return int(columns[row, TIME] - self._vocabulary.steps[rows[row, WAIT]])

    def _behind_prefix(self, rows: Tokens, columns: Structure) -> tuple[Tokens, Structure]:
        """Rows `(B, T, 5)` and their structure behind the prefix, which stands at their time."""
        prefix = np.repeat(self._prefix[None], self._batch, axis=0)
        unknown = np.zeros((*prefix.shape[:2], len(COLUMNS)), dtype=np.int32)
        if rows.shape[1]:
            waits = self._vocabulary.steps[rows[:, 0, WAIT]]
            unknown[..., TIME] = (columns[:, 0, TIME] - waits)[:, None]
        return np.concatenate([prefix, rows], axis=1), np.concatenate([unknown, columns], axis=1)

    def _none(self, width: int) -> Tokens:
        return np.empty((0, self._batch, width), dtype=np.int16)


def _given(chord: int, before: Structure) -> tuple[Tokens, Structure]:
    """A given row `(1, 5)` that says a chord, and its structure, behind a row with structure."""
    place = before[None].copy()
    place[:, ROLE] = GIVEN
    return control_rows([chord]), place
