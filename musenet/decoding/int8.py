"""Decoding with int8 weights in ONNX Runtime: one graph for the trunk, one per further field.

The result for a sequence does not depend on the others in the batch (see
`musenet.decoding.int8_graph`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from musenet.model.config import ModelConfig
from musenet.model.stored import AnyModel, StoredModel, is_cascade, parameters_of
from tokenizer.errors import InputError
from tokenizer.typing import Array, Float32s, Integers, Ints, Mask

from .decoder import Choose, InFlight, Peek, is_fixed_shape
from .int8_cache import PatternKeys, as_value
from .int8_reader import Reader
from .int8_turns import Turns, head_scales

if TYPE_CHECKING:
    from . import int8_graph


def missing() -> str | None:
    """What must be installed first, or None."""
    if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
        return None
    return "the int8 engine needs onnx and onnxruntime: pip install onnx onnxruntime"


def hindrance(model: AnyModel) -> str | None:
    """Why a model cannot be decoded here with int8 weights, or None if it can."""
    if not isinstance(model, StoredModel) and model.embedding.weight.device.type != "cpu":
        return "the int8 engine runs only on CPUs; use --engine eager"
    config = model.config
    if not is_cascade(config):
        return (
            f"the int8 engine supports only the cascade head, not {config.head}; use --engine auto"
        )
    if not is_fixed_shape(config):
        return "the int8 engine does not support this network; use --engine eager"
    return missing()


class Int8Decoder:
    """A batch of sequences, up to the model's context; see `musenet.decoding.decoder.Decoder`."""

    in_flight = InFlight()

    def __init__(self, model: AnyModel, batch: int) -> None:
        reason = hindrance(model)
        if reason is not None:
            raise InputError(reason)
        self._config = config = model.config
        self._batch = batch
        self._live = np.arange(batch)  # the sequences that are computed
        self.position = 0
        patterns = dict.fromkeys(config.layer_patterns)
        self._keys = [PatternKeys(config, pattern, batch) for pattern in patterns]
        self._prepared = _prepared(model)
        self._feed()

    def _feed(self) -> None:
        """Bind every array that the graphs read and write."""
        config, batch, graphs = self._config, len(self._live), self._prepared.graphs
        width, layers = config.width, config.layers
        self._features = len(config.structure_sizes)
        columns = len(config.field_sizes) + self._features
        self._turns = Turns(config, self._prepared.scales, batch)
        self._offsets = offsets((*config.field_sizes, *config.structure_sizes))
        self._values = np.zeros((batch, columns), np.int64)
        zeros = {"middle": np.full(batch, 128, np.uint8), "bottom": np.zeros(batch, np.uint8)}
        masked = [keys for keys in self._keys if keys.mask]
        self._seen = [(keys, np.zeros(keys.largest, np.float32)) for keys in masked]
        new = np.zeros((batch, layers * 2 * config.groups, 1, config.head_width), np.float32)
        by_layer = new.reshape(batch, layers, 2, config.groups, config.head_width)
        self._new_LB2GC = by_layer.swapaxes(0, 1)
        self._logits = [np.zeros((batch, size), np.float32) for size in config.field_sizes]
        states = [np.zeros((batch, width), np.float32) for _ in config.field_sizes]
        self._trunk = _Bound(
            graphs[0],
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
                zip(graphs[1:], self._given, self._logits[1:], strict=True)
            )
        ]
        known = config.structure_sizes[: config.known_columns]
        self._known = config.field_sizes[0] + offsets(known)

    def start(self, rows_NTF: Integers, columns_NTS: Integers) -> None:
        """See `musenet.decoding.decoder.Decoder.start`."""
        for keys in self._keys:
            keys.clear(rows_NTF.shape[1])
        sequences = self._live % len(rows_NTF)
        if rows_NTF.shape[1] > 1:
            for number in np.unique(sequences):
                mine = np.flatnonzero(sequences == number)
                self._read(rows_NTF[number, :-1], columns_NTS[number, :-1], mine)
        self.position = rows_NTF.shape[1] - 1
        self._advance(rows_NTF[sequences, -1], columns_NTS[sequences, -1])

    def _read(self, rows_TF: Integers, columns_TS: Integers, sequences: Ints) -> None:
        """Read the first rows of some sequences, which are the same for all of them."""
        values = np.concatenate([rows_TF, columns_TS[:, : self._features]], axis=1) + self._offsets
        read = self._prepared.reader.read(values, columns_TS[:, -1:])
        for keys in self._keys:
            for layer in keys.layers:
                keys.fill(layer, *read[layer], sequences)

    def drop(self, ended: Mask) -> None:
        """See `musenet.decoding.decoder.Decoder.drop`."""
        left = np.flatnonzero(~ended[self._live])
        if 0 < len(left) < len(self._live):
            # Those at the end move to the places of those that are dropped.
            kept = np.arange(len(left))
            kept[~np.isin(kept, left)] = left[left >= len(left)]
            self._live = self._live[kept]
            for keys in self._keys:
                keys.select(kept)
            self._feed()

    def advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """See `musenet.decoding.decoder.Decoder.advance`."""
        self._advance(rows_BF[self._live], columns_BS[self._live])

    def _advance(self, rows_BF: Integers, columns_BS: Integers) -> None:
        """Append one row to each sequence that is computed."""
        fields = rows_BF.shape[1]
        self._values[:, :fields] = rows_BF
        self._values[:, fields:] = columns_BS[:, : self._features]
        self._values += self._offsets
        self._turns.turn(self.position, columns_BS[:, -1:])
        for keys in self._keys:
            for layer, slot in zip(keys.layers, keys.read(self.position), strict=False):
                self._trunk.bind(f"keys{layer}", slot.keys)
                self._trunk.bind(f"values{layer}", slot.values)
        for keys, largest in self._seen:
            seen = largest[: keys.capacity]
            if keys.is_new:
                self._trunk.bind(f"seen_{keys.pattern}", as_value(seen))
                self._trunk.bind(f"sizes_{keys.pattern}", as_value(np.array([keys.capacity, 1])))
                keys.is_new = False
            keys.hide(seen, self.position)
        self._trunk.run()
        for keys in self._keys:
            keys.put(self._new_LB2GC[keys.layers], self.position)
        self.position += 1

    def sample(self, choose: Choose, peek: Peek) -> Ints:
        """See `musenet.decoding.decoder.Decoder.sample`."""
        rows = np.zeros((self._batch, len(self._logits)), np.int64)
        rows[:, 0] = choose(0, self._of_all(self._logits[0]), rows)
        for field, bound in enumerate(self._fields, 1):
            given = self._given[field - 1]
            given[:, 0] = rows[self._live, field - 1]
            if field == 1:
                known = peek(rows[:, 0])[self._live, : len(self._known)]
                np.add(known, self._known, out=given[:, 1:])
            bound.run()
            rows[:, field] = choose(field, self._of_all(self._logits[field]), rows)
        return rows

    def _of_all(self, logits: Float32s) -> Float32s:
        """Logits of the sequences that are computed as those of all, zeros for the others."""
        if len(logits) == self._batch:
            return logits
        whole = np.zeros((self._batch, logits.shape[1]), np.float32)
        whole[self._live] = logits
        return whole


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


class _Prepared(NamedTuple):
    """A model ready to be decoded.

    Attributes:
        graphs: sessions of the trunk, and of each further field.
        reader: of first rows.
        scales: see `int8_turns.head_scales`.
    """

    graphs: list[Any]
    reader: Reader
    scales: Float32s


_READY: WeakKeyDictionary[AnyModel, tuple[tuple[int, ...], _Prepared]] = WeakKeyDictionary()
"""What was prepared by model, with the versions of the weights that it was made from."""


def _prepared(model: AnyModel) -> _Prepared:
    """A model's sessions, made anew only when its weights change."""
    now = _versions(model)
    if model not in _READY or _READY[model][0] != now:
        _READY[model] = now, _prepare(model.config, parameters_of(model))
    return _READY[model][1]


def _prepare(config: ModelConfig, parameters: int8_graph.Parameters) -> _Prepared:
    from . import int8_graph

    largest = largest_weight()
    fields = range(1, len(config.field_sizes))
    graphs = [
        int8_graph.trunk(config, parameters, largest),
        *(int8_graph.head_field(config, parameters, field, largest) for field in fields),
    ]
    scales = head_scales(config, parameters)
    reader = session(int8_graph.reader(config, parameters, largest))
    return _Prepared([session(graph) for graph in graphs], Reader(reader, config, scales), scales)


def _versions(model: AnyModel) -> tuple[int, ...]:
    """Numbers that change when the model's parameters do; those of a stored model never do."""
    if isinstance(model, StoredModel):
        return ()
    # Tensors made in inference mode cannot be changed outside it, and count no versions.
    return tuple(
        number
        for p in model.parameters()
        for number in (p.data_ptr(), 0 if p.is_inference() else p._version)
    )


def offsets(sizes: Sequence[int]) -> Ints:
    """Where the values of each column begin in one table of all, `(S,)`."""
    return np.cumsum([0, *sizes])[:-1]


def session(graph: bytes) -> Any:
    """A graph, ready to run on one thread."""
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
    product = session(int8_graph.integer_product(weights))
    (sums,) = product.run(None, {"rows": rows})
    exact = np.array_equal(sums, rows.astype(np.int32) @ weights.astype(np.int32))
    return 127 if exact else 63
