"""The base class of all tokenizers: their one interface, and the versioned JSON file of each.

The keys of the file depend on the encoding. `load` in the module beside reads a file of any.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from tokenizer.errors import InputError
from tokenizer.files import write_text
from tokenizer.labels import Labels
from tokenizer.score.score import Score
from tokenizer.typing import Tokens

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = "musenet-tokenizer"
VERSION = 1


class JsonTokenizer(ABC):
    """A tokenizer: scores to tokens `(T, F)` and back, saved as JSON.

    Attributes:
        encoding: its name.
    """

    encoding: ClassVar[str]

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """How many values each of the F fields has."""

    @abstractmethod
    def labels(self, score: Score) -> Labels:
        """What a score says of itself."""

    @abstractmethod
    def prefix(self, labels: Labels, *, start: bool = True) -> Tokens:
        """The tokens `(P, F)` of labels; `start` says whether the piece begins here."""

    @abstractmethod
    def body(self, score: Score) -> Tokens:
        """The music of a score, `(T, F)`, without prefix and end."""

    @abstractmethod
    def end(self) -> Tokens:
        """The token `(1, F)` that closes a piece."""

    @abstractmethod
    def decode(self, tokens: Tokens) -> Score:
        """The score of tokens `(T, F)`."""

    @abstractmethod
    def extended(self, labels: Iterable[str]) -> Self:
        """The same tokenizer with more labels such as `composer:bach`; old ids stay."""

    def encode(self, score: Score, labels: Labels | None = None) -> Tokens:
        """A whole piece, `(T, F)`: prefix, body and end.

        Args:
            score: the piece.
            labels: what the prefix says; by default what the score says of itself.
        """
        prefix = self.prefix(self.labels(score) if labels is None else labels)
        return np.concatenate([prefix, self.body(score), self.end()])

    @abstractmethod
    def _fields(self) -> dict[str, Any]:
        """What defines this tokenizer, in types that JSON has."""

    @classmethod
    @abstractmethod
    def _of_fields(cls, fields: dict[str, Any]) -> Self:
        """The inverse of `_fields`; raises KeyError where one is missing."""

    def to_json(self) -> dict[str, Any]:
        """The tokenizer in types that JSON has."""
        header = {"format": FORMAT, "version": VERSION, "encoding": self.encoding}
        return header | self._fields()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer as JSON, one list item per line."""
        write_text(path, json.dumps(self.to_json(), indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a tokenizer that `save` wrote.

        Raises:
            InputError: if the file cannot be read, is no tokenizer, or is of another version.
        """
        return cls.from_json(read_json(path), str(path))

    @classmethod
    def from_json(cls, data: object, source: str = "the tokenizer") -> Self:
        """The inverse of `to_json`; `source` names the tokenizer in errors.

        Raises:
            InputError: if the data is no tokenizer, or of another version or encoding.
        """
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise InputError(f"{source} is not a tokenizer: its 'format' is not '{FORMAT}'")
        if data.get("version") != VERSION:
            raise InputError(
                f"{source} is a tokenizer of version {data.get('version')}, and this program "
                f"reads version {VERSION}; update the program, or prepare the data again with "
                "this one"
            )
        if data.get("encoding") != cls.encoding:
            raise InputError(
                f"{source} is a tokenizer of the {data.get('encoding')} encoding, and here one of "
                f"the {cls.encoding} encoding is needed"
            )
        try:
            return cls._of_fields(data)
        except KeyError as error:
            raise InputError(f"{source} is a damaged tokenizer: it has no {error}") from error


def read_json(path: str | os.PathLike[str]) -> object:
    """Read what `JsonTokenizer.save` wrote.

    Raises:
        InputError: if the file cannot be read or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the tokenizer {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a tokenizer: it is not valid JSON") from error
