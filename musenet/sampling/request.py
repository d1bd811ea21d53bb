"""From the words of a command line to `Options`: names looked up, numbers read, nearest named."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from tokenizer.errors import InputError, unknown
from tokenizer.instruments import program
from tokenizer.keys import Key
from tokenizer.labels import normalise_composer, normalise_style

from .prompt import clock_time

_MOST_DENOMINATOR = 32
_TONICS = {
    "major": ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"),
    "minor": ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"),
}


def programs(names: Iterable[str]) -> tuple[int, ...]:
    """The programs of instruments named one by one or parted by commas.

    Raises:
        InputError: for an unknown name, with the nearest one.
    """
    parts = [part.strip() for text in names for part in text.split(",")]
    return tuple(dict.fromkeys(program(part) for part in parts if part))


def composer(name: str | None) -> str | None:
    """The id of a composer as a person writes the name.

    Raises:
        InputError: if it is no name.
    """
    if name is None:
        return None
    found = normalise_composer(name)
    if found is None:
        raise InputError(f"'{name}' names no composer; see `musenet generate --list composers`")
    return found


def styles(names: Iterable[str]) -> tuple[str, ...]:
    """The ids of styles named one by one or parted by commas; unknown ones are kept as written."""
    parts = [part.strip() for text in names for part in text.split(",")]
    return tuple(dict.fromkeys(normalise_style(p) or p.casefold() for p in parts if p))


def meter(text: str | None) -> tuple[int, int] | None:
    """The numerator and denominator of "3/4".

    Raises:
        InputError: if it is no time signature that MIDI can hold.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,2})\s*/\s*(\d{1,2})\s*", text)
    if found:
        numerator, denominator = int(found[1]), int(found[2])
        power = denominator & (denominator - 1) == 0
        if 1 <= numerator <= 32 and 1 <= denominator <= _MOST_DENOMINATOR and power:
            return numerator, denominator
    raise InputError(f"--meter takes a time signature such as 3/4 or 6/8, not '{text}'")


def key(text: str | None) -> Key | None:
    """The key of "D major", "f# minor", "Bb" or "Am".

    Raises:
        InputError: if it is no key.
    """
    if text is None:
        return None
    words = text.strip().replace("♯", "#").replace("♭", "b")
    found = re.fullmatch(r"([A-Ga-g])(#|b|)\s*(major|maj|minor|min|m|)", words)
    if found:
        mode = "minor" if found[3] in ("minor", "min", "m") else "major"
        tonic = found[1].upper() + found[2]
        if tonic in _TONICS[mode]:
            return Key(_TONICS[mode].index(tonic) - 7, mode == "minor")
    raise InputError(f"--key takes a key such as 'D major' or 'F# minor', not '{text}'")


def length(text: str | None) -> float | None:
    """Seconds of "3:30" or "90".

    Raises:
        InputError: if it is no such time.
    """
    if text is None:
        return None
    try:
        return clock_time(text)
    except ValueError:
        raise InputError(f"--length takes minutes and seconds such as 3:30, not '{text}'") from None


def numbers(variations: int, variation: int | None) -> tuple[int, ...]:
    """The numbers of the variations: all of 1 to N, or one alone.

    Raises:
        InputError: if there is no such variation.
    """
    if variation is None:
        return tuple(range(1, variations + 1))
    return (variation,)


def seed(given: int | None) -> int:
    """The seed, or a fresh one that is short enough to be written down."""
    return secrets.randbelow(1_000_000) if given is None else given


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """The name, if it is one of `names`.

    Raises:
        InputError: if not, with the nearest.
    """
    choices = list(names)
    if name not in choices:
        raise unknown(kind, name, choices)
    return name


def check_writable(path: str | os.PathLike[str], suffixes: tuple[str, ...] = ()) -> None:
    """Find out before the work whether a file can be written at its end.

    Raises:
        InputError: if it is a folder, has another suffix, or its folder cannot be written.
    """
    target = Path(path)
    if suffixes and target.suffix.lower() not in suffixes:
        raise InputError(f"'{target.name}' must end in {' or '.join(suffixes)}")
    if target.is_dir():
        raise InputError(f"cannot write {target}: it is a folder; name a file")
    folder = target.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise InputError(f"cannot write {target}: {folder} is a file, not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(
            f"cannot write {target}: no permission to write in {folder}; "
            "choose a folder that you can write to"
        )
