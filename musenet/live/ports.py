"""MIDI ports: those that are there, one by its name, and virtual ones where the system has them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from tokenizer.errors import InputError, unknown

VIRTUAL = "MuseNet"
"""The name of the ports that other programs see."""
_MISSING = 'playing live needs python-rtmidi: pip install "musenet[live]"'


def port_names() -> tuple[list[str], list[str]]:
    """The names of the input and of the output ports.

    Raises:
        InputError: if python-rtmidi is missing, or the system has no MIDI.
    """
    import mido

    try:
        return list(mido.get_input_names()), list(mido.get_output_names())
    except ImportError as error:
        raise InputError(_MISSING) from error
    except Exception as error:  # rtmidi raises errors of its own, of no common class
        raise InputError(f"this system has no MIDI ports: {error}") from error


def open_input(name: str | None, heard: Callable[[Any], None]) -> Any:
    """Open a port that is played on.

    Args:
        name: the port's, or a part of it that no other has; None makes a virtual port.
        heard: is called with each message, in a thread of the port.

    Raises:
        InputError: if there is no such port, or it cannot be opened.
    """
    import mido

    if name is None:
        return _opened(mido.open_input, VIRTUAL, virtual=_virtual("--in"), callback=heard)
    return _opened(mido.open_input, found(name, port_names()[0], "input"), callback=heard)


def open_output(name: str | None) -> Any:
    """Open a port to play to; see `open_input`.

    Raises:
        InputError: if there is no such port, or it cannot be opened.
    """
    import mido

    if name is None:
        return _opened(mido.open_output, VIRTUAL, virtual=_virtual("--out"))
    return _opened(mido.open_output, found(name, port_names()[1], "output"))


def found(name: str, ports: Sequence[str], kind: str) -> str:
    """The port that is called by its name, or by a part that no other has.

    Raises:
        InputError: if there is none, or there are several.
    """
    if name in ports:
        return name
    alike = [port for port in ports if name.casefold() in port.casefold()]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise InputError(
            f"'{name}' may be any of the MIDI {kind} ports {', '.join(alike)}; give more of its "
            "name"
        )
    if not ports:
        raise InputError(
            f"there is no MIDI {kind} port, and so none called '{name}'; plug a device in, or "
            "start a program that has ports"
        )
    raise unknown(f"MIDI {kind} port", name, ports)


def _virtual(option: str) -> bool:
    """That a virtual port can be made.

    Raises:
        InputError: on Windows, which has none.
    """
    if sys.platform == "win32":
        raise InputError(
            f"Windows has no virtual MIDI ports: give one with {option} (musenet live --list), or "
            "make one with the program loopMIDI"
        )
    return True


def _opened(opens: Callable[..., Any], name: str, **how: Any) -> Any:
    try:
        return opens(name, **how)
    except ImportError as error:
        raise InputError(_MISSING) from error
    except Exception as error:  # as in `port_names`
        raise InputError(f"the MIDI port '{name}' cannot be opened: {error}") from error
