"""One position at a time, in as few operations as PyTorch allows: what eager decoding does.

`Step` computes what `Transformer.trunk` computes for a single new row, with weights turned to the
compute dtype, and on a CPU laid out for it, once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from musenet.attention.cached import attend_one
from musenet.attention.kv_cache import Cache, LayerCache
from musenet.model.blocks import Block

from .prepacked_linear import product

if TYPE_CHECKING:
    from musenet.model.transformer import Transformer

Attend = Callable[[Tensor, Tensor, Tensor, LayerCache], Tensor]
"""attend(q [B, H, C], k [B, G, C], v, kept) keeps k and v and gives the attention [B, H, 1, C]."""

_EPSILON = 1e-6
_PACKED = 2**28  # numbers in all matrices, 1 GB: beyond, memory is dearer than time


class Step:
    """A model's layers made ready for single steps.

    Args:
        model: with RMSNorm, squared ReLU, QK-norm and rotary positions (see `supports`).
    """

    def __init__(self, model: Transformer) -> None:
        blocks = [block for block in model.blocks if isinstance(block, Block)]
        compute = model.compute or model.embedding.weight.dtype
        pack = sum(p.numel() for p in model.hidden_matrices()) <= _PACKED
        self._layers = [_Layer(block, compute, pack) for block in blocks]
        gains = [block.fused_gain() for block in blocks]
        self._gains = torch.stack([g for g in gains if g is not None]).detach()[..., None]
        self.versions = versions(model)

    @staticmethod
    def supports(model: Transformer) -> bool:
        """Whether the model is built of what `Step` knows."""
        config = model.config
        return (
            config.norm == "rms"
            and config.activation == "squared_relu"
            and config.qk_norm
            and config.positions == "rotary"
        )

    def __call__(
        self, x_BD: Tensor, rotation: Tensor, caches: Cache, attend: Attend | None = None
    ) -> Tensor:
        """The stream after all layers, [B, D], for one new row.

        Args:
            x_BD: the normalised embedding.
            rotation: [1, C/2], the position's.
            caches: keys and values so far; the new ones are written.
            attend: by default that of the row at `caches.position`.
        """
        attend = attend or partial(attend_one, position=caches.position)
        turns = rotation * self._gains  # [layers, H + G, C/2]
        x_BD = x_BD.clone()
        for layer, turn, kept in zip(self._layers, turns.unbind(), caches.layers, strict=True):
            layer.add(x_BD, turn, kept, attend)
        return x_BD


class _Layer:
    """One block's weights and what it does to a single row."""

    def __init__(self, block: Block, compute: torch.dtype, pack: bool) -> None:
        self._compute = compute
        self._heads, self._groups, self._channels = block.heads, block.groups, block.channels
        self._project, self._out, self._up, self._down = (
            product(weight.to(compute), pack=pack)
            for weight in (block.fused_projection(), block.out, block.up, block.down)
        )

    def add(self, x_BD: Tensor, turn: Tensor, kept: LayerCache, attend: Attend) -> None:
        """Add this layer's attention and MLP to the stream, in place."""
        batch, width = x_BD.shape
        asked = self._heads + self._groups
        qkv = self._project(self._norm(x_BD))
        qkv = qkv.view(batch, asked + self._groups, self._channels)
        qk = F.rms_norm(qkv[:, :asked].to(x_BD.dtype), (self._channels,), eps=_EPSILON)
        turned = torch.view_as_complex(qk.view(batch, asked, -1, 2)) * turn
        qk = torch.view_as_real(turned).view(batch, asked, self._channels).to(self._compute)
        mixed = attend(qk[:, : self._heads], qk[:, self._heads :], qkv[:, asked:], kept)
        x_BD += self._out(mixed.reshape(batch, width))
        inner = self._up(self._norm(x_BD)).relu_()
        x_BD += self._down(inner.mul_(inner))

    def _norm(self, x_BD: Tensor) -> Tensor:
        return F.rms_norm(x_BD, x_BD.shape[1:], eps=_EPSILON).to(self._compute)


def versions(model: Transformer) -> tuple[int, ...]:
    """Numbers that change when the model's parameters do."""
    # Tensors made in inference mode cannot be changed outside it, and count no versions.
    return tuple(
        number
        for p in model.parameters()
        for number in (p.data_ptr(), 0 if p.is_inference() else p._version)
    )
