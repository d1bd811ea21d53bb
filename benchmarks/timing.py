"""Timing by turns: every contestant once per round; the shortest run of each counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch


def shortest(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds of each contestant's shortest run of several; one run before is not counted."""
    best = dict.fromkeys(contestants, float("inf"))
    for turn in range(rounds + 1):
        for name, run in contestants.items():
            _wait()
            begun = clock()
            run()
            _wait()
            if turn:
                best[name] = min(best[name], clock() - begun)
    return best


def matmul_rate(device: torch.device, dtype: torch.dtype, rounds: int = 5) -> float:
    """Operations per second of a large square product in a dtype."""
    size = 1024 if device.type == "cpu" else 8192
    a = torch.randn((size, size), device=device).to(dtype)
    return 2 * size**3 / shortest({"": lambda: a @ a}, rounds)[""]


def memory_rate(
    device: torch.device, rounds: int = 5, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Bytes per second that can be read, from summing an array larger than any cache."""
    many = torch.ones(2**26, device=device)
    return many.nbytes / shortest({"": lambda: many.sum()}, rounds, clock)[""]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
