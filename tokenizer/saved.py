"""The one versioned JSON file that a tokenizer of either encoding is kept in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import write_text

FORMAT = "musenet-tokenizer"
VERSION = 1


def save_json(path: str | os.PathLike[str], data: dict[str, Any]) -> None:
    """Write a tokenizer's plain data, with an `encoding`, one item of a list a line."""
    whole = {"format": FORMAT, "version": VERSION, **data}
    write_text(path, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def load_json(path: str | os.PathLike[str], encoding: str) -> dict[str, Any]:
    """Read a tokenizer's plain data.

    Args:
        path: a file that `save_json` wrote.
        encoding: the encoding that it must be of.

    Raises:
        InputError: if the file cannot be read, is no tokenizer, or is of another version or
            encoding.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the tokenizer {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not a tokenizer: it is not valid JSON") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"{path} is not a tokenizer: its 'format' is not '{FORMAT}'")
    if data.get("version") != VERSION:
        raise InputError(
            f"{path} is a tokenizer of version {data.get('version')}, and this program reads "
            f"version {VERSION}; update the program, or prepare the data again with this one"
        )
    if data.get("encoding") != encoding:
        raise InputError(
            f"{path} is a tokenizer of the {data.get('encoding')} encoding, not {encoding}; "
            "load it with the class of its own encoding"
        )
    return data
