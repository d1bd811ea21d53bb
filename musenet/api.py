"""Generating from Python: what `musenet.load("mini").generate(…)` does.

    model = musenet.load("mini")
    song = model.generate("song.mid", bars=8, seed=1)[0]
    song.save("more.mid")

The functions here take finished `GenerateOptions` where the methods of `Model` take keywords.
In a notebook songs show themselves as piano rolls.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from musenet.generation.options import GenerateOptions
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.session import Continuation, Result
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from tokenizer.errors import InputError
from tokenizer.files import write_bytes
from tokenizer.score.score import Score

from .export import piano_roll

if TYPE_CHECKING:
    import torch
    from typing_extensions import Unpack

    from musenet.generation.keywords import Keywords

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


@dataclass(frozen=True, repr=False)
class Song:
    """A finished piece.

    Attributes:
        result: the file and what is known of it.
        continuation: what it was made in.
    """

    result: Result
    continuation: Continuation

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
        form = piano_roll.check_format(path)
        write_bytes(path, self.continuation.piano_roll(self.result, form))

    def __repr__(self) -> str:
        result = self.result
        return (
            f"<Song '{self.continuation.title}': {result.notes:,} new notes, "
            f"seed {result.recipe.options.seed}, variation {result.variation}>"
        )

    def _repr_png_(self) -> bytes:
        return self.continuation.piano_roll(self.result, "png")


class Songs(list[Song]):
    """The variations of one request; in a notebook a column of piano rolls."""

    def _repr_html_(self) -> str:
        rolls = (base64.b64encode(song._repr_png_()).decode() for song in self)
        return "".join(f'<img src="data:image/png;base64,{roll}"><br>' for roll in rolls)


@dataclass(frozen=True)
class Model:
    """A checkpoint that makes music.

    Attributes:
        checkpoint: the weights and the tokenizer.
    """

    checkpoint: Checkpoint

    def generate(self, prompt: AnyPrompt = None, **asked: Unpack[Keywords]) -> Songs:
        """Continue a piece, or make a new one: a song for each variation.

        Args:
            prompt: a path, a score or a prompt read before; None for a new piece.
            asked: any fields of `GenerateOptions`, also in the words of the command line.

        Raises:
            InputError: if the prompt cannot be read or the request cannot be met.
            TypeError: for an unknown keyword, with the nearest one.
        """
        return generate(self.checkpoint, prompt, GenerateOptions.from_keywords(**asked))

    def notes(self, prompt: AnyPrompt = None, **asked: Unpack[Keywords]) -> Iterator[Note]:
        """The new notes one by one, as soon as they are there; the arguments are `generate`'s.

        What is wrong with a request is raised here, not when the first note is asked for.
        """
        return notes(self.checkpoint, prompt, GenerateOptions.from_keywords(**asked))


def load(
    name_or_folder: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    compute: torch.dtype | None = None,
) -> Model:
    """Read a model: one that comes with the package by its name, or a checkpoint folder.

    Args:
        name_or_folder: a name such as "mini", or a folder.
        device: where the parameters go.
        compute: dtype of the matrix products; None computes in fp32.

    Raises:
        InputError: if there is none, or it is damaged or from another version.
    """
    return Model(load_checkpoint(name_or_folder, device=device, compute=compute))


def generate(
    checkpoint: Checkpoint, prompt: AnyPrompt = None, options: GenerateOptions | None = None
) -> Songs:
    """Make music, a song for each variation asked for.

    Args:
        checkpoint: the model.
        prompt: a path, a score or a prompt read with `read_prompt`; None for a new piece.
        options: what is asked for; sixteen bars by default.

    Raises:
        InputError: if the prompt cannot be read or the request cannot be met.
    """
    options = options or GenerateOptions()
    continuation = Continuation(checkpoint, _prompt(prompt, options), options)
    for _ in continuation.steps():
        pass
    return Songs(Song(result, continuation) for result in continuation.results())


def notes(
    checkpoint: Checkpoint, prompt: AnyPrompt = None, options: GenerateOptions | None = None
) -> Iterator[Note]:
    """The new notes one by one, as soon as they are there; the arguments are `generate`'s.

    Raises:
        InputError: as `generate` does, before the first note is asked for.
    """
    options = options or GenerateOptions()
    return _played(Continuation(checkpoint, _prompt(prompt, options), options))


def _played(continuation: Continuation) -> Iterator[Note]:
    seconds = continuation.prompt.score.seconds
    for _ in continuation.steps():
        for note in continuation.latest():
            start, duration = int(note["start"]), int(note["duration"])
            begin, end = seconds([start, start + duration]).tolist()
            variation = continuation.options.variations[note["track"]]
            pitch, velocity = int(note["pitch"]), int(note["velocity"])
            yield Note(variation, begin, end - begin, pitch, velocity, int(note["program"]))


def _prompt(given: AnyPrompt, options: GenerateOptions) -> Prompt | None:
    """The prompt that a path, a score or a prompt is, or the part of it that the options choose.

    Raises:
        InputError: if it cannot be read, or there is nothing of which to choose a part.
    """
    begin, stop = options.begin, options.stop
    if given is None or isinstance(given, Prompt):
        if begin is None and stop is None:
            return given
        raise InputError("begin and stop choose a part of a file or a score; give one")
    return read_prompt(given, begin=begin, stop=stop)
