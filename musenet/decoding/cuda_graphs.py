"""Decoding on a GPU with CUDA graphs: the kernels of a row are recorded once and replayed.

A row of a deep network is thousands of small kernels, and launching one from Python takes longer
than running it. A graph launches them all at once; for that, everything that changes from row to
row, the position included, must be in tensors with fixed shapes and addresses. One graph computes
the trunk's state and the logits of field 0, one more each further field.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from musenet.attention.cached import sdpa
from musenet.attention.kv_cache import LayerCache
from musenet.model.heads import CascadeHead
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError
from tokenizer.typing import Integers, Ints, Mask

from .decode_step import DecodeStep
from .decoder import Choose, InFlight, Peek, is_fixed_shape
from .inference import inference

_WARM_UP = 3  # runs before recording, in which libraries allocate their workspaces


def hindrance(model: Transformer) -> str | None:
    """Why a model cannot be decoded here with CUDA graphs, or None if it can."""
    if model.embedding.weight.device.type != "cuda":
        return "the graphs engine needs a CUDA GPU; use --engine auto"
    if not isinstance(model.head, CascadeHead):
        head = model.config.head
        return f"the graphs engine supports only the cascade head, not {head}; use --engine auto"
    if not is_fixed_shape(model.config):
        return "the graphs engine does not support this network; use --engine eager"
    return None


class GraphDecoder:
    """Sequences side by side, up to the model's context; see `musenet.decoding.decoder.Decoder`.

    On a CPU nothing is recorded, and the same computation runs directly.

    Raises:
        InputError: if the model is not `is_fixed_shape`.
    """

    in_flight = InFlight()

    @inference
    def __init__(self, model: Transformer, batch: int) -> None:
        weight, config, head = model.embedding.weight, model.config, model.head
        rotations = model.rotations(0, config.context, weight)
        if not isinstance(head, CascadeHead) or not is_fixed_shape(config) or rotations is None:
            raise InputError("the graphs engine does not support this network; use --engine eager")
        self._model, self._head, self._cache = model, head, model.new_cache(batch)
        with torch.no_grad():
            self._step = DecodeStep(model)
        self._rotations = rotations
        whole = partial(torch.zeros, dtype=torch.long, device=weight.device)
        self._place = whole(1)
        self._row = whole(batch, len(config.field_sizes))
        self._read = [*range(len(config.structure_sizes)), -1]  # the last column is the time
        self._columns = whole(batch, len(self._read))
        self._values = whole(batch)
        self._known = whole(batch, config.known_columns)
        compute = model.compute or weight.dtype
        self._states = [
            torch.zeros((batch, config.width), dtype=compute, device=weight.device)
            for _ in config.field_sizes
        ]
        self._logits = [
            torch.zeros((batch, size), device=weight.device) for size in config.field_sizes
        ]
        self._trunk = recorded(self._advance, weight.device)
        self._fields = [
            recorded(partial(self._advance_head, field), weight.device)
            for field in range(1, len(config.field_sizes))
        ]

    @property
    def position(self) -> int:
        """See `musenet.decoding.decoder.Decoder`."""
        return self._cache.position

    @inference
    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `musenet.decoding.decoder.Decoder.start`."""
        places, several = torch.arange(len(self._row)), len(rows_NTF)
        self._cache.position = 0
        if rows_NTF.shape[1] > 1:
            for number in range(len(rows_NTF)):
                here, single = slice(number, number + 1), self._model.new_cache(1)
                rows, columns = (
                    torch.from_numpy(x[here, :-1].astype(np.int64)).to(self._place.device)
                    for x in (rows_NTF, columns_NTS)
                )
                self._model.trunk(rows, columns, single)
                self._cache.copy_sequence(single, places[number::several])
        sequences = places.numpy() % several
        self.advance(rows_NTF[sequences, -1], columns_NTS[sequences, -1])

    @inference
    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `musenet.decoding.decoder.Decoder.advance`."""
        _put(self._row, rows_BF)
        _put(self._columns, columns_BS[:, self._read])
        self._place.fill_(self._cache.position)
        self._trunk()
        self._cache.position += 1

    def drop(self, ended: Mask) -> None:
        """See `Decoder.drop`; this one computes them all the same."""

    @inference
    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `musenet.decoding.decoder.Decoder.sample`."""
        rows = np.zeros((len(self._row), len(self._logits)), np.int64)
        for field, logits in enumerate(self._logits):
            if field > 0:
                _put(self._values, rows[:, field - 1])
                if field == 1:
                    _put(self._known, peek(rows[:, 0])[:, : self._known.shape[1]])
                self._fields[field - 1]()
            rows[:, field] = choose(field, logits.numpy(force=True), rows)
        return rows

    def _advance(self) -> None:
        """From `_row`, `_columns` and `_place` to the state and logits of field 0."""
        rotation = self._rotations.index_select(0, self._place)
        attend = partial(attend_at, position=self._place)
        turn = self._model.by_head(rotation, self._columns[:, None])[:, 0]
        state = self._step(self._row, self._columns, turn, self._cache, attend)
        self._states[0].copy_(state)
        self._logits[0].copy_(self._head.logits(self._states[0], 0))

    def _advance_head(self, field: int) -> None:
        """From the state for the field before and its `_values` to this field's."""
        known = self._known if field == 1 else None
        state = self._head.advance(self._states[field - 1], field, self._values, known)
        self._states[field].copy_(state)
        self._logits[field].copy_(self._head.logits(state, field))


def attend_at(
    q_BHD: Tensor, k_BGD: Tensor, v_BGD: Tensor, kept: LayerCache, position: Tensor
) -> Tensor:
    """Like `musenet.attention.cached.attend_one`, with the position in a tensor [1].

    Reads the whole cache of a layer, and masks slots that are not filled yet.
    """
    length, keys, values = kept.row_length, kept.keys, kept.values
    row, column = position // length, position % length
    query = q_BHD[:, :, None]
    if kept.pattern == "column":
        here = row % kept.rows
        keys[:, column, :, here], values[:, column, :, here] = k_BGD[None], v_BGD[None]
        keys, values = (x.index_select(1, column)[:, 0] for x in (keys, values))
        return sdpa(query, keys, values, _up_to(row, kept.rows))
    place = position % kept.capacity
    keys[:, :, place], values[:, :, place] = k_BGD[:, :, None], v_BGD[:, :, None]
    if kept.pattern == "row":
        return sdpa(query, keys, values, _up_to(column, length))
    if kept.pattern == "local":
        return sdpa(query, keys, values, _up_to(position, length))
    if kept.pattern == "previous_row":
        before = (row - 1) % 2 * length + torch.arange(length, device=row.device)
        keys, values = (x.index_select(2, before) for x in (keys, values))
        return sdpa(query, keys, values, None) * (row > 0)
    # The rest of this row's slots still holds the oldest row, which is masked.
    forgotten = torch.arange(kept.capacity, device=row.device) - place
    forgotten = (forgotten > 0) & (forgotten < length - column)
    return sdpa(query, keys, values, _up_to(position, kept.capacity) & ~forgotten)


def _up_to(last: Tensor, places: int) -> Tensor:
    """Which of `places` slots are no later than `last` [1], [1, places]."""
    return (torch.arange(places, device=last.device) <= last)[None]


def _put(target: Tensor, values: Integers) -> None:
    target.copy_(torch.from_numpy(np.ascontiguousarray(values, np.int64)))


def recorded(function: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """A function of tensors at fixed addresses as a CUDA graph; on other devices unchanged."""
    if device.type != "cuda":
        return function
    with torch.cuda.device(device):
        beside, here = torch.cuda.Stream(), torch.cuda.current_stream()  # type: ignore[no-untyped-call]
        beside.wait_stream(here)
        with torch.cuda.stream(beside):
            for _ in range(_WARM_UP):
                function()
        here.wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            function()
    return graph.replay
