"""The options of a generation request, each declared once for every interface.

The `Knob` of a field describes it to the command line, the Python keywords, the range checks and
the JSON. To add an option, add a field here and its keyword type to `Keywords`.
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
"""The default filters with a prompt: only the least likely values are cut off."""

FRESH: tuple[FieldFilter, ...] = tuple(
    FieldFilter(temperature=1.0, top_p=top_p) for top_p in (0.98, 0.98, 0.98, 0.96, 0.96)
)
"""The default filters without a prompt: more varied pitches."""

_FILTERS = ("temperature", "top_k", "top_p", "min_p")
_LENGTH, _MUSIC, _LIMITS, _SAMPLING, _OUTPUT = "Length", "Music", "Limits", "Sampling", "Output"


@dataclass(frozen=True)
class GenerateOptions:
    """A generation request; every field has a default that sounds good.

    `bars` is None if `length` is given, and 16 if neither is. `scale` contains pitch classes (0 is
    C), `variations` the numbers of the variations to make, `key` (fifths, minor); the help of each
    field describes the rest.
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
            "Length of the whole piece, prompt included, such as 3:30; instead of --bars.",
            _LENGTH,
            low=1,
            high=36_000,
            unit="seconds",
            parse=parse.length,
            accepts=str,
        ),
    ] = None
    ending: Annotated[bool, Knob("End the piece there.", _LENGTH, typed=bool, flags=("--end",))] = (
        False
    )
    begin: Annotated[
        Place | None,
        Knob(
            "Start of the part to continue: a bar (5) or a time (12s, 0:12).",
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
            "End of the part to continue: a bar, included (8), or a time (20s, 0:20).",
            _LENGTH,
            parse=parse.stop,
            accepts=int | str,
            flags=("--to",),
            shown="where the music ends",
        ),
    ] = None
    composer: Annotated[
        str | None,
        Knob("Composer to imitate; see --list composers.", _MUSIC, parse=parse.composer),
    ] = None
    styles: Annotated[
        tuple[str, ...],
        Knob(
            "Genres or periods, such as baroque,jazz; see --list styles.",
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
            "Instruments to add, such as piano,violin; see --list instruments.",
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
        Knob("Allow instruments that are not in the prompt.", _MUSIC, typed=bool),
    ] = False
    tempo: Annotated[
        float | None,
        Knob(
            "Tempo of the new music in quarter notes per minute (BPM).",
            _MUSIC,
            low=10,
            high=400,
            unit="quarter notes per minute",
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
            "How strongly each instrument keeps its share of the notes in the prompt; 0 turns "
            "it off.",
            _MUSIC,
            low=0,
            high=2,
            typed=float,
        ),
    ] = InstrumentBalance.strength
    style_penalty: Annotated[
        float,
        Knob(
            "How strongly the music keeps to the pitches, note lengths and rhythm of the prompt, "
            "or of its opening without one; 0 turns it off.",
            _MUSIC,
            low=0,
            high=2,
            typed=float,
        ),
    ] = StylePenalty.strength
    only_instruments: Annotated[
        tuple[int, ...] | None,
        Knob(
            "Allow only these instruments, such as violin,cello.",
            _LIMITS,
            parse=parse.only_programs,
            accepts=Names,
            typed=list[str],
        ),
    ] = None
    polyphony: Annotated[
        int | None,
        Knob(
            "Maximum number of notes that sound at once.",
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
            "Maximum number of notes that start within a quarter note.",
            _LIMITS,
            low=1,
            high=MOST_NOTES,
            typed=int,
            shown="1.5 times as many as in the prompt",
        ),
    ] = None
    unisons: Annotated[
        bool,
        Knob("Allow two instruments to start the same pitch together.", _LIMITS, typed=bool),
    ] = True
    scale: Annotated[
        tuple[int, ...] | None,
        Knob(
            "Allow only the notes of a scale, such as 'D dorian'.",
            _LIMITS,
            parse=parse.scale,
            accepts=str,
        ),
    ] = None
    temperature: Annotated[
        PerField | None,
        Knob(
            "Sampling temperature, for all fields or by field: pitch=0.9,duration=1.1.",
            _SAMPLING,
            parse=parse.temperature,
            accepts=str,
            shown="1",
        ),
    ] = None
    top_k: Annotated[
        WholePerField | None,
        Knob(
            "Sample from the k most likely values only; 0 means all.",
            _SAMPLING,
            parse=parse.top_k,
            accepts=str,
            shown="0",
        ),
    ] = None
    top_p: Annotated[
        PerField | None,
        Knob(
            "Sample from the most likely values that add up to this probability.",
            _SAMPLING,
            parse=parse.top_p,
            accepts=str,
            shown="0.95 to 0.98, by field",
        ),
    ] = None
    min_p: Annotated[
        PerField | None,
        Knob(
            "Sample only values at least this fraction as likely as the most likely one.",
            _SAMPLING,
            parse=parse.min_p,
            accepts=str,
            shown="0",
        ),
    ] = None
    loop_penalty: Annotated[
        float,
        Knob(
            "How strongly to penalise endless loops; 1 turns it off.",
            _SAMPLING,
            low=1,
            high=100,
            typed=float,
        ),
    ] = LoopPenalty.strength
    overlap: Annotated[
        float,
        Knob(
            "Share of the context to keep when the music outgrows it.",
            _SAMPLING,
            low=0.1,
            high=0.9,
            typed=float,
        ),
    ] = 0.5
    seed: Annotated[
        int,
        Knob(
            "Random seed; the same seed gives the same music.",
            _SAMPLING,
            low=0,
            high=(1 << 63) - 1,
            typed=int,
            shown="random",
            drawn=parse.new_seed,
        ),
    ] = 0
    engine: Annotated[
        str, Knob("Inference engine: auto, int8, eager, or graphs (NVIDIA GPUs).", _SAMPLING)
    ] = "auto"
    variations: Annotated[
        tuple[int, ...],
        Knob(
            f"Number of variations to make, 1 to {MOST_VARIATIONS}.",
            _OUTPUT,
            parse=parse.variations,
            accepts=int,
            typed=int,
            shown="1",
        ),
    ] = (1,)

    def __post_init__(self) -> None:
        """Reject contradictory or out-of-range options."""
        if self.bars is not None and self.length is not None:
            raise InputError("--bars and --length exclude each other; give one of them")
        if self.bars is None and self.length is None:
            object.__setattr__(self, "bars", DEFAULT_BARS)
        check_ranges(self)
        self.sampling(fresh=False)
        self.constraints()
        count = len(set(self.variations))
        if not 1 <= count <= MOST_VARIATIONS or min(self.variations) < 1:
            raise InputError(f"the number of variations must be 1 to {MOST_VARIATIONS}")

    @classmethod
    def from_keywords(cls, **given: Unpack[Keywords]) -> Self:
        """The options given by keywords; None means the default.

        Raises:
            InputError: for an unknown name, with the nearest one, or an invalid value.
            TypeError: for an unknown keyword, with the nearest one.
        """
        return from_keywords(cls, given)

    def constraints(self) -> Constraints:
        """The constraints on the music."""
        return Constraints(
            polyphony=self.polyphony,
            density=self.density,
            unisons=self.unisons,
            pitch_classes=self.scale,
        )

    def sampling(self, *, fresh: bool) -> tuple[FieldFilter, ...]:
        """The filter of each field of a note, without a prompt (`fresh`) or with one."""
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
        """With the defaults that depend on whether there is a prompt filled in, for the recipe.

        A new piece without instruments is for piano: an unconditioned model starts as most of its
        training pieces do, for instance with drums alone.
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
