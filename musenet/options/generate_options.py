"""The options of a generation request, each declared once for every interface.

The `Knob` of a field describes it to the command line, the Python keywords, the range checks and
the JSON. To add an option, add a field here and its keyword type to `Keywords`; one that other
requests have too is declared in `shared_options`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from musenet.sampling.filters import FieldFilter
from musenet.sampling.processors.instrument_balance import InstrumentBalance
from musenet.sampling.processors.loop_penalty import LoopPenalty
from musenet.sampling.processors.style_penalty import StylePenalty
from tokenizer.errors import InputError
from tokenizer.theory import Key

from . import parse
from .knob import Knob, from_keywords
from .parse import Names, Place
from .shared_options import (
    BAND,
    CHORD_GUIDANCE,
    NATURAL,
    BalanceKnob,
    ChordGuidanceKnob,
    ChordsKnob,
    ComposerKnob,
    DensityKnob,
    EngineKnob,
    GuidanceKnob,
    HearAsKnob,
    LoopKnob,
    MinPKnob,
    OverlapKnob,
    PolyphonyKnob,
    ScaleKnob,
    SeedAloneKnob,
    SeedKnob,
    SharedOptions,
    StyleKnob,
    StylesKnob,
    TemperatureKnob,
    TopKKnob,
    TopPKnob,
    UnisonsKnob,
    VariationsKnob,
    stated_filters,
)
from .timeline import Change, Changes, ends_anew, parse_changes, parse_form

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .keywords import Keywords

DEFAULT_BARS = 16
_PIANO = 0

FRESH: tuple[FieldFilter, ...] = tuple(
    FieldFilter(temperature=1.0, top_p=top_p) for top_p in (0.99, 0.98, 0.98, 0.96, 0.96)
)
"""The default filters without a prompt: more varied pitches, and rests."""
FRESH_BAND: tuple[FieldFilter, ...] = tuple(replace(how, temperature=0.8) for how in FRESH)
"""The same for a new piece with drums: no prompt gives the band a pattern to keep."""

_LENGTH, _MUSIC, _LIMITS = "Length", "Music", "Limits"


@dataclass(frozen=True)
class GenerateOptions(SharedOptions):
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
    form: Annotated[
        str | None,
        Knob(
            "Sections instead of a length, such as 'A A B A' or 'intro:4 verse:8 verse': one that "
            "returns is the earlier one again; a prompt is the first.",
            _LENGTH,
            parse=parse_form,
        ),
    ] = None
    distance: Annotated[
        float,
        Knob(
            "Share of the notes that is written anew where a section of --form returns.",
            _LENGTH,
            low=0,
            high=1,
            typed=float,
        ),
    ] = 0.0
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
    composer: ComposerKnob = None
    styles: StylesKnob = ()
    hear_as: HearAsKnob = None
    instruments: Annotated[
        tuple[int, ...],
        Knob(
            "Instruments to add, such as piano,violin; see --list instruments.",
            _MUSIC,
            parse=parse.programs,
            accepts=Names,
            typed=list[str],
            flags=("--instrument", "--instruments"),
            shown="the prompt's; without one, the usual band of the style, or piano",
        ),
    ] = ()
    new_instruments: Annotated[
        bool,
        Knob("Allow instruments that are not in the prompt.", _MUSIC, typed=bool),
    ] = False
    find_beats: Annotated[
        bool,
        Knob(
            "Find the beats of a prompt that does not keep to those of its file.",
            _MUSIC,
            typed=bool,
        ),
    ] = True
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
    then: Annotated[
        tuple[Change, ...],
        Knob(
            "What changes at a bar, such as 'bar 17: composer chopin, instruments piano': "
            "composer, style, instruments, tempo, key; repeatable.",
            _MUSIC,
            parse=parse_changes,
            accepts=Changes,
            typed=list[str],
            shown="nothing",
        ),
    ] = ()
    guidance: GuidanceKnob = 1.0
    chords: ChordsKnob = None
    keep_chords: Annotated[
        bool | None,
        Knob(
            "Repeat the chords of the prompt.",
            _MUSIC,
            typed=bool,
            shown="if it has drums, and chords",
        ),
    ] = None
    chord_guidance: ChordGuidanceKnob = CHORD_GUIDANCE
    instrument_balance: BalanceKnob = InstrumentBalance.strength
    style_penalty: StyleKnob = StylePenalty.strength
    entrance: Annotated[
        float,
        Knob(
            "How strongly instruments that are to play and stay silent are brought in; 0 turns it "
            "off.",
            _MUSIC,
            low=0,
            high=2,
            typed=float,
        ),
    ] = 1.0
    pedal: Annotated[
        bool,
        Knob("Go on with the sustain pedal as the prompt uses it.", _MUSIC, typed=bool),
    ] = True
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
    polyphony: PolyphonyKnob = None
    density: DensityKnob = None
    unisons: UnisonsKnob = True
    scale: ScaleKnob = None
    temperature: TemperatureKnob = None
    top_k: TopKKnob = None
    top_p: TopPKnob = None
    min_p: MinPKnob = None
    loop_penalty: LoopKnob = LoopPenalty.strength
    overlap: OverlapKnob = 0.5
    seed: SeedKnob = 0
    seed_alone: SeedAloneKnob = False
    engine: EngineKnob = "auto"
    variations: VariationsKnob = (1,)

    def __post_init__(self) -> None:
        """Reject contradictory or out-of-range options."""
        if self.bars is not None and self.length is not None:
            raise InputError("--bars and --length exclude each other; give one of them")
        if self.form is not None:
            self._check_form()
        elif self.distance:
            raise InputError("--distance varies the sections that return; give a --form with some")
        elif self.bars is None and self.length is None:
            object.__setattr__(self, "bars", DEFAULT_BARS)
        self.check_shared()

    def _check_form(self) -> None:
        """Reject what contradicts a form."""
        if self.bars is not None or self.length is not None:
            raise InputError(
                "--form says how long the music is, so it excludes --bars and --length; give "
                "lengths in the form, such as A:8"
            )
        if self.ending and not ends_anew(self.form or ""):
            raise InputError(
                "--end needs a last section that is new, such as outro; the last one of --form "
                "is an earlier one again"
            )

    @classmethod
    def from_keywords(cls, **given: Unpack[Keywords]) -> Self:
        """The options given by keywords; None means the default.

        Raises:
            InputError: for an unknown name, with the nearest one, or an invalid value.
            TypeError: for an unknown keyword, with the nearest one.
        """
        return from_keywords(cls, given)

    def sampling(self, *, fresh: bool, drums: bool = False) -> tuple[FieldFilter, ...]:
        """The filter of each field of a note, without a prompt (`fresh`) or with one."""
        if fresh:
            return self.filters(FRESH_BAND if drums else FRESH)
        return self.filters(BAND if drums else NATURAL)

    def completed(self, *, fresh: bool, drums: bool = False, chords: bool = False) -> Self:
        """With the defaults that depend on the prompt filled in: are there drums, and chords?

        A new piece without instruments is for piano: an unconditioned model starts as most of its
        training pieces do, for instance with drums alone.
        """
        written = stated_filters(self.sampling(fresh=fresh, drums=drums))
        if self.keep_chords is None:
            written["keep_chords"] = drums and chords and self.chords is None
        asked = (self.instruments, self.only_instruments, self.composer, self.styles)
        if fresh and not any(asked):
            written["instruments"] = (_PIANO,)
        return replace(self, **written)
