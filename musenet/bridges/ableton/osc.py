"""Questions to AbletonOSC and their answers, over UDP on this machine.

AbletonOSC listens on port 11000 and answers on 11001, whoever asks; an answer has the address of
its question, and begins with the track and the slot that were named. Errors come as `/live/error`.
"""

from __future__ import annotations

import importlib.util
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tokenizer.errors import InputError

HOST, PORT, REPLY_PORT = "127.0.0.1", 11000, 11001
_TRIES = 3


def check_installed() -> None:
    """Refuse to begin without the library.

    Raises:
        InputError: with what to install.
    """
    if importlib.util.find_spec("pythonosc") is None:
        raise InputError('this needs python-osc: pip install "musenet[ableton]"')


class Osc:
    """A connection; see `connected`.

    Args:
        client: sends to AbletonOSC.
        server: receives its answers.
        seconds: to wait for an answer before asking again.
    """

    def __init__(self, client: Any, server: Any, seconds: float) -> None:
        self._client = client
        self._server = server
        self._seconds = seconds
        self._received: deque[tuple[str, tuple[Any, ...]]] = deque()
        server.dispatcher.set_default_handler(
            lambda address, *values: self._received.append((address, values))
        )

    def tell(self, address: str, *values: Any) -> None:
        """Send what has no answer."""
        self._client.send_message(address, values)

    def ask(self, address: str, *values: Any, keys: int = 0) -> tuple[Any, ...]:
        """Send a question; returns its answer without what it repeats.

        Args:
            address: of the question.
            values: its arguments.
            keys: how many of these the answer begins with.

        Raises:
            InputError: if Live answers nothing, or an error.
        """
        for _ in range(_TRIES):
            self._received.clear()
            self.tell(address, *values)
            end = time.monotonic() + self._seconds
            while (left := end - time.monotonic()) > 0:
                self._server.timeout = left
                self._server.handle_request()
                while self._received:
                    said, found = self._received.popleft()
                    if said == "/live/error":
                        raise InputError(f"Live refuses {address}: {_sentence(found)}")
                    if said == address and found[:keys] == values[:keys]:
                        return found[keys:]
        raise InputError(
            "Live does not answer; is it running, with AbletonOSC chosen as a control surface in "
            f"its preferences? (asked {address} on port {self._client._port})"
        )


@contextmanager
def connected(
    port: int = PORT, reply_port: int = REPLY_PORT, seconds: float = 2.0
) -> Iterator[Osc]:
    """A connection to the Live of this machine, for the time of the block.

    Args:
        port: that AbletonOSC listens on.
        reply_port: that it answers on.
        seconds: to wait for an answer before asking again.

    Raises:
        InputError: if another program listens to the answers.
    """
    check_installed()
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import BlockingOSCUDPServer
    from pythonosc.udp_client import SimpleUDPClient

    try:
        server = BlockingOSCUDPServer((HOST, reply_port), Dispatcher())
    except OSError as error:
        raise InputError(
            f"port {reply_port}, on which AbletonOSC answers, is taken ({error.strerror}); close "
            "the other program that listens to Live"
        ) from error
    try:
        yield Osc(SimpleUDPClient(HOST, port), server, seconds)
    finally:
        server.server_close()


def _sentence(values: tuple[Any, ...]) -> str:
    """An error of Live in one line."""
    return " ".join(" ".join(str(value).split()) for value in values)[:200]
