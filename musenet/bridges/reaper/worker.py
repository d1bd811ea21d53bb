"""The program's side of REAPER's script: reads a request, gives signs of life, leaves an answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from musenet.generation.request import Request
from musenet.model.checkpoint import load_checkpoint
from musenet.tree.grow import grow_any
from musenet.tree.tree import Node
from tokenizer.errors import InputError
from tokenizer.files import write_bytes

from .request import answer, parse

_SIGN_SECONDS = 0.5
_SUFFIX = ".request.txt"


class _Cancelled(Exception):
    """The user pressed Esc."""


class Worker:
    """Answers one request.

    Args:
        path: the request, `NAME.request.txt`; the other files stand beside it: `NAME.answer.txt`,
            `NAME.progress.txt`, and `NAME.cancel.txt`, which the script writes to stop it.

    Raises:
        InputError: if the name is another, or there is no such file.
    """

    def __init__(self, path: Path) -> None:
        if not path.name.endswith(_SUFFIX) or not path.is_file():
            raise InputError(f"{path} is no request of REAPER's script (NAME{_SUFFIX})")
        self._path = path
        self._share = 0.0

    def run(self, weights: str) -> None:
        """Make the takes and leave the answer, whatever happens; what goes wrong is in it too."""
        with self._signs():
            try:
                said = self._answered(weights)
            except _Cancelled:
                said = "cancelled\n"
            except InputError as error:
                said = f"error\t{_capital(str(error))}\n"
            except Exception as error:
                logging.getLogger(__name__).exception("a request of REAPER failed")
                said = f"error\tMuseNet met an error of its own: {error!r}\n"
        write_bytes(self._beside("answer.txt"), said.encode())

    def _answered(self, weights: str) -> str:
        request = parse(self._path.read_text(encoding="utf-8", errors="replace"))
        music = Node(0, None, "REAPER", request.song.to_midi())
        grown = grow_any(music, (weights, load_checkpoint(weights)), request.options, self._follow)
        for number, node in enumerate(grown, 1):  # the script drops them when it has the notes
            write_bytes(self._beside(f"{number}.mid"), node.data)
        return answer(request, grown)

    def _follow(self, request: Request, steps: Iterator[float]) -> None:
        """Take the steps; note how far they are.

        Raises:
            _Cancelled: if the script wants no more.
        """
        begin, end = request.span
        cancel = self._beside("cancel.txt")
        for tick in steps:
            self._share = min(max((tick - begin) / max(end - begin, 1), 0.0), 1.0)
            if cancel.exists():
                raise _Cancelled

    @contextmanager
    def _signs(self) -> Iterator[None]:
        """Write signs of life while the block runs: a number that grows, and the share done."""
        ended = threading.Event()

        def write() -> None:
            number = 0
            while not ended.wait(_SIGN_SECONDS if number else 0):
                number += 1
                self._beside("progress.txt").write_text(f"{number}\t{self._share:.3f}\n")

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _beside(self, name: str) -> Path:
        return self._path.with_name(f"{self._path.name.removesuffix(_SUFFIX)}.{name}")


def _capital(text: str) -> str:
    """A sentence for a box of its own: one line, its first letter a capital."""
    words = " ".join(text.split())
    return words[:1].upper() + words[1:]
