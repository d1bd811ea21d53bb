"""Half-precision Adam beside Adam in fp32, and beside Adam in float16 without any scale."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from data_prep.dataset.windows import Dataset
from musenet.model.config import preset
from musenet.model.transformer import Transformer
from musenet.training import half_adam
from musenet.training.batches import to_batch
from musenet.training.objective import NoteCost
from tokenizer.encoding.structure import STRUCTURE_SIZES

STEPS = 60


class PlainHalf(torch.optim.Optimizer):
    """AdamW with float16 weights and moments, and no scale anywhere."""

    def __init__(self, params: list[nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr})
        self.loss_scale = 1.0
        self.count = 0

    def norm(self) -> float:
        return 0.0

    @torch.no_grad()
    def step(self, closure: object = None) -> None:  # type: ignore[override]
        self.count += 1
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is None:
                continue
            state, gradient = self.state[parameter], parameter.grad
            mean = state.setdefault("mean", torch.zeros_like(parameter))
            square = state.setdefault("square", torch.zeros_like(parameter))
            mean.mul_(0.9).add_(gradient, alpha=0.1)
            square.mul_(0.95).add_(gradient.square(), alpha=0.05)
            root = (square / (1 - 0.95**self.count)).sqrt() + 1e-8
            change = mean / (1 - 0.9**self.count) / root
            parameter.sub_(change, alpha=self.param_groups[0]["lr"])


def losses(dataset: Path, kind: str) -> list[float]:
    windows = Dataset(dataset, "train", 64, seed=1)
    torch.manual_seed(0)
    config = dataclasses.replace(
        preset("mini", windows.tokenizer.vocabulary.sizes, STRUCTURE_SIZES),
        layers=3,
        width=32,
        heads=2,
        row_length=16,
        context=64,
    )
    model = Transformer(config, torch.float32)
    if kind != "fp32":
        half_adam.store_in_half(model)
    parameters = list(model.parameters())
    optimizer: torch.optim.Optimizer
    if kind == "fp32":
        optimizer = torch.optim.AdamW(
            parameters, lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0
        )
    elif kind == "scaled":
        optimizer = half_adam.HalfAdam(parameters, lr=3e-3)
    else:
        optimizer = PlainHalf(parameters, lr=3e-3)
    cost, found = NoteCost(model), []
    for step in range(STEPS):
        batch = to_batch(windows.batch(step, 4))
        nats, _ = cost(batch.tokens, batch.structure, batch.counted)
        loss = nats.sum() / batch.notes
        found.append(float(loss.detach()))
        (loss * getattr(optimizer, "loss_scale", 1.0)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return found


def test_it_follows_fp32_and_plain_half_does_not(dataset: Path) -> None:
    exact, scaled, plain = (losses(dataset, kind) for kind in ("fp32", "scaled", "plain"))
    gap = max(abs(a - b) / a for a, b in zip(exact, scaled, strict=True))
    assert gap < 0.02
    assert exact[-1] < 0.6 * exact[0]
    off = plain[-1] - exact[-1]
    assert math.isnan(off) or abs(off) / exact[-1] > 0.1


def test_half_the_memory() -> None:
    def step(dtype: torch.dtype) -> int:
        weight = nn.Parameter(torch.randn(256, 256).to(dtype))
        kind = half_adam.HalfAdam if dtype == torch.float16 else torch.optim.AdamW
        optimizer = kind([weight], lr=1e-3)
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        tensors = [weight, weight.grad, *optimizer.state[weight].values()]
        return sum(t.nbytes for t in tensors if isinstance(t, torch.Tensor))

    assert step(torch.float32) == pytest.approx(16 * 256 * 256, rel=0.001)
    assert step(torch.float16) == pytest.approx(8 * 256 * 256, rel=0.02)


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e9])
def test_packing_keeps_three_digits_of_any_size(size: float) -> None:
    value = torch.randn(8, 50) * torch.logspace(-6, 6, 8)[:, None] * size
    stored, scale = half_adam.packed(value)
    assert stored.dtype == torch.float16
    assert scale.shape == (8, 1)
    back: Tensor = stored.float() * scale
    assert ((back - value).abs() <= value.abs() * 2**-10 + value.abs().amax(1, True) * 1e-9).all()


def test_an_overflow_is_left_out_and_the_scale_halved() -> None:
    weight = nn.Parameter(torch.ones(4, dtype=torch.float16))
    optimizer = half_adam.HalfAdam([weight], lr=0.1)
    weight.grad = torch.full_like(weight, float("inf"))
    optimizer.step()
    assert torch.equal(weight, torch.ones(4, dtype=torch.float16))
    assert optimizer.loss_scale == half_adam.FIRST_SCALE / 2
    weight.grad = torch.full_like(weight, 1.0)
    optimizer.step()
    assert (weight < 0.95).all()


def test_clipping_is_by_the_unscaled_norm() -> None:
    weight = nn.Parameter(torch.zeros(4, dtype=torch.float16))
    optimizer = half_adam.HalfAdam([weight], lr=1.0)
    weight.grad = torch.full_like(weight, 2.0 * optimizer.loss_scale)
    assert optimizer.norm() == pytest.approx(4.0)
