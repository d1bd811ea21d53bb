"""A second head on the trunk: was this music played by people, or made by a model?

It reads the state after the last row of a sequence (or of any other), and answers with one logit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musenet.attention.block_attention import wide

from .fused_ops import rms_norm, squared_relu


class Critic(nn.Module):
    """One hidden layer from a state to the log-odds that the music is real.

    Args:
        width: channels of the state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.empty(width, width).normal_(std=0.5 * width**-0.5))
        self.out = nn.Parameter(torch.zeros(1, width))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Log-odds [...] in fp32 that the music up to each state [..., D] is real."""
        inner = squared_relu(F.linear(hidden, self.up.to(hidden.dtype)))
        inner = rms_norm(inner.to(wide(inner.dtype)), hidden.dtype)
        logit = F.linear(inner, self.out.to(hidden.dtype)).squeeze(-1)
        return logit.to(wide(logit.dtype)) + self.bias

    def loss(self, hidden_BD: Tensor, real_B: Tensor) -> Tensor:
        """Mean cross-entropy in nats between the critic's answer and the truth (bool [B])."""
        logits = self(hidden_BD)
        return F.binary_cross_entropy_with_logits(logits, real_B.to(logits.dtype))
