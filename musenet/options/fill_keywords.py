"""The keywords of `fill` and `accompany` with their types, for editors; a test compares them."""

from __future__ import annotations

from .keywords import SharedKeywords
from .parse import BarRanges, Names, Place


class FillKeywords(SharedKeywords, total=False):
    """The type of each option as a keyword; `FillOptions` describes what it does."""

    bars: tuple[tuple[int, int], ...] | BarRanges
    begin: Place | int | str | None
    stop: Place | int | str | None
    instruments: tuple[int, ...] | Names
    tracks: tuple[str, ...] | Names
    added: tuple[int, ...] | Names
    keep_chords: bool | None
    keep_rhythm: bool
    keep_pitches: bool
    distance: float | None
    drafts: int | None


class AccompanyKeywords(SharedKeywords, total=False):
    """The same of `AccompanyOptions`."""

    drafts: int | None
    keep_chords: bool | None
    instruments: tuple[int, ...] | Names
    tracks: tuple[str, ...] | Names
