"""Merging by log-sum-exp, against one softmax over all keys and against finite differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from musenet.attention.decompose import Fold, PatternPart
from musenet.attention.lse_merge import TorchKernel, gather_heads, merged_attention, spread_heads

HALF = 3
FIRST_KEYS = PatternPart(Fold(lambda x, _: x), Fold(lambda x, _: x[:, :HALF]), "full")
LAST_KEYS = PatternPart(Fold(lambda x, _: x), Fold(lambda x, _: x[:, HALF:]), "full")


def qkv(scale: float = 1.0, groups: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)

    def new(heads: int, size: float) -> Tensor:
        shape = (2, 2 * HALF, heads, 4)
        values = torch.randn(shape, generator=generator, dtype=torch.float64) * size
        return values.requires_grad_()

    return new(4, scale), new(groups, 1.0), new(groups, 1.0)


def softmax(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Full attention in one softmax."""
    shared = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(shared, 2), v.repeat_interleave(shared, 2)
    weights = (torch.einsum("bihd,bjhd->bhij", q, k) / q.shape[-1] ** 0.5).softmax(-1)
    return torch.einsum("bhij,bjhd->bihd", weights, v)


# A scale of 3000 gives scores of thousands, whose exponentials no float holds.
@pytest.mark.parametrize("scale", [1.0, 3000.0])
@pytest.mark.parametrize("order", [[FIRST_KEYS, LAST_KEYS], [LAST_KEYS, FIRST_KEYS]])
def test_two_halves_are_one_softmax(scale: float, order: list[PatternPart]) -> None:
    inputs = qkv(scale)
    merged = merged_attention(*inputs, order, 1, TorchKernel())
    assert torch.allclose(merged, softmax(*inputs), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gradients(groups: int) -> None:
    parts = [FIRST_KEYS, LAST_KEYS]
    assert torch.autograd.gradcheck(
        lambda q, k, v: merged_attention(q, k, v, parts, 1, TorchKernel()), qkv(groups=groups)
    )


@pytest.mark.parametrize("sees", ["full", "causal", "after"])
def test_the_log_of_the_sum_is_that_of_the_scores(sees: str) -> None:
    q, k, v = qkv(groups=4)
    out, lse = TorchKernel().forward(q, k, v, sees)
    for b, i, h in ((0, 0, 0), (1, 2, 3), (0, 5, 1)):
        keys = {"full": range(6), "causal": range(i + 1), "after": range(i, 6)}[sees]
        exponentials = [torch.exp(q[b, i, h] @ k[b, j, h] / 2) for j in keys]
        total = sum(exponentials)
        mean = sum(e * v[b, j, h] for e, j in zip(exponentials, keys, strict=True)) / total
        assert torch.allclose(lse[b, i, h], torch.log(torch.as_tensor(total)), atol=1e-12)
        assert torch.allclose(out[b, i, h], torch.as_tensor(mean), atol=1e-12)


def test_gathering_heads_is_the_transpose_of_spreading_them() -> None:
    """⟨spread x, y⟩ = ⟨x, gather y⟩ for any x and y."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 2, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 5, 6, 3, generator=generator, dtype=torch.float64)
    assert torch.allclose((spread_heads(x, 6) * y).sum(), (x * gather_heads(y, 2)).sum())
