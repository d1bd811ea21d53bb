"""Notes that were taken out of a stretch: each may be replaced by one, near its place.

So a part of a passage is written anew and the rest stays as dense as it was. Beside notes that are
given a network writes as many as it would without them: it has learned that other instruments are
given, but not that notes of the same part are.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tokenizer.encoding.grid import REST_UNITS
from tokenizer.encoding.vocabulary import WAIT, Vocabulary
from tokenizer.typing import Logits, Mask, Steps

from .processors.processor import RowState, SamplerContext


@dataclass(frozen=True)
class Replacements:
    """The places of the notes that were taken out of a stretch.

    Attributes:
        times: their steps, ascending, by value of the instrument field.
        near: how many steps before or after its place a note may be replaced.
        end: the first step after the stretch.
    """

    times: dict[int, Steps]
    near: int
    end: int


@dataclass(frozen=True)
class Refill:
    """Makes it likelier that a note comes where one may be replaced, before the next given one.

    Attributes:
        nats: by which such waits become likelier; chosen so that about as many notes are written
            as were taken out (`benchmarks/editing.py`).
    """

    nats: float = 3.0

    def build(self, context: SamplerContext) -> RefillProcessor:
        """The processor of a batch."""
        return RefillProcessor(self.nats, context.vocabulary)


class RefillProcessor:
    """The processor of a batch."""

    def __init__(self, nats: float, vocabulary: Vocabulary) -> None:
        self._nats, self._steps = nats, vocabulary.steps[: vocabulary.first_rest]

    def apply(self, field: int, logits: Logits, allowed: Mask, state: RowState) -> Logits:
        """The logits of the wait: those that come to a note gain."""
        if field != WAIT or state.room is None:
            return logits
        count = len(self._steps)
        near = allowed[:, :count] & (self._steps < np.maximum(state.room, 1)[:, None])
        changed = logits.astype(np.float64)
        changed[:, :count] += self._nats * near
        return changed

    def push(self, state: RowState) -> None:
        """Nothing: the mask knows where notes may come."""


@dataclass
class Replaced:
    """How far one continuation has come in its `Replacements`.

    Attributes:
        places: how many notes of each instrument have been replaced or passed over.
        last: the instrument of the last note and its step: those of one time come in order.
    """

    places: dict[int, int] = field(default_factory=dict)
    last: tuple[int, int] = (0, -1)

    def copy(self) -> Replaced:
        """A copy that goes on alone."""
        return Replaced({**self.places}, self.last)

    def open_at(self, wanted: Replacements, step: int) -> list[int]:
        """The instruments that may play at a step."""
        lowest = self.last[0] if step == self.last[1] else 0
        return [
            instrument
            for instrument in wanted.times
            if instrument >= lowest and self._next(wanted, instrument, np.array([step]))[0] <= step
        ]

    def push(self, wanted: Replacements, instrument: int, step: int) -> None:
        """Count a note that was written at a step: it stands for the first in reach."""
        self.last = (instrument, step)
        times = wanted.times.get(instrument)
        if times is not None:
            first = int(np.searchsorted(times, step - wanted.near))
            self.places[instrument] = max(self.places.get(instrument, 0), first) + 1

    def narrow(
        self, wanted: Replacements, step: int, given: int, allowed: Mask, vocabulary: Vocabulary
    ) -> None:
        """Restrict the values `(V,)` of field 0 to those that lead to a place, in place.

        Args:
            wanted: the places.
            step: at which the value is drawn.
            given: the step of the next given row: what leads beyond it says only that.
            allowed: the mask.
            vocabulary: of the rows.
        """
        first_rest, stop = vocabulary.first_rest, vocabulary.first_control
        reached = step + vocabulary.steps[:stop]
        goal = np.full(stop, min(given, wanted.end), dtype=np.int64)
        for instrument in wanted.times:
            np.minimum(goal, self._next(wanted, instrument, reached), out=goal)
        # After a rest comes a wait that must lead to a place.
        room = np.zeros(stop, dtype=np.int64)
        room[first_rest:] = vocabulary.grid.wait_count - 1
        free = np.zeros_like(allowed)
        free[1:stop] = (goal <= reached + room)[1:]
        free[1] = min(given, wanted.end) <= step or bool(self.open_at(wanted, step))
        free[first_rest - 1 + REST_UNITS] = True
        both = free & allowed
        allowed[:] = both if both.any() else free

    def _next(self, wanted: Replacements, instrument: int, steps: Steps) -> Steps:
        """From each of some steps on, the first at which an instrument may play."""
        left = wanted.times[instrument][self.places.get(instrument, 0) :]
        padded = np.append(left, np.iinfo(np.int64).max // 2)
        place = np.searchsorted(left, steps - wanted.near)
        found: Steps = np.maximum(padded[place] - wanted.near, steps)
        return found
