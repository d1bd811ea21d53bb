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


def header(encoding: str) -> dict[str, Any]:
    """The first items of a tokenizer's plain data."""
    return {"format": FORMAT, "version": VERSION, "encoding": encoding}


def checked(data: object, encoding: str, source: str) -> dict[str, Any]:
    """Plain data that are a tokenizer's of this version and encoding.

    Raises:
        InputError: if they are not; `source` names them in the message.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise InputError(f"{source} is not a tokenizer: its 'format' is not '{FORMAT}'")
    if data.get("version") != VERSION:
        raise InputError(
            f"{source} is a tokenizer of version {data.get('version')}, and this program reads "
            f"version {VERSION}; update the program, or prepare the data again with this one"
        )
    if data.get("encoding") != encoding:
        raise InputError(
            f"{source} is a tokenizer of the {data.get('encoding')} encoding, and here one of the "
            f"{encoding} encoding is needed"
        )
    return data


def write_json(path: str | os.PathLike[str], data: dict[str, Any]) -> None:
    """Write a tokenizer's plain data, one item of a list a line."""
    write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> object:
    """Read what `write_json` wrote.

    Raises:
        InputError: if the file cannot be read or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the tokenizer {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not a tokenizer: it is not valid JSON") from error
