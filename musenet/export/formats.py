"""The format that a file's name asks for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tokenizer.errors import InputError


def format_of(path: str | os.PathLike[str], what: str, formats: Sequence[str]) -> str:
    """The suffix of a path, lower-case and without its dot.

    Args:
        path: the file to write.
        what: what is written there, as the error names it.
        formats: the suffixes that it can have.

    Raises:
        InputError: if it is another.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in formats:
        known = " or ".join(f".{form}" for form in formats)
        raise InputError(f"{what} is {known}, not '{Path(path).name}'")
    return suffix
