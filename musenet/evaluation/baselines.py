"""N-gram baselines on the same held-out notes: order-0 and order-1 models of fields.

Each field of a row is predicted from counts on the training split:
    order 0     from nothing;
    order 1     from the same field of the last row in which it counted;
    best        from the one context, of those in `CONTEXTS`, that predicts it best on the
                validation split.
The code length is that of a cascade, like the network's: the bits of all counted fields per note.

Smoothing is Witten and Bell's (1991, method C): with n occurrences of a context and t different
values after it, a fraction t / (n + t) goes to the lower order; below order 0 is the uniform
distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.encoding.structure import CHORD, POSITION, structure
from tokenizer.encoding.vocabulary import FIELDS, INSTRUMENT, PITCH, WAIT, Vocabulary
from tokenizer.typing import Floats, Integers, Ints, Mask, Structure, Tokens

from .likelihood import Piece, Scores

ORDER_0 = "nothing"
ORDER_1 = "last"


@dataclass(frozen=True)
class CountedRows:
    """The counted rows of a piece, with everything that contexts use.

    Attributes:
        tokens: `(T, 5)`.
        counted: `(T, 5)`.
        last: `(T, 5)`, each field's value in the last row before in which it counted, or 0.
        structure: `(T, 7)`.
    """

    tokens: Tokens
    counted: Mask
    last: Tokens
    structure: Structure


def counted_rows(piece: Piece, vocabulary: Vocabulary) -> CountedRows:
    """The rows of a piece's body."""
    whole = np.concatenate([piece.prefix, piece.body])
    skip = len(piece.prefix)
    counted = vocabulary.counted(whole)[skip:]
    last = np.zeros_like(piece.body)
    place = np.arange(len(piece.body))
    for field in range(len(FIELDS)):
        seen = np.maximum.accumulate(np.where(counted[:, field], place, -1))
        before = np.concatenate([[-1], seen[:-1]])
        last[:, field] = np.where(before >= 0, piece.body[before, field], 0)
    return CountedRows(piece.body, counted, last, structure(whole, vocabulary)[skip:])


Context = Callable[[CountedRows, int], Ints]


def _nothing(rows: CountedRows, _field: int) -> Ints:
    return np.zeros(len(rows.tokens), dtype=np.int64)


def _last(rows: CountedRows, field: int) -> Ints:
    return rows.last[:, field].astype(np.int64)


def _pair(first: Integers, second: Integers) -> Ints:
    return first.astype(np.int64) * 4096 + second


CONTEXTS: dict[str, Context] = {
    ORDER_0: _nothing,
    ORDER_1: _last,
    "the instrument": lambda rows, _: rows.tokens[:, INSTRUMENT].astype(np.int64),
    "last, and the instrument": lambda rows, f: _pair(rows.last[:, f], rows.tokens[:, INSTRUMENT]),
    "last, and the wait": lambda rows, f: _pair(rows.last[:, f], rows.tokens[:, WAIT]),
    "last, and the note in the chord": lambda rows, f: _pair(
        rows.last[:, f], rows.structure[:, CHORD]
    ),
    "last, and the place in the bar": lambda rows, f: _pair(
        rows.last[:, f], np.concatenate([[0], rows.structure[:-1, POSITION]])
    ),
}
"""The contexts of a field; the first two are order 0 and order 1."""

_KNOWN_LATER = {
    WAIT: {
        "the instrument",
        "last, and the instrument",
        "last, and the wait",
        "last, and the note in the chord",
    },
    INSTRUMENT: {"the instrument", "last, and the instrument"},
}
"""Contexts that are not yet known when a field is predicted."""


def contexts_of(field: int) -> list[str]:
    """The names of the contexts available for a field."""
    return [name for name in CONTEXTS if name not in _KNOWN_LATER.get(field, set())]


class Counts:
    """Witten–Bell counts of one field after one kind of context."""

    def __init__(self, size: int, contexts: Ints, values: Ints) -> None:
        """Count `values` `(N,)` below `size` after `contexts` `(N,)`."""
        self._size = size
        singles = np.bincount(values, minlength=size).astype(np.float64)
        kinds = max(1, int(np.count_nonzero(singles)))
        self._below = (singles + kinds / size) / (singles.sum() + kinds)
        pairs, counts = np.unique(contexts * size + values, return_counts=True)
        self._pairs, self._counts = pairs, counts.astype(np.float64)
        self._contexts, which = np.unique(pairs // size, return_inverse=True)
        self._occurrences = np.bincount(which, weights=counts).astype(np.float64)
        self._kinds = np.bincount(which).astype(np.float64)

    def bits(self, contexts: Ints, values: Ints) -> Floats:
        """−log₂ p of each value after its context, `(N,)`."""
        hits = self._look_up(self._pairs, self._counts, contexts * self._size + values)
        n = self._look_up(self._contexts, self._occurrences, contexts)
        t = self._look_up(self._contexts, self._kinds, contexts)
        known = np.maximum(n + t, 1.0)
        share = np.where(n > 0, t / known, 1.0)
        return -np.log2(hits / known + share * self._below[values])

    @staticmethod
    def _look_up(keys: Ints, found: Floats, wanted: Ints) -> Floats:
        if len(keys) == 0:
            return np.zeros(len(wanted))
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[place] == wanted, found[place], 0.0)


class Baseline:
    """A baseline: for each field, the name of its context and the counts given it."""

    def __init__(
        self, vocabulary: Vocabulary, training: Iterable[CountedRows], names: Sequence[str]
    ) -> None:
        self._names = tuple(names)
        self.vocabulary = vocabulary
        rows = list(training)
        self._counts = [
            Counts(vocabulary.sizes[field], *_columns(rows, field, name))
            for field, name in enumerate(names)
        ]

    @property
    def names(self) -> dict[str, str]:
        """The context of each field."""
        return dict(zip(FIELDS, self._names, strict=True))

    def field_bits(self, rows: CountedRows, field: int) -> float:
        """Bits of one field in a piece."""
        return float(self._counts[field].bits(*_columns([rows], field, self._names[field])).sum())

    def scores(self, pieces: Sequence[CountedRows]) -> Scores:
        """The nats of pieces, like the scores of the network."""
        nats = np.array([[self.field_bits(rows, f) for f in range(len(FIELDS))] for rows in pieces])
        notes = [int((rows.tokens[:, PITCH] > 0).sum()) for rows in pieces]
        return Scores(nats * np.log(2.0), np.array(notes))


def _columns(pieces: Sequence[CountedRows], field: int, name: str) -> tuple[Ints, Ints]:
    contexts = [CONTEXTS[name](rows, field)[rows.counted[:, field]] for rows in pieces]
    values = [rows.tokens[rows.counted[:, field], field] for rows in pieces]
    return np.concatenate(contexts), np.concatenate(values).astype(np.int64)


def fit(vocabulary: Vocabulary, training: Sequence[CountedRows], order: int) -> Baseline:
    """The order-0 or order-1 model of the training pieces."""
    return Baseline(vocabulary, training, [ORDER_1 if order else ORDER_0] * len(FIELDS))


def fit_best(
    vocabulary: Vocabulary, training: Sequence[CountedRows], validation: Sequence[CountedRows]
) -> Baseline:
    """For each field, the context with the fewest bits on the validation pieces."""
    best = []
    for field in range(len(FIELDS)):
        size = vocabulary.sizes[field]
        costs = {}
        for name in contexts_of(field):
            counts = Counts(size, *_columns(training, field, name))
            costs[name] = float(counts.bits(*_columns(validation, field, name)).sum())
        best.append(min(costs, key=lambda name: costs[name]))
    return Baseline(vocabulary, training, best)
