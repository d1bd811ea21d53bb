"""Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598), around any decoder.

Every sequence is decoded twice, with its labels and without them, and the logits of a row are
those without, plus `strength` times what the labels add. With 1 they are those with the labels;
more makes music that the labels explain better. Logits may be used in place of log-probabilities:
what normalises either is the same for all values. Training leaves labels out at random, so that
the model knows both. Several kinds of labels (names, chords) may guide by strengths of their own:
there is a sequence without each kind.

Where the labels stood there is padding: so every other row has the same place in all sequences,
and what they differ in is the labels alone.

Shape suffixes as in `musenet.decoding.decoder`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from tokenizer.encoding.vocabulary import WAIT
from tokenizer.typing import Integers, Ints, Logits, Mask

from .decoder import Choose, Decoder, InFlight, Peek


class Guide(NamedTuple):
    """Labels that guide.

    Attributes:
        labels: which values of field 0 they are, `(V,)`.
        strength: how strongly they guide.
        fields: of a row, that they guide.
    """

    labels: Mask
    strength: float
    fields: Collection[int] = range(5)


class GuidedDecoder:
    """A decoder of B sequences on one of B·(1 + G): of each, whole and without what G guides name.

    Args:
        decoder: of B·(1 + G) sequences.
        guides: G of them.
    """

    def __init__(self, decoder: Decoder, guides: Sequence[Guide]) -> None:
        self._decoder, self._guides = decoder, tuple(guides)
        self._copies = 1 + len(self._guides)

    @property
    def in_flight(self) -> InFlight:
        """See `Decoder`."""
        both = self._decoder.in_flight
        first = both.next_first
        if not both.before and first is None:
            return both
        return InFlight(
            tuple(rows[:: self._copies] for rows in both.before),
            both.drawn,
            None if first is None else first[:: self._copies],
        )

    @property
    def position(self) -> int:
        """See `Decoder`."""
        return self._decoder.position

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `Decoder.start`."""
        self._decoder.start(self._copied(rows_NTF), columns_NTS.repeat(self._copies, axis=0))

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `Decoder.advance`."""
        self._decoder.advance(self._copied(rows_BF), columns_BS.repeat(self._copies, axis=0))

    def _copied(self, rows: Integers) -> Integers:
        """Rows `(B, …, F)` as those of all sequences, `(B·(1 + G), …, F)`."""
        copied = rows.repeat(self._copies, axis=0)
        for place, guide in enumerate(self._guides, 1):
            own = copied[place :: self._copies]
            own[guide.labels[own[..., WAIT]]] = 0
        return copied

    def drop(self, ended: Mask) -> None:
        """See `Decoder.drop`."""
        self._decoder.drop(ended.repeat(self._copies))

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `Decoder.sample`."""

        def chosen(field: int, logits: Logits, rows: Ints) -> Ints:
            whole = guided = logits[:: self._copies]
            for place, guide in enumerate(self._guides, 1):
                if field in guide.fields:
                    more = (guide.strength - 1) * (whole - logits[place :: self._copies])
                    guided = guided + more
            return choose(field, guided, rows[:: self._copies]).repeat(self._copies)

        def peeked(first: Ints) -> Integers:
            return peek(first[:: self._copies]).repeat(self._copies, axis=0)

        return self._decoder.sample(chosen, peeked)[:: self._copies]
