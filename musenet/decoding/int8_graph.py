"""ONNX graphs with int8 weights for one new row, run by `musenet.decoding.int8`.

    trunk      rows and keys so far ─▶ new keys and values, state, logits of field 0
    field k    state, value of field k − 1 (and the row's structure) ─▶ state, logits of field k

Every product with weights is an integer product, hence exact, and the rest is computed row by row:
a row of the result does not depend on the other rows. Weights are quantised to int8 once, with a
scale per output channel; activations are quantised to 8 bits just before each product, with a scale
per row.

Shape suffixes: B batch, N values that are looked up, D width, H query heads, G key-value heads,
C channels of a head, S positions kept by a layer's cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from torch import Tensor

from musenet.model.blocks import Block
from musenet.model.fused_ops import EPSILON
from musenet.model.heads import CascadeHead
from musenet.model.transformer import Transformer

# Operators that ONNX Runtime adds to the standard's.
_RUNTIME = "com.microsoft"
_OPSETS = (helper.make_opsetid("", 18), helper.make_opsetid(_RUNTIME, 1))
_IR_VERSION = 9
_SMALLEST = 1e-12


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

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: float) -> str:
        """Add a node with one result."""
        return self.add_many(op, inputs, 1, domain, **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], results: int, domain: str = "", **attributes: float
    ) -> list[str]:
        """Add a node with some results."""
        names = [f"{op}{len(self._nodes)}_{i}" for i in range(results)]
        self._nodes.append(helper.make_node(op, inputs, names, domain=domain, **attributes))
        return names

    def constant(self, value: npt.NDArray[np.generic] | np.generic | Tensor) -> str:
        """A constant; a tensor's is fp32."""
        array = value.detach().float().numpy() if isinstance(value, Tensor) else np.asarray(value)
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

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """`x` cut along an axis."""
        lengths = self.constant(np.array(sizes))
        return self.add_many("Split", (x, lengths), len(sizes), axis=axis)

    def embedded(self, table: Tensor, count: int) -> str:
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

    def product(self, x: Rounded, weight: Tensor) -> str:
        """Rounded rows times a matrix [out, in], [B, out]."""
        weight = weight.detach().float()
        scale = weight.abs().amax(1).clamp_(min=_SMALLEST) / self._largest
        eight = (weight / scale[:, None]).round_().to(torch.int8).t().numpy()
        # In two steps: the runtime's fused operator is slower for a single row.
        sums = self.add("MatMulInteger", x.eight, self.constant(eight), x.zero)
        exact = self.add("Cast", sums, to=TensorProto.FLOAT)
        return self.add("Mul", self.add("Mul", exact, self.constant(scale)), x.unit)

    def mlp(self, x_BD: str, up: Tensor, down: Tensor) -> str:
        """down(max(up(x), 0)²), [B, D]."""
        inner = self.add("Relu", self.product(self.rounded(x_BD), up))
        inner = self.add("Mul", inner, inner)
        return self.product(self.rounded(inner, positive=True), down)


def trunk(model: Transformer, largest: int) -> bytes:
    """The graph of a trunk step and field 0.

    Inputs beside the zero points: `values` [B, N], places in the embedding's table; `turned_by`
    [B, H + G], 0, 1, …, the rows of `cosine{i}` and `sine{i}` [B·(H + G), C/2] that turn and scale
    the heads of layer i; `keys{i}` and `values{i}` [B, G, S, C]; for each pattern but
    `previous_row`, whose keys all count, `seen_{pattern}` [S]: 0 for keys that count and −∞ for
    the others, and `sizes_{pattern}`, S and 1. S may be another for each pattern, and change from
    run to run. Outputs: all layers' new keys and values, by turns, [B, layers·2·G, 1, C]; the state
    [B, D]; logits [B, V].

    Args:
        model: one that `musenet.decoding.decode_step.is_fixed_shape` allows.
        largest: the largest weight after rounding.
    """
    graph, width = Graph(largest), model.config.width
    x = graph.norm(graph.embedded(model.embedding.weight, len(model.embedding.sizes)), width)
    normed = graph.norm(x, width)
    attention = _Attention(graph)
    for block in model.blocks:
        if not isinstance(block, Block):
            continue
        mixed = attention.add(normed, block)
        out = graph.product(graph.rounded(mixed), block.out)
        x, normed = graph.add_and_norm(x, out, width)
        x, normed = graph.add_and_norm(x, graph.mlp(normed, block.up, block.down), width)
    logits = graph.product(graph.rounded(normed), model.head.out[0])
    graph.output(graph.add("Concat", *attention.new, axis=1), normed, logits)
    return graph.serialised()


class _Attention:
    """What the layers' attention shares.

    Attributes:
        new: the new keys and values of the layers so far, by turns.
    """

    def __init__(self, graph: Graph) -> None:
        self.new: list[str] = []
        self._graph = graph
        self._turned_by = graph.input("turned_by", TensorProto.INT64, "B", "H")
        self._shared: set[str] = set()

    def add(self, normed_BD: str, block: Block) -> str:
        """A layer's attention of the new row to its cache and, but for `previous_row`, itself."""
        graph, layer = self._graph, len(self.new) // 2
        heads, groups, channels = block.heads, block.groups, block.channels
        qkv = graph.product(graph.rounded(normed_BD), block.fused_projection())
        qkv = graph.reshape(qkv, 0, heads + 2 * groups, channels)
        qk, v = graph.split(qkv, (heads + groups, groups), 1)
        turned = self._turned(graph.norm(qk, channels), layer, channels)
        q, k = graph.split(turned, (heads, groups), 1)
        q = graph.reshape(q, 0, groups, heads // groups, channels)
        k, v = (graph.reshape(x, 0, groups, 1, channels) for x in (k, v))
        self.new += [k, v]
        kept = "B", groups, f"S_{block.pattern}", channels
        keys = graph.input(f"keys{layer}", TensorProto.FLOAT, *kept)
        values = graph.input(f"values{layer}", TensorProto.FLOAT, *kept)
        scores = self._scores(q, keys)
        if block.pattern == "previous_row":
            mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), values)
        else:
            seen = self._input(f"seen_{block.pattern}", TensorProto.FLOAT, f"S_{block.pattern}")
            scores = graph.add("Add", scores, seen)
            scores = graph.add("Concat", scores, self._scores(q, k), axis=-1)
            shares = graph.add("Softmax", scores, axis=-1)
            sizes = self._input(f"sizes_{block.pattern}", TensorProto.INT64, 2)
            share, own = graph.add_many("Split", (shares, sizes), 2, axis=-1)
            mixed = graph.add("Add", graph.add("MatMul", share, values), graph.add("Mul", own, v))
        return graph.reshape(mixed, 0, heads * channels)

    def _turned(self, qk_BHC: str, layer: int, channels: int) -> str:
        """Queries and keys turned by their positions, as if heads were a sequence's rows."""
        tables = [
            self._graph.input(f"{name}{layer}", TensorProto.FLOAT, "BH", channels // 2)
            for name in ("cosine", "sine")
        ]
        return self._graph.add(
            "RotaryEmbedding", qk_BHC, self._turned_by, *tables, domain=_RUNTIME, interleaved=1
        )

    def _scores(self, q: str, keys: str) -> str:
        return self._graph.add("FusedMatMul", q, keys, domain=_RUNTIME, transB=1)

    def _input(self, name: str, dtype: int, size: int | str) -> str:
        """An input that layers share."""
        if name not in self._shared:
            self._shared.add(self._graph.input(name, dtype, size))
        return name


def head_field(head: CascadeHead, number: int, largest: int) -> bytes:
    """The graph of a field of the head after the first.

    Inputs beside the zero points: `state` [B, D]; `values` [B, N], places in `field_table`.
    Outputs: the state for this field [B, D]; its logits [B, V].
    """
    graph, width = Graph(largest), head.out[0].shape[1]
    state = graph.input("state", TensorProto.FLOAT, "B", width)
    count = 1 + head.known_columns if number == 1 else 1
    given = graph.embedded(field_table(head, number), count)
    x = graph.norm(graph.add("Add", given, state), width)
    x = graph.add("Add", x, graph.mlp(x, head.up[number - 1], head.down[number - 1]))
    graph.output(x, graph.product(graph.rounded(x), head.out[number]))
    return graph.serialised()


def field_table(head: CascadeHead, number: int) -> Tensor:
    """Embeddings of the field before, and for field 1 of the structure that field 0 decides."""
    start = sum(head.values.sizes[: number - 1])
    values = head.values.weight[start : start + head.values.sizes[number - 1]].detach()
    return torch.cat((values, head.structure.weight.detach())) if number == 1 else values


def integer_product(weights: npt.NDArray[np.int8]) -> bytes:
    """The graph of `rows` [B, D] uint8 times `weights` [D, out], in int32."""
    rows = helper.make_tensor_value_info("rows", TensorProto.UINT8, ("B", weights.shape[0]))
    sums = helper.make_tensor_value_info("sums", TensorProto.INT32, ("B", weights.shape[1]))
    node = helper.make_node("MatMulInteger", ("rows", "weights"), ("sums",))
    kept = [numpy_helper.from_array(weights, "weights")]
    graph = helper.make_graph([node], "product", [rows], [sums], kept)
    model = helper.make_model(graph, opset_imports=_OPSETS, ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())
