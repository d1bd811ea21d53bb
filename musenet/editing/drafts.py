"""Drafts of a fill: how little the edges of each surprise the model.

In a hole the model writes for what stands around it. How well that joins is what it expects when
it reads from left to right, as any music: the bits of the first notes after each edge of a hole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from musenet.decoding.decoder import Decoder
from musenet.decoding.engines import make_decoder
from musenet.model.stored import AnyModel
from tokenizer.encoding.compound import Events, encode_events, row_times
from tokenizer.encoding.structure import COLUMNS, TIME, structure
from tokenizer.encoding.vocabulary import (
    DURATION,
    INSTRUMENT,
    PITCH,
    VELOCITY,
    WAIT,
    Vocabulary,
)
from tokenizer.typing import Floats, Ints, Logits, Mask, Steps, Structure, Tokens

EDGE_NOTES = 4
"""Notes after each edge whose bits count."""

_MOST_ROWS = 32  # in which these notes are sought
_REACH = 192  # rows that are read before an edge


@dataclass(frozen=True)
class Draft:
    """A piece whose holes are filled.

    Attributes:
        rows: all of its rows `(T, 5)`, from the beginning.
        new: which of them were written in the holes, `(T,)`.
    """

    rows: Tokens
    new: Mask

    @classmethod
    def of(cls, stands: Events, rows: Tokens, times: Steps, vocabulary: Vocabulary) -> Draft:
        """What stands in a piece, and new notes `(N, 5)` at times `(N,)` in steps."""
        notes = np.concatenate([stands.notes, rows])
        starts = np.concatenate([stands.times, times])
        columns = [notes[:, field] for field in (VELOCITY, DURATION, PITCH, INSTRUMENT)]
        order = np.lexsort((*columns, starts))
        both = Events(starts[order], notes[order], stands.control_times, stands.controls)
        whole = encode_events(both, vocabulary)
        new = np.zeros(len(whole), dtype=bool)
        new[vocabulary.is_note(whole)] = order >= len(stands.times)
        return cls(whole, new)


@dataclass(frozen=True)
class EdgeReader:
    """Reads drafts across the edges of their holes.

    Attributes:
        model: that reads them.
        engine: of `musenet.decoding.engines`.
        vocabulary: of the rows.
        prefix: control rows `(P, 5)`.
    """

    model: AnyModel
    engine: str
    vocabulary: Vocabulary
    prefix: Tokens

    def fit(self, drafts: Sequence[Draft], holes: Sequence[tuple[int, int]]) -> Floats:
        """How well drafts join what stands around, `(B,)` nats: minus those of a note at each edge.

        Args:
            drafts: to choose from.
            holes: the first step of each hole and the first after it.
        """
        total = np.zeros(len(drafts))
        for begin, end in holes:
            for edge, new in ((begin, True), (end, False)):
                bits = self.bits(drafts, edge, new=new)
                # A draft that is silent after an edge is no better there than the worst.
                total -= np.where(np.isnan(bits), np.nanmax(bits, initial=0.0), bits) * np.log(2)
        return total

    def bits(self, drafts: Sequence[Draft], edge: int, *, new: bool) -> Floats:
        """Bits per note `(B,)` of the first notes of drafts after a step; NaN where there are none.

        Args:
            drafts: B of them.
            edge: a step.
            new: whether new notes alone count.
        """
        model, vocabulary, prefix = self.model, self.vocabulary, self.prefix
        at = [int(np.searchsorted(row_times(one.rows, vocabulary), edge)) for one in drafts]
        room = max(0, model.context_rows - len(prefix) - _MOST_ROWS)
        reads = min(*at, _REACH, room)
        if any(place > reads for place in at):
            prefix = prefix[prefix[:, WAIT] != vocabulary.start]
        windows = [
            _window(one, place, reads, prefix, vocabulary, new=new)
            for one, place in zip(drafts, at, strict=True)
        ]
        rows, columns, counted = (np.stack(parts) for parts in zip(*windows, strict=True))
        first = len(prefix) + reads
        opening = slice(0, 1 if (rows[:1, :first] == rows[:, :first]).all() else None)
        decoder = make_decoder(model, len(drafts), self.engine)
        decoder.start(rows[opening, :first], columns[opening, :first])
        nats = np.zeros(len(drafts))
        last = int(np.flatnonzero(counted.any(axis=(0, 2)))[-1]) if counted.any() else first - 1
        for step in range(first, last + 1):
            row, place = rows[:, step], columns[:, step]
            nats += _nats(decoder, row, place, counted[:, step])
            if step < last:
                decoder.advance(row, place)
        notes = counted[..., -1].sum(axis=1)
        return np.divide(nats / np.log(2), notes, out=np.full(len(nats), np.nan), where=notes > 0)


def _window(
    draft: Draft, at: int, reads: int, prefix: Tokens, vocabulary: Vocabulary, *, new: bool
) -> tuple[Tokens, Structure, Mask]:
    """Rows behind a prefix, their structure, and the fields of them that count.

    The last `_MOST_ROWS` are those from row `at` on, padded where the music ends.
    """
    whole = np.concatenate([prefix, draft.rows])
    places = structure(whole, vocabulary)[len(prefix) :]
    span = slice(at - reads, at + _MOST_ROWS)
    rows, columns = draft.rows[span], places[span]
    notes = vocabulary.is_note(rows) & (draft.new[span] if new else True)
    notes[:reads] = False
    notes &= notes.cumsum() <= EDGE_NOTES
    ahead = len(prefix)
    padded = ahead + reads + _MOST_ROWS
    found = (
        np.zeros((padded, rows.shape[1]), np.int16),
        np.zeros((padded, len(COLUMNS)), np.int32),
        np.zeros((padded, rows.shape[1]), bool),
    )
    found[0][:ahead] = prefix
    if len(rows):
        found[1][:ahead, TIME] = columns[0, TIME] - vocabulary.steps[rows[0, WAIT]]
    span = slice(ahead, ahead + len(rows))
    found[0][span], found[1][span], found[2][span] = rows, columns, notes[:, None]
    return found


def _nats(decoder: Decoder, rows: Tokens, places: Structure, counted: Mask) -> Floats:
    """The nats `(B,)` of the fields that count of the next rows `(B, 5)`."""
    nats = np.zeros(len(rows))

    def choose(field: int, logits: Logits, _drawn: Ints) -> Ints:
        values: Ints = rows[:, field].astype(np.int64)
        z = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        surprise = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), values]
        nats[counted[:, field]] += surprise[counted[:, field]]
        return values

    decoder.sample(choose, lambda _first: places)
    return nats
