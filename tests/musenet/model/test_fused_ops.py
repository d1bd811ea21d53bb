"""The hand-written gradients against finite differences and against PyTorch's own functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from musenet.model import fused_ops

D = torch.float64


def random(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=D, requires_grad=True)


def turns(batch: int = 1, heads: int = 1) -> Tensor:
    angles = random(batch, 3, heads, 3).detach()
    return torch.polar(torch.ones_like(angles), angles)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (lambda x: fused_ops.rms_norm(x, D), [random(2, 3, 6)]),
        (fused_ops.squared_relu, [random(2, 3, 6)]),
        (lambda x, g: fused_ops.norm_rotate(x, turns(), g), [random(2, 3, 4, 6), random(4)]),
        (lambda x, g: fused_ops.norm_rotate(x, None, g), [random(2, 3, 4, 6), random(4)]),
        (lambda x: fused_ops.norm_rotate(x, turns(), None), [random(2, 3, 4, 6)]),
        (lambda x, g: fused_ops.norm_rotate(x, turns(2, 4), g), [random(2, 3, 4, 6), random(4)]),
        (
            lambda x: fused_ops.negative_log_likelihood(x, torch.tensor([[0, 4], [2, 2]])),
            [random(2, 2, 5)],
        ),
    ],
)
def test_gradients(function: Callable[..., Tensor], inputs: list[Tensor]) -> None:
    assert torch.autograd.gradcheck(function, [x.detach().requires_grad_() for x in inputs])


def test_values_are_pytorchs() -> None:
    x = random(2, 3, 6)
    assert torch.allclose(fused_ops.rms_norm(x, D), F.rms_norm(x, (6,), eps=1e-6), atol=1e-12)
    assert torch.allclose(fused_ops.squared_relu(x), F.relu(x) ** 2, atol=1e-12)
    targets = torch.tensor([[0, 5, 2], [1, 1, 4]])
    expected = F.cross_entropy(x.flatten(0, 1), targets.flatten(), reduction="none").view(2, 3)
    assert torch.allclose(fused_ops.negative_log_likelihood(x, targets), expected, atol=1e-12)


def test_rotation_depends_on_the_distance_alone() -> None:
    """Rotary positions: inner products of turned vectors see only how far apart they are."""
    angles = torch.arange(20, dtype=D)[:, None] * torch.tensor([1.0, 0.1, 0.01], dtype=D)
    rotation = torch.polar(torch.ones_like(angles), angles)[None, :, None]
    q, k = (x.expand(1, 20, 1, 6) for x in (random(6), random(1, 6)))
    q, k = (fused_ops.norm_rotate(x.contiguous(), rotation, None)[0, :, 0] for x in (q, k))
    scores = q @ k.T
    for distance in range(20):
        diagonal = scores.diagonal(-distance)
        assert torch.allclose(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-12)


def test_half_precision_is_widened_inside() -> None:
    logits = torch.full((1, 300), 3.0, dtype=torch.bfloat16)
    nll = fused_ops.negative_log_likelihood(logits, torch.tensor([7]))
    assert nll.dtype == torch.float32
    assert nll.item() == pytest.approx(torch.tensor(300.0).log().item(), abs=1e-5)
