"""Parsing option values: names, numbers, times and places; errors suggest the nearest name.

Each function accepts what may be typed or given as a Python keyword, its own result included.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from tokenizer.chords.chart import parse_chart
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError, unknown
from tokenizer.instruments import program
from tokenizer.labels import normalise_composer, normalise_style
from tokenizer.theory import MAJOR_TONICS, MINOR_TONICS, SCALES, Key, pitch_class

from .chart_files import chart_of_file

Number = TypeVar("Number", int, float)
Names = str | int | Sequence[str | int]
PerField = float | dict[str, float]
"""One number for all fields of a note, or a number by field."""
WholePerField = int | dict[str, int]
"""The same for whole numbers."""
BarRanges = str | Sequence[tuple[int, int]]
"""Bars such as "5-8,13-16", or the first and the last of each range."""

_MOST_DENOMINATOR = 32


@dataclass(frozen=True)
class Place:
    """A position in a piece: a bar counted from 1, or a time in seconds; the other is None."""

    bar: int | None = None
    seconds: float | None = None


def place(where: Place | int | str, option: str) -> Place:
    """The position given by 8 or "8" (a bar), "12.5s" or "1:05" (seconds).

    Args:
        where: the value.
        option: its option, for the error message.

    Raises:
        InputError: if it is neither a bar nor a time.
    """
    if isinstance(where, Place):
        return where
    text = str(where)
    try:
        if text.endswith("s"):
            return Place(seconds=_positive(float(text[:-1])))
        if ":" in text:
            return Place(seconds=clock_time(text))
        return Place(bar=int(_positive(int(text), 1)))
    except ValueError:
        raise InputError(
            f"{option} takes a bar such as 8, or seconds such as 12.5s or 1:05, not '{text}'"
        ) from None


def begin(where: Place | int | str) -> Place:
    """The value of `--from`; see `place`."""
    return place(where, "--from")


def stop(where: Place | int | str) -> Place:
    """The value of `--to`; see `place`."""
    return place(where, "--to")


def bar_ranges(given: BarRanges) -> tuple[tuple[int, int], ...]:
    """The first and the last bar of each of "5-8,13-16"; one bar may stand for itself.

    Raises:
        InputError: if it is something else, or the ranges overlap or do not follow each other.
    """
    if isinstance(given, str):
        found = []
        for part in given.split(","):
            numbers = re.fullmatch(r"\s*(\d{1,6})\s*(?:[-–]\s*(\d{1,6})\s*)?", part)
            if not numbers:
                raise InputError(f"--bars takes bars such as 5-8 or 5-8,13-16, not '{given}'")
            found.append((int(numbers[1]), int(numbers[2] or numbers[1])))
    else:
        found = [(int(first), int(last)) for first, last in given]
    for first, last in found:
        if min(first, last) < 1:
            raise InputError(f"--bars {first}-{last} is no range of bars, which count from 1")
        if first > last:
            raise InputError(f"--bars {first}-{last} ends before it begins; write {last}-{first}")
    for (begin, last), (first, end) in pairwise(found):
        if first <= last and begin <= end:
            raise InputError(f"--bars {begin}-{last} and {first}-{end} overlap; name each bar once")
        if first <= last:
            raise InputError(f"--bars: bar {first} comes after bar {last}; give holes in order")
    return tuple(found)


def clock_time(text: str) -> float:
    """Seconds of "3:30", "1:02:03" or "90".

    Raises:
        ValueError: if the text is not a time.
    """
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + _positive(float(part))
    return seconds


def _positive(number: float, least: float = 0) -> float:
    if not least <= number < 1e9:
        raise ValueError(f"{number} is out of range")
    return number


def length(given: float | str) -> float:
    """Seconds for "3:30" or "90"; a number is returned unchanged.

    Raises:
        InputError: if it is not a time.
    """
    if not isinstance(given, str):
        return given
    try:
        return clock_time(given)
    except ValueError:
        raise InputError(
            f"--length takes minutes and seconds such as 3:30, not '{given}'"
        ) from None


def programs(names: Names) -> tuple[int, ...]:
    """The programs of instruments given as a list or separated by commas.

    Raises:
        InputError: for an unknown name, with the nearest one.
    """
    return tuple(dict.fromkeys(program(name) for name in _names(names)))


def only_programs(names: Names) -> tuple[int, ...] | None:
    """Like `programs`, but None for no names."""
    return programs(names) or None


def hear_as(
    given: str | Sequence[str] | Mapping[str, str | int],
) -> dict[str, int] | None:
    """Programs by track for "Keys=electric piano, Drum Rack=drums"; None for nothing.

    Raises:
        InputError: without an equals sign, or for an unknown instrument, with the nearest one.
    """
    if isinstance(given, Mapping):
        return {str(track): program(name) for track, name in given.items()} or None
    found = {}
    for part in _names(given):
        track, equals, name = part.rpartition("=")
        if not equals or not track.strip() or not name.strip():
            raise InputError(
                f"--as takes tracks and instruments such as 'Keys=electric piano', not '{part}'"
            )
        found[track.strip()] = program(name)
    return found or None


def composer(name: str) -> str:
    """The id of a composer, from any usual spelling of the name.

    Or of several with their shares, such as "bach:0.6,chopin:0.4".

    Raises:
        InputError: if it is not a name, or a share is no number above 0.
    """
    if ":" in name:
        return ",".join(_with_share("--composer", part, composer) for part in _names(name))
    found = normalise_composer(name)
    if found is None:
        raise InputError(f"'{name}' is not a composer; see `musenet generate --list composers`")
    return found


def styles(names: Names) -> tuple[str, ...]:
    """The ids of styles given as a list or separated by commas; unknown ones stay as written.

    Styles with shares, such as "baroque:0.7,jazz:0.3", are blended into one.

    Raises:
        InputError: if a share is no number above 0.
    """

    def style(name: str) -> str:
        return normalise_style(name) or name.casefold()

    found = (
        _with_share("--style", name, style) if ":" in name else style(name)
        for name in _names(names)
    )
    return tuple(dict.fromkeys(found))


def _with_share(option: str, text: str, named: Callable[[str], str]) -> str:
    """The id and the share of "bach:0.6", whose id is found by a function."""
    name, _, share = text.rpartition(":")
    try:
        if 0 < float(share) < float("inf") and name.strip():
            return f"{named(name.strip())}:{float(share):g}"
    except ValueError:
        pass
    raise InputError(
        f"{option} takes names with shares such as bach:0.6,chopin:0.4, each above 0, not '{text}'"
    )


def blends(names: Iterable[str]) -> list[dict[str, float]]:
    """The labels that ids stand for, each as ids with shares that add up to 1.

    Every id without a share is a label; all those with one are a single label, the last.
    """
    split = [name.rpartition(":") for name in names]
    alone: list[dict[str, float]] = [{name: 1.0} for _, colon, name in split if not colon]
    shares = {name: float(share) for name, colon, share in split if colon}
    total = sum(shares.values())
    return [*alone, *([{name: share / total for name, share in shares.items()}] if shares else [])]


def composers(composer: str | None) -> list[dict[str, float]]:
    """`blends` of the value of `composer`: one label or none."""
    return blends(composer.split(",") if composer else ())


def _names(given: Names) -> list[str]:
    texts = [given] if isinstance(given, str | int) else given
    parts = [part.strip() for text in texts for part in str(text).split(",")]
    return [part for part in parts if part]


def track_names(names: Names) -> tuple[str, ...]:
    """Names or numbers of tracks given as a list or separated by commas."""
    return tuple(dict.fromkeys(_names(names)))


def meter(given: str | tuple[int, int]) -> tuple[int, int]:
    """The numerator and denominator of "3/4", or of (3, 4).

    Raises:
        InputError: if MIDI cannot represent the time signature.
    """
    text = given if isinstance(given, str) else "/".join(map(str, given))
    found = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(\d{1,2})\s*", text)
    if found:
        numerator, denominator = int(found[1]), int(found[2])
        power = denominator & (denominator - 1) == 0
        if 1 <= numerator <= 32 and 1 <= denominator <= _MOST_DENOMINATOR and power:
            return numerator, denominator
    raise InputError(f"--meter takes a time signature such as 3/4 or 6/8, not '{text}'")


def key(given: str | Key) -> Key:
    """The key of "D major", "f# minor", "Bb" or "Am".

    Raises:
        InputError: if it is not a key.
    """
    if isinstance(given, Key):
        return given
    words = given.strip().replace("♯", "#").replace("♭", "b")
    found = re.fullmatch(r"([A-Ga-g])(#|b|)\s*(major|maj|minor|min|m|)", words)
    if found:
        minor = found[3] in ("minor", "min", "m")
        tonics = MINOR_TONICS if minor else MAJOR_TONICS
        tonic = found[1].upper() + found[2]
        if tonic in tonics:
            return Key(tonics.index(tonic) - 7, minor)
    raise InputError(f"--key takes a key such as 'D major' or 'F# minor', not '{given}'")


def scale(given: str | Sequence[int]) -> tuple[int, ...]:
    """The pitch classes of "D dorian", "A minor pentatonic" or "E" (0 is C).

    Raises:
        InputError: if it is not a scale.
    """
    if not isinstance(given, str):
        return tuple(given)
    found = re.fullmatch(r"([A-Ga-g])(#|b|)\s*(.*)", given.strip())
    if not found:
        raise InputError(f"--scale takes a scale such as 'D dorian' or 'Eb major', not '{given}'")
    kind = " ".join(found[3].casefold().split()) or "major"
    if kind not in SCALES:
        raise unknown("scale", kind, SCALES)
    tonic = pitch_class(found[1].upper() + found[2])
    return tuple(sorted((tonic + step) % 12 for step in SCALES[kind]))


def chords(given: str) -> str:
    """A chord chart, given as its text or as a file of it: text, ABC, MusicXML or MIDI.

    Raises:
        InputError: if it is neither, with the bar and what is not understood in it.
    """
    try:
        parse_chart(given)
        return given
    except InputError as error:
        text = chart_of_file(given)
        if text is None:
            nor = "" if "|" in given or "\n" in given else ", and there is no such file"
            raise InputError(f"--chords: {error}{nor}") from None
    try:
        parse_chart(text)
    except InputError as error:
        raise InputError(f"{given}: {error}") from None
    return text


def temperature(given: PerField | str) -> PerField:
    """A number for all fields of a note, or numbers by field: 0.9, "pitch=0.8,duration=1.1".

    Raises:
        InputError: for an unknown field, or a value that is not a number.
    """
    return _per_field("--temperature", given, float)


def top_k(given: WholePerField | str) -> WholePerField:
    """Like `temperature`, with whole numbers."""
    return _per_field("--top-k", given, int)


def top_p(given: PerField | str) -> PerField:
    """Like `temperature`."""
    return _per_field("--top-p", given, float)


def min_p(given: PerField | str) -> PerField:
    """Like `temperature`."""
    return _per_field("--min-p", given, float)


def _per_field(
    option: str, given: Number | dict[str, Number] | str, kind: type[Number]
) -> Number | dict[str, Number]:
    """Numbers by field; a number without a field applies to all fields not named later."""
    if isinstance(given, str):
        numbers: dict[str, Number] = {}
        for part in given.split(","):
            field, equals, text = part.strip().rpartition("=")
            value = _number(option, text, kind)
            numbers.update({field.strip(): value} if equals else dict.fromkeys(FIELDS, value))
        given = numbers
    if isinstance(given, dict):
        for field in given:
            if field not in FIELDS:
                raise unknown("field", field, FIELDS)
        return {field: _as(kind, number) for field, number in given.items()}
    return _as(kind, given)


def _as(kind: type[Number], number: Number) -> Number:
    """A whole number as a float where one is expected, as a recipe says it when it is read."""
    return kind(number) if isinstance(number, int) else number


def _number(option: str, text: str, kind: type[Number]) -> Number:
    try:
        return kind(text)
    except ValueError:
        words = "whole number" if kind is int else "number"
        raise InputError(
            f"{option} takes a {words}, or field=number separated by commas, not '{text}'"
        ) from None


def variations(given: int | Sequence[int]) -> tuple[int, ...]:
    """The numbers of the variations: 1 to N, or those in the sequence."""
    return tuple(range(1, given + 1)) if isinstance(given, int) else tuple(given)


def new_seed() -> int:
    """A random seed that is short enough to write down."""
    return secrets.randbelow(1_000_000)
