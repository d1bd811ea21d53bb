"""Frozen dataclasses to JSON and back, with every type checked.

Whatever the project stores as JSON is a dataclass; what a user may have edited or what an older
release wrote is refused with one sentence that names the place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from .errors import InputError, unknown

Record = TypeVar("Record")


def to_json(record: object, *, indent: int = 0) -> str:
    """A dataclass as JSON, its defaults too: these may change, what is stored may not.

    Args:
        record: a dataclass of numbers, text, tuples, dictionaries and further dataclasses.
        indent: spaces per level; 0 gives one line.
    """
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        # msgspec would leave out the defaults of a record that it has read.
        record = dataclasses.asdict(record)
    data = msgspec.json.encode(record)
    return (msgspec.json.format(data, indent=indent) if indent else data).decode()


def from_json(kind: type[Record], text: str | bytes, name: str) -> Record:
    """The inverse of `to_json`.

    Args:
        kind: the dataclass.
        text: JSON.
        name: what it is, for errors: "the recipe", "mini/config.json".

    Raises:
        InputError: if the text is no JSON, has an entry that `kind` lacks or a value of another
            type, or what `kind` itself refuses.
    """
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{name} is damaged ({error})") from error
    return from_data(kind, data, name)


def from_data(kind: type[Record], data: Any, name: str) -> Record:
    """As `from_json`, of JSON that has been decoded.

    Raises:
        InputError: see `from_json`.
    """
    if isinstance(data, Mapping) and dataclasses.is_dataclass(kind):
        known = [field.name for field in dataclasses.fields(kind)]
        for entry in data:
            if entry not in known:
                raise unknown(f"entry in {name}", str(entry), known)
    try:
        return msgspec.convert(data, type=kind)
    except (msgspec.ValidationError, RecursionError) as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise InputError(f"{name} is damaged: {error}") from error
