"""ONNX graphs with int8 weights, run by `musenet.decoding.int8` and `int8_reader`.

    trunk      rows and keys so far ─▶ new keys and values, state, logits of field 0
    field k    state, value of field k − 1 (and the row's structure) ─▶ state, logits of field k
    reader     many rows of one sequence and keys so far ─▶ their keys and values

Every product with weights is an integer product, hence exact, and the rest is computed row by row:
a row of the result does not depend on the other rows. Weights are quantised to int8 once, with a
scale per output channel; activations are quantised to 8 bits just before each product, with a scale
per row.

Shape suffixes: B batch (the reader: rows), N values that are looked up, D width, H query heads,
G key-value heads, C channels of a head, S positions kept by a layer's cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from musenet.model.config import EPSILON, ModelConfig
from tokenizer.typing import Float32s

Parameters = Mapping[str, Float32s]
"""A model's parameters by name, as `musenet.model.stored.parameter_shapes` lists them."""

# Operators that ONNX Runtime adds to the standard's.
_RUNTIME = "com.microsoft"
_OPSETS = (helper.make_opsetid("", 18), helper.make_opsetid(_RUNTIME, 1))
_IR_VERSION = 9
_SMALLEST = 1e-12

Attribute = float | Sequence[int]


class Rounded(NamedTuple):
    """Names of the tensors of rows quantised to 8 bits.

    Attributes:
        eight: [B, D] uint8.
        zero: the zero point.
        unit: [B, 1], the scale.
    """

    eight: str
    zero: str
    unit: str


class Graph:
    """An ONNX graph under construction; methods return the names of their results.

    Every graph has the inputs `middle` [B] of 128 and `bottom` [B] of 0: the zero points of rows.

    Args:
        largest: the largest weight after rounding, 127 or less.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._inputs: list[ValueInfoProto] = []
        self._outputs: list[ValueInfoProto] = []
        self._zeros = {
            name: (self.input(name, TensorProto.UINT8, "B"), self.constant(np.uint8(value)))
            for name, value in (("middle", 128), ("bottom", 0))
        }
        self._one = self.constant(np.array([1]))

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Attribute) -> str:
        """Add a node with one result."""
        return self.add_many(op, inputs, 1, domain, **attributes)[0]

    def add_many(
        self,
        op: str,
        inputs: Sequence[str],
        results: int,
        domain: str = "",
        **attributes: Attribute,
    ) -> list[str]:
        """Add a node with some results."""
        names = [f"{op}{len(self._nodes)}_{i}" for i in range(results)]
        self._nodes.append(helper.make_node(op, inputs, names, domain=domain, **attributes))
        return names

    def constant(self, value: npt.NDArray[np.generic] | np.generic) -> str:
        """A constant."""
        array = np.asarray(value)
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def input(self, name: str, dtype: int, *shape: int | str) -> str:
        """Declare an input."""
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, *values: str) -> None:
        """Declare which results are outputs, fp32."""
        self._outputs += [
            helper.make_tensor_value_info(value, TensorProto.FLOAT, None) for value in values
        ]

    def serialised(self) -> bytes:
        """The finished model."""
        inputs = [i for i in self._inputs if any(i.name in node.input for node in self._nodes)]
        graph = helper.make_graph(self._nodes, "row", inputs, self._outputs, self._constants)
        model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)
        return bytes(model.SerializeToString())

    def reshape(self, x: str, *shape: int) -> str:
        """`x` in another shape; 0 keeps a dimension and −1 is what is left."""
        return self.add("Reshape", x, self.constant(np.array(shape)))

    def transposed(self, x: str, *order: int) -> str:
        """`x` with its axes in another order."""
        return self.add("Transpose", x, perm=order)

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """`x` cut along an axis."""
        lengths = self.constant(np.array(sizes))
        return self.add_many("Split", (x, lengths), len(sizes), axis=axis)

    def embedded(self, table: Float32s, count: int) -> str:
        """The sum of the table's rows at the input `values` [B, count], [B, D]."""
        values = self.input("values", TensorProto.INT64, "B", count)
        rows = self.add("Gather", self.constant(table), values)
        # Not ReduceSum, whose summation order differs between one sequence and several.
        ones = self.constant(np.ones((1, count), np.float32))
        return self.reshape(self.add("MatMul", ones, rows), 0, table.shape[1])

    def norm(self, x: str, width: int) -> str:
        """`x` over its root mean square along the last axis."""
        gain = self.constant(np.ones(width, np.float32))
        return self.add("SimplifiedLayerNormalization", x, gain, axis=-1, epsilon=EPSILON)

    def add_and_norm(self, x_BD: str, more_BD: str, width: int) -> tuple[str, str]:
        """The sum of two states, and the sum normalised."""
        gain = self.constant(np.ones(width, np.float32))
        normed, _, _, total = self.add_many(
            "SkipSimplifiedLayerNormalization", (x_BD, more_BD, gain), 4, _RUNTIME, epsilon=EPSILON
        )
        return total, normed

    def rounded(self, x_BD: str, *, positive: bool = False) -> Rounded:
        """Rows quantised to 8 bits; `positive` rows use all bits for the magnitude."""
        rows, zero = self._zeros["bottom" if positive else "middle"]
        sizes = x_BD if positive else self.add("Abs", x_BD)
        size_B = self.add("ReduceMax", sizes, self._one, keepdims=0)
        steps = self.constant(np.float32(1 / 255 if positive else 1 / 127))
        # A row of zeros has unit 0: whatever it is rounded to, its products are multiplied by 0.
        unit_B = self.add("Mul", size_B, steps)
        eight = self.add("QuantizeLinear", x_BD, unit_B, rows, axis=0)
        return Rounded(eight, zero, self.add("Unsqueeze", unit_B, self._one))

    def product(self, x: Rounded, weight: Float32s) -> str:
        """Rounded rows times a matrix [out, in], [B, out]."""
        largest = np.abs(weight).max(axis=1).clip(min=np.float32(_SMALLEST))
        scale = largest / np.float32(self._largest)
        eight = np.rint(weight / scale[:, None]).astype(np.int8).T
        # In two steps: the runtime's fused operator is slower for a single row.
        sums = self.add("MatMulInteger", x.eight, self.constant(eight), x.zero)
        exact = self.add("Cast", sums, to=TensorProto.FLOAT)
        return self.add("Mul", self.add("Mul", exact, self.constant(scale)), x.unit)

    def mlp(self, x_BD: str, up: Float32s, down: Float32s) -> str:
        """down(max(up(x), 0)²), [B, D]."""
        inner = self.add("Relu", self.product(self.rounded(x_BD), up))
        inner = self.add("Mul", inner, inner)
        return self.product(self.rounded(inner, positive=True), down)


def trunk(config: ModelConfig, parameters: Parameters, largest: int) -> bytes:
    """The graph of a trunk step and field 0.

    Inputs beside the zero points: `values` [B, N], places in the embedding's table; `turned_by`
    [B, H + G], 0, 1, …, the rows of `cosine{i}` and `sine{i}` [B·(H + G), C/2] that turn and scale
    the heads of layer i; `keys{i}` and `values{i}` [B, G, S, C]; for each pattern but
    `previous_row`, whose keys all count, `seen_{pattern}` [S]: 0 for keys that count and −∞ for
    the others, and `sizes_{pattern}`, S and 1. S may be another for each pattern, and change from
    run to run. Outputs: all layers' new keys and values, by turns, [B, layers·2·G, 1, C]; the state
    [B, D]; logits [B, V].

    Args:
        config: one that `musenet.decoding.decoder.is_fixed_shape` allows.
        parameters: the model's.
        largest: the largest weight after rounding.
    """
    graph = Graph(largest)
    x, normed = _embedded(graph, config, parameters)
    attention = _StepAttention(graph, config, parameters)
    for layer in range(config.layers):
        q, k, v = attention.heads(normed, layer)
        x, normed = _after(graph, parameters, layer, x, attention.mixed(q, k, v, layer))
    logits = graph.product(graph.rounded(normed), parameters["head.out.0"])
    graph.output(graph.add("Concat", *attention.new, axis=1), normed, logits)
    return graph.serialised()


def reader(config: ModelConfig, parameters: Parameters, largest: int) -> bytes:
    """The graph that reads rows of one sequence at once, for their keys and values alone.

    Inputs as for `trunk`, with the rows in the place of the batch, but `keys{i}` and `values{i}`
    are [G, 1, S, C], and `seen_{pattern}` [B, S + B], for every pattern, says which keys each row
    sees. Outputs: the new keys and values of each layer, by turns, [G, 1, B, C].
    """
    graph = Graph(largest)
    x, normed = _embedded(graph, config, parameters)
    attention = _ReadingAttention(graph, config, parameters)
    for layer in range(config.layers):
        q, k, v = attention.heads(normed, layer)
        if layer < config.layers - 1:  # nobody reads what the last layer makes of them
            x, normed = _after(graph, parameters, layer, x, attention.mixed(q, k, v, layer))
    graph.output(*attention.new)
    return graph.serialised()


def _embedded(graph: Graph, config: ModelConfig, parameters: Parameters) -> tuple[str, str]:
    """The stream [B, D] before the first layer, and the same normalised."""
    columns = len(config.field_sizes) + len(config.structure_sizes)
    x = graph.norm(graph.embedded(parameters["embedding.weight"], columns), config.width)
    return x, graph.norm(x, config.width)


def _after(graph: Graph, parameters: Parameters, layer: int, x: str, mixed: str) -> tuple[str, str]:
    """The stream [B, D] after a layer from its attention, and the same normalised."""
    out, up, down = (parameters[f"blocks.{layer}.{name}"] for name in ("out", "up", "down"))
    x, normed = graph.add_and_norm(x, graph.product(graph.rounded(mixed), out), len(out))
    return graph.add_and_norm(x, graph.mlp(normed, up, down), len(out))


class _Attention:
    """What the layers' attention shares.

    Attributes:
        new: the new keys and values of the layers so far, by turns.
    """

    def __init__(self, graph: Graph, config: ModelConfig, parameters: Parameters) -> None:
        self.new: list[str] = []
        self._graph, self._config, self._parameters = graph, config, parameters
        self._turned_by = graph.input("turned_by", TensorProto.INT64, "B", "H")
        self._shared: set[str] = set()

    def heads(self, normed_BD: str, layer: int) -> tuple[str, str, str]:
        """Queries [B, H, C], keys and values [B, G, C] of the new rows, turned and scaled."""
        graph, config = self._graph, self._config
        heads, groups, channels = config.heads, config.groups, config.head_width
        names = (f"blocks.{layer}.{name}" for name in ("query", "key", "value"))
        projection = np.concatenate([self._parameters[name] for name in names])
        qkv = graph.product(graph.rounded(normed_BD), projection)
        qkv = graph.reshape(qkv, 0, heads + 2 * groups, channels)
        qk, v = graph.split(qkv, (heads + groups, groups), 1)
        q, k = graph.split(self._turned(graph.norm(qk, channels), layer), (heads, groups), 1)
        k, v = self._laid_out(k), self._laid_out(v)
        self.new += [k, v]
        return q, k, v

    def _laid_out(self, x_BGC: str) -> str:
        """Keys or values as they are attended to and kept."""
        raise NotImplementedError

    def _turned(self, qk_BHC: str, layer: int) -> str:
        """Queries and keys turned by their positions, as if heads were a sequence's rows."""
        tables = [
            self._graph.input(
                f"{name}{layer}", TensorProto.FLOAT, "BH", self._config.head_width // 2
            )
            for name in ("cosine", "sine")
        ]
        return self._graph.add(
            "RotaryEmbedding", qk_BHC, self._turned_by, *tables, domain=_RUNTIME, interleaved=1
        )

    def _kept(self, layer: int, *shape: int | str) -> tuple[str, str]:
        """The keys and values so far."""
        keys = self._graph.input(f"keys{layer}", TensorProto.FLOAT, *shape)
        return keys, self._graph.input(f"values{layer}", TensorProto.FLOAT, *shape)

    def _scores(self, q: str, keys: str) -> str:
        return self._graph.add("FusedMatMul", q, keys, domain=_RUNTIME, transB=1)

    def _input(self, name: str, dtype: int, *shape: int | str) -> str:
        """An input that layers share."""
        if name not in self._shared:
            self._shared.add(self._graph.input(name, dtype, *shape))
        return name


class _StepAttention(_Attention):
    """One new row of each sequence."""

    def mixed(self, q_BHC: str, k: str, v: str, layer: int) -> str:
        """Attention of the row to its cache and, but for `previous_row`, itself, [B, H·C]."""
        graph, config, pattern = self._graph, self._config, self._config.layer_patterns[layer]
        groups, channels = config.groups, config.head_width
        q = graph.reshape(q_BHC, 0, groups, config.heads // groups, channels)
        keys, values = self._kept(layer, "B", groups, f"S_{pattern}", channels)
        scores = self._scores(q, keys)
        if pattern == "previous_row":
            mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), values)
        else:
            seen = self._input(f"seen_{pattern}", TensorProto.FLOAT, f"S_{pattern}")
            scores = graph.add("Add", scores, seen)
            scores = graph.add("Concat", scores, self._scores(q, k), axis=-1)
            shares = graph.add("Softmax", scores, axis=-1)
            sizes = self._input(f"sizes_{pattern}", TensorProto.INT64, 2)
            share, own = graph.add_many("Split", (shares, sizes), 2, axis=-1)
            mixed = graph.add("Add", graph.add("MatMul", share, values), graph.add("Mul", own, v))
        return graph.reshape(mixed, 0, config.heads * channels)

    def _laid_out(self, x_BGC: str) -> str:
        """[B, G, 1, C]."""
        return self._graph.reshape(x_BGC, 0, self._config.groups, 1, self._config.head_width)


class _ReadingAttention(_Attention):
    """Many new rows of one sequence."""

    def mixed(self, q_BHC: str, k: str, v: str, layer: int) -> str:
        """Attention of the rows to the keys before them and to one another, [B, H·C]."""
        graph, config, pattern = self._graph, self._config, self._config.layer_patterns[layer]
        groups, channels = config.groups, config.head_width
        q = graph.reshape(q_BHC, 0, groups, config.heads // groups, channels)
        q = graph.transposed(q, 1, 2, 0, 3)  # [G, H / G, B, C]
        keys, values = self._kept(layer, groups, 1, f"S_{pattern}", channels)
        keys, values = (
            graph.add("Concat", old, new, axis=2) for old, new in ((keys, k), (values, v))
        )
        seen = self._input(f"seen_{pattern}", TensorProto.FLOAT, "B", f"S_{pattern}_B")
        shares = graph.add("Softmax", graph.add("Add", self._scores(q, keys), seen), axis=-1)
        mixed = graph.transposed(graph.add("MatMul", shares, values), 2, 0, 1, 3)
        return graph.reshape(mixed, 0, config.heads * channels)

    def _laid_out(self, x_BGC: str) -> str:
        """[G, 1, B, C]."""
        rows = self._graph.reshape(x_BGC, 0, self._config.groups, 1, self._config.head_width)
        return self._graph.transposed(rows, 1, 2, 0, 3)


def head_field(config: ModelConfig, parameters: Parameters, number: int, largest: int) -> bytes:
    """The graph of a field of the head after the first.

    Inputs beside the zero points: `state` [B, D]; `values` [B, N], places in `field_table`.
    Outputs: the state for this field [B, D]; its logits [B, V].
    """
    graph, width = Graph(largest), config.width
    state = graph.input("state", TensorProto.FLOAT, "B", width)
    count = 1 + config.known_columns if number == 1 else 1
    given = graph.embedded(field_table(config, parameters, number), count)
    x = graph.norm(graph.add("Add", given, state), width)
    up, down = (parameters[f"head.{name}.{number - 1}"] for name in ("up", "down"))
    x = graph.add("Add", x, graph.mlp(x, up, down))
    graph.output(x, graph.product(graph.rounded(x), parameters[f"head.out.{number}"]))
    return graph.serialised()


def field_table(config: ModelConfig, parameters: Parameters, number: int) -> Float32s:
    """Embeddings of the field before, and for field 1 of the structure that field 0 decides."""
    start = sum(config.field_sizes[: number - 1])
    values = parameters["head.values.weight"][start : start + config.field_sizes[number - 1]]
    if number > 1:
        return values
    return np.concatenate([values, parameters["head.structure.weight"]])


def integer_product(weights: npt.NDArray[np.int8]) -> bytes:
    """The graph of `rows` [B, D] uint8 times `weights` [D, out], in int32."""
    rows = helper.make_tensor_value_info("rows", TensorProto.UINT8, ("B", weights.shape[0]))
    sums = helper.make_tensor_value_info("sums", TensorProto.INT32, ("B", weights.shape[1]))
    node = helper.make_node("MatMulInteger", ("rows", "weights"), ("sums",))
    kept = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph([node], "product", [rows], [sums], kept)
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())
