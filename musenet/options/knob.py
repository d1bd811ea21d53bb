"""Options declared once: metadata on dataclass fields for every interface that sets them.

A field `Annotated[type, Knob(…)]` is a command-line option, a Python keyword, a range check and a
JSON entry. The functions here read such fields of any dataclass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from inspect import get_annotations
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from tokenizer import records
from tokenizer.errors import InputError, unknown

Record = TypeVar("Record")


@dataclass(frozen=True)
class Knob:
    """The metadata of a field.

    Attributes:
        help: one sentence for `--help`.
        panel: the group of options that lists it.
        low: the smallest value, or None.
        high: the largest value, or None.
        unit: unit of the value, for error messages.
        parse: converts what was typed or given as a keyword; None takes it unchanged.
        accepts: types that a keyword accepts besides the type of the field.
        typed: the type that the command line passes to `parse`: str, int or list[str].
        flags: command-line names; by default the field name with dashes.
        shown: the default shown in `--help`, if not that of the field.
        choices: the values that it takes, where they are few.
        drawn: returns the command line's default, if not that of the field.
    """

    help: str
    panel: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    parse: Callable[[Any], Any] | None = None
    accepts: Any = None
    typed: Any = str
    flags: tuple[str, ...] = ()
    shown: str | None = None
    choices: tuple[str, ...] = ()
    drawn: Callable[[], Any] | None = None


_known: dict[Any, dict[str, tuple[Any, Knob]]] = {}


def knobs(kind: type[Any]) -> dict[str, tuple[Any, Knob]]:
    """The type and the knob of each field of a dataclass, in order, inherited ones last.

    Raises:
        TypeError: if a field has no knob.
    """
    if kind in _known:
        return _known[kind]
    hints = get_type_hints(kind, include_extras=True)
    found = {}
    own = get_annotations(kind)
    for field in sorted(fields(kind), key=lambda field: field.name not in own):
        hint = hints[field.name]
        said = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        knob = next((each for each in said if isinstance(each, Knob)), None)
        if knob is None:
            raise TypeError(f"{kind.__name__}.{field.name} has no Knob")
        found[field.name] = (get_args(hint)[0], knob)
    _known[kind] = found
    return found


def from_keywords(kind: type[Record], given: Mapping[str, Any]) -> Record:
    """An instance from keywords or typed values; None means the default.

    Numbers and switches may be texts, as on the command line.

    Raises:
        InputError: if a value is invalid.
        TypeError: for an unknown keyword, with the nearest one.
    """
    values = {}
    known = knobs(kind)
    for name, value in given.items():
        if name not in known:
            raise TypeError(unknown("keyword", name, known))
        if value is not None:
            knob = known[name][1]
            if isinstance(value, np.generic):
                value = value.item()
            if isinstance(value, str) and knob.typed in (bool, int, float):
                value = _value(knob.typed, value)
            elif knob.typed is float and isinstance(value, int):
                value = float(value)  # as recipes say it when they are read
            values[name], _ = _parsed(name, known[name], value)
    return kind(**values)


def from_texts(kind: type[Any], given: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Names and texts, as forms and queries have them, as the values that JSON would have.

    A text that is none of its option's type stays a text, which `from_json_values` refuses.
    """
    known = knobs(kind)
    found: dict[str, Any] = {}
    for name, text in given:
        typed = known[name][1].typed if name in known else str
        found[name] = [*found.get(name, []), text] if typed == list[str] else _value(typed, text)
    return found


_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def _value(typed: type[Any], text: str) -> Any:
    with suppress(ValueError):
        return _TRUTHS.get(text.lower(), text) if typed is bool else typed(text)
    return text


def from_json_values(kind: type[Record], given: Mapping[str, Any]) -> Record:
    """As `from_keywords`, of decoded JSON: the type of every value is checked.

    Raises:
        InputError: for an unknown keyword or an invalid value.
    """
    values = {}
    known = knobs(kind)
    for name, value in given.items():
        if name not in known:
            raise unknown("option", name, known)
        _, values[name] = _parsed(name, known[name], value)
    return records.from_data(kind, values, "the options")


def _parsed(name: str, known: tuple[Any, Knob], given: Any) -> tuple[Any, Any]:
    """A value as its option's parser gives it, and the same as JSON holds it.

    Raises:
        InputError: if it is none of the option's type, or what the parser refuses.
    """
    hint, knob = known
    try:
        value = given if knob.parse is None else knob.parse(given)
        plain = msgspec.to_builtins(value)
        msgspec.convert(plain, type=hint)
    except (TypeError, AttributeError, msgspec.ValidationError):
        told = knob.help.rstrip(".")
        raise InputError(f"the option '{name}' does not take {given!r:.80} ({told})") from None
    return value, plain


def check_ranges(record: Any) -> None:
    """Reject an instance with a number outside its range.

    Raises:
        InputError: with the option, the number and the range.
    """
    for name, (_, knob) in knobs(type(record)).items():
        value = getattr(record, name)
        if value is None or knob.low is None or knob.high is None:
            continue
        if not knob.low <= value <= knob.high:
            label = name.replace("_", " ")
            raise InputError(f"{label} {_number(value)} is outside {range_of(knob)}")


def range_of(knob: Knob) -> str:
    """The range of a knob that has one, in words: "10 to 400 quarter notes per minute"."""
    if knob.low is None or knob.high is None:
        return ""
    return f"{_number(knob.low)} to {_number(knob.high)} {knob.unit}".rstrip()


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
