"""The options of `musenet live`, each declared once; see `musenet.options.knob`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS

from . import parse
from .knob import Knob, check_ranges, knobs
from .parse import Names
from .shared_options import (
    CHORD_GUIDANCE,
    NATURAL,
    ChordGuidanceKnob,
    ChordsKnob,
    ComposerKnob,
    EngineKnob,
    MinPKnob,
    PolyphonyKnob,
    ScaleKnob,
    SeedKnob,
    SharedOptions,
    StylesKnob,
    TemperatureKnob,
    TopKKnob,
    TopPKnob,
    UnisonsKnob,
)

SLOWEST, FASTEST = 20.0, 400.0
"""Quarter notes per minute that are taken for a tempo."""
BAND = (DRUMS, 33, 0)
"""Who plays along unless others are named: drums, electric bass, piano."""
_SHARED = frozenset(SharedOptions.__annotations__)
_TIME, _PLAYERS, _LOOP = "Time", "Players", "Loop"


def _instrument(name: str | int) -> int:
    """The program of one instrument.

    Raises:
        InputError: if it is none, or several.
    """
    programs = parse.programs([name] if isinstance(name, int) else name)
    if len(programs) != 1:
        raise InputError(f"'{name}' names {len(programs)} instruments; give one")
    return programs[0]


@dataclass(frozen=True)
class LiveOptions(SharedOptions):
    """How the program plays along; the help of each field describes it."""

    instruments: Annotated[
        tuple[int, ...],
        Knob(
            "Instruments that play, such as drums,bass,piano.",
            _PLAYERS,
            parse=parse.programs,
            accepts=Names,
            typed=list[str],
            flags=("--instrument", "--instruments"),
            shown="answer: as you play; band: drums, electric bass, piano",
        ),
    ] = ()
    hear_as: Annotated[
        int,
        Knob(
            "Instrument that you are heard as; channel 10 is drums.",
            _PLAYERS,
            parse=_instrument,
            accepts=str,
            flags=("--as",),
            shown="piano",
        ),
    ] = 0
    tempo: Annotated[
        float | None,
        Knob(
            "Tempo in quarter notes per minute (BPM); the first note is on a beat.",
            _TIME,
            low=SLOWEST,
            high=FASTEST,
            unit="quarter notes per minute",
            typed=float,
            shown="answer: found in each phrase; band: four taps on any key",
        ),
    ] = None
    clock: Annotated[bool, Knob("Follow the MIDI clock of the input port.", _TIME, typed=bool)] = (
        False
    )
    meter: Annotated[
        tuple[int, int],
        Knob("Time signature, such as 3/4.", _TIME, parse=parse.meter, accepts=str, shown="4/4"),
    ] = (4, 4)
    pause: Annotated[
        float,
        Knob(
            "Beats of silence after which your phrase is over.",
            _TIME,
            low=0.25,
            high=16,
            typed=float,
        ),
    ] = 1.0
    ahead: Annotated[
        float,
        Knob("Beats that the band writes ahead.", _TIME, low=1, high=16, typed=float),
    ] = 2.0
    listen: Annotated[
        int | None,
        Knob(
            "Bars that the band only listens to.",
            _TIME,
            low=0,
            high=16,
            typed=int,
            shown="1, or 0 with --chords",
        ),
    ] = None
    bars: Annotated[
        int, Knob("Bars of each take that grows.", _LOOP, low=1, high=64, typed=int)
    ] = 4
    takes: Annotated[
        int, Knob("Takes that grow while one sounds.", _LOOP, low=1, high=7, typed=int)
    ] = 4
    composer: ComposerKnob = None
    styles: StylesKnob = ()
    chords: ChordsKnob = None
    chord_guidance: ChordGuidanceKnob = CHORD_GUIDANCE
    polyphony: PolyphonyKnob = None
    unisons: UnisonsKnob = True
    scale: ScaleKnob = None
    temperature: TemperatureKnob = None
    top_k: TopKKnob = None
    top_p: TopPKnob = None
    min_p: MinPKnob = None
    seed: SeedKnob = 0
    engine: EngineKnob = "auto"

    density = None

    def __post_init__(self) -> None:
        """Reject options out of range."""
        check_ranges(self)
        if self.clock and self.tempo is not None:
            raise InputError("--clock and --tempo exclude each other; give one of them")
        self.filters(NATURAL)
        self.constraints()

    def shared(self) -> dict[str, Any]:
        """What other requests have too, as keywords of their options."""
        return {name: getattr(self, name) for name in knobs(type(self)) if name in _SHARED}
