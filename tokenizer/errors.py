"""What goes wrong with what a user gave us, in one sentence each.

Every error that a user can cause is an `InputError`; the command line prints it as it is and
exits with code 2. A bug is any other exception.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """What the user gave cannot be used; the message says what, where, and what to do."""


class MidiError(InputError):
    """A MIDI file that cannot be read.

    Attributes:
        reason: what is wrong, without the file's name.
        file: the path as given, or None for bytes.
        offset: the byte at which reading stopped, or None where it has none.
    """

    def __init__(self, reason: str, *, file: str | None = None, offset: int | None = None) -> None:
        self.reason = reason
        self.file = file
        self.offset = offset
        where = file if file is not None else "MIDI data"
        at = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{where}{at}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return (_midi_error, (self.reason, self.file, self.offset))


def _midi_error(reason: str, file: str | None, offset: int | None) -> MidiError:
    return MidiError(reason, file=file, offset=offset)


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name that is not known, with the nearest one if one is near."""
    names = {name.casefold(): name for name in known}
    near = get_close_matches(name.casefold(), names, n=1, cutoff=0.6)
    some = ", ".join(list(names.values())[:8]) + (", …" if len(names) > 8 else "")
    hint = f"did you mean '{names[near[0]]}'?" if near else f"known are {some}"
    return InputError(f"there is no {kind} called '{name}'; {hint}")
