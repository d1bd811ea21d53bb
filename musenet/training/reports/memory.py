"""The memory of a run: what it takes, and whether there is enough."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from pathlib import Path

import torch

from musenet.model.codebook_patterns import positions
from musenet.model.config import ModelConfig
from musenet.model.footprint import footprint
from tokenizer.errors import InputError

from ..settings import Settings

ADVICE = (
    "there is not enough memory for a training step; take a smaller batch, a shorter context, "
    "accumulate or recompute=full"
)

_MEASURED = (1024, 2048)
"""Lengths at which a window is counted: what it keeps grows by as much with every row."""


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
    """Refuse a run whose steps cannot fit, before anything is computed and the system kills it.

    Args:
        config: of the model.
        settings: of the run.
        device: where it trains.
        size: the number of processes.

    Raises:
        InputError: if a step takes more than the device has, or the system has left.
    """
    least = least_bytes(config, settings, size)
    there = _available_bytes(device)
    if least > there:
        raise InputError(f"{ADVICE} (at least {least / 2**30:.1f} of {there / 2**30:.1f} GiB)")


def least_bytes(config: ModelConfig, settings: Settings, size: int) -> int:
    """The memory of a step, from below.

    What the backward pass of one part of a batch needs, and where each process has all of them,
    weights, gradients and the optimizer's state.
    """
    windows = settings.batch // (settings.accumulate * size)
    length = positions(config.head, len(config.field_sizes), settings.context)
    one, two = (footprint(dataclasses.replace(config, context=rows)) for rows in _MEASURED)
    spared = settings.compile or settings.lora  # these keep less than the layers as written
    mode = "full" if spared else settings.recompute
    per_row = (two.activations[mode] - one.activations[mode]) / (_MEASURED[1] - _MEASURED[0])
    least = int(windows * length * per_row)
    if not (settings.shard or settings.lora or settings.optimizer == "half"):
        least += one.training_state
    return least


def _available_bytes(device: torch.device) -> float:
    """The memory of a GPU, or what the system can give; infinite where it does not say."""
    if device.type == "cuda":
        return float(torch.cuda.get_device_properties(device).total_memory)
    try:
        found = re.search(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text("ascii"))
        if found:
            return 1024.0 * int(found[1])
    except OSError:
        pass  # not Linux
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
