"""The interface of all decoders: a batch of sequences, extended row by row, field by field.

Shape suffixes: B batch, N one or B, T positions, F fields, S structural features, V values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from musenet.model.config import ModelConfig
from musenet.model.stored import is_cascade
from tokenizer.typing import Integers, Ints, Logits, Mask

PATTERNS = ("row", "column", "previous_row", "local", "dense")
"""Attention patterns for which one position reads a single block of the cache."""

Choose = Callable[[int, Logits, Ints], Ints]
"""choose(field, logits [B, V], rows so far [B, F]) returns the values [B] of the field."""

Peek = Callable[[Ints], Integers]
"""peek(field 0 [B]) returns the structure [B, S] that the new row will have."""


class InFlight(NamedTuple):
    """Incomplete rows around the one being sampled; only `delay` has any.

    Attributes:
        before: the incomplete rows [B, F] before it, in order.
        drawn: how many fields of each of them have been sampled, the first ones.
        next_first: field 0 [B] of the row after it if that has been sampled, else None.
    """

    before: tuple[Integers, ...] = ()
    drawn: tuple[int, ...] = ()
    next_first: Integers | None = None


class Decoder(Protocol):
    """A batch of sequences, each independent of the others."""

    @property
    def in_flight(self) -> InFlight:
        """The other incomplete rows while `sample` calls its callbacks."""

    @property
    def position(self) -> int:
        """The position of the next row."""

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """Start with rows and their structure: one sequence for all, one for each, or N in turn.

        Sequence b begins as sequence b modulo N of the rows.
        """

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """Append one row to each sequence."""

    def drop(self, ended: Mask) -> None:
        """Compute some sequences `[B]` no more, if that saves anything.

        Called before `advance`. From then on what is sampled for them means nothing.
        """

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """Sample the next row of each sequence, [B, F], field by field."""


def has_decode_step(config: ModelConfig) -> bool:
    """Whether a row takes few operations: RMSNorm, squared ReLU, QK-norm, rotary positions."""
    return (
        config.norm == "rms"
        and config.activation == "squared_relu"
        and config.qk_norm
        and config.positions in ("rotary", "rotary_time")
    )


def is_fixed_shape(config: ModelConfig) -> bool:
    """Whether a row takes the same operations on the same shapes at every position.

    That requires `has_decode_step`, attention in `PATTERNS`, and the cascade head.
    """
    patterns = all(pattern in PATTERNS for pattern in config.layer_patterns)
    return patterns and has_decode_step(config) and is_cascade(config)
