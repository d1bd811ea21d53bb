"""The keywords of `generate` with their types, for editors; a test compares them."""

from __future__ import annotations

from typing import TypedDict

from tokenizer.theory import Key

from .parse import Names, PerField, Place, WholePerField
from .timeline import Change, Changes


class SharedKeywords(TypedDict, total=False):
    """The types of the keywords that all requests share."""

    composer: str | None
    hear_as: dict[str, int] | str | dict[str, str | int] | None
    styles: tuple[str, ...] | Names
    chords: str | None
    chord_guidance: float
    instrument_balance: float
    style_penalty: float
    polyphony: int | None
    density: int | None
    unisons: bool
    scale: tuple[int, ...] | str | None
    temperature: PerField | str | None
    top_k: WholePerField | str | None
    top_p: PerField | str | None
    min_p: PerField | str | None
    loop_penalty: float
    overlap: float
    seed: int
    seed_alone: bool
    engine: str
    variations: tuple[int, ...] | int


class Keywords(SharedKeywords, total=False):
    """The type of each option as a keyword; `GenerateOptions` describes what it does."""

    bars: int | None
    length: float | str | None
    ending: bool
    form: str | None
    distance: float
    begin: Place | int | str | None
    stop: Place | int | str | None
    instruments: tuple[int, ...] | Names
    new_instruments: bool
    tempo: float | None
    meter: tuple[int, int] | str | None
    key: Key | str | None
    then: tuple[Change, ...] | Changes
    guidance: float
    keep_chords: bool | None
    find_beats: bool
    entrance: float
    pedal: bool
    only_instruments: tuple[int, ...] | Names | None
