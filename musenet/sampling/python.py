"""Generating from Python: what `musenet.load("mini").generate(…)` does.

    model = musenet.load("mini")
    song = generate(model, "song.mid", Options(bars=8, seed=1))[0]
    song.save("more.mid")

In a notebook a song shows itself as a piano roll.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from musenet.checkpoint import Checkpoint
from musenet.export import pictures
from tokenizer.files import write_bytes
from tokenizer.score import Score

from .compose import Composition, Result
from .options import Options
from .prompt import Prompt, read_prompt

AnyPrompt = str | os.PathLike[str] | Score | Prompt | None


class Note(NamedTuple):
    """A note as it comes, with times in seconds from the beginning of the file.

    Attributes:
        variation: the number of the variation that it belongs to.
        start: when it begins.
        duration: how long it sounds, before it is cut at the end or by the next of its pitch.
        pitch: 0–127.
        velocity: 1–127.
        program: 0–127 General MIDI, 128 drums.
    """

    variation: int
    start: float
    duration: float
    pitch: int
    velocity: int
    program: int


@dataclass(frozen=True)
class Song:
    """A finished piece.

    Attributes:
        result: the file and what is known of it.
        composition: what it was made in.
    """

    result: Result
    composition: Composition

    @property
    def score(self) -> Score:
        """The whole piece."""
        return self.result.score

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the MIDI file.

        Raises:
            InputError: if it cannot be written.
        """
        write_bytes(path, self.result.data)

    def picture(self, path: str | os.PathLike[str]) -> None:
        """Write a piano roll as PNG or SVG.

        Raises:
            InputError: if it cannot be written.
        """
        write_bytes(path, self._drawn(pictures.check_format(path)))

    def _repr_png_(self) -> bytes:
        return self._drawn("png")

    def _drawn(self, form: str) -> bytes:
        composition, score = self.composition, self.score
        return pictures.render(
            score,
            composition.bars.lines(0, max(score.end, self.result.end)),
            form,
            boundary=None if composition.fresh else self.result.boundary,
            title=composition.title,
        )


def generate(
    checkpoint: Checkpoint, prompt: AnyPrompt = None, options: Options | None = None
) -> list[Song]:
    """Make music, a song for each variation asked for.

    Args:
        checkpoint: the model.
        prompt: a path, a score or a prompt read with `read_prompt`; None for a new piece.
        options: what is asked for; sixteen bars by default.

    Raises:
        InputError: if the prompt cannot be read or the request cannot be met.
    """
    composition = Composition(checkpoint, _prompt(prompt), options or Options())
    for _ in composition.steps():
        pass
    return [Song(result, composition) for result in composition.results()]


def notes(
    checkpoint: Checkpoint, prompt: AnyPrompt = None, options: Options | None = None
) -> Iterator[Note]:
    """The new notes one by one, as soon as they are there; the arguments are `generate`'s."""
    composition = Composition(checkpoint, _prompt(prompt), options or Options())
    seconds = composition.prompt.score.seconds
    for _ in composition.steps():
        for note in composition.latest():
            start, duration = int(note["start"]), int(note["duration"])
            begin, end = seconds([start, start + duration]).tolist()
            variation = composition.options.variations[note["track"]]
            pitch, velocity = int(note["pitch"]), int(note["velocity"])
            yield Note(variation, begin, end - begin, pitch, velocity, int(note["program"]))


def _prompt(given: AnyPrompt) -> Prompt | None:
    return given if given is None or isinstance(given, Prompt) else read_prompt(given)
