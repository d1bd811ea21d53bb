"""MIDI ports without devices, as a backend of mido: what is sent to a name is heard under it.

    mido.set_backend("benchmarks.loopback")

Messages arrive at once, in the thread of the sender. A system's virtual ports are as good where
there are any; these work everywhere.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from mido.ports import BaseInput, BaseOutput

CABLES = ("keys", "synth")
"""The names of the ports."""
_lock = threading.Lock()
_listening: dict[str, list[Input]] = defaultdict(list)


class Input(BaseInput):  # type: ignore[misc]  # mido has no types
    """A port that hears what is sent to its name."""

    def _open(self, callback: Any = None, **_: Any) -> None:
        self._callback = callback
        with _lock:
            _listening[self.name].append(self)

    def _close(self) -> None:
        with _lock:
            _listening[self.name].remove(self)

    def _receive(self, block: bool = True) -> None:  # noqa: ARG002  # mido's signature
        return None

    def take(self, message: Any) -> None:
        """Hear a message."""
        if self._callback is not None:
            self._callback(message)
        else:
            self._messages.append(message)


class Output(BaseOutput):  # type: ignore[misc]
    """A port that sends to all inputs of its name."""

    def _open(self, **_: Any) -> None:
        return None

    def _send(self, message: Any) -> None:
        with _lock:
            inputs = list(_listening[self.name])
        for each in inputs:
            each.take(message.copy())


def get_devices(**_: Any) -> list[dict[str, Any]]:
    """The ports as mido lists them."""
    return [{"name": name, "is_input": True, "is_output": True} for name in CABLES]
