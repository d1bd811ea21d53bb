"""Where the program begins, and what Ctrl-C does: no traceback, and what there is is kept.

While modules and weights are loaded, and in commands that write only at their end, Ctrl-C leaves at
once. While music is made it is noted, and the next step ends the work (`deferred`), so that it
never comes between a file and its name, or in the middle of a library's own doing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPED = 130  # the exit code of what Ctrl-C has stopped
_Handler = Callable[[int, FrameType | None], object]


def main() -> None:
    """Run the command line; nothing is imported before Ctrl-C is taken care of."""
    handled_by(_leave)
    from .main import main as run

    run()


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Note Ctrl-C while the block runs; gives a function that says whether it has come."""
    asked: list[int] = []
    before = handled_by(lambda number, _frame: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


def raised() -> None:
    """Let Ctrl-C raise KeyboardInterrupt from here on, for commands that catch it themselves."""
    handled_by(signal.default_int_handler)


def handled_by(handler: _Handler) -> _Handler | int | None:
    """Handle Ctrl-C; returns how it was handled, or None where that is not this thread's to say."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGINT, handler)


def _leave(_number: int, _frame: FrameType | None) -> None:
    """Leave at once: no exception comes up in the middle of an import."""
    with suppress(Exception):  # the signal may have come while it was being written to
        sys.stdout.flush()
    os.write(2, b"musenet: stopped\n")
    os._exit(STOPPED)


if __name__ == "__main__":
    main()
