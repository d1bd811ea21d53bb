"""The memory of a run: what it takes, and whether there is enough."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from musenet.model.config import ModelConfig
from tokenizer.errors import InputError

from ..settings import Settings

ADVICE = (
    "there is not enough memory for a training step; take a smaller batch, a shorter context, "
    "accumulate or recompute=full"
)


def used_mb() -> int:
    """Memory used by this process in MB: that of the GPU if one is used."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_allocated() // 2**20)
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return _peak_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def is_exhausted(error: BaseException) -> bool:
    """Whether an exception says that memory could not be allocated."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def check_enough(config: ModelConfig, settings: Settings, device: torch.device, size: int) -> None:
    """Refuse a run whose steps cannot fit, before the system kills it.

    Counted from below: the residual stream of every layer, which even `recompute=full` keeps.

    Args:
        config: of the model.
        settings: of the run.
        device: where it trains.
        size: the number of processes.

    Raises:
        InputError: if a step takes more than the device has.
    """
    windows = settings.batch // (settings.accumulate * size)
    least = 4 * windows * settings.context * config.width * config.layers
    there = _total_bytes(device)
    if least > there:
        raise InputError(f"{ADVICE} (at least {least / 2**30:.0f} of {there / 2**30:.0f} GiB)")


def _total_bytes(device: torch.device) -> float:
    """The memory of a device; infinite where the system does not say."""
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return float("inf")


def _peak_mb() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 2**10
