"""The Python API: `musenet.load("mini").generate(…)`.

    model = musenet.load("mini")
    song = model.generate("song.mid", bars=8, seed=1)[0]
    song.save("more.mid")

The functions take `GenerateOptions`, the methods of `Model` take keywords. In a notebook, songs are
displayed as piano rolls.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from musenet.editing.fill import Fill, Take
from musenet.editing.piece import Piece, read_piece
from musenet.generation.prompt import Prompt, read_file, read_prompt
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError
from tokenizer.files import write_bytes
from tokenizer.midi.read import Source
from tokenizer.score.score import Score
from tokenizer.typing import Tokens

from .export import piano_roll
from .hub import download, is_repository, push

if TYPE_CHECKING:
    import torch
    from typing_extensions import Unpack

    from musenet.evaluation.note_bits import NoteBits
    from musenet.options.fill_keywords import AccompanyKeywords, FillKeywords
    from musenet.options.keywords import Keywords

AnySong = Source | Score | Piece
AnyMusic = Source | Score | Tokens
AnyPrompt = Source | Score | Prompt | None


class Note(NamedTuple):
    """A new note, with times in seconds from the beginning of the file.

    Attributes:
        variation: the number of the variation that it belongs to.
        start: when it starts.
        duration: its length, before it is cut by the end or by the next note of its pitch.
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
        result: the file and its metadata.
        continuation: the request that it belongs to.
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
    """The variations of one request; a notebook displays a column of piano rolls."""

    def _repr_html_(self) -> str:
        rolls = (base64.b64encode(song._repr_png_()).decode() for song in self)
        return "".join(f'<img src="data:image/png;base64,{roll}"><br>' for roll in rolls)


@dataclass(frozen=True, repr=False)
class FilledSong:
    """A song with new music in its holes.

    Attributes:
        take: the file and its metadata.
        request: the request that it belongs to.
    """

    take: Take
    request: Fill

    @property
    def score(self) -> Score:
        """The whole song."""
        return self.take.score

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the MIDI file.

        Raises:
            InputError: if it cannot be written.
        """
        write_bytes(path, self.take.data)

    def __repr__(self) -> str:
        take = self.take
        return (
            f"<FilledSong '{self.request.title}': {take.notes:,} new notes, "
            f"seed {take.recipe.options.seed}, variation {take.variation}>"
        )


@dataclass(frozen=True, repr=False)
class Model:
    """A checkpoint that generates music.

    Attributes:
        checkpoint: the weights and the tokenizer.
    """

    checkpoint: Checkpoint

    def __repr__(self) -> str:
        return f"<Model of {self.checkpoint!r}>"

    def generate(self, prompt: AnyPrompt = None, **options: Unpack[Keywords]) -> Songs:
        """Continue a piece, or generate a new one: one song per variation.

        Args:
            prompt: a path, the bytes of a MIDI file, a score or a `Prompt`; None for a new piece.
            options: fields of `GenerateOptions`, also in the notation of the command line.

        Raises:
            InputError: if the prompt cannot be read or the request cannot be met.
            TypeError: for an unknown keyword, with the nearest one; for what is no music.
        """
        return generate(self.checkpoint, prompt, GenerateOptions.from_keywords(**options))

    def notes(self, prompt: AnyPrompt = None, **options: Unpack[Keywords]) -> Iterator[Note]:
        """Yield the new notes one by one; the arguments are those of `generate`.

        Errors in the request are raised here, not with the first note.
        """
        return notes(self.checkpoint, prompt, GenerateOptions.from_keywords(**options))

    def fill(self, song: AnySong, **options: Unpack[FillKeywords]) -> list[FilledSong]:
        """Write some bars of a song anew; all else of its file stays: one song per variation.

            model.fill("song.mid", bars="5-8", instruments="bass,piano", variations=4)

        Args:
            song: a path, the bytes of a MIDI file, a score or a `Piece`.
            options: fields of `FillOptions`, also in the notation of the command line.

        Raises:
            InputError: if the song cannot be read or the request cannot be met.
            TypeError: for an unknown keyword, with the nearest one; for what is no music.
        """
        return fill(self.checkpoint, song, FillOptions.from_keywords(**options))

    def accompany(self, song: AnySong, **options: Unpack[AccompanyKeywords]) -> list[FilledSong]:
        """Write parts over the whole length of a song: one song per variation.

            model.accompany("tune.mid", instruments="drums,bass,piano", styles="bossa nova")

        Args:
            song: a path, the bytes of a MIDI file, a score or a `Piece`.
            options: fields of `AccompanyOptions`, also in the notation of the command line.

        Raises:
            InputError: if the song cannot be read or the request cannot be met.
            TypeError: for an unknown keyword, with the nearest one; for what is no music.
        """
        return fill(self.checkpoint, song, AccompanyOptions.from_keywords(**options).as_fill())

    def push_to_hub(
        self, repository: str, *, licence: str, private: bool = False, token: str | None = None
    ) -> str:
        """Upload the model to the Hugging Face Hub with its card; returns the address.

            model.push_to_hub("me/my-model", licence="cc-by-sa-4.0")

        Args:
            repository: its `owner/name`; a new one is made if there is none.
            licence: the Hub's id of the licence of the weights.
            private: whether a new repository is private.
            token: to write with; by default that of `hf auth login` or HF_TOKEN.

        Raises:
            InputError: without the package or a connection, or if the Hub refuses.
        """
        return push(self.checkpoint, repository, licence=licence, private=private, token=token)

    def logits(self, music: AnyMusic) -> tuple[torch.Tensor, ...]:
        """Logits of every field of rows 1… of a piece, given the rows before and its own before.

            logits = model.logits("song.mid")
            logits[PITCH][t]  # of the pitch of row t + 1 of the piece's tokens

        Args:
            music: a path, bytes, a score or tokens `(T, 5)`, of which all labels are read.

        Returns:
            For each field `[T − 1, V]` in fp32, see `Transformer.forward`.

        Raises:
            InputError: if it cannot be read, is longer than the context, or holds a value outside
                the vocabulary. (`score` reads pieces of any length.)
        """
        from musenet.evaluation.note_bits import piece_logits

        self.checkpoint.need_rows()
        tokenizer = self.checkpoint.tokenizer
        tokens = music if isinstance(music, np.ndarray) else tokenizer.encode(_score(music))
        return piece_logits(self.checkpoint.model, tokenizer, tokens)

    def score(
        self, music: Source | Score, *, labels: bool = False, length: bool = False
    ) -> NoteBits:
        """The bits that the model needs for each note and field of a piece of any length.

            model.score("song.mid").table.to_pandas()

        Args:
            music: a path, the bytes of a MIDI file, or a score.
            labels: whether the model is told the piece's labels, or only its meter.
            length: whether it is told the piece's length.

        Raises:
            InputError: if it cannot be read or has no notes.
        """
        from musenet.evaluation.likelihood import Conditions
        from musenet.evaluation.note_bits import note_bits

        score, checkpoint = _score(music), self.checkpoint
        checkpoint.need_rows()
        said = checkpoint.tokenizer.labels(score)
        known = Conditions(labels=labels, length=length)
        return note_bits(checkpoint.model, checkpoint.tokenizer, score, said, known)


def load(
    name_or_folder: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    compute: torch.dtype | None = None,
) -> Model:
    """Load a bundled model by its name, a checkpoint folder, or a model of the Hugging Face Hub.

    Args:
        name_or_folder: a name such as "mini", or a folder, either with LoRA adapters on top
            ("mini+FOLDER"); or the `owner/name` of the Hub, which is fetched if there is no
            folder of that name (`pip install 'musenet[hub]'`).
        device: where the parameters go.
        compute: dtype of the matrix products; None computes in fp32.

    Raises:
        InputError: if there is none, or it is damaged or from another version.
    """
    if is_repository(name_or_folder):
        name_or_folder = download(os.fspath(name_or_folder))
    return Model(load_checkpoint(name_or_folder, device=device, compute=compute, learned=True))


def generate(
    checkpoint: Checkpoint, prompt: AnyPrompt = None, options: GenerateOptions | None = None
) -> Songs:
    """Generate one song per variation.

    Args:
        checkpoint: the model.
        prompt: a path, bytes, a score or a prompt read with `read_prompt`; None for a new piece.
        options: the request; sixteen bars by default.

    Raises:
        InputError: if the prompt cannot be read or the request cannot be met.
    """
    options = options or GenerateOptions()
    continuation = Continuation(checkpoint, _prompt(prompt, options), options)
    for _ in continuation.steps():
        pass
    return Songs(Song(result, continuation) for result in continuation.results())


def fill(checkpoint: Checkpoint, song: AnySong, options: FillOptions) -> list[FilledSong]:
    """Fill holes in a song: one song per variation.

    Args:
        checkpoint: the model.
        song: a path, bytes, a score or a song read with `read_piece`.
        options: the request.

    Raises:
        InputError: if the song cannot be read or the request cannot be met.
    """
    checkpoint.need_rows()
    piece = song if isinstance(song, Piece) else read_piece(song)
    request = Fill(checkpoint, piece, options)
    for _ in request.steps():
        pass
    return [FilledSong(take, request) for take in request.results()]


def notes(
    checkpoint: Checkpoint, prompt: AnyPrompt = None, options: GenerateOptions | None = None
) -> Iterator[Note]:
    """Yield the new notes one by one as they are generated; the arguments are those of `generate`.

    Raises:
        InputError: as `generate` does, before the first note.
    """
    options = options or GenerateOptions()
    return _played(Continuation(checkpoint, _prompt(prompt, options), options))


def _played(continuation: Continuation) -> Iterator[Note]:
    prompt = continuation.prompt
    seconds = (prompt.own or prompt.score).seconds
    for _ in continuation.steps():
        for note in continuation.latest():
            start, duration = int(note["start"]), int(note["duration"])
            begin, end = seconds([start, start + duration]).tolist()
            variation = continuation.options.variations[note["track"]]
            pitch, velocity = int(note["pitch"]), int(note["velocity"])
            yield Note(variation, begin, end - begin, pitch, velocity, int(note["program"]))


def _score(music: Source | Score) -> Score:
    return music if isinstance(music, Score) else read_file(music)[1]


def _prompt(given: AnyPrompt, options: GenerateOptions) -> Prompt | None:
    """The prompt given as `AnyPrompt`, cut as the options say.

    Raises:
        InputError: if it cannot be read, or there is nothing to cut.
    """
    begin, stop = options.begin, options.stop
    if given is None or isinstance(given, Prompt):
        if begin is None and stop is None and options.hear_as is None:
            return given
        raise InputError(
            "begin, stop and hear_as are about a file or score; give a path or a score as prompt"
        )
    return read_prompt(
        given,
        begin=begin,
        stop=stop,
        hear_as=options.hear_as,
        find_beats=options.find_beats,
    )
