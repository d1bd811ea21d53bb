"""The peer of the model's benchmarks: a dense GPT-2 as in nanoGPT, written with plain PyTorch.

LayerNorm, GELU, learned positions, one vocabulary, SDPA over the whole sequence, bf16 autocast.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NanoBlock(nn.Module):
    """Pre-norm attention and MLP.

    Args:
        width: channels.
        heads: attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.c_fc = nn.Linear(width, 4 * width)
        self.mlp_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, past: list[Tensor] | None = None) -> Tensor:
        """x [B, T, D]; `past` holds keys and values and grows by concatenation."""
        batch, length, width = x.shape
        parts = torch.split(self.c_attn(self.ln_1(x)), width, 2)
        q, k, v = (y.view(batch, length, self.heads, -1).transpose(1, 2) for y in parts)
        if past is not None:
            k, v = (torch.cat([old, new], 2) for old, new in zip(past, (k, v), strict=True))
            past[:] = [k, v]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=length > 1)
        x = x + self.c_proj(y.transpose(1, 2).reshape(x.shape))
        inner: Tensor = self.mlp_proj(F.gelu(self.c_fc(self.ln_2(x))))
        return x + inner


class NanoGPT(nn.Module):
    """A language model over single tokens.

    Args:
        layers: blocks.
        width: channels.
        heads: attention heads.
        context: positions.
        vocabulary: tokens.
    """

    def __init__(self, layers: int, width: int, heads: int, context: int, vocabulary: int) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.blocks = nn.ModuleList(NanoBlock(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, past: list[list[Tensor]] | None = None, start: int = 0
    ) -> Tensor:
        """Logits [B, T, V] of tokens [B, T]."""
        positions = torch.arange(start, start + tokens.shape[1], device=tokens.device)
        x = self.wte(tokens) + self.wpe(positions)
        for index, block in enumerate(self.blocks):
            x = block(x, None if past is None else past[index])
        return F.linear(self.ln_f(x), self.wte.weight)

    def loss(self, tokens: Tensor) -> Tensor:
        """Mean nats of tokens 1… [B, T + 1], matmuls in bf16."""
        with torch.autocast(tokens.device.type, torch.bfloat16):
            logits = self(tokens[:, :-1])
        return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())
