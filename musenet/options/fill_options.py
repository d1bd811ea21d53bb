"""The options of requests to fill holes and to accompany, declared once for every interface."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Annotated

from musenet.sampling.processors.instrument_balance import InstrumentBalance
from musenet.sampling.processors.loop_penalty import LoopPenalty
from musenet.sampling.processors.style_penalty import StylePenalty
from tokenizer.errors import InputError

from . import parse
from .knob import Knob, from_keywords
from .parse import BarRanges, Names, Place
from .shared_options import (
    BAND,
    CHORD_GUIDANCE,
    INSIDE,
    BalanceKnob,
    ChordGuidanceKnob,
    ChordsKnob,
    ComposerKnob,
    DensityKnob,
    EngineKnob,
    HearAsKnob,
    KeepChordsKnob,
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

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .fill_keywords import AccompanyKeywords, FillKeywords

_HOLE, _PARTS = "Hole", "Parts"
_DRAFTS, _MOST_LANES = 4, 16  # of a variation, and of all of them by default


DraftsKnob = Annotated[
    int | None,
    Knob(
        "Drafts of each variation; the one is kept that fits the music around best.",
        "Sampling",
        low=1,
        high=16,
        typed=int,
        shown="4, fewer from five variations on",
    ),
]


@dataclass(frozen=True)
class EditOptions(SharedOptions):
    """What all requests to write in a song have in common.

    An empty `hear_as` has every track heard as the file states, as earlier versions did.
    """

    composer: ComposerKnob = None
    hear_as: HearAsKnob = None
    styles: StylesKnob = ()
    chords: ChordsKnob = None
    keep_chords: KeepChordsKnob = None
    chord_guidance: ChordGuidanceKnob = CHORD_GUIDANCE
    instrument_balance: BalanceKnob = InstrumentBalance.strength
    style_penalty: StyleKnob = StylePenalty.strength
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
    drafts: DraftsKnob = None


@dataclass(frozen=True)
class FillOptions(EditOptions):
    """A request to fill holes in a song.

    `bars` holds the first and the last bar of each hole, counted from 1; without it the hole lies
    between `begin` and `stop`. `tracks` are names or numbers from 1; the help of each field
    describes the rest.
    """

    bars: Annotated[
        tuple[tuple[int, int], ...],
        Knob(
            "Bars to write anew: 5-8, or several holes such as 5-8,13-16.",
            _HOLE,
            parse=parse.bar_ranges,
            accepts=BarRanges,
            shown="--from to --to",
        ),
    ] = ()
    begin: Annotated[
        Place | None,
        Knob(
            "Start of the hole instead of --bars: a bar (5) or a time (12s, 0:12).",
            _HOLE,
            parse=parse.begin,
            accepts=int | str,
            flags=("--from",),
            shown="the beginning",
        ),
    ] = None
    stop: Annotated[
        Place | None,
        Knob(
            "End of the hole: a bar, included (8), or a time (20s, 0:20).",
            _HOLE,
            parse=parse.stop,
            accepts=int | str,
            flags=("--to",),
            shown="the end",
        ),
    ] = None
    instruments: Annotated[
        tuple[int, ...],
        Knob(
            "Write only these instruments anew, such as bass,piano; an instrument that the song "
            "does not have gets a new track.",
            _PARTS,
            parse=parse.programs,
            accepts=Names,
            typed=list[str],
            flags=("--instrument", "--instruments"),
            shown="all that play there",
        ),
    ] = ()
    tracks: Annotated[
        tuple[str, ...],
        Knob(
            "Write only these tracks anew, by name or number, such as Lead,Pad.",
            _PARTS,
            parse=parse.track_names,
            accepts=Names,
            typed=list[str],
            flags=("--track", "--tracks"),
            shown="all that play there",
        ),
    ] = ()
    added: Annotated[
        tuple[int, ...],
        Knob(
            "Write these instruments on new tracks, beside all that stands, such as strings.",
            _PARTS,
            parse=parse.programs,
            accepts=Names,
            typed=list[str],
            flags=("--add",),
            shown="none",
        ),
    ] = ()
    keep_rhythm: Annotated[
        bool,
        Knob(
            "Write only the pitches anew: each note keeps its start, length, loudness and track.",
            _HOLE,
            typed=bool,
        ),
    ] = False
    keep_pitches: Annotated[
        bool,
        Knob(
            "Write only the rhythm anew: each part plays its pitches in their order.",
            _HOLE,
            typed=bool,
        ),
    ] = False
    distance: Annotated[
        float | None,
        Knob(
            "Share of the hole's notes to write anew; the others stand.",
            _HOLE,
            low=0,
            high=1,
            typed=float,
            shown="all",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Reject contradictory or out-of-range options."""
        if self.bars and (self.begin or self.stop):
            raise InputError("--bars and --from/--to exclude each other; give one of them")
        if not (self.bars or self.begin or self.stop):
            raise InputError("no hole is given; add --bars 5-8, or --from 0:10 --to 0:20")
        if self.instruments and (self.tracks or self.added):
            raise InputError(
                "--instruments writes parts of the song anew, so it excludes --tracks and --add; "
                "give one of them"
            )
        if self.keep_rhythm and self.added:
            raise InputError("--keep-rhythm needs notes that stand there, so it excludes --add")
        if self.distance is not None and self.added:
            raise InputError("--distance varies notes that stand there, so it excludes --add")
        others = (self.keep_rhythm, self.added, self.distance is not None)
        if self.keep_pitches and any(others):
            raise InputError(
                "--keep-pitches writes all rhythms of the hole anew, so it excludes "
                "--keep-rhythm, --add and --distance"
            )
        self.check_shared()

    @classmethod
    def from_keywords(cls, **given: Unpack[FillKeywords]) -> Self:
        """The options given by keywords; None means the default.

        Raises:
            InputError: for an unknown name, with the nearest one, or an invalid value.
            TypeError: for an unknown keyword, with the nearest one.
        """
        return from_keywords(cls, given)

    def completed(
        self, engine: str, *, drums: bool = False, new: bool = False, chords: bool = False
    ) -> Self:
        """With the engine and the defaults that depend on the song and on the parts.

        Args:
            engine: that makes it.
            drums: whether the song has drums.
            new: whether a part is written that the song does not have.
            chords: whether the song has chords.
        """
        written = stated_filters(self.filters(BAND if new or drums else INSIDE))
        whole = not self.bars and self.begin == Place(bar=1) and self.stop is None
        if self.keep_chords is None:
            written["keep_chords"] = chords and self.chords is None and (drums or whole)
        if self.drafts is None:
            written["drafts"] = max(1, min(_DRAFTS, _MOST_LANES // len(self.variations)))
        return replace(self, engine=engine, **written)


@dataclass(frozen=True)
class AccompanyOptions(EditOptions):
    """A request for parts over the whole length of a song; see the help of each field."""

    instruments: Annotated[
        tuple[int, ...],
        Knob(
            "Parts to write on new tracks, such as drums,bass,piano.",
            _PARTS,
            parse=parse.programs,
            accepts=Names,
            typed=list[str],
            flags=("--instrument", "--instruments", "--add"),
            shown="none",
        ),
    ] = ()
    tracks: Annotated[
        tuple[str, ...],
        Knob(
            "Tracks to write anew from beginning to end, by name or number, such as Bass.",
            _PARTS,
            parse=parse.track_names,
            accepts=Names,
            typed=list[str],
            flags=("--replace",),
            shown="none",
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Reject contradictory or out-of-range options."""
        if not (self.instruments or self.tracks):
            raise InputError(
                "no part is named; add --instruments drums,bass,piano, or --replace with a track"
            )
        self.check_shared()

    @classmethod
    def from_keywords(cls, **given: Unpack[AccompanyKeywords]) -> Self:
        """The options given by keywords; see `FillOptions.from_keywords`."""
        return from_keywords(cls, given)

    def as_fill(self) -> FillOptions:
        """The same request as one hole from the first bar to the last."""
        same = {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "instruments"
        }
        return FillOptions(begin=Place(bar=1), added=self.instruments, **same)
