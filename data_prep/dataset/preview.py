"""Previews of a dataset: its pieces, and the windows that training sees, as scores to listen to."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from tokenizer import InputError, Score

from .pieces import Pieces
from .windows import Dataset

Preview = tuple[list[str], Score]
"""Lines that say what it is and how it was augmented, and the music."""


def piece_scores(
    folder: str | os.PathLike[str], split: str, count: int, *, seed: int = 0
) -> Iterator[Preview]:
    """Some pieces of a split, each decoded from its tokens."""
    pieces = Pieces(folder, split)
    order = np.random.default_rng(seed).permutation(len(pieces))[:count]
    for piece in order.tolist():
        prefix = pieces.tokenizer.prefix(pieces.labels(piece))
        score = pieces.tokenizer.decode(np.concatenate([prefix, pieces.tokens(piece)]))
        yield [f"{pieces.corpora[piece]}/{pieces.sources[piece]}"], score


def window_scores(dataset: Dataset, count: int) -> Iterator[Preview]:
    """The first windows that training sees, augmented.

    Music that is given in a window and music that is written sound alike; the lines say which is
    which.

    Raises:
        InputError: if the count is not positive.
    """
    if count < 1:
        raise InputError(f"cannot write {count} windows; ask for 1 or more")
    for k in range(count):
        yield dataset.describe(k), dataset.score(k)
