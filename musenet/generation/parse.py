"""From the words of a command line to `Options`: names looked up, numbers read, nearest named.

What is wrong is found out in the order in which it is cheap: words first, then the places to be
written, the prompt, and the model last.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError, unknown
from tokenizer.instruments import PROGRAM_NAMES, program
from tokenizer.labels import composer_name, normalise_composer, normalise_style
from tokenizer.theory import Key

from .options import Options
from .outputs import Outputs
from .prompt import Place, clock_time, read_prompt

_MOST_DENOMINATOR = 32
_TONICS = {
    "major": ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"),
    "minor": ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#"),
}

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 9, 10, 11),
    "natural minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
"""Semitones above the tonic; "minor" has its sixth and seventh both natural and raised."""


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


def scale(text: str | None) -> tuple[int, ...] | None:
    """The pitch classes of "D dorian", "A minor pentatonic" or "E" (0 is C).

    Raises:
        InputError: if it is no scale.
    """
    if text is None:
        return None
    found = re.fullmatch(r"([A-Ga-g])(#|b|)\s*(.*)", text.strip())
    if not found:
        raise InputError(f"--scale takes a scale such as 'D dorian' or 'Eb major', not '{text}'")
    kind = " ".join(found[3].casefold().split()) or "major"
    if kind not in SCALES:
        raise unknown("scale", kind, SCALES)
    tonic = "C D EF G A B".index(found[1].upper()) + {"#": 1, "b": -1, "": 0}[found[2]]
    return tuple(sorted((tonic + step) % 12 for step in SCALES[kind]))


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


def best_of(
    candidates: int | None, keep: int | None, variations: int, variation: int | None
) -> int | None:
    """How many of the candidates are kept, or None where all variations are.

    Raises:
        InputError: if more are to be kept than made, or variations are asked for as well.
    """
    if candidates is None:
        if keep is not None:
            raise InputError("--keep says how many of the --candidates are kept; give both")
        return None
    if variations != 1 or variation is not None:
        raise InputError("give --candidates and --keep, or --variations, not both")
    kept = 1 if keep is None else keep
    if not 1 <= kept <= candidates:
        raise InputError(f"--keep {kept} of {candidates} candidates cannot be; keep 1 or more")
    return kept


def seed(given: int | None) -> int:
    """The seed, or a fresh one that is short enough to be written down."""
    return secrets.randbelow(1_000_000) if given is None else given


def part(begin: str | None, stop: str | None) -> tuple[Place | None, Place | None]:
    """The part of a prompt that `--from` and `--to` choose.

    Raises:
        InputError: if one of them is no place.
    """
    return (
        Place.parse(begin, "--from") if begin else None,
        Place.parse(stop, "--to") if stop else None,
    )


def names(kind: str, model: str) -> list[str]:
    """The names of a kind that `--list` shows: composers, styles or instruments.

    Raises:
        InputError: for another kind, or a checkpoint that cannot be read.
    """
    kinds = ("composers", "styles", "instruments")
    if kind not in kinds:
        raise unknown("list", kind, kinds)
    if kind == "instruments":
        return [f"{number:3d}  {name}" for number, name in enumerate(PROGRAM_NAMES)]
    from musenet.model.checkpoint import checkpoint_folder

    vocabulary = Tokenizer.load(checkpoint_folder(model) / "tokenizer.json").vocabulary
    if kind == "styles":
        return sorted(vocabulary.names("style"))
    return sorted(f"{name:24s} {composer_name(name)}" for name in vocabulary.names("composer"))


def run(
    model: str,
    prompt: Path | None,
    options: Options,
    outputs: Outputs,
    part: tuple[Place | None, Place | None],
) -> None:
    """Check, read, load and make: everything that `musenet generate` does with its options.

    Raises:
        InputError: if anything is wrong, before anything is written; for a folder of prompts,
            at the end, if some of them were refused.
    """
    begin, stop = part
    folder = prompt is not None and prompt.is_dir()
    outputs.check(folder=folder)
    given = None if prompt is None or folder else read_prompt(prompt, begin=begin, stop=stop)
    from musenet.cli.generate_run import make, make_each
    from musenet.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(model)
    if prompt is None or not folder:
        make(checkpoint, given, options, outputs)
        return
    refused = make_each(
        checkpoint, prompt, options, outputs, lambda path: read_prompt(path, begin=begin, stop=stop)
    )
    if refused:
        raise InputError("; ".join(refused))
