"""A one-field encoding learned from the training split, once splits are decided.

A dataset stays compound rows, which can be transposed, cut and disguised at load time; the encoding
that they are spelled in goes beside them as `encoding.json`. It is learned by one process, from the
chunks in their order, so that it does not depend on the workers or on where a run was stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data_prep.worker.chunks import read_chunk
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.typing import Tokens

from .decide import Decisions
from .split import TRAIN


@dataclass(frozen=True)
class Learning:
    """What is to be learned.

    Attributes:
        encoding: that has learned nothing; its compound tokenizer is replaced by the dataset's.
        size: how many chords or merges, at most.
    """

    encoding: LearnedTokenizer
    size: int = 8192

    def __post_init__(self) -> None:
        """Refuse a size that no vocabulary has."""
        if self.size < 0:
            raise InputError(
                f"a vocabulary of {self.size} chords or merges is none; give 0 or more"
            )

    def learned(
        self, tokenizer: Tokenizer, chunks: Sequence[Path], decisions: Decisions
    ) -> LearnedTokenizer:
        """The encoding, learned from the training pieces.

        Args:
            tokenizer: of the dataset's rows.
            chunks: all records, in order.
            decisions: on each that no rule refused.
        """
        plain = replace(self.encoding, compound=tokenizer, first=0)
        return plain.learned(TrainingBodies(chunks, decisions), self.size)


class TrainingBodies:
    """The rows `(T, 5)` of every training piece, end row and all, one after another.

    They can be gone through again and again; one chunk is held at a time.
    """

    def __init__(self, chunks: Sequence[Path], decisions: Decisions) -> None:
        self._chunks = chunks
        self._kept = [
            not refused and place == TRAIN
            for refused, place in zip(decisions.refused, decisions.split.tolist(), strict=True)
        ]

    def __iter__(self) -> Iterator[Tokens]:
        kept = iter(self._kept)
        for chunk in self._chunks:
            for record in read_chunk(chunk, tokens=True):
                if not record.refused and next(kept):
                    rows = np.frombuffer(record.tokens, dtype="<i2").reshape(-1, len(FIELDS))
                    yield rows.astype(np.int16)
