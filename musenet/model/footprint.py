"""The parameters, memory and operations of a configuration, without building the model.

Everything is counted on the meta device, where tensors have shapes and no memory: parameters are
those of the real module, activations those that its backward pass would keep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from musenet.attention.decompose import parts
from musenet.attention.patterns import kept

from .blocks import Block, Pass
from .config import ModelConfig
from .transformer import Transformer

_META = torch.device("meta")
_STREAM_BYTES = 4
_BF16 = 2
_OPTIMIZER_BYTES = {"muon": 4, "adamw": 8}


@dataclass(frozen=True)
class Footprint:
    """Resource needs of a model.

    Attributes:
        parameters: of the whole model.
        hidden: those in matrices between hidden states.
        training_state: bytes of weights, gradients and optimizer (fp32; Muon and AdamW).
        activations: bytes saved for the backward pass by one sequence of the full context, by
            recompute mode.
        cache: bytes of keys and values of one sequence of the full context, bf16.
        keys: keys that a position sees on average, summed over the layers.
        forward_flops: operations per token of a forward pass at the full context.
        training_flops: the same with the backward pass.
    """

    parameters: int
    hidden: int
    training_state: int
    activations: dict[str, int]
    cache: int
    keys: float
    forward_flops: float
    training_flops: float

    def largest_batch(self, memory: float, recompute: str) -> int:
        """The largest training batch that fits in `memory` bytes; 0 if none does."""
        return max(0, int((memory - self.training_state) // self.activations[recompute]))

    def largest_generation(self, memory: float) -> int:
        """The largest generation batch that fits in `memory` bytes, with weights in bf16."""
        return max(0, int((memory - 2 * self.parameters) // self.cache))


def footprint(config: ModelConfig) -> Footprint:
    """Count everything for a configuration; `musenet` (2 billion parameters) takes a second."""
    with _META:
        model = Transformer(config, torch.bfloat16)
    parameters = sum(p.numel() for p in model.parameters())
    hidden = sum(p.numel() for p in model.hidden_matrices())
    keys = sum(keys_seen(p, config.context, config.row_length) for p in config.layer_patterns)
    forward = 2.0 * _multiplied(model) + 4.0 * config.width * keys
    state = 8 * parameters + _OPTIMIZER_BYTES["muon"] * hidden
    return Footprint(
        parameters=parameters,
        hidden=hidden,
        training_state=state + _OPTIMIZER_BYTES["adamw"] * (parameters - hidden),
        activations=_activations(model),
        cache=cache_bytes(config, config.context, 2),
        keys=keys,
        forward_flops=forward,
        training_flops=3 * forward,
    )


def keys_seen(pattern: str, length: int, row_length: int) -> float:
    """Keys that a position sees on average, for a length that is a multiple of the row length."""
    rows = -(-length // row_length) * row_length if pattern != "dense" else length
    place = torch.empty((1, rows, 1, 1), device=_META)
    pairs = 0
    for part in parts(pattern, rows, row_length):
        n, s, heads = part.queries(place, row_length).shape[:3]
        pairs += n * heads * (s * s if part.sees == "full" else s * (s + 1) // 2)
    return pairs / rows


def cache_bytes(config: ModelConfig, length: int, bytes_each: int) -> int:
    """Bytes of the keys and values of one sequence: 2 · groups · channels · positions stored."""
    each = 2 * config.groups * config.head_width * bytes_each
    return sum(each * kept(p, config.row_length, length) for p in config.layer_patterns)


def _multiplied(model: Transformer) -> int:
    """Parameters that every position is multiplied by: all matrices but the look-up tables."""
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2
        and name != "positions"
        and not name.startswith("critic")
        and not name.endswith("weight")
    )


def _activations(model: Transformer) -> dict[str, int]:
    """Bytes for one sequence, by recompute mode."""
    config = model.config
    stream = _STREAM_BYTES * config.width * config.context
    kinds = set(config.layer_patterns)
    blocks = {b.pattern: b for b in model.blocks if isinstance(b, Block)}
    whole = {p: _saved(_layer(blocks[p], config)) for p in kinds}
    # Results of the fused projection, attention and its log-sums, and the three other matrices.
    channels = (config.heads + 2 * config.groups) * config.head_width
    matmuls = config.context * (
        _BF16 * (channels + (3 + config.mlp) * config.width) + _STREAM_BYTES * config.heads
    )
    rest = _saved(_ends(model))
    largest = max(whole.values())
    layers = config.layer_patterns
    return {
        "none": rest + sum(whole[p] for p in layers),
        "selective": rest + (stream + matmuls) * len(layers) + largest,
        "full": rest + stream * len(layers) + largest,
    }


def _layer(block: Block, config: ModelConfig) -> Callable[[int], Tensor]:
    size = (1, config.context, 1, config.head_width // 2)
    turns = torch.empty(size, dtype=torch.cfloat, device=_META)
    how = Pass(None if config.positions == "learned" else turns, torch.bfloat16, 0, "sdpa")

    def run(batch: int) -> Tensor:
        stream = torch.empty(
            (batch, config.context, config.width), device=_META, requires_grad=True
        )
        result: Tensor = block(stream, how)
        return result

    return run


def _ends(model: Transformer) -> Callable[[int], Tensor]:
    """Embedding and head around an empty stack."""
    config = model.config

    def run(batch: int) -> Tensor:
        length = config.context
        sizes = len(config.field_sizes), len(config.structure_sizes)
        tokens, structure = (
            torch.empty((batch, length, size), dtype=torch.long, device=_META) for size in sizes
        )
        hidden = model.norm(model.embedding(tokens, structure), torch.bfloat16)
        rows = model.head.interleaving.rows_within(length)
        return model.head.nll(hidden, tokens[:, :rows], structure[:, :rows])

    return run


def _saved(run: Callable[[int], Tensor]) -> int:
    """Bytes saved for the backward pass per additional sequence of a batch."""

    def count(batch: int) -> int:
        storages: dict[int, torch.UntypedStorage] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            storages[storage._cdata] = storage
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            run(batch)
        return sum(storage.nbytes() for storage in storages.values())

    return count(2) - count(1)
