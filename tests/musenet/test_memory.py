"""Keeping freed memory changes how often the system is asked for pages, and nothing else."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_COUNT = """
import resource, sys, torch
from musenet.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def work():
    for _ in range(5):
        several = [torch.ones(n) for n in (5_000_000, 300_000, 6_000_000, 500_000)]
        del several
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_pages_are_not_asked_for_again() -> None:
    faults = {}
    for how in ("keep", "not"):
        done = subprocess.run(
            [sys.executable, "-c", _COUNT, how], capture_output=True, text=True, check=True
        )
        faults[how] = int(done.stdout)
    assert faults["keep"] < 100
    assert faults["not"] > 10 * faults["keep"]
