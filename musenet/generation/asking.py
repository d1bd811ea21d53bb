"""What is asked for, in the words of a person, and the `Options` that it means.

The same words are the keywords of `Model.generate` and, as text, the options of the command
line: `instruments=("piano", "violin"), bars=8` is `--instruments piano,violin --bars 8`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from musenet.sampling import filters
from musenet.sampling.filters import FieldSampling
from musenet.sampling.grammar import Limits
from tokenizer.errors import InputError, unknown
from tokenizer.theory import Key

from . import parse
from .options import DEFAULT_BARS, NATURAL, Options
from .prompt import Place

if TYPE_CHECKING:
    from typing_extensions import Unpack

Names = str | int | Sequence[str | int]
Where = int | str


class Asked(TypedDict, total=False):
    """The keywords of `generate` and `notes`; each may be left out, or None where that is allowed.

    Attributes:
        bars: how many new bars; 16 if nothing is said of the length.
        length: how long the whole piece is, in seconds or as "3:30", in place of `bars`.
        ending: whether the music is to come to an end there.
        composer: in whose manner, as "bach" or "J. S. Bach".
        styles: genres and periods, as "baroque".
        instruments: names or programs (128 is drums) to join in: "piano", ("violin", 42).
        only_instruments: those beside which nothing may play.
        new_instruments: whether others than the prompt's may come in unasked.
        tempo: quarters a minute.
        meter: of a piece without prompt, as "3/4" or (3, 4).
        key: as "D minor", or a `tokenizer.theory.Key`.
        polyphony: how many notes may sound at once.
        density: how many notes may begin within a quarter.
        unisons: whether two instruments may strike the same pitch together.
        scale: the only notes allowed, as "D dorian".
        balance: how strongly the prompt's instruments keep their shares; 0 leaves it to the model.
        manner: how strongly the prompt's key, note lengths and rhythm are kept, or those of a new
            piece's opening; 0 leaves it to the model.
        repetition: how strongly endless loops are broken; 1 is not at all.
        overlap: share of the context kept when the music goes on past it.
        temperature: a number for all fields of a note, or text such as "0.9,pitch=0.8".
        top_k: draw from the k likeliest values, in the same way.
        top_p: draw from the likeliest values that hold this share.
        min_p: draw from the values at least so likely as the likeliest times this.
        seed: the same seed, the same music; 0 if none is given.
        variations: how many, or the numbers of those that are wanted.
        engine: what computes: "int8", "eager", "graphs" (on a CUDA GPU), or "auto".
    """

    bars: int | None
    length: float | str | None
    ending: bool
    composer: str | None
    styles: str | Sequence[str]
    instruments: Names
    only_instruments: Names
    new_instruments: bool
    tempo: float | None
    meter: str | tuple[int, int] | None
    key: str | Key | None
    polyphony: int | None
    density: int | None
    unisons: bool
    scale: str | None
    balance: float | None
    manner: float | None
    repetition: float | None
    overlap: float
    temperature: float | str | None
    top_k: int | str | None
    top_p: float | str | None
    min_p: float | str | None
    seed: int
    variations: int | Sequence[int]
    engine: str


def asked_options(sampling: FieldSampling = NATURAL, **asked: Unpack[Asked]) -> Options:
    """The options that keywords mean.

    Args:
        sampling: how the fields are drawn where the keywords do not say it.
        asked: see `Asked`.

    Raises:
        InputError: for an unknown name, with the nearest one, and for what contradicts itself.
        TypeError: for an unknown keyword, with the nearest one.
    """
    for keyword in asked:
        if keyword not in Asked.__annotations__:
            raise TypeError(unknown("keyword", keyword, Asked.__annotations__))
    bars, length = asked.get("bars"), asked.get("length")
    meter, key = asked.get("meter"), asked.get("key")
    balance, manner = asked.get("balance"), asked.get("manner")
    repetition = asked.get("repetition")
    variations = asked.get("variations", 1)
    return Options(
        bars=DEFAULT_BARS if bars is None and length is None else bars,
        seconds=parse.length(length) if isinstance(length, str) else length,
        ending=asked.get("ending", False),
        composer=parse.composer(asked.get("composer")),
        styles=parse.styles(_names(asked.get("styles", ()))),
        instruments=parse.programs(_names(asked.get("instruments", ()))),
        only_instruments=parse.programs(_names(asked.get("only_instruments", ()))) or None,
        new_instruments=asked.get("new_instruments", False),
        tempo=asked.get("tempo"),
        meter=parse.meter(meter if meter is None or isinstance(meter, str) else _over(meter)),
        key=parse.key(key) if isinstance(key, str) else key,
        sampling=filters.per_field(
            sampling,
            temperature=_text(asked.get("temperature")),
            top_k=_text(asked.get("top_k")),
            top_p=_text(asked.get("top_p")),
            min_p=_text(asked.get("min_p")),
        ),
        limits=Limits(
            polyphony=asked.get("polyphony"),
            density=asked.get("density"),
            unisons=asked.get("unisons", True),
            pitch_classes=parse.scale(asked.get("scale")),
        ),
        balance=Options.balance if balance is None else balance,
        manner=Options.manner if manner is None else manner,
        repetition=Options.repetition if repetition is None else repetition,
        overlap=asked.get("overlap", Options.overlap),
        seed=asked.get("seed", Options.seed),
        variations=tuple(range(1, variations + 1))
        if isinstance(variations, int)
        else tuple(variations),
        engine=asked.get("engine", Options.engine),
    )


def place(where: Where | Place | None, option: str) -> Place | None:
    """A place in a prompt: a bar as a number, or a bar or seconds as text ("8", "12.5s", "1:05").

    Raises:
        InputError: if it is no place.
    """
    if where is None or isinstance(where, Place):
        return where
    return Place.parse(str(where), option)


def _names(given: Names) -> list[str]:
    return [str(given)] if isinstance(given, str | int) else [str(name) for name in given]


def _text(setting: float | str | None) -> str | None:
    return None if setting is None else str(setting)


def _over(meter: tuple[int, int]) -> str:
    if len(meter) != 2:
        raise InputError(f"a meter is a numerator and a denominator such as (3, 4), not {meter}")
    return f"{meter[0]}/{meter[1]}"
