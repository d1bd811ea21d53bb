"""Options that several requests share, each declared once: `GenerateOptions`, `FillOptions`.

The aliases are the types of fields with their `Knob`s; `SharedOptions` says what the fields mean.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from musenet.sampling.constraints import MOST_NOTES, Constraints
from musenet.sampling.filters import FieldFilter
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError

from . import parse
from .knob import Knob, check_ranges
from .parse import Names, PerField, WholePerField

MOST_VARIATIONS = 64

NATURAL: tuple[FieldFilter, ...] = tuple(
    FieldFilter(temperature=0.95, top_p=top_p) for top_p in (0.98, 0.98, 0.95, 0.96, 0.96)
)
"""The default filters beside a user's music: the least likely values are cut off."""
BAND: tuple[FieldFilter, ...] = tuple(replace(how, temperature=0.85) for how in NATURAL)
"""The default filters beside drums and for new parts: a band keeps to its patterns."""
INSIDE: tuple[FieldFilter, ...] = (
    *BAND[:-1],
    replace(BAND[-1], temperature=0.6),
)
"""The default filters in holes without drums: notes as likely as real ones, loudness even more."""

_FILTERS = ("temperature", "top_k", "top_p", "min_p")
_MUSIC, _LIMITS, _SAMPLING, _OUTPUT = "Music", "Limits", "Sampling", "Output"

ComposerKnob = Annotated[
    str | None,
    Knob(
        "Composer to imitate, see musenet generate --list composers; or a blend: "
        "bach:0.6,chopin:0.4.",
        _MUSIC,
        parse=parse.composer,
    ),
]
StylesKnob = Annotated[
    tuple[str, ...],
    Knob(
        "Genres or periods, such as baroque,jazz; see musenet generate --list styles.",
        _MUSIC,
        parse=parse.styles,
        accepts=Names,
        typed=list[str],
        flags=("--style",),
    ),
]
HearAsKnob = Annotated[
    dict[str, int] | None,
    Knob(
        "What to hear the tracks of the file as, such as 'Keys=electric piano, Drum Rack=drums'.",
        _MUSIC,
        parse=parse.hear_as,
        accepts=str | dict[str, str | int],
        typed=list[str],
        flags=("--as",),
        shown="their programs, else by name, register and texture",
    ),
]
ChordsKnob = Annotated[
    str | None,
    Knob(
        "Chords of the new music, bar by bar and repeated, such as 'C | Am | F | G7'; or a file "
        "of them: text, ABC, MusicXML, or MIDI whose texts name them.",
        _MUSIC,
        parse=parse.chords,
    ),
]
KeepChordsKnob = Annotated[
    bool | None,
    Knob(
        "Keep the chords of the song, as its texts name them, or as they are estimated from its "
        "notes.",
        _MUSIC,
        typed=bool,
        shown="with drums, and for accompaniments",
    ),
]
BalanceKnob = Annotated[
    float,
    Knob(
        "How strongly each instrument keeps its share of the notes in the prompt or song; 0 turns "
        "it off.",
        _MUSIC,
        low=0,
        high=2,
        typed=float,
    ),
]
StyleKnob = Annotated[
    float,
    Knob(
        "How strongly the music keeps to the pitches, note lengths and rhythm of the prompt or "
        "song, or of its own opening without one; 0 turns it off.",
        _MUSIC,
        low=0,
        high=2,
        typed=float,
    ),
]
GuidanceKnob = Annotated[
    float,
    Knob(
        "How strongly composer and style guide the music; 1 leaves it to the model, any other "
        "takes longer.",
        _MUSIC,
        low=0,
        high=10,
        typed=float,
    ),
]
ChordGuidanceKnob = Annotated[
    float,
    Knob(
        "How strongly the chords that are given guide the pitches; 1 leaves it to the model.",
        _MUSIC,
        low=0,
        high=10,
        typed=float,
    ),
]
CHORD_GUIDANCE = 2.0
"""The default: music by the bundled weights then keeps to chords as real does."""
PolyphonyKnob = Annotated[
    int | None,
    Knob(
        "Maximum number of notes that sound at once.",
        _LIMITS,
        low=1,
        high=MOST_NOTES,
        typed=int,
        shown="a little more than in the prompt or song",
    ),
]
DensityKnob = Annotated[
    int | None,
    Knob(
        "Maximum number of notes that start within a quarter note.",
        _LIMITS,
        low=1,
        high=MOST_NOTES,
        typed=int,
        shown="1.5 times as many as in the prompt or song",
    ),
]
UnisonsKnob = Annotated[
    bool,
    Knob("Allow two instruments to start the same pitch together.", _LIMITS, typed=bool),
]
ScaleKnob = Annotated[
    tuple[int, ...] | None,
    Knob(
        "Allow only the notes of a scale, such as 'D dorian'.",
        _LIMITS,
        parse=parse.scale,
        accepts=str,
    ),
]
TemperatureKnob = Annotated[
    PerField | None,
    Knob(
        "Sampling temperature, for all fields or by field: pitch=0.9,duration=1.1.",
        _SAMPLING,
        parse=parse.temperature,
        accepts=str,
        shown="0.95; with drums, in holes and for new parts 0.85; in new pieces 1, with drums 0.8",
    ),
]
TopKKnob = Annotated[
    WholePerField | None,
    Knob(
        "Sample from the k most likely values only; 0 means all.",
        _SAMPLING,
        parse=parse.top_k,
        accepts=str,
        shown="0",
    ),
]
TopPKnob = Annotated[
    PerField | None,
    Knob(
        "Sample from the most likely values that add up to this probability.",
        _SAMPLING,
        parse=parse.top_p,
        accepts=str,
        shown="0.95 to 0.98, by field",
    ),
]
MinPKnob = Annotated[
    PerField | None,
    Knob(
        "Sample only values at least this fraction as likely as the most likely one.",
        _SAMPLING,
        parse=parse.min_p,
        accepts=str,
        shown="0",
    ),
]
LoopKnob = Annotated[
    float,
    Knob(
        "How strongly to penalise endless loops; 1 turns it off.",
        _SAMPLING,
        low=1,
        high=100,
        typed=float,
    ),
]
OverlapKnob = Annotated[
    float,
    Knob(
        "Share of the context to keep when the music outgrows it.",
        _SAMPLING,
        low=0.1,
        high=0.9,
        typed=float,
    ),
]
SeedKnob = Annotated[
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
]
SeedAloneKnob = Annotated[
    bool,
    Knob(
        "Let the seed alone decide the draw, whatever the music, as earlier versions did.",
        _SAMPLING,
        typed=bool,
    ),
]
EngineKnob = Annotated[
    str,
    Knob(
        "Inference engine: auto, int8, eager, or graphs (NVIDIA GPUs).",
        _SAMPLING,
        choices=("auto", "eager", "int8", "graphs"),
    ),
]
VariationsKnob = Annotated[
    tuple[int, ...],
    Knob(
        f"Number of variations to make, 1 to {MOST_VARIATIONS}.",
        _OUTPUT,
        parse=parse.variations,
        accepts=int,
        typed=int,
        shown="1",
    ),
]


class SharedOptions:
    """What the shared fields of a request mean; its dataclass declares them."""

    composer: str | None
    styles: tuple[str, ...]
    chords: str | None
    keep_chords: bool | None
    chord_guidance: float
    polyphony: int | None
    density: int | None
    unisons: bool
    scale: tuple[int, ...] | None
    temperature: PerField | None
    top_k: WholePerField | None
    top_p: PerField | None
    min_p: PerField | None
    seed: int
    seed_alone: bool
    engine: str
    variations: tuple[int, ...]

    def check_shared(self) -> None:
        """Reject options out of range.

        Raises:
            InputError: with the option, its value and the range.
        """
        if self.chords is not None and self.keep_chords:
            raise InputError("--chords and --keep-chords exclude each other; give one of them")
        check_ranges(self)
        self.filters(NATURAL)
        self.constraints()
        count = len(set(self.variations))
        if not 1 <= count <= MOST_VARIATIONS:
            raise InputError(f"{count} variations are asked for; give 1 to {MOST_VARIATIONS}")
        if min(self.variations) < 1:
            raise InputError(
                f"there is no variation {min(self.variations)}; they are numbered from 1"
            )

    def seed_for(self, digest: str) -> int:
        """The seed of the draws for a user's file; `digest` is hexadecimal, "" without a file.

        One seed would otherwise begin the continuations of different prompts with one gesture.
        """
        if self.seed_alone or not digest:
            return self.seed
        mixed = np.random.SeedSequence([self.seed, int(digest, 16)])
        return int(mixed.generate_state(1, np.uint64)[0] >> 1)

    def constraints(self) -> Constraints:
        """The constraints on the music."""
        return Constraints(
            polyphony=self.polyphony,
            density=self.density,
            unisons=self.unisons,
            pitch_classes=self.scale,
        )

    def filters(self, defaults: tuple[FieldFilter, ...]) -> tuple[FieldFilter, ...]:
        """The filter of each field of a note: the defaults with what was asked for."""
        given = {name: getattr(self, name) for name in _FILTERS}
        found = []
        for field, default in zip(FIELDS, defaults, strict=True):
            changes = {
                name: value.get(field) if isinstance(value, dict) else value
                for name, value in given.items()
            }
            known = {name: value for name, value in changes.items() if value is not None}
            found.append(replace(default, **known))
        return tuple(found)


def stated_filters(filters: tuple[FieldFilter, ...]) -> dict[str, Any]:
    """Filters as the options that give them whatever the defaults are, for the recipe."""
    return {
        name: {field: getattr(how, name) for field, how in zip(FIELDS, filters, strict=True)}
        for name in _FILTERS
    }
