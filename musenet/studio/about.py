"""What the studio can do, as JSON: names, options with their help, and what the weights know."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from musenet import __version__
from musenet.export import audio
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.knob import Knob, knobs
from tokenizer.errors import InputError, unknown
from tokenizer.instruments import PROGRAM_NAMES, family_of
from tokenizer.labels import composer_name

from .models import Weights

FOLDER = Path(__file__).parent / "page"
"""The files of the page."""

_PACKED = Path(__file__).parent / "openings"
_CHECKOUT = Path(__file__).parents[2] / "examples" / "prompts"
OPENINGS = _PACKED if _PACKED.is_dir() else _CHECKOUT
"""The folder of MIDI files to begin with: in a package beside this module, else the examples'."""

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "text", list[str]: "list"}
"""What an option takes, as the page is told; texts are written as on the command line."""


def info(weights: Weights) -> dict[str, Any]:
    """What the page shows beside the tree.

    Args:
        weights: what music is made with.
    """
    vocabulary = weights.tokenizer.vocabulary
    composers = sorted(vocabulary.names("composer"))
    return {
        "version": __version__,
        "model": weights.name,
        "composers": [{"name": name, "text": composer_name(name)} for name in composers],
        "styles": sorted(vocabulary.names("style")),
        "instruments": [
            {"program": program, "name": name, "family": family_of(program)}
            for program, name in enumerate(PROGRAM_NAMES)
        ],
        "openings": sorted(openings()),
        "options": options_of(GenerateOptions),
        "fill_options": options_of(FillOptions),
        "accompany_options": options_of(AccompanyOptions),
        "can": {
            "fill": weights.fills,
            "accompany": weights.fills,
            "chords": bool(vocabulary.names("chord")),
            "guidance": "guidance" in knobs(GenerateOptions),
            "render": _succeeds(lambda: audio.check_installed("wav")),
            "bank": (FOLDER / "bank" / "synth.js").is_file(),
            "musicxml": importlib.util.find_spec("music21") is not None,
        },
    }


def options_of(kind: type[Any]) -> list[dict[str, Any]]:
    """The options of a request: the fields of its dataclass with their knobs."""
    defaults = {field.name: field.default for field in fields(kind)}
    return [_option(name, knob, defaults[name]) for name, (_, knob) in knobs(kind).items()]


def _option(name: str, knob: Knob, default: Any) -> dict[str, Any]:
    found = {
        "name": name,
        "flag": knob.flags[0] if knob.flags else f"--{name.replace('_', '-')}",
        "type": _TYPES[knob.typed],
        "default": None if knob.shown is not None else msgspec.to_builtins(default),
        "shown": knob.shown,
        "help": knob.help,
        "panel": knob.panel,
        "low": knob.low,
        "high": knob.high,
        "unit": knob.unit,
    }
    return {**found, "choices": knob.choices} if knob.choices else found


def openings() -> dict[str, Path]:
    """The MIDI files that a tree can begin with, by name."""
    return {path.stem: path for path in OPENINGS.glob("*.mid")}


def opening(name: str) -> bytes:
    """The MIDI file of an opening.

    Raises:
        InputError: if there is none of that name, with the nearest one.
    """
    known = openings()
    if name not in known:
        raise unknown("opening", name, sorted(known))
    return known[name].read_bytes()


def missing() -> str | None:
    """What must be installed before the server runs, or None."""
    needed = ("starlette", "uvicorn", "python_multipart")
    if all(importlib.util.find_spec(name) for name in needed):
        return None
    return '''this needs starlette, uvicorn and python-multipart: pip install "musenet[studio]"'''


def _succeeds(check: Callable[[], None]) -> bool:
    try:
        check()
    except InputError:
        return False
    return True
