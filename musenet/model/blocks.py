"""One layer of the network: attention and an MLP, each normalised before and added to the stream.

Shape suffixes: B batch, T positions, D width, H query heads, G key-value heads, C channels per
head. The residual stream stays in fp32; matmuls run in the dtype given by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musenet.attention.attend import attend
from musenet.attention.cached import attend_cached
from musenet.attention.kv_cache import LayerCache

from .config import ModelConfig
from .fused_ops import norm_rotate, rms_norm, squared_relu


@dataclass(frozen=True)
class Pass:
    """Arguments that all layers of one pass share.

    Attributes:
        rotation: [B or 1, T, H + G or 1, C/2] complex, turning heads by position; None with learned
            positions.
        compute: dtype of the matmuls.
        start: position of the first row.
        backend: of attention, see `musenet.attention.attend`.
    """

    rotation: Tensor | None
    compute: torch.dtype
    start: int
    backend: str


class Norm(nn.Module):
    """RMSNorm without gain, or LayerNorm with gain and bias.

    Args:
        kind: "rms" or "layer".
        width: channels.
    """

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.layer = nn.LayerNorm(width) if kind == "layer" else None

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x [..., D] normalised in its own precision, returned in `dtype`."""
        if self.layer is None:
            return rms_norm(x, dtype)
        normed: Tensor = self.layer(x)
        return normed.to(dtype)


class Block(nn.Module):
    """Attention with one pattern and an MLP; both output projections start at zero.

    Args:
        config: the model's.
        pattern: this layer's.
    """

    def __init__(self, config: ModelConfig, pattern: str) -> None:
        super().__init__()
        self.pattern = pattern
        self.row_length = config.row_length
        self.heads, self.groups, self.channels = config.heads, config.groups, config.head_width
        self.activation = config.activation
        width, shared = config.width, config.groups * config.head_width
        self.attention_norm = Norm(config.norm, width)
        self.query = _matrix(width, width)
        self.key = _matrix(shared, width)
        self.value = _matrix(shared, width)
        self.out = nn.Parameter(torch.zeros(width, width))
        self.gain = nn.Parameter(torch.ones(config.heads)) if config.qk_norm else None
        self.mlp_norm = Norm(config.norm, width)
        self.up = _matrix(config.mlp * width, width)
        self.down = nn.Parameter(torch.zeros(width, config.mlp * width))

    def forward(self, x_BTD: Tensor, how: Pass, cache: LayerCache | None = None) -> Tensor:
        """The residual stream after this layer, [B, T, D]; keys and values go to the cache."""
        x_BTD = x_BTD + self._attention(self.attention_norm(x_BTD, how.compute), how, cache)
        inner = F.linear(self.mlp_norm(x_BTD, how.compute), self.up.to(how.compute))
        inner = squared_relu(inner) if self.activation == "squared_relu" else F.gelu(inner)
        return x_BTD + F.linear(inner, self.down.to(how.compute))

    def fused_projection(self) -> Tensor:
        """Query, key and value matrices as one, [(H + 2G)·C, D]."""
        return torch.cat((self.query, self.key, self.value))

    def fused_gain(self) -> Tensor | None:
        """The gain of each normalised query and key head, [H + G]."""
        return (
            None if self.gain is None else torch.cat((self.gain, self.gain.new_ones(self.groups)))
        )

    def _attention(self, x_BTD: Tensor, how: Pass, cache: LayerCache | None) -> Tensor:
        heads, groups = self.heads, self.groups
        qkv = F.linear(x_BTD, self.fused_projection().to(x_BTD.dtype))
        qk, v_BTGC = torch.split(
            qkv.view(*x_BTD.shape[:2], -1, self.channels), [heads + groups, groups], 2
        )
        if how.rotation is not None or self.gain is not None:
            qk = norm_rotate(qk, how.rotation, self.fused_gain())
        q_BTHC, k_BTGC = torch.split(qk, [heads, groups], 2)
        if cache is None:
            mixed = attend(q_BTHC, k_BTGC, v_BTGC, self.pattern, self.row_length, how.backend)
        else:
            mixed = attend_cached(q_BTHC, k_BTGC, v_BTGC, cache, how.start, how.backend)
        return F.linear(mixed.flatten(2), self.out.to(x_BTD.dtype))


def _matrix(rows: int, columns: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(rows, columns).normal_(std=0.5 * columns**-0.5))
