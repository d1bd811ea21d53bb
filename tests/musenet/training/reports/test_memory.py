"""Memory of a run against the operating system's own figures."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from musenet.model.config import preset
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
    with pytest.raises(InputError, match=r"smaller batch, .* \(at least 98304 of \d+ GiB\)"):
        memory.check_enough(MINI, huge, CPU, 1)
    memory.check_enough(MINI, replace(huge, accumulate=2**12), CPU, 2**12)


def test_only_exhausted_memory_is_taken_for_it() -> None:
    with pytest.raises(RuntimeError) as shapes:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not memory.is_exhausted(shapes.value)
    with pytest.raises(RuntimeError) as full:
        torch.empty(2**50)
    assert memory.is_exhausted(full.value)
