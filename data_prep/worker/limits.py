"""What the workers of a run may take, and why a file that takes more is dropped."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field

CRASHED = ("crashed", "the process reading it died")


@dataclass(frozen=True)
class Limits:
    """What a run may take.

    Attributes:
        workers: processes, threads or tasks at a time.
        seconds: time for one file; a file that takes longer is dropped. No limit on threads.
        megabytes: memory of one worker (Linux); a file that needs more is dropped.
    """

    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    seconds: float = 60.0
    megabytes: int = 3072


def too_late(limits: Limits) -> tuple[str, str]:
    """The reason for which a file is dropped that took too long."""
    return "time_limit", f"reading it took more than {limits.seconds:g} s"


def limit_memory(megabytes: int) -> None:
    """Let allocations beyond a limit fail in this process, where the system can do that."""
    try:
        import resource
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes << 20, megabytes << 20))


def keep_freed_memory() -> None:
    """Let glibc keep freed arrays for the next: the page faults cost a tenth of a worker's time."""
    import ctypes

    trim_threshold, mmap_threshold = -1, -3
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(mmap_threshold, 1 << 28)
        libc.mallopt(trim_threshold, 1 << 28)
