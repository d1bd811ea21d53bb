"""Options that several commands share: weights, best of N, a model card, fields of dataclasses.

`@takes(GenerateOptions)` gives a command an option for every field in place of its parameter of
that type.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from musenet.options.knob import Knob, from_keywords, knobs, range_of

Figures = Annotated[
    Path | None,
    typer.Option(help="For the model card: results written by `musenet evaluate --json`."),
]
Notices = Annotated[
    Path | None,
    typer.Option(help="For the model card: a folder with CORPUS/ATTRIBUTION.txt for each corpus."),
]
Remarks = Annotated[
    Path | None, typer.Option(help="For the model card: a text file with additional remarks.")
]

Weights = Annotated[str, typer.Option(help="Name of a bundled model, or a checkpoint folder.")]
Candidates = Annotated[
    int | None,
    typer.Option(help="Number of variations to make and rank.", rich_help_panel="Output"),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Overwrite files that are there; without it they get the next number.",
        rich_help_panel="Output",
    ),
]
Keep = Annotated[
    int | None,
    typer.Option(
        help="Number of candidates to keep, the best first.",
        rich_help_panel="Output",
        show_default="1",
    ),
]

_Variation = Annotated[
    int | None,
    typer.Option(help="Make only the variation with this number.", rich_help_panel="Output"),
]


def takes(kind: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of a dataclass of knobs.

    Args:
        kind: the dataclass; the command has one parameter of this type, built from what was
            typed. Where it has `variations`, `--variation` names one of them.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(command, include_extras=True)
        name = next(name for name, hint in hints.items() if hint is kind)
        parameters = []
        for parameter in inspect.signature(command).parameters.values():
            if parameter.name == name:
                parameters += [_option(kind, field) for field in knobs(kind)]
                if "variations" in knobs(kind):
                    parameters.append(_keyword("variation", _Variation, None))
            else:
                parameters.append(
                    _keyword(parameter.name, hints[parameter.name], parameter.default)
                )

        @wraps(command)
        def expanded(**given: Any) -> None:
            typed = {field: given.pop(field) for field in knobs(kind)}
            if (variation := given.pop("variation", None)) is not None:
                typed["variations"] = (variation,)
            for field, (_, knob) in knobs(kind).items():
                if typed[field] is None and knob.drawn is not None:
                    typed[field] = knob.drawn()
            command(**given, **{name: from_keywords(kind, typed)})

        changed: Any = expanded
        changed.__signature__ = inspect.Signature(parameters)
        changed.__annotations__ = {p.name: p.annotation for p in parameters}
        return expanded

    return decorate


def _option(kind: type[Any], field: str) -> inspect.Parameter:
    """The command line's option for a field."""
    knob: Knob = knobs(kind)[field][1]
    default = None if knob.shown is not None else getattr(kind, field)
    flags = knob.flags
    if knob.typed is bool and not flags and default is False:
        flags = (f"--{field.replace('_', '-')}",)
    words = f"{knob.help.removesuffix('.')} ({range_of(knob)})." if _short(knob) else knob.help
    option = typer.Option(
        *flags,
        help=words,
        rich_help_panel=knob.panel,
        show_default=True if knob.shown is None else knob.shown,
    )
    typed = knob.typed if default is not None and default != () else knob.typed | None
    default = None if default == () else default
    return _keyword(field, Annotated[typed, option], default)


def _short(knob: Knob) -> bool:
    """Whether the help shows the range: units are in the text already, and 2^63 is no help."""
    return bool(range_of(knob)) and not knob.unit and knob.high is not None and knob.high < 1e6


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
