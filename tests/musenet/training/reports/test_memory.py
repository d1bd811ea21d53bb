"""Memory of a run against the operating system's own figures."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from musenet.model.config import preset
from musenet.model.transformer import Transformer
from musenet.training.reports import memory
from musenet.training.settings import Settings
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

CPU = torch.device("cpu")
MINI = preset("mini", Tokenizer.default().vocabulary.sizes, STRUCTURE_SIZES)


def test_used_memory_is_within_the_peak_that_the_system_counts() -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 50 < memory.used_mb() <= peak + 1


def test_a_run_that_cannot_fit_is_refused_and_others_are_not(
    small: Callable[..., Settings],
) -> None:
    memory.check_enough(MINI, small(context=1024, batch=4), CPU, 1)
    huge = small(context=1024, batch=2**24)
    with pytest.raises(InputError, match=r"smaller batch, .* \(at least \d+\.\d of \d+\.\d GiB\)"):
        memory.check_enough(MINI, huge, CPU, 1)
    memory.check_enough(MINI, replace(huge, accumulate=2**12), CPU, 2**12)


def test_a_long_context_is_measured_by_all_that_its_layers_keep(
    small: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four windows of 100,000 rows: 3.3 GB in the streams alone, 22 GiB in the layers."""
    monkeypatch.setattr(memory, "_available_bytes", lambda _: 16.0 * 2**30)
    long = small(context=100_000, batch=4)
    with pytest.raises(InputError, match="a shorter context"):
        memory.check_enough(MINI, long, CPU, 1)
    memory.check_enough(MINI, replace(long, recompute="full"), CPU, 1)
    memory.check_enough(MINI, small(context=4096, batch=4), CPU, 1)
    flat = replace(MINI, head="flatten")  # takes five positions a row
    with pytest.raises(InputError, match="a shorter context"):
        memory.check_enough(flat, replace(long, recompute="full"), CPU, 1)


def test_no_step_is_said_to_take_more_than_it_does(small: Callable[..., Settings]) -> None:
    """What the backward pass of a batch keeps, counted as it runs on this machine."""
    torch.manual_seed(0)
    model = Transformer(MINI, torch.bfloat16)
    tokens = torch.ones((2, 129, len(MINI.field_sizes)), dtype=torch.long)
    structure = torch.ones((2, 129, len(MINI.structure_sizes)), dtype=torch.long)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model.nll(tokens, structure)
    counted = sum(kept.values())
    assert loss.requires_grad
    least = memory.least_bytes(MINI, small(context=128, batch=2, optimizer="half"), 1)
    assert counted / 2 < least <= counted


def test_only_exhausted_memory_is_taken_for_it() -> None:
    with pytest.raises(RuntimeError) as shapes:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not memory.is_exhausted(shapes.value)
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**50)
    assert memory.is_exhausted(full.value)
