"""Causal attention by tiles against PyTorch's, and what selective recompute keeps of it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from musenet.attention import dense_attention as module
from musenet.attention.attend import attend
from musenet.attention.dense_attention import dense_attention
from musenet.model.recompute import run


def tensors(length: int, groups: int, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(length)
    return [
        torch.randn(2, length, heads, 4, generator=generator).to(dtype).requires_grad_()
        for heads in (4, groups, groups)
    ]


def pytorchs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    return out.transpose(1, 2)


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("length", [1, 255, 256, 257, 600])
def test_values_and_gradients_are_pytorchs(length: int, groups: int) -> None:
    inputs = tensors(length, groups, torch.float64)
    out, expected = dense_attention(*inputs), pytorchs(*inputs)
    assert torch.allclose(out, expected, rtol=0, atol=1e-12)
    g = torch.randn(out.shape, dtype=torch.float64)
    for found, true in zip(
        torch.autograd.grad(out, inputs, g), torch.autograd.grad(expected, inputs, g), strict=True
    ):
        assert torch.allclose(found, true, rtol=0, atol=1e-12)


def test_bf16_stays_within_its_rounding() -> None:
    inputs = tensors(600, 2, torch.bfloat16)
    out, expected = dense_attention(*inputs), pytorchs(*(x.double() for x in inputs))
    assert out.dtype == torch.bfloat16
    assert (out.double() - expected).abs().max() < 2e-2


@pytest.mark.parametrize(("recompute", "passes"), [("none", 2), ("selective", 2), ("full", 3)])
def test_selective_recompute_keeps_the_result(
    recompute: str, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles: list[Tensor] = []
    weights = module._weights

    def counted(q: Tensor, k: Tensor, bias: Tensor) -> Tensor:
        tiles.append(bias)
        return weights(q, k, bias)

    monkeypatch.setattr(module, "_weights", counted)
    x = tensors(300, 4, torch.float64)[0]
    out = run(lambda x: dense_attention(x, x, x).sin(), x, recompute)
    out.sum().backward()  # type: ignore[no-untyped-call]
    assert len(tiles) == 2 * passes


@pytest.mark.parametrize("most", [0, 64])
def test_more_threads_take_another_kernel_with_the_same_result(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_THREADS", most)
    q, k, v = tensors(600, 2, torch.bfloat16)
    assert module.is_fast(q) == (most > 0)
    assert not module.is_fast(q.float())
    found = attend(q, k, v, "dense", 1, "sdpa")
    expected = attend(q.double(), k.double(), v.double(), "dense", 1, "reference")
    assert (found.double() - expected).abs().max() < 2e-2


def test_a_compiled_model_traces_it() -> None:
    q, k, v = tensors(300, 2, torch.float64)
    compiled = torch.compile(dense_attention, backend="aot_eager", fullgraph=True)
    found, expected = (
        torch.autograd.grad(attention(q, k, v).sin().sum(), (q, k, v))
        for attention in (compiled, dense_attention)
    )
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=1e-12)
