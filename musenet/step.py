"""One position at a time, in as few operations as PyTorch allows: the inner loop of generating.

`Step` computes what `Transformer.trunk` computes for a single new row, from weights made ready
once. Two engines:

    eager   the same arithmetic, with weights turned to the compute dtype once
    int8    hidden matrices as int8, a scale for each output channel; inputs are rounded to int8 a
            row at a time. Sums are exact integers, so that a sequence's numbers do not depend on
            the sequences beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from tokenizer.errors import unknown

from .blocks import Block
from .cache import Cache, LayerCache
from .cached_attention import read

if TYPE_CHECKING:
    from .transformer import Transformer

ENGINES = ("auto", "eager", "int8")

_EPSILON = 1e-6
# Below this many weights, a step is bound by the number of operations, and int8 adds some.
_WORTH_INT8 = 16_000_000

Linear = Callable[[Tensor], Tensor]


def resolve(engine: str, model: Transformer) -> str:
    """The engine that a name means for a model: "auto" is int8 for large models on fast int8 CPUs.

    Raises:
        InputError: for an unknown name.
    """
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine != "auto":
        return engine
    weights = sum(p.numel() for p in model.hidden_matrices())
    on_cpu = model.embedding.weight.device.type == "cpu"
    return "int8" if on_cpu and weights >= _WORTH_INT8 and int8_is_fast() else "eager"


@cache
def int8_is_fast() -> bool:
    """Whether this CPU multiplies int8 matrices faster than fp32 ones, found out by trying."""
    eight = torch.ones((1024, 1024), dtype=torch.int8)
    single = torch.ones((1024, 1024))
    return _seconds(torch._int_mm, eight[:4], eight) < _seconds(torch.mm, single[:4], single)


def _seconds(multiply: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> float:
    """The shortest of a few times that a product takes."""
    rounds = []
    for _ in range(6):
        begun = time.perf_counter()
        multiply(a, b)
        rounds.append(time.perf_counter() - begun)
    return min(rounds)


class Step:
    """A model's layers made ready for single steps.

    Args:
        model: with RMSNorm, squared ReLU, QK-norm and rotary positions (see `supports`).
        engine: "eager" or "int8".
    """

    def __init__(self, model: Transformer, engine: str) -> None:
        self.engine = engine
        blocks = [block for block in model.blocks if isinstance(block, Block)]
        compute = model.compute or model.embedding.weight.dtype
        self._layers = [_Layer(block, engine, compute) for block in blocks]
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

    def __call__(self, x_BD: Tensor, rotation: Tensor, caches: Cache) -> Tensor:
        """The stream after all layers, [B, D], for the row at `caches.position`.

        Args:
            x_BD: the normalised embedding.
            rotation: [1, C/2], the position's.
            caches: keys and values so far; the new ones are written.
        """
        turns = rotation * self._gains  # [layers, H + G, C/2]
        x_BD = x_BD.clone()
        for layer, turn, kept in zip(self._layers, turns.unbind(), caches.layers, strict=True):
            layer.add(x_BD, turn, kept, caches.position)
        return x_BD


class _Layer:
    """One block's weights and what it does to a single row."""

    def __init__(self, block: Block, engine: str, compute: torch.dtype) -> None:
        def make(weight: Tensor) -> Linear:
            return _exact(weight.to(compute)) if engine == "eager" else _int8(weight)

        self._compute = compute
        self._heads, self._groups, self._channels = block.heads, block.groups, block.channels
        self._project = make(block.fused_projection().detach())
        self._out, self._up, self._down = (
            make(weight.detach()) for weight in (block.out, block.up, block.down)
        )

    def add(self, x_BD: Tensor, turn: Tensor, kept: LayerCache, position: int) -> None:
        """Add this layer's attention and MLP to the stream, in place."""
        batch, width = x_BD.shape
        asked = self._heads + self._groups
        qkv = self._project(self._norm(x_BD))
        qkv = qkv.view(batch, asked + self._groups, self._channels)
        qk = F.rms_norm(qkv[:, :asked].to(x_BD.dtype), (self._channels,), eps=_EPSILON)
        turned = torch.view_as_complex(qk.view(batch, asked, -1, 2)) * turn
        qk = torch.view_as_real(turned).view(batch, asked, self._channels).to(self._compute)
        kept.put(qk[:, self._heads :], qkv[:, asked:], position)
        mixed = read(qk[:, : self._heads, None], kept, position, position + 1)
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
        for p in model.blocks.parameters()
        for number in (p.data_ptr(), 0 if p.is_inference() else p._version)
    )


def _exact(weight: Tensor) -> Linear:
    return lambda x: F.linear(x, weight)


def _int8(weight: Tensor) -> Linear:
    scale = weight.abs().amax(1).clamp_(min=1e-12) / 127
    rounded = (weight / scale[:, None]).round_().to(torch.int8).t()

    def multiply(x_BD: Tensor) -> Tensor:
        size = x_BD.abs().amax(1, keepdim=True).clamp_(min=1e-12).div_(127)
        sums = torch._int_mm((x_BD / size).round_().to(torch.int8), rounded)
        return (sums * scale * size).to(x_BD.dtype)

    return multiply
