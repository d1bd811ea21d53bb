"""Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598), around any decoder.

Every sequence is decoded twice, with its labels and without them, and the logits of a row are
those without, plus `strength` times what the labels add. With 1 they are those with the labels;
more makes music that the labels explain better. Logits may be used in place of log-probabilities:
what normalises either is the same for all values. Training leaves labels out at random, so that
the model knows both.

Where the labels stood there is padding: so every other row has the same place in both sequences,
and what they differ in is the labels alone.

Shape suffixes as in `musenet.decoding.decoder`.
"""

from __future__ import annotations

import numpy as np

from tokenizer.encoding.vocabulary import WAIT
from tokenizer.typing import Integers, Ints, Logits, Mask

from .decoder import Choose, Decoder, InFlight, Peek


class GuidedDecoder:
    """A decoder of B sequences on one of 2B: of each, with labels and without, in turn.

    Args:
        decoder: of 2B sequences.
        labels: which values of field 0 are labels that guide, `(V,)`.
        strength: how strongly they do.
    """

    def __init__(self, decoder: Decoder, labels: Mask, strength: float) -> None:
        self._decoder, self._labels, self._strength = decoder, labels, strength

    @property
    def in_flight(self) -> InFlight:
        """See `Decoder`."""
        both = self._decoder.in_flight
        first = both.next_first
        return InFlight(
            tuple(rows[::2] for rows in both.before),
            both.drawn,
            None if first is None else first[::2],
        )

    @property
    def position(self) -> int:
        """See `Decoder`."""
        return self._decoder.position

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `Decoder.start`."""
        without = rows_NTF.copy()
        without[self._labels[rows_NTF[..., WAIT]]] = 0
        rows = np.stack([rows_NTF, without], axis=1)
        self._decoder.start(rows.reshape(-1, *rows.shape[2:]), columns_NTS.repeat(2, axis=0))

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `Decoder.advance`."""
        self._decoder.advance(rows_BF.repeat(2, axis=0), columns_BS.repeat(2, axis=0))

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `Decoder.sample`."""

        def chosen(field: int, logits: Logits, rows: Ints) -> Ints:
            with_labels, without = logits[::2], logits[1::2]
            guided = without + self._strength * (with_labels - without)
            return choose(field, guided, rows[::2]).repeat(2)

        def peeked(first: Ints) -> Integers:
            return peek(first[::2]).repeat(2, axis=0)

        return self._decoder.sample(chosen, peeked)[::2]
