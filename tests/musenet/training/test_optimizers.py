"""Which parameters go where, and that a state comes back whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from musenet.model.transformer import Transformer
from musenet.training.optimizers import Optimizers, by_kind, create_optimizers
from musenet.training.settings import settings_of
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError


@pytest.fixture
def model(model_for: Callable[..., Transformer]) -> Transformer:
    return model_for(Tokenizer.default())


def stepped(model: Transformer, optimizer: str) -> Optimizers:
    """The optimizers of a model after one step along random gradients."""
    found = create_optimizers(model, settings_of({"optimizer": optimizer}))
    random = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=random)
    found.step()
    return found


def test_every_parameter_is_of_one_kind(model: Transformer) -> None:
    hidden, others = by_kind(model)
    names = [name for name, _ in (*hidden, *others)]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())
    assert all(parameter.ndim == 2 for _, parameter in hidden)
    assert "embedding.weight" in {name for name, _ in others}


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_state_comes_back_whole(model: Transformer, optimizer: str) -> None:
    state = stepped(model, optimizer).tensors()
    fresh = create_optimizers(model, settings_of({"optimizer": optimizer}))
    fresh.load(state)
    assert fresh.tensors().keys() == state.keys()
    for name, tensor in fresh.tensors().items():
        assert torch.equal(tensor, state[name]), name


def test_the_state_of_another_optimizer_is_refused(model: Transformer) -> None:
    state = stepped(model, "adamw").tensors()
    with pytest.raises(InputError, match="resume with the same optimizer"):
        create_optimizers(model, settings_of({"optimizer": "muon"})).load(state)


def test_the_rate_is_a_factor_on_each_rate(model: Transformer) -> None:
    found = create_optimizers(model, settings_of({"muon_rate": 0.02, "adam_rate": 0.01}))
    found.set_rate(0.5)
    rates = {name: part[0].param_groups[0]["lr"] for name, part in found.parts.items()}
    assert rates == pytest.approx({"muon": 0.01, "adamw": 0.005})


def test_clipping_gives_the_norm_before(model: Transformer) -> None:
    found = create_optimizers(model, settings_of({}))
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert float(found.clip(1.0)) == pytest.approx(count**0.5, rel=1e-5)
    after = sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)
    assert after == pytest.approx(1.0, rel=1e-4)
