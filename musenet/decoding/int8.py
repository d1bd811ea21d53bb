"""Decoding with int8 weights in ONNX Runtime: one graph for the trunk, one per further field.

The result for a sequence does not depend on the others in the batch (see
`musenet.decoding.int8_graph`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from musenet.model.blocks import Block
from musenet.model.heads import CascadeHead
from musenet.model.positions import time_rates
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError
from tokenizer.typing import Array, Integers, Ints

from .decode_step import is_fixed_shape
from .decoder import Choose, InFlight, Peek
from .int8_cache import Float32s, LayerKeys, as_value


def missing() -> str | None:
    """What must be installed first, or None."""
    if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
        return None
    return "the int8 engine needs onnx and onnxruntime: pip install onnx onnxruntime"


def hindrance(model: Transformer) -> str | None:
    """Why a model cannot be decoded here with int8 weights, or None if it can."""
    if model.embedding.weight.device.type != "cpu":
        return "the int8 engine runs only on CPUs; use --engine eager"
    if not isinstance(model.head, CascadeHead):
        head = model.config.head
        return f"the int8 engine supports only the cascade head, not {head}; use --engine auto"
    if not is_fixed_shape(model):
        return "the int8 engine does not support this network; use --engine eager"
    return missing()


class Int8Decoder:
    """A batch of sequences, up to the model's context; see `musenet.decoding.decoder.Decoder`."""

    in_flight = InFlight()

    def __init__(self, model: Transformer, batch: int) -> None:
        reason = hindrance(model)
        if reason is not None:
            raise InputError(reason)
        self._model = model
        self._batch = batch
        self.position = 0
        blocks = [block for block in model.blocks if isinstance(block, Block)]
        context = model.config.context
        self._layers = [LayerKeys(block, batch, context) for block in blocks]
        self._graphs = _prepared(model)
        self._feed()

    def _feed(self) -> None:
        """Bind every array that the graphs read and write."""
        model, batch = self._model, self._batch
        config = model.config
        width, layers = config.width, self._layers
        self._features = len(config.structure_sizes)
        columns = len(config.field_sizes) + self._features
        self._turns = _Turns(model, batch)
        self._offsets = model.embedding.offsets.numpy()
        self._values = np.zeros((batch, columns), np.int64)
        zeros = {"middle": np.full(batch, 128, np.uint8), "bottom": np.zeros(batch, np.uint8)}
        self._masked = {keys.pattern: keys for keys in layers if keys.mask}
        self._seen = {name: np.zeros(k.largest, np.float32) for name, k in self._masked.items()}
        new = np.zeros((batch, len(layers) * 2 * config.groups, 1, config.head_width), np.float32)
        self._new = new.reshape(batch, len(layers), 2, config.groups, config.head_width)
        self._logits = [np.zeros((batch, size), np.float32) for size in config.field_sizes]
        states = [np.zeros((batch, width), np.float32) for _ in config.field_sizes]
        self._trunk = _Bound(
            self._graphs[0],
            {
                "values": self._values,
                **self._turns.inputs,
                **zeros,
            },
            (new, states[0], self._logits[0]),
        )
        self._given = [
            np.zeros((batch, 1 + (config.known_columns if field == 1 else 0)), np.int64)
            for field in range(1, len(config.field_sizes))
        ]
        self._fields = [
            _Bound(graph, {"state": states[i], "values": given, **zeros}, (states[i + 1], logits))
            for i, (graph, given, logits) in enumerate(
                zip(self._graphs[1:], self._given, self._logits[1:], strict=True)
            )
        ]
        self._known = config.field_sizes[0] + _cascade(model).structure.offsets.numpy()

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `musenet.decoding.decoder.Decoder.start`."""
        for keys in self._layers:
            keys.clear(rows_NTF.shape[1])
        if rows_NTF.shape[1] > 1:
            for lane in range(len(rows_NTF)):
                mine = slice(lane, None, len(rows_NTF))
                self._read(rows_NTF[lane, :-1], columns_NTS[lane, :-1], mine)
        self.position = rows_NTF.shape[1] - 1
        sequences = np.arange(self._batch) % len(rows_NTF)
        self.advance(rows_NTF[sequences, -1], columns_NTS[sequences, -1])

    def _read(self, rows_TF: Integers, columns_TS: Integers, lanes: slice) -> None:
        """Run the model on the first rows in one pass, and copy its cache."""
        single = self._model.new_cache(1, self._model.config.context)
        rows, columns = (torch.from_numpy(x[None].astype(np.int64)) for x in (rows_TF, columns_TS))
        self._model.trunk(rows, columns, single)
        for keys, layer in zip(self._layers, single.layers, strict=True):
            keys.fill(layer, lanes)

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `musenet.decoding.decoder.Decoder.advance`."""
        fields = rows_BF.shape[1]
        self._values[:, :fields] = rows_BF
        self._values[:, fields:] = columns_BS[:, : self._features]
        self._values += self._offsets
        self._turns.turn(self.position, columns_BS[:, -1:])
        for index, keys in enumerate(self._layers):
            slot = keys.read(self.position)
            if slot is not None:
                self._trunk.bind(f"keys{index}", slot.keys)
                self._trunk.bind(f"values{index}", slot.values)
        for pattern, keys in self._masked.items():
            seen = self._seen[pattern][: keys.capacity]
            if keys.is_new:
                self._trunk.bind(f"seen_{pattern}", as_value(seen))
                self._trunk.bind(f"sizes_{pattern}", as_value(np.array([keys.capacity, 1])))
                keys.is_new = False
            keys.hide(seen, self.position)
        self._trunk.run()
        for index, keys in enumerate(self._layers):
            keys.put(self._new[:, index, 0], self._new[:, index, 1], self.position)
        self.position += 1

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `musenet.decoding.decoder.Decoder.sample`."""
        rows = np.zeros((self._batch, len(self._logits)), np.int64)
        rows[:, 0] = choose(0, self._logits[0], rows)
        for field, bound in enumerate(self._fields, 1):
            given = self._given[field - 1]
            given[:, 0] = rows[:, field - 1]
            if field == 1:
                known = peek(rows[:, 0])[:, : len(self._known)]
                np.add(known, self._known, out=given[:, 1:])
            bound.run()
            rows[:, field] = choose(field, self._logits[field], rows)
        return rows


class _Turns:
    """What turns the heads of each layer: their rotations times the gain and scale of queries.

    Attributes:
        inputs: the graph's inputs, which `turn` fills.
    """

    def __init__(self, model: Transformer, batch: int) -> None:
        config = model.config
        rotation = model.rotations(0, config.context, model.embedding.weight)
        if rotation is None:
            raise InputError("the int8 engine does not support learned positions; use eager")
        self._cosine = np.ascontiguousarray(rotation.numpy().real)
        self._sine = np.ascontiguousarray(rotation.numpy().imag)
        self._rates = None
        if config.positions == "rotary_time":
            rates = time_rates(config.head_width // 2, config.steps_per_quarter)
            self._rates = rates.numpy()
        heads = config.heads + config.groups
        self._timed = (
            slice(config.heads // 2, config.heads),
            slice(config.heads + config.groups // 2, heads),
        )
        self._scales = np.stack([_head_scales(b) for b in model.blocks if isinstance(b, Block)])
        self._turn = np.zeros((2, batch, heads, config.head_width // 2), np.float32)
        self._scaled = np.zeros((len(self._scales), *self._turn.shape), np.float32)
        self.inputs: dict[str, Array] = {"turned_by": np.arange(batch * heads).reshape(batch, -1)}
        for layer, pair in enumerate(self._scaled):
            for name, table in zip(("cosine", "sine"), pair, strict=True):
                self.inputs[f"{name}{layer}"] = table.reshape(batch * heads, -1)

    def turn(self, position: int, time_BT: Integers) -> None:
        """Fill the inputs for a row at a position and, in the first column, at a time."""
        cosine, sine = self._turn
        cosine[:], sine[:] = self._cosine[position], self._sine[position]
        if self._rates is not None:
            angles = time_BT[:, :1] * self._rates
            by_time = np.cos(angles)[:, None], np.sin(angles)[:, None]
            for heads in self._timed:
                cosine[:, heads], sine[:, heads] = by_time
        np.multiply(self._turn, self._scales[:, None, None, :, None], out=self._scaled)


def _head_scales(block: Block) -> Float32s:
    """The gain of each query head over √C, and 1 for the key heads, [H + G]."""
    gain = block.fused_gain()
    scales = np.ones(block.heads + block.groups, np.float32)
    if gain is not None:
        scales[:] = gain.detach().float().numpy()
    scales[: block.heads] *= block.channels**-0.5
    return scales


class _Bound:
    """A graph with the arrays that it reads from and writes to, in place."""

    def __init__(self, session: Any, inputs: dict[str, Array], outputs: Sequence[Float32s]) -> None:
        self._session = session
        self._binding = session.io_binding()
        self._values: dict[str, Any] = {}
        wanted = {value.name for value in session.get_inputs()}
        for name in wanted & set(inputs):
            self.bind(name, as_value(inputs[name]))
        for value, array in zip(session.get_outputs(), outputs, strict=True):
            self._values[value.name] = as_value(array)
            self._binding.bind_ortvalue_output(value.name, self._values[value.name])

    def bind(self, name: str, value: Any) -> None:
        """Read an input from an array's value (see `as_value`) from now on."""
        self._values[name] = value  # the runtime holds its address alone
        self._binding.bind_ortvalue_input(name, value)

    def run(self) -> None:
        """Compute the outputs from what the inputs hold now."""
        self._session.run_with_iobinding(self._binding)


_READY: WeakKeyDictionary[Transformer, tuple[tuple[int, ...], list[Any]]] = WeakKeyDictionary()
"""Sessions by model, with the versions of the weights that they were built from."""


def _prepared(model: Transformer) -> list[Any]:
    """Sessions for a model's trunk and fields, rebuilt only when its weights change."""
    now = _versions(model)
    made, sessions = _READY.get(model, ((), []))
    if made != now:
        sessions = [_session(graph) for graph in _graphs(model)]
        _READY[model] = now, sessions
    return sessions


def _versions(model: Transformer) -> tuple[int, ...]:
    """Numbers that change when the model's parameters do."""
    # Tensors made in inference mode cannot be changed outside it, and count no versions.
    return tuple(
        number
        for p in model.parameters()
        for number in (p.data_ptr(), 0 if p.is_inference() else p._version)
    )


def _cascade(model: Transformer) -> CascadeHead:
    if not isinstance(model.head, CascadeHead):
        raise InputError("the int8 engine supports only the cascade head; use --engine eager")
    return model.head


def _graphs(model: Transformer) -> list[bytes]:
    from . import int8_graph

    largest = largest_weight()
    fields = range(1, len(model.config.field_sizes))
    return [
        int8_graph.trunk(model, largest),
        *(int8_graph.head_field(_cascade(model), field, largest) for field in fields),
    ]


def _session(graph: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


@cache
def largest_weight() -> int:
    """127, or 63 on CPUs whose 8-bit products overflow (AVX2 adds two of them in 16 bits)."""
    from . import int8_graph

    rows, weights = np.full((1, 64), 255, np.uint8), np.full((64, 64), 127, np.int8)
    session = _session(int8_graph.integer_product(weights))
    (sums,) = session.run(None, {"rows": rows})
    exact = np.array_equal(sums, rows.astype(np.int32) @ weights.astype(np.int32))
    return 127 if exact else 63
