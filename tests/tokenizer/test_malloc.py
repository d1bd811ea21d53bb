"""Keeping freed memory changes how often the system is asked for pages, and nothing else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

_COUNT = """
import resource, sys, torch
from musenet.model.config import ModelConfig
from tokenizer.malloc import keep_freed_memory
from musenet.model.transformer import Transformer
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory()
model = Transformer(ModelConfig((9, 8), (5, 5), layers=3, known_columns=1), torch.bfloat16)
rows = torch.ones((1, 1025, 2), dtype=torch.long)
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model.nll(rows, rows).sum().backward()
    model.zero_grad(set_to_none=True)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(sum([step() for _ in range(6)][3:]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_pages_are_not_asked_for_again() -> None:
    faults = {}
    for how in ("keep", "not"):
        done = subprocess.run(
            [sys.executable, "-c", _COUNT, how],
            # A fixed threshold, because glibc moves its own about as memory is freed.
            env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},
            capture_output=True,
            text=True,
            check=True,
        )
        faults[how] = int(done.stdout)
    assert faults["not"] > 1000
    assert faults["keep"] < faults["not"] / 20
