"""The weights that the studio makes music with: read once, ready before the first request."""

from __future__ import annotations

import contextlib
import threading
from functools import cached_property
from typing import TYPE_CHECKING

from musenet.model.config import ModelConfig, checkpoint_folder, knows_roles
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

if TYPE_CHECKING:
    from musenet.model.checkpoint import Checkpoint

_SECONDS_TO_THE_PAGE = 4.0


class Weights:
    """A checkpoint by name.

    Args:
        name: of a bundled model, or a checkpoint folder.

    Raises:
        InputError: if there is none.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._loaded: Checkpoint | None = None
        self.wanted = threading.Event()
        self._folder = checkpoint_folder(name)

    def use(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint that is loaded already."""
        self._loaded = checkpoint

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Its tokenizer, which is read without the weights."""
        return Tokenizer.load(self._folder / "tokenizer.json")

    @cached_property
    def fills(self) -> bool:
        """Whether it knows holes, which its configuration tells."""
        text = (self._folder / "config.json").read_text(encoding="utf-8", errors="replace")
        return knows_roles(ModelConfig.from_json(text), self.tokenizer.vocabulary)

    def load(self) -> Checkpoint:
        """The checkpoint; read when it is first needed.

        Raises:
            InputError: if it is damaged or of another version.
        """
        with self._lock:
            if self._loaded is None:
                from musenet.model.checkpoint import load_checkpoint

                self._loaded = load_checkpoint(self.name)
            return self._loaded

    def warm(self) -> None:
        """Load the checkpoint and prepare its decoder, so that the first note comes at once.

        It begins when it is wanted, or after a few seconds: loading keeps the processor from
        sending the page. What is wrong with the weights is said where they are used.
        """
        self.wanted.wait(_SECONDS_TO_THE_PAGE)
        from musenet.decoding.engines import make_decoder

        with contextlib.suppress(InputError):
            make_decoder(self.load().network, 1, "auto")
