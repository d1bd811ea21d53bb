"""The options with which every command asks for music, once: `@asking` gives them to a command.

A command that is decorated takes `asked: Asked`; the command line has an option for each of its
fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from musenet.generation.options import Options
    from musenet.generation.prompt import Place

_ASK, _LENGTH, _DRAW, _LIMIT, _WRITE = "Ask for", "Length", "Draw", "Guarantee", "Write"


@dataclass(frozen=True)
class Asked:
    """What was typed; the fields' types say how, and their help what they mean."""

    bars: Annotated[
        int | None, typer.Option(help="New bars. [default: 16]", rich_help_panel=_LENGTH)
    ] = None
    length: Annotated[
        str | None, typer.Option(help="Of the whole piece: 3:30.", rich_help_panel=_LENGTH)
    ] = None
    end: Annotated[
        bool, typer.Option("--end", help="Come to a real ending.", rich_help_panel=_LENGTH)
    ] = False
    from_: Annotated[
        str | None,
        typer.Option("--from", help="Hear the prompt from bar 5, or 12s.", rich_help_panel=_LENGTH),
    ] = None
    to: Annotated[
        str | None,
        typer.Option(help="Go on after bar 8, or at 0:20.", rich_help_panel=_LENGTH),
    ] = None
    composer: Annotated[str | None, typer.Option(help="In whose manner.", rich_help_panel=_ASK)] = (
        None
    )
    style: Annotated[
        list[str] | None, typer.Option(help="Such as baroque, jazz.", rich_help_panel=_ASK)
    ] = None
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument", "--instruments", help="Such as piano,violin.", rich_help_panel=_ASK
        ),
    ] = None
    tempo: Annotated[
        float | None, typer.Option(help="Quarters a minute.", rich_help_panel=_ASK)
    ] = None
    meter: Annotated[str | None, typer.Option(help="Such as 3/4.", rich_help_panel=_ASK)] = None
    key: Annotated[str | None, typer.Option(help="Such as 'D minor'.", rich_help_panel=_ASK)] = None
    only_instruments: Annotated[
        list[str] | None, typer.Option(help="Nothing else plays.", rich_help_panel=_LIMIT)
    ] = None
    new_instruments: Annotated[
        bool,
        typer.Option(
            "--new-instruments", help="Others than the prompt's may come in.", rich_help_panel=_ASK
        ),
    ] = False
    polyphony: Annotated[
        int | None, typer.Option(help="Most notes at once.", rich_help_panel=_LIMIT)
    ] = None
    density: Annotated[
        int | None,
        typer.Option(help="Most notes begun in a quarter.", rich_help_panel=_LIMIT),
    ] = None
    unisons: Annotated[
        bool,
        typer.Option(help="Two instruments on one pitch at once.", rich_help_panel=_LIMIT),
    ] = True
    scale: Annotated[
        str | None,
        typer.Option(help="Only these notes: 'D dorian'.", rich_help_panel=_LIMIT),
    ] = None
    balance: Annotated[
        float | None,
        typer.Option(
            help="Keep the prompt's players at it; 0 does not. [default: 1]", rich_help_panel=_ASK
        ),
    ] = None
    manner: Annotated[
        float | None,
        typer.Option(
            help="Keep its key and rhythm; 0 does not. [default: 1]", rich_help_panel=_ASK
        ),
    ] = None
    temperature: Annotated[
        str | None,
        typer.Option(help="1 is natural; or pitch=0.9,duration=1.1.", rich_help_panel=_DRAW),
    ] = None
    top_k: Annotated[
        str | None, typer.Option(help="Of the k likeliest values.", rich_help_panel=_DRAW)
    ] = None
    top_p: Annotated[
        str | None,
        typer.Option(help="Of the likeliest that hold this share.", rich_help_panel=_DRAW),
    ] = None
    min_p: Annotated[
        str | None,
        typer.Option(help="Of those at least so likely as the first.", rich_help_panel=_DRAW),
    ] = None
    repetition: Annotated[
        float | None,
        typer.Option(
            help="How strongly endless loops are broken; 1 does not. [default: 1.5]",
            rich_help_panel=_DRAW,
        ),
    ] = None
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same music.", rich_help_panel=_DRAW)
    ] = None
    variations: Annotated[
        int, typer.Option(help="How many, made side by side.", rich_help_panel=_WRITE)
    ] = 1
    variation: Annotated[
        int | None, typer.Option(help="Only this one of them.", rich_help_panel=_WRITE)
    ] = None

    engine: Annotated[
        str,
        typer.Option(help="What computes: auto, int8, eager, graphs.", rich_help_panel=_DRAW),
    ] = "auto"

    def options(self, prompt: object | None) -> Options:
        """The options that the words mean; a seed is drawn where none was given.

        Args:
            prompt: what is continued, or None.

        Raises:
            InputError: for an unknown name, or what contradicts itself.
        """
        from musenet.generation import parse
        from musenet.generation.asking import asked_options
        from musenet.generation.options import sampling_for

        return asked_options(
            sampling_for(prompt),
            bars=self.bars,
            length=self.length,
            ending=self.end,
            composer=self.composer,
            styles=self.style or (),
            instruments=self.instrument or (),
            only_instruments=self.only_instruments or (),
            new_instruments=self.new_instruments,
            tempo=self.tempo,
            meter=self.meter,
            key=self.key,
            polyphony=self.polyphony,
            density=self.density,
            unisons=self.unisons,
            scale=self.scale,
            balance=self.balance,
            manner=self.manner,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition=self.repetition,
            seed=parse.seed(self.seed),
            variations=parse.numbers(self.variations, self.variation),
            engine=self.engine,
        )

    def part(self) -> tuple[Place | None, Place | None]:
        """The part of the prompt that `--from` and `--to` choose.

        Raises:
            InputError: if one of them is no place.
        """
        from musenet.generation import parse

        return parse.part(self.from_, self.to)


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command have an option for each field of `Asked` in place of its parameter `asked`."""
    hints = get_type_hints(command, include_extras=True)
    options = get_type_hints(Asked, include_extras=True)
    parameters = []
    for name, parameter in inspect.signature(command).parameters.items():
        if hints[name] is Asked:
            for field in fields(Asked):
                parameters.append(_keyword(field.name, options[field.name], field.default))
        else:
            parameters.append(_keyword(name, hints[name], parameter.default))

    @wraps(command)
    def expanded(**given: Any) -> None:
        asked = Asked(**{field.name: given.pop(field.name) for field in fields(Asked)})
        command(**given, asked=asked)

    changed: Any = expanded
    changed.__signature__ = inspect.Signature(parameters)
    changed.__annotations__ = {p.name: p.annotation for p in parameters}
    return expanded


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=annotation)
