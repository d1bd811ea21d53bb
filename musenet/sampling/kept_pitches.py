"""Pitches that are kept in order while their rhythm is drawn, with room left for all of them.

An instrument plays its pitches one after another; notes of one time rise, and instruments come in
order (`musenet.sampling.grammar`). So a row of pitches needs as many onsets as it has rising runs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from tokenizer.encoding.grid import REST_UNITS
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.typing import Mask, Tokens


@dataclass(frozen=True)
class PitchOrder:
    """The pitches of a stretch.

    Attributes:
        pitches: values of the pitch field in order, by value of the instrument field.
        begin: the first step of the stretch.
        end: the first step after it.
        room: steps that are left for each onset to come, where the stretch has so many.
    """

    pitches: dict[int, tuple[int, ...]]
    begin: int
    end: int
    room: int

    @cached_property
    def onsets(self) -> dict[int, list[int]]:
        """How many onsets each instrument needs from each of its notes on; 0 after the last."""
        found = {}
        for instrument, pitches in self.pitches.items():
            counts = [0]
            for index in reversed(range(len(pitches))):
                rises = index + 1 < len(pitches) and pitches[index + 1] > pitches[index]
                counts.append(counts[-1] + (not rises))
            found[instrument] = counts[::-1]
        return found

    @property
    def most(self) -> int:
        """The most onsets that an instrument needs."""
        return max((counts[0] for counts in self.onsets.values()), default=0)

    @cached_property
    def apart(self) -> int:
        """The steps that each onset is given."""
        return max(1, min(self.room, (self.end - self.begin) // max(1, self.most)))


@dataclass
class Progress:
    """How far one continuation has come in a `PitchOrder`.

    Attributes:
        places: the number of notes that each instrument has played.
        last: instrument and pitch of the last one at the present time; zeros without any.
    """

    places: dict[int, int] = field(default_factory=dict)
    last: tuple[int, int] = (0, 0)

    def copy(self) -> Progress:
        """A copy that goes on alone."""
        return Progress({**self.places}, self.last)

    def push(self, row: Tokens, moved: bool, written: bool) -> None:
        """Advance by a row `(5,)`; did time pass, and is it written or fed?"""
        if moved:
            self.last = (0, 0)
        instrument = int(row[INSTRUMENT])
        if written and instrument:
            self.places[instrument] = self.places.get(instrument, 0) + 1
            self.last = (instrument, int(row[PITCH]))

    def next(self, order: PitchOrder, time: int, moved: bool) -> dict[int, int]:
        """The pitch of each instrument that may play at a step, so that all others still can."""
        last = (0, 0) if moved else self.last
        found = {}
        for instrument in sorted(order.pitches):
            place = self.places.get(instrument, 0)
            if place == len(order.pitches[instrument]):
                continue
            pitch = order.pitches[instrument][place]
            if (instrument, pitch) > last:
                found[instrument] = pitch
            # Above an instrument that must play now, no other may.
            if order.onsets[instrument][place] * order.apart > order.end - time - 1:
                break
        return found

    def narrow(self, order: PitchOrder, time: int, allowed: Mask, vocabulary: Vocabulary) -> None:
        """Restrict the values `(V,)` of field 0, drawn at a step, to those that leave room."""
        left = [
            order.onsets[instrument][self.places.get(instrument, 0)] for instrument in order.pitches
        ]
        free = allowed.copy()
        free[:] = False
        if not any(left):
            free[vocabulary.first_rest - 1 + REST_UNITS] = True
        else:
            latest = order.end - max(left) * order.apart
            reached = time + vocabulary.steps[: len(free)]
            free[1 : vocabulary.first_control] = reached[1 : vocabulary.first_control] <= latest
            free[1 : vocabulary.first_rest] &= reached[1 : vocabulary.first_rest] >= order.begin
            if time >= order.begin:
                free[1] = bool(self.next(order, time, moved=False))
        both = free & allowed
        if both.any():
            allowed[:] = both
        elif free.any():
            allowed[:] = free


def bar(allowed: Mask, barred: tuple[int, ...], above: int) -> None:
    """Take pitches, and then the highest ones, out of a mask `(V,)`, as far as any are left."""
    free = allowed.copy()
    free[list(barred)] = False
    left = np.flatnonzero(free if free.any() else allowed)
    allowed[:] = False
    allowed[left[: max(1, len(left) - above)]] = True
