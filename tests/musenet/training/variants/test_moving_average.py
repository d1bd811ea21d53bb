"""The moving average against its definition, in a run, resumed, and sharded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from musenet.model.checkpoint import load_checkpoint
from musenet.training import checkpoints
from musenet.training.settings import Settings
from musenet.training.start import resume_run, start_run
from musenet.training.variants.moving_average import PREFIX, MovingAverage
from tokenizer.errors import InputError

Small = Callable[..., Settings]


def test_it_is_the_recursion_that_defines_it() -> None:
    model = nn.Linear(3, 2).double()
    average, expected = MovingAverage(model, 0.7), model.weight.detach().clone()
    for step in range(1, 30):
        with torch.no_grad():
            model.weight.add_(torch.randn(2, 3, dtype=torch.float64))
        average.update(step)
        decay = min(0.7, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model.weight.detach()
    own = model.weight.detach().clone()
    torch.testing.assert_close(average.tensors()[PREFIX + "weight"], expected)
    with average.in_place():
        torch.testing.assert_close(model.weight.detach(), expected)
    assert torch.equal(model.weight.detach(), own)


def test_a_run_exports_the_average_and_goes_on_with_the_weights(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    plain, averaged = tmp_path / "plain", tmp_path / "averaged"
    start_run(dataset, plain, small(steps=8)).train()
    start_run(dataset, averaged, small(steps=8, ema=0.9, save_steps=5, keep=9)).train()
    one, other = (checkpoints.read_snapshot(run, 8) for run in (plain, averaged))
    for name, tensor in one.weights.items():
        assert torch.equal(tensor, other.weights[name]), "the average changes no step"
    exported = load_checkpoint(averaged / "last").model.state_dict()
    for name, tensor in exported.items():
        assert torch.equal(tensor, other.optimizer[PREFIX + name].bfloat16().float()), name
        if name == "embedding.weight":
            assert not torch.equal(tensor, other.weights[name].bfloat16().float())
    for step in checkpoints.snapshot_steps(averaged):
        if step > 5:
            folder = checkpoints.snapshot_path(averaged, step)
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    resume_run(averaged, None, {}).train()
    again = checkpoints.read_snapshot(averaged, 8)
    for name, tensor in other.optimizer.items():
        assert torch.equal(tensor, again.optimizer[name]), name


def test_what_has_no_average_is_said(small: Small) -> None:
    with pytest.raises(InputError, match="half has no moving average"):
        small(steps=1, optimizer="half", ema=0.9)
    with pytest.raises(InputError, match="less than 1"):
        small(steps=1, ema=1.0)
