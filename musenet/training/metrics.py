"""What a run tells: a line on the terminal, and `metrics.jsonl` with a row a report.

Rows have a `kind`: `train` (loss in bits a note since the last row, in total and by field,
speed) or `validation` (the same on held-out windows, by corpus as well).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from musenet.model.likelihood import BITS
from tokenizer.encoding.vocabulary import FIELDS

Row = dict[str, Any]


def read(file: Path) -> list[Row]:
    """The rows of a metrics file; a last line that a kill cut off is left out."""
    if not file.exists():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


@dataclass
class Meter:
    """Sums since the last report.

    Attributes:
        nats: of each field, `(F,)`.
        notes: notes that were predicted.
        tokens: tokens that were predicted.
        steps: optimizer steps.
        seconds: seconds of training.
    """

    nats: Tensor = field(default_factory=lambda: torch.zeros(len(FIELDS), dtype=torch.float64))
    notes: int = 0
    tokens: int = 0
    steps: int = 0
    seconds: float = 0.0

    def add(self, nats: Tensor, notes: int, tokens: int) -> None:
        """Count one step; `nats` is `(F,)`."""
        self.nats += nats.double().cpu()
        self.notes += notes
        self.tokens += tokens
        self.steps += 1

    def row(self) -> Row:
        """The bits per note and the speed since the last report, rounded for reading."""
        bits = self.nats * BITS / max(1, self.notes)
        return {
            "bits_per_note": round(float(bits.sum()), 4),
            "per_field": by_field(bits.tolist()),
            "notes_per_second": round(self.notes / max(self.seconds, 1e-9), 1),
        }


def by_field(values: Sequence[float]) -> dict[str, float]:
    """Values of the five fields under their names."""
    return {name: round(value, 4) for name, value in zip(FIELDS, values, strict=True)}


def progress_line(row: Mapping[str, Any], *, part: float, seconds_left: float) -> str:
    """One line for the terminal."""
    fields = " ".join(f"{name} {bits:.2f}" for name, bits in row["per_field"].items())
    mfu = f"  {100 * row['mfu']:.0f} % of peak" if row.get("mfu") else ""
    return (
        f"step {row['step']:>6}  {100 * part:5.1f} %  {row['bits_per_note']:6.3f} bits/note"
        f" ({fields})  {row['notes_per_second']:,.0f} notes/s{mfu}"
        f"  {row['memory_mb']:,} MB  {_clock(seconds_left)} left"
    )


def _clock(seconds: float) -> str:
    whole = int(max(0.0, seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def memory_mb() -> int:
    """Memory that this process holds, in MB: the GPU's where one is used."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return int(torch.cuda.max_memory_allocated() // 2**20)
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return _peak_mb()
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def _peak_mb() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // 2**20 if sys.platform == "darwin" else peak // 2**10


def matmul_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations a second that this machine reaches in a large matrix product.

    What MFU is measured against: the machine as it is, not its data sheet.
    """
    size = 4096 if device.type == "cuda" else 512
    a = torch.ones(size, size, dtype=dtype, device=device)
    best = 0.0
    for _ in range(5):
        _wait(device)
        start = time.perf_counter()
        for _ in range(4):
            torch.mm(a, a)
        _wait(device)
        best = max(best, 8 * size**3 / (time.perf_counter() - start))
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
