"""What is asked of the model, each option once: for the command line, Python, checks and files.

A field says all of itself in its `Knob`. To add an option is to add a field, and for editors its
type to `Keywords`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from musenet.sampling.constraints import MOST_NOTES, Constraints
from musenet.sampling.filters import FieldFilter
from musenet.sampling.instrument_balance import InstrumentBalance
from musenet.sampling.loop_penalty import LoopPenalty
from musenet.sampling.style_penalty import StylePenalty
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.theory import Key

from . import parse
from .knob import Knob, check_ranges, from_keywords
from .parse import Names, PerField, Place, WholePerField

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .keywords import Keywords

DEFAULT_BARS = 16
MOST_VARIATIONS = 64
_PIANO = 0

NATURAL: tuple[FieldFilter, ...] = tuple(
    FieldFilter(temperature=1.0, top_p=top_p) for top_p in (0.98, 0.98, 0.95, 0.96, 0.96)
)
"""How the fields are drawn without being asked: the model as it is, less its unlikeliest values."""

FRESH: tuple[FieldFilter, ...] = tuple(
    FieldFilter(temperature=1.0, top_p=top_p) for top_p in (0.98, 0.98, 0.98, 0.96, 0.96)
)
"""The same where there is no prompt whose pitches are as varied as the piece's: more pitches."""

_FILTERS = ("temperature", "top_k", "top_p", "min_p")
_LENGTH, _MUSIC, _LIMITS, _SAMPLING, _OUTPUT = "Length", "Music", "Limits", "Sampling", "Output"


@dataclass(frozen=True)
class GenerateOptions:
    """What is asked for; every field has a default that sounds well.

    `bars` is None where `length` is given, and 16 where neither is. `scale` holds pitch classes (0
    is C), `variations` the numbers of those that are wanted, `key` (fifths, minor); the rest is as
    the help of each field says.
    """

    bars: Annotated[
        int | None,
        Knob(
            "Length of the new music in bars.",
            _LENGTH,
            low=1,
            high=10_000,
            typed=int,
            shown=f"{DEFAULT_BARS}, unless --length is given",
        ),
    ] = None
    length: Annotated[
        float | None,
        Knob(
            "Length of the whole piece, prompt included, such as 3:30; in place of --bars.",
            _LENGTH,
            low=1,
            high=36_000,
            unit="seconds",
            parse=parse.length,
            accepts=str,
        ),
    ] = None
    ending: Annotated[
        bool, Knob("Bring the piece to an end there.", _LENGTH, typed=bool, flags=("--end",))
    ] = False
    begin: Annotated[
        Place | None,
        Knob(
            "Continue only the part of the prompt from bar 5 (5), or from a time (12s, 0:12).",
            _LENGTH,
            parse=parse.begin,
            accepts=int | str,
            flags=("--from",),
            shown="the beginning",
        ),
    ] = None
    stop: Annotated[
        Place | None,
        Knob(
            "Go on after bar 8 of the prompt (8), or at a time (20s, 0:20).",
            _LENGTH,
            parse=parse.stop,
            accepts=int | str,
            flags=("--to",),
            shown="where the music ends",
        ),
    ] = None
    composer: Annotated[
        str | None,
        Knob("Composer to write like; --list composers names them.", _MUSIC, parse=parse.composer),
    ] = None
    styles: Annotated[
        tuple[str, ...],
        Knob(
            "Genre or period, such as baroque,jazz; --list styles names them.",
            _MUSIC,
            parse=parse.styles,
            accepts=Names,
            typed=list[str],
            flags=("--style",),
        ),
    ] = ()
    instruments: Annotated[
        tuple[int, ...],
        Knob(
            "Instruments to add, such as piano,violin; --list instruments names them.",
            _MUSIC,
            parse=parse.programs,
            accepts=Names,
            typed=list[str],
            flags=("--instrument", "--instruments"),
            shown="the prompt's, or piano without a prompt",
        ),
    ] = ()
    new_instruments: Annotated[
        bool,
        Knob("Let the model add instruments that the prompt does not have.", _MUSIC, typed=bool),
    ] = False
    tempo: Annotated[
        float | None,
        Knob(
            "Tempo of the new music in quarters per minute.",
            _MUSIC,
            low=10,
            high=400,
            unit="quarters per minute",
            typed=float,
            shown="the prompt's, or 100 without a prompt",
        ),
    ] = None
    meter: Annotated[
        tuple[int, int] | None,
        Knob(
            "Time signature of a new piece, such as 3/4.",
            _MUSIC,
            parse=parse.meter,
            accepts=str,
            shown="4/4",
        ),
    ] = None
    key: Annotated[
        Key | None,
        Knob(
            "Key of the new music, such as 'D minor'.",
            _MUSIC,
            parse=parse.key,
            accepts=str,
            shown="the prompt's, or any without a prompt",
        ),
    ] = None
    instrument_balance: Annotated[
        float,
        Knob(
            "How strongly the instruments keep the shares of the notes that they have in the "
            "prompt; 0 leaves it to the model.",
            _MUSIC,
            low=0,
            high=2,
            typed=float,
        ),
    ] = InstrumentBalance.strength
    style_penalty: Annotated[
        float,
        Knob(
            "How strongly the pitches, note lengths and rhythm of the prompt, or of a new piece's "
            "opening, are kept; 0 leaves it to the model.",
            _MUSIC,
            low=0,
            high=2,
            typed=float,
        ),
    ] = StylePenalty.strength
    only_instruments: Annotated[
        tuple[int, ...] | None,
        Knob(
            "The only instruments that may play, such as violin,cello.",
            _LIMITS,
            parse=parse.only_programs,
            accepts=Names,
            typed=list[str],
        ),
    ] = None
    polyphony: Annotated[
        int | None,
        Knob(
            "How many notes may sound at once.",
            _LIMITS,
            low=1,
            high=MOST_NOTES,
            typed=int,
            shown="a little more than in the prompt",
        ),
    ] = None
    density: Annotated[
        int | None,
        Knob(
            "How many notes may start within a quarter note.",
            _LIMITS,
            low=1,
            high=MOST_NOTES,
            typed=int,
            shown="half as many again as in the prompt",
        ),
    ] = None
    unisons: Annotated[
        bool,
        Knob("Let two instruments start the same pitch together.", _LIMITS, typed=bool),
    ] = True
    scale: Annotated[
        tuple[int, ...] | None,
        Knob(
            "The only notes allowed, such as 'D dorian'.", _LIMITS, parse=parse.scale, accepts=str
        ),
    ] = None
    temperature: Annotated[
        PerField | None,
        Knob(
            "Lower is safer, higher is bolder; for some fields of a note: pitch=0.9,duration=1.1.",
            _SAMPLING,
            parse=parse.temperature,
            accepts=str,
            shown="1",
        ),
    ] = None
    top_k: Annotated[
        WholePerField | None,
        Knob(
            "Draw from the k likeliest values only; 0 is all.",
            _SAMPLING,
            parse=parse.top_k,
            accepts=str,
            shown="0",
        ),
    ] = None
    top_p: Annotated[
        PerField | None,
        Knob(
            "Draw from the likeliest values that add up to this probability.",
            _SAMPLING,
            parse=parse.top_p,
            accepts=str,
            shown="0.95 to 0.98, by field",
        ),
    ] = None
    min_p: Annotated[
        PerField | None,
        Knob(
            "Draw from values at least this many times as likely as the likeliest.",
            _SAMPLING,
            parse=parse.min_p,
            accepts=str,
            shown="0",
        ),
    ] = None
    loop_penalty: Annotated[
        float,
        Knob(
            "How strongly endless loops are broken; 1 leaves them alone.",
            _SAMPLING,
            low=1,
            high=100,
            typed=float,
        ),
    ] = LoopPenalty.strength
    overlap: Annotated[
        float,
        Knob(
            "Share of the model's context that is kept when the music grows past it.",
            _SAMPLING,
            low=0.1,
            high=0.9,
            typed=float,
        ),
    ] = 0.5
    seed: Annotated[
        int,
        Knob(
            "The same seed gives the same music.",
            _SAMPLING,
            low=0,
            high=(1 << 63) - 1,
            typed=int,
            shown="another one every time",
            drawn=parse.new_seed,
        ),
    ] = 0
    engine: Annotated[
        str, Knob("What computes: auto, int8, eager, or graphs (an NVIDIA GPU).", _SAMPLING)
    ] = "auto"
    variations: Annotated[
        tuple[int, ...],
        Knob(
            f"How many versions to make side by side, 1 to {MOST_VARIATIONS}.",
            _OUTPUT,
            parse=parse.variations,
            accepts=int,
            typed=int,
            shown="1",
        ),
    ] = (1,)

    def __post_init__(self) -> None:
        """Refuse what contradicts itself or lies outside what can be made."""
        if self.bars is not None and self.length is not None:
            raise InputError("give a length in bars or in minutes, one of the two")
        if self.bars is None and self.length is None:
            object.__setattr__(self, "bars", DEFAULT_BARS)
        check_ranges(self)
        self.sampling(fresh=False)
        self.constraints()
        count = len(set(self.variations))
        if not 1 <= count <= MOST_VARIATIONS or min(self.variations) < 1:
            raise InputError(f"give 1 to {MOST_VARIATIONS} variations at once")

    @classmethod
    def from_keywords(cls, **given: Unpack[Keywords]) -> Self:
        """The options that keywords mean; None stands for the default.

        Raises:
            InputError: for an unknown name, with the nearest one, and for what cannot be.
            TypeError: for an unknown keyword, with the nearest one.
        """
        return from_keywords(cls, given)

    def constraints(self) -> Constraints:
        """What the music may not break."""
        return Constraints(
            polyphony=self.polyphony,
            density=self.density,
            unisons=self.unisons,
            pitch_classes=self.scale,
        )

    def sampling(self, *, fresh: bool) -> tuple[FieldFilter, ...]:
        """How each field of a note is drawn, without a prompt (`fresh`) or with one."""
        given = {name: getattr(self, name) for name in _FILTERS}
        found = []
        for field, default in zip(FIELDS, FRESH if fresh else NATURAL, strict=True):
            changes = {
                name: value.get(field) if isinstance(value, dict) else value
                for name, value in given.items()
            }
            known = {name: value for name, value in changes.items() if value is not None}
            found.append(replace(default, **known))
        return tuple(found)

    def completed(self, *, fresh: bool) -> Self:
        """With what depends on whether there is a prompt written out, for the record.

        A new piece for which nothing else is asked is for piano: left all to itself, a model
        writes what most of its pieces begin with, such as drums alone.
        """
        sampling = self.sampling(fresh=fresh)
        written: dict[str, Any] = {
            name: {f: getattr(how, name) for f, how in zip(FIELDS, sampling, strict=True)}
            for name in _FILTERS
        }
        asked = (self.instruments, self.only_instruments, self.composer, self.styles)
        if fresh and not any(asked):
            written["instruments"] = (_PIANO,)
        return replace(self, **written)
