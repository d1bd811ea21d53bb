"""The metrics of a run, and where they are stored.

metrics.jsonl   one row per report; rows have a `kind`:
                `train`       bits per note since the last row, in total and by field, and speed
                `validation`  the same on held-out windows, by corpus as well
tensorboard/    the same for TensorBoard, where it is asked for
curve.png       bits per note over notes seen
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import torch

from musenet.model.likelihood import BITS
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.files import replacing, write_text

MetricsRow: TypeAlias = dict[str, Any]


def read_metrics(file: Path) -> list[MetricsRow]:
    """The rows of a metrics file; a truncated last line is left out."""
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
class StepTotals:
    """Sums since the last report.

    Attributes:
        nats: of each field, `F` numbers.
        notes: notes predicted.
        steps: optimizer steps.
        seconds: seconds of training.
        waited: seconds of them spent waiting for a batch.
    """

    nats: list[float] = field(default_factory=lambda: [0.0] * len(FIELDS))
    notes: int = 0
    steps: int = 0
    seconds: float = 0.0
    waited: float = 0.0

    def add(self, nats: Sequence[float], notes: int) -> None:
        """Count one step."""
        self.nats = [a + b for a, b in zip(self.nats, nats, strict=True)]
        self.notes += notes
        self.steps += 1

    def row(self) -> MetricsRow:
        """The bits per note and the speed since the last report, rounded for reading."""
        bits = [nats * BITS / max(1, self.notes) for nats in self.nats]
        seconds = max(self.seconds, 1e-9)
        return {
            "bits_per_note": round(sum(bits), 4),
            "per_field": by_field(bits),
            "notes_per_second": round(self.notes / seconds, 1),
            "waiting_for_data": round(self.waited / seconds, 4),
        }


def by_field(values: Sequence[float]) -> dict[str, float]:
    """Values of the five fields under their names."""
    return {name: round(value, 4) for name, value in zip(FIELDS, values, strict=True)}


def describe_row(row: Mapping[str, Any]) -> str:
    """A row as one line to print."""
    if row["kind"] == "validation":
        mark = ", the best so far" if row["is_best"] else ""
        tasks = " ".join(f"{task} {bits:.2f}" for task, bits in row.get("per_task", {}).items())
        return (
            f"validation at step {row['step']}: {row['bits_per_note']:.4f} bits/note{mark}"
            f"{tasks and f' ({tasks})'} ({row['took']:.0f} s)"
        )
    fields = " ".join(f"{name} {bits:.2f}" for name, bits in row["per_field"].items())
    mfu = f"  {100 * row['mfu']:.0f} % of peak" if row["mfu"] else ""
    waiting = row["waiting_for_data"]
    waits = f"  {100 * waiting:.0f} % waiting for data" if waiting >= 0.02 else ""
    return (
        f"step {row['step']:>6}  {100 * row['fraction_done']:5.1f} %"
        f"  {row['bits_per_note']:6.3f} bits/note ({fields})"
        f"  {row['notes_per_second']:,.0f} notes/s{mfu}{waits}"
        f"  {row['memory_mb']:,} MB  {_clock(row['seconds_left'])} left"
    )


def _clock(seconds: float) -> str:
    whole = int(max(0.0, seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Journal:
    """Metrics on disk: `metrics.jsonl`, TensorBoard files, and the curves.

    When a run resumes from an earlier step, rows after that step are removed first.

    Attributes:
        file: `metrics.jsonl`.
    """

    def __init__(self, run: Path, step: int, *, tensorboard: bool = False) -> None:
        """Open the journal of a run that has done `step` steps.

        Raises:
            InputError: if it cannot be written, or TensorBoard is requested but not installed.
        """
        self.file = run / "metrics.jsonl"
        self._board = _board(run / "tensorboard", step) if tensorboard else None
        try:
            run.mkdir(parents=True, exist_ok=True)
            if self.file.exists():
                rows = [row for row in read_metrics(self.file) if row["step"] <= step]
                write_text(self.file, "".join(json.dumps(row) + "\n" for row in rows))
            self._stream: TextIO = self.file.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write to {run}: {error.strerror}") from error

    def write(self, row: MetricsRow) -> None:
        """Append a row and flush it to the file."""
        self._stream.write(json.dumps(row) + "\n")
        self._stream.flush()
        if self._board is not None:
            for name, value in _scalars(row).items():
                self._board.add_scalar(f"{row['kind']}/{name}", value, row["step"])

    def draw(self) -> None:
        """Write the curves of all rows as `curve.png` beside the journal."""
        write_curves(read_metrics(self.file), self.file.with_name("curve.png"))

    def close(self) -> None:
        """Close the files."""
        self._stream.close()
        if self._board is not None:
            self._board.close()


def _scalars(row: MetricsRow) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}/{inner}": number for inner, number in value.items()}
        elif isinstance(value, int | float) and name not in ("step", "fraction_done", "is_best"):
            found[name] = value
    return found


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "tensorboard is not installed; pip install tensorboard, or set tensorboard=false"
        ) from error
    return SummaryWriter(folder, purge_step=step + 1)


def write_curves(rows: Sequence[MetricsRow], file: Path) -> None:
    """Draw bits per note over notes seen, in total and by field, as PNG; no file without rows."""
    train = [row for row in rows if row["kind"] == "train"]
    validation = [row for row in rows if row["kind"] == "validation"]
    if not train and not validation:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    total, fields = figure.subplots(1, 2)
    for part, style in ((train, {"alpha": 0.5, "lw": 1}), (validation, {"marker": "o", "ms": 3})):
        if part:
            name = f"{part[0]['kind']} (last {part[-1]['bits_per_note']:.3f})"
            total.plot(_millions(part), [r["bits_per_note"] for r in part], label=name, **style)
    total.set(xlabel="million notes seen", ylabel="bits per note", title="in total")
    shown = validation or train
    for name in FIELDS:
        values = [row["per_field"][name] for row in shown]
        fields.plot(_millions(shown), values, label=f"{name} ({values[-1]:.2f})", lw=1)
    fields.set(xlabel="million notes seen", title=f"by field, {shown[0]['kind']}")
    for axes in (total, fields):
        axes.grid(alpha=0.3)
        axes.legend()
    values = [row["bits_per_note"] for row in (*train, *validation)]
    total.set_ylim(0.95 * min(values), min(max(values), 2.2 * min(values)))
    FigureCanvasAgg(figure)
    with replacing(file) as temporary:
        figure.savefig(temporary, format="png")


def _millions(rows: Sequence[MetricsRow]) -> list[float]:
    return [row["notes"] / 1e6 for row in rows]


def matmul_flops(dtype: torch.dtype, device: torch.device) -> float:
    """Floating-point operations per second of a large matrix product on this machine.

    The reference for MFU: measured, not from the data sheet.
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
