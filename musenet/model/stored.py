"""The parameters of a trained model as arrays: all that decoding with int8 weights needs.

No torch: `musenet.model.build` makes a Transformer of them where one is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from safetensors import SafetensorError, deserialize

from tokenizer.typing import Float32s

from .config import ModelConfig

if TYPE_CHECKING:
    from .transformer import Transformer

FORMAT = "musenet-1"
_EMBEDDING = "embedding.weight"


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model as it is stored.

    Attributes:
        config: its configuration.
        parameters: by name, fp32.
    """

    config: ModelConfig
    parameters: Mapping[str, Float32s]

    @property
    def context_rows(self) -> int:
        """Rows that fit in the context of a model whose rows take a step each."""
        return self.config.context

    def with_blends(self, rows: Mapping[int, Mapping[int, float]]) -> StoredModel:
        """The model in which some values of field 0 are embedded as blends of values.

        Args:
            rows: of each such value, the values that it blends, with their shares.
        """
        own = self.parameters[_EMBEDDING]
        blended = own.copy()
        for value, shares in rows.items():
            blended[value] = sum(np.float32(share) * own[part] for part, share in shares.items())
        return replace(self, parameters={**self.parameters, _EMBEDDING: blended})


AnyModel: TypeAlias = "StoredModel | Transformer"
"""A model as it is stored, or in PyTorch."""


def parameters_of(model: AnyModel) -> Mapping[str, Float32s]:
    """The parameters of a model on a CPU by name, fp32; those of fp32 modules are not copied."""
    if isinstance(model, StoredModel):
        return model.parameters
    return {name: tensor.detach().float().numpy() for name, tensor in model.state_dict().items()}


def parse_parameters(data: bytes) -> tuple[dict[str, Float32s], dict[str, str]]:
    """The arrays of a safetensors file, fp32, and its metadata.

    Raises:
        ValueError: if it is damaged, or holds other numbers than bf16, fp16 and fp32.
    """
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        found = {name: _array(entry) for name, entry in deserialize(data)}  # type: ignore[no-untyped-call]
    except (SafetensorError, MemoryError, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return found, header.get("__metadata__") or {}


def _array(entry: Mapping[str, Any]) -> Float32s:
    kind, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if kind == "BF16":  # the upper half of fp32
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    kinds = {"F16": "<f2", "F32": "<f4"}
    if kind not in kinds:
        raise ValueError(f"numbers of type {kind}")
    return np.frombuffer(data, kinds[kind]).astype(np.float32).reshape(shape)


def parameter_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The name and the shape of every parameter of a configuration."""
    width, shared = config.width, config.groups * config.head_width
    square = (width, width)
    embedded = sum(config.field_sizes) + sum(config.structure_sizes)
    shapes: dict[str, tuple[int, ...]] = {_EMBEDDING: (embedded, width)}
    if config.positions == "learned":
        shapes["positions"] = (config.context, width)
    norms = ["norm"]
    for layer in range(config.layers):
        block = f"blocks.{layer}."
        shapes |= {
            f"{block}query": square,
            f"{block}key": (shared, width),
            f"{block}value": (shared, width),
            f"{block}out": square,
            f"{block}up": (config.mlp * width, width),
            f"{block}down": (width, config.mlp * width),
        }
        if config.qk_norm:
            shapes[f"{block}gain"] = (config.heads,)
        norms += [f"{block}attention_norm", f"{block}mlp_norm"]
    if config.norm == "layer":
        shapes |= {
            f"{norm}.layer.{name}": (width,) for norm in norms for name in ("weight", "bias")
        }
    shapes |= {f"head.out.{i}": (size, width) for i, size in enumerate(config.field_sizes)}
    if is_cascade(config):
        known = sum(config.structure_sizes[: config.known_columns])
        shapes |= {
            "head.values.weight": (sum(config.field_sizes[:-1]), width),
            "head.structure.weight": (known, width),
        }
        for field in range(len(config.field_sizes) - 1):
            shapes |= {f"head.up.{field}": square, f"head.down.{field}": square}
    if config.critic:
        shapes |= {"critic.up": square, "critic.out": (1, width), "critic.bias": (1,)}
    return shapes


def is_cascade(config: ModelConfig) -> bool:
    """Whether the head predicts field after field; with one field a cascade is one linear map."""
    return config.head == "cascade" and len(config.field_sizes) > 1
