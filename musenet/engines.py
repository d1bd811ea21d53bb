"""What makes the next row: one interface, three engines.

    eager    PyTorch, in the model's own precision, on any device
    int8     ONNX Runtime on a CPU, int8 weights (musenet.int8)
    graphs   PyTorch on a CUDA GPU, a row's kernels replayed at once (musenet.graphs)
    auto     int8 where it can be had, else eager

Shape suffixes: B batch, N one or B, T positions, F fields, S structural features, V values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tokenizer.errors import InputError, unknown

from .cache import Cache
from .heads import CascadeHead
from .step import Step
from .transformer import Transformer

ENGINES = ("auto", "eager", "int8", "graphs")

PATTERNS = ("row", "column", "previous_row", "dense")

Whole = npt.NDArray[np.int64]
Integers = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]

Choose = Callable[[int, Floats, Whole], Whole]
"""choose(field, logits [B, V], rows so far [B, F]) gives the field's values [B]."""

Peek = Callable[[Whole], Integers]
"""peek(field 0 [B]) gives the structure [B, S] that the new row will have."""


class Decoder(Protocol):
    """Sequences side by side, each independent of the others."""

    @property
    def position(self) -> int:
        """The position that the next row gets."""

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """Begin anew with rows and their structure: one sequence for all, or one for each."""

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """Go on by one row each."""

    def sample(self, choose: Choose, peek: Peek) -> Whole:
        """Choose the next row of each, [B, F], field by field."""


def steps_are_known(model: Transformer) -> bool:
    """Whether a model is built of what engines with steps of their own know.

    That is what `Step` supports, attention in `PATTERNS`, and the cascade head.
    """
    patterns = all(pattern in PATTERNS for pattern in model.config.layer_patterns)
    return patterns and Step.supports(model) and isinstance(model.head, CascadeHead)


def resolve(engine: str, model: Transformer) -> str:
    """The engine that a name means for a model.

    Raises:
        InputError: for an unknown name, or an engine that cannot run this model here.
    """
    from . import graphs, int8

    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine == "eager":
        return engine
    reason = graphs.hindrance(model) if engine == "graphs" else int8.hindrance(model)
    if engine == "auto":
        return "int8" if reason is None else "eager"
    if reason is not None:
        raise InputError(reason)
    return engine


def decoder(model: Transformer, engine: str, batch: int) -> Decoder:
    """A decoder of `batch` sequences; call it and use it where gradients are off.

    Raises:
        InputError: see `resolve`.
    """
    from .graphs import GraphDecoder
    from .int8 import Int8Decoder

    made: dict[str, Callable[[Transformer, int], Decoder]] = {
        "eager": EagerDecoder,
        "int8": Int8Decoder,
        "graphs": GraphDecoder,
    }
    return made[resolve(engine, model)](model, batch)


class EagerDecoder:
    """The model's own trunk and head; see `Decoder`.

    The lanes are a power of two and at least four, because a matrix product of fewer rows is
    summed in another order: so, on one thread, each sequence's numbers are the same in any company.
    """

    def __init__(self, model: Transformer, batch: int) -> None:
        self._model = model
        self._batch = batch
        self._lanes = lanes(batch)
        self._copies = np.resize(np.arange(batch), self._lanes)
        self._device = model.embedding.weight.device
        self._cache = model.new_cache(self._lanes, model.config.context)
        self._state = torch.empty(0)

    @property
    def position(self) -> int:
        """See `Decoder`."""
        return self._cache.position

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `Decoder.start`."""
        states, several = [], len(rows_NTF)
        for lane in range(several):
            here = slice(lane, lane + 1)
            single = self._model.new_cache(1, self._model.config.context)
            rows, columns = self._tensor(rows_NTF[here]), self._tensor(columns_NTS[here])
            states.append(self._model.trunk(rows, columns, single)[:, -1])
            mine = np.arange(self._lanes) if several == 1 else np.flatnonzero(self._copies == lane)
            copy_sequence(single, self._cache, torch.from_numpy(mine))
        self._state = torch.cat(states)[self._copies if several > 1 else [0] * self._lanes]

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `Decoder.advance`."""
        rows, columns = (self._tensor(x[self._copies][:, None]) for x in (rows_BF, columns_BS))
        self._state = self._model.trunk(rows, columns, self._cache)[:, -1]

    def sample(self, choose: Choose, peek: Peek) -> Whole:
        """See `Decoder.sample`."""

        def chosen(field: int, logits: Tensor, rows: Tensor) -> Tensor:
            scores = logits[: self._batch].float().numpy(force=True)
            values = choose(field, scores, rows[: self._batch].numpy(force=True))
            return self._tensor(values[self._copies])

        def peeked(first: Tensor) -> Tensor:
            return self._tensor(peek(first[: self._batch].numpy(force=True))[self._copies])

        rows = self._model.head.sample(self._state, chosen, peeked)
        return rows[: self._batch].numpy(force=True)

    def _tensor(self, values: Integers) -> Tensor:
        return torch.from_numpy(values.astype(np.int64)).to(self._device)


def lanes(sequences: int) -> int:
    """How many lanes the eager engine runs for a number of sequences."""
    return max(4, 1 << (sequences - 1).bit_length())


def copy_sequence(single: Cache, cache: Cache, where: Tensor) -> None:
    """Copy the one sequence of a cache into some of another's."""
    for source, target in zip(single.layers, cache.layers, strict=True):
        target.keys[where] = source.keys
        target.values[where] = source.values
    cache.position = single.position
