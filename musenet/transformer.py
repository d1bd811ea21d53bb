"""The network: embeddings, a stack of attention and MLP blocks, a head.

Shape suffixes: B batch, T positions, F fields, S structural features, D width,
H heads, G key-value heads, C channels of a head.

    x = norm(sum of embeddings)
    x = x + attention(norm(x))        for each layer, with the layer's pattern
    x = x + MLP(norm(x))
    head(norm(x))                     for every field of the next row
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tokenizer.errors import InputError

from .attention import attend, attend_cached
from .cache import Cache, LayerCache
from .config import ModelConfig
from .embeddings import SummedEmbedding
from .functional import norm_rotate, rms_norm, squared_relu, wide
from .heads import build_head

_ROTARY_BASE = 10_000.0


class Block(nn.Module):
    """Pre-norm attention and MLP, both added to the stream; zero-initialised on the way out."""

    def __init__(self, config: ModelConfig, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern
        self.row_length = config.row_length
        self.heads, self.groups, self.channels = config.heads, config.groups, config.head_width
        width, shared = config.width, config.groups * config.head_width
        self.query = _matrix(width, width)
        self.key = _matrix(shared, width)
        self.value = _matrix(shared, width)
        self.out = nn.Parameter(torch.zeros(width, width))
        self.gain = nn.Parameter(torch.ones(config.heads))
        self.up = _matrix(config.mlp * width, width)
        self.down = nn.Parameter(torch.zeros(width, config.mlp * width))

    def forward(
        self,
        x_BTD: Tensor,
        rotation: Tensor,
        compute: torch.dtype,
        cache: LayerCache | None = None,
        start: int = 0,
    ) -> Tensor:
        """One layer; `x_BTD` stays in fp32, matmuls run in `compute`."""
        x_BTD = x_BTD + self._attention(rms_norm(x_BTD, compute), rotation, cache, start)
        inner = squared_relu(F.linear(rms_norm(x_BTD, compute), self.up.to(compute)))
        return x_BTD + F.linear(inner, self.down.to(compute))

    def _attention(
        self, x_BTD: Tensor, rotation: Tensor, cache: LayerCache | None, start: int
    ) -> Tensor:
        heads, groups = self.heads, self.groups
        fused = torch.cat((self.query, self.key, self.value)).to(x_BTD.dtype)
        qkv = F.linear(x_BTD, fused).view(*x_BTD.shape[:2], -1, self.channels)
        qk, v_BTGC = torch.split(qkv, (heads + groups, groups), 2)
        gain = torch.cat((self.gain, self.gain.new_ones(groups)))
        q_BTHC, k_BTGC = torch.split(norm_rotate(qk, rotation, gain), (heads, groups), 2)
        if cache is None:
            mixed = attend(q_BTHC, k_BTGC, v_BTGC, self.pattern, self.row_length)
        else:
            mixed = attend_cached(q_BTHC, k_BTGC, v_BTGC, cache, start)
        return F.linear(mixed.flatten(2), self.out.to(x_BTD.dtype))


class Transformer(nn.Module):
    """A decoder over rows of fields.

    Args:
        config: its shape.
        compute: dtype of the matmuls; None computes in the parameters' dtype.
    """

    def __init__(self, config: ModelConfig, compute: torch.dtype | None = None) -> None:
        super().__init__()
        self.config = config
        self.compute = compute
        self.embedding = SummedEmbedding(
            (*config.field_sizes, *config.structure_sizes), config.width, 0.1
        )
        self.blocks = nn.ModuleList(Block(config, pattern) for pattern in config.layer_patterns)
        self.head = build_head(config)
        self._rotation: Tensor | None = None

    def trunk(
        self, tokens_BTF: Tensor, structure_BTS: Tensor, cache: Cache | None = None
    ) -> Tensor:
        """The state after the last layer, from which the head predicts the next row.

        Args:
            tokens_BTF: rows, long.
            structure_BTS: their structural features, long.
            cache: positions before these; they are appended to it.

        Returns:
            [B, T, D], normalised, in the compute dtype.

        Raises:
            InputError: if the sequence is longer than the context.
        """
        length = tokens_BTF.shape[1]
        if length > self.config.context:
            raise InputError(
                f"{length} positions do not fit in the model's context of {self.config.context}; "
                "give fewer"
            )
        start = 0 if cache is None else cache.position
        x_BTD = self.embedding(tokens_BTF, structure_BTS)
        x_BTD = rms_norm(x_BTD, x_BTD.dtype)
        rotation = self._rotations(start, start + length, x_BTD)
        compute = self.compute or x_BTD.dtype
        for index, block in enumerate(self.blocks):
            layer = None if cache is None else cache.layers[index]
            x_BTD = block(x_BTD, rotation, compute, layer, start)
        if cache is not None:
            cache.position += length
        return rms_norm(x_BTD, compute)

    def nll(self, tokens_BTF: Tensor, structure_BTS: Tensor) -> Tensor:
        """Negative log-likelihood of rows 1… given the rows before, [B, T − 1, F] nats."""
        hidden = self.trunk(tokens_BTF[:, :-1], structure_BTS[:, :-1])
        return self.head.nll(hidden, tokens_BTF[:, 1:], structure_BTS[:, 1:])

    def new_cache(self, batch: int, length: int | None = None) -> Cache:
        """An empty cache for `batch` sequences of up to `length` positions (default: context).

        Past that length the oldest rows are forgotten, one row at a time.
        """
        config = self.config
        shape = (batch, config.groups, length or config.context, config.head_width)
        weight = self.embedding.weight
        return Cache(
            [
                LayerCache(
                    pattern, config.row_length, shape, self.compute or weight.dtype, weight.device
                )
                for pattern in config.layer_patterns
            ]
        )

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The matrices between hidden states, which Muon is for; AdamW trains the others."""
        inside = [p for p in self.blocks.parameters() if p.ndim == 2]
        return [*inside, *self.head.hidden_matrices()]

    def reset_buffers(self) -> None:
        """Fill in what checkpoints do not store, after `to_empty`."""
        for module in self.modules():
            if isinstance(module, SummedEmbedding):
                module.reset_buffers()

    def _rotations(self, start: int, stop: int, like: Tensor) -> Tensor:
        """Unit complex numbers [stop − start, C/2] that turn the heads' channel pairs."""
        table = self._rotation
        precise = wide(like.dtype)
        dtype = torch.complex128 if precise == torch.float64 else torch.complex64
        if (
            table is None
            or len(table) < stop
            or table.dtype != dtype
            or table.device != like.device
        ):
            pairs = self.config.head_width // 2
            rates = _ROTARY_BASE ** -(torch.arange(pairs, dtype=torch.float64) / pairs)
            length = max(stop, self.config.context)
            angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
            table = torch.polar(torch.ones_like(angles), angles).to(like.device, dtype)
            self._rotation = table
        return table[start:stop]


def _matrix(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(rows, columns).normal_(std=0.5 * columns**-0.5))
