"""The decode step: one new row through all layers, in as few PyTorch operations as possible.

`DecodeStep` computes what `Transformer.trunk` computes for a single new row, with the weights
converted to the compute dtype, and on a CPU prepacked, once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from musenet.attention.cached import attend_one
from musenet.attention.kv_cache import Cache, LayerCache
from musenet.model.blocks import Block
from musenet.model.config import EPSILON
from musenet.model.fused_ops import rms_norm
from musenet.model.transformer import Transformer

from .prepacked_linear import product

Attend = Callable[[Tensor, Tensor, Tensor, LayerCache], Tensor]
"""attend(q [B, H, C], k [B, G, C], v, cache) writes k and v; returns the attention [B, H, 1, C]."""

_PACKED = 2**28  # total matrix elements, 1 GB: beyond that, memory matters more than time


class DecodeStep:
    """A model prepared for single rows, with its current weights.

    Args:
        model: one that `musenet.decoding.decoder.has_decode_step` allows.
    """

    def __init__(self, model: Transformer) -> None:
        blocks = [block for block in model.blocks if isinstance(block, Block)]
        compute = model.compute or model.embedding.weight.dtype
        pack = sum(p.numel() for p in model.hidden_matrices()) <= _PACKED
        self._layers = [_Layer(block, compute, pack) for block in blocks]
        gains = [block.fused_gain() for block in blocks]
        self._gains = torch.stack([g for g in gains if g is not None]).detach()[..., None]
        self._model, self._compute = model, compute

    def __call__(
        self,
        row_BF: Tensor,
        structure_BS: Tensor,
        rotation: Tensor,
        cache: Cache,
        attend: Attend | None = None,
    ) -> Tensor:
        """The normalised state after the last layer, [B, D] in the compute dtype, for one new row.

        Args:
            row_BF: the row, long.
            structure_BS: its structural features, long.
            rotation: [B or 1, H + G or 1, C/2], rotates each head.
            cache: keys and values so far; the new ones are written, its position is unchanged.
            attend: the attention; by default that of the row at `cache.position`.
        """
        attend = attend or partial(attend_one, position=cache.position)
        turns = rotation * self._gains[:, None]  # [layers, B or 1, H + G, C/2]
        features = len(self._model.config.structure_sizes)
        x_BD = self._model.embedding(row_BF, structure_BS[:, :features])
        x_BD = rms_norm(x_BD, x_BD.dtype)
        for layer, turn, layer_cache in zip(
            self._layers, turns.unbind(), cache.layers, strict=True
        ):
            layer.add(x_BD, turn, layer_cache, attend)
        return rms_norm(x_BD, self._compute)


class _Layer:
    """One block: its weights and its computation for a single row."""

    def __init__(self, block: Block, compute: torch.dtype, pack: bool) -> None:
        self._compute = compute
        self._heads, self._groups, self._channels = block.heads, block.groups, block.channels
        self._project, self._out, self._up, self._down = (
            product(weight.to(compute), pack=pack)
            for weight in (block.fused_projection(), block.out, block.up, block.down)
        )

    def add(self, x_BD: Tensor, turn: Tensor, cache: LayerCache, attend: Attend) -> None:
        """Add this layer's attention and MLP to the stream, in place."""
        batch, width = x_BD.shape
        asked = self._heads + self._groups
        qkv = self._project(self._norm(x_BD))
        qkv = qkv.view(batch, asked + self._groups, self._channels)
        qk = F.rms_norm(qkv[:, :asked].to(x_BD.dtype), (self._channels,), eps=EPSILON)
        turned = torch.view_as_complex(qk.view(batch, asked, -1, 2)) * turn
        qk = torch.view_as_real(turned).view(batch, asked, self._channels).to(self._compute)
        mixed = attend(qk[:, : self._heads], qk[:, self._heads :], qkv[:, asked:], cache)
        x_BD += self._out(mixed.reshape(batch, width))
        inner = self._up(self._norm(x_BD)).relu_()
        x_BD += self._down(inner.mul_(inner))

    def _norm(self, x_BD: Tensor) -> Tensor:
        return F.rms_norm(x_BD, x_BD.shape[1:], eps=EPSILON).to(self._compute)
