"""A finished variation of a continuation: its file, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from musenet.export import excerpts, merge
from musenet.export.recipe_event import recipe_event
from musenet.export.retiming import Retiming
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.score.score import Score

from .adherence import Adherence
from .recipe import Recipe


@dataclass(frozen=True)
class Result:
    """One finished variation.

    Attributes:
        file: the MIDI file's events.
        variation: its number.
        boundary: the tick at which the new music starts.
        end: the tick of the bar line at which the requested length ends.
        notes: the number of new notes.
        relaxed: how often each constraint had to be relaxed, over all variations.
        adherence: how closely the new music follows the request.
        recipe: how it was made.
        bar: the tick of the bar line at or before the boundary.
        timing: the beats that the music is in, if they are not those of the file.
    """

    file: events.File
    variation: int
    boundary: int
    end: int
    notes: int
    relaxed: dict[str, int]
    adherence: Adherence
    recipe: Recipe
    bar: int
    timing: Retiming | None = None

    @cached_property
    def data(self) -> bytes:
        """The MIDI file."""
        return events.dump(self.file)

    @cached_property
    def score(self) -> Score:
        """The whole file as a score."""
        return read(self.data)

    @property
    def alone(self) -> bytes:
        """The new music without the prompt, as a MIDI file that starts at its first bar line."""
        file = excerpts.tail(self.file, self.bar)
        recipe = replace(self.recipe, alone=True)
        merge.insert(file, 0, [recipe_event(recipe)])
        return events.dump(file)

    @property
    def stems(self) -> list[tuple[str, bytes]]:
        """The name and the bytes of one file per track with notes, all of the same length."""
        return [(name, events.dump(file)) for name, file in merge.stems(self.file)]
