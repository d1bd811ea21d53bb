"""music21, which reads and writes MusicXML; it is loaded only where it is needed.

It is the library that knows the format from both ends: maintained at MIT, BSD, with type hints,
and read and tested by many. It is large, so it is an extra: `pip install 'musenet[musicxml]'`.
"""

from __future__ import annotations

import importlib
from typing import Any

from tokenizer.errors import InputError

MUSICXML_SUFFIXES = (".musicxml", ".xml", ".mxl")


def music21(module: str) -> Any:
    """A module of music21 by its name.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return importlib.import_module(f"music21.{module}")
    except ImportError as error:
        raise InputError(
            "MusicXML needs the package music21; install it with: pip install 'musenet[musicxml]'"
        ) from error
