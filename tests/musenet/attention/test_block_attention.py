"""Attention inside blocks against PyTorch's, and its gradient against finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from musenet.attention.block_attention import bias_of, block_attention


def qkv() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    ]


def bias(causal: bool) -> Tensor | None:
    like = torch.zeros((), dtype=torch.float64)
    return bias_of(torch.ones(3, 3, dtype=torch.bool).tril(), like) if causal else None


@pytest.mark.parametrize("causal", [True, False])
def test_values_are_pytorchs(causal: bool) -> None:
    q, k, v = qkv()
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    assert torch.allclose(block_attention(q, k, v, bias(causal)), expected, atol=1e-12)


@pytest.mark.parametrize("causal", [True, False])
def test_gradients(causal: bool) -> None:
    assert torch.autograd.gradcheck(lambda q, k, v: block_attention(q, k, v, bias(causal)), qkv())
