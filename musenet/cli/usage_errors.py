"""What is wrong with a command line, as one sentence like every other error.

Typer finds the mistake, but tells it in a box of several lines below the usage. Its exceptions are
known by their names and attributes, since newer versions of it bring along a click of their own.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, get_type_hints

import typer

from tokenizer.errors import InputError, unknown

UsageError: type[Any] = typer.BadParameter.__mro__[1]
"""What typer raises for any mistake in a command line."""

_NUMBERS = {"integer": "a whole number", "number": "a number", "float": "a number"}
"""What a parameter takes, by the word for it in typer's message."""

_SHOULD = "Input should be "
"""How typer begins what it says of a number outside its range."""

_PATHS_IN_TEXT = {"inputs", "exclude", "weights", "from_"}
"""Parameters that take paths, and globs or names of models as well."""


def sentence(error: Any) -> InputError | None:
    """A mistake in the command line as one sentence; None where the help was printed instead.

    Args:
        error: a `UsageError`.
    """
    kind, context = type(error).__name__, error.ctx
    parameter = getattr(error, "param", None)
    message = " ".join(error.format_message().split())
    if kind == "NoArgsIsHelpError":
        return None
    if kind == "NoSuchOption" and context is not None:
        parameters = context.command.get_params(context)
        names = [name for each in parameters for name in (*each.opts, *each.secondary_opts)]
        known = [name for name in names if name.startswith("--")]  # and no argument's
        return unknown(f"option of `{context.command_path}`", error.option_name, known)
    if context is not None and (found := re.match("No such command '(.*?)'", message)):
        return unknown(f"command of `{context.command_path}`", found[1], context.command.commands)
    if kind == "BadOptionUsage":
        if "not take" in message:
            return InputError(f"{error.option_name} takes no value; leave out what follows the =")
        return InputError(f"{error.option_name} has no value; give one after it")
    see = f"see `{'musenet' if context is None else context.command_path} --help`"
    if parameter is not None:
        if kind == "MissingParameter":
            return InputError(f"{_name(parameter)} is missing; {see}")
        for word, wanted in _NUMBERS.items():
            if word in message:
                return InputError(f"{_name(parameter)} is {_given(error)}; give {wanted}")
        if error.message.startswith(_SHOULD):
            should = error.message.removeprefix(_SHOULD)
            return InputError(f"{_name(parameter)} is {_given(error)}; it should be {should}")
        return InputError(f"{_name(parameter)}: {error.message.rstrip('.')}; {see}")
    plain = message.rstrip(".")
    return InputError(f"{plain[:1].lower()}{plain[1:]}; {see}")


def refuse_empty_paths(command: Any) -> None:
    """Let no parameter of a command that is a path be empty: `Path("")` is the current folder.

    Args:
        command: as typer makes it; commands in it are changed too.
    """
    for inner in getattr(command, "commands", {}).values():
        refuse_empty_paths(inner)
    hints = get_type_hints(command.callback) if command.callback else {}
    for parameter in command.params:
        hint = hints.get(parameter.name)
        if parameter.name in _PATHS_IN_TEXT or "Path" in str(hint):
            parameter.process_value = partial(_not_empty, parameter, parameter.process_value)


def _not_empty(parameter: Any, process: Any, context: Any, value: Any) -> Any:
    """What `process` makes of the words that were given for a path.

    Raises:
        InputError: if one is empty.
    """
    if value == "" or (isinstance(value, list | tuple) and "" in value):
        raise InputError(f"{_name(parameter)} is empty, as from an unset variable; give a path")
    return process(context, value)


def _name(parameter: Any) -> str:
    """What the help calls a parameter: "--bars", "PROMPT"."""
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name.upper())


def _given(error: Any) -> str:
    """The value that a parameter does not take, in quotes."""
    if hasattr(error.__cause__, "errors"):
        return repr(error.__cause__.errors()[0]["input"])
    found = re.match("'.*?'", error.message)  # as typer with click says it
    return found[0] if found else "no value of its kind"
