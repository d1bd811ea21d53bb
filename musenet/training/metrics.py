"""The metrics of a run, and where they are stored.

metrics.jsonl   one row per report; rows have a `kind`:
                `train`       bits per note since the last row, in total and by field, and speed
                `validation`  the same on held-out windows, by corpus as well
                `warning`     a sentence
curve.png       bits per note over notes seen
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from musenet.model.likelihood import BITS
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.files import replacing, write_text

from .reports.trackers import Tracker, numbers

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
        tokens: rows predicted.
        steps: optimizer steps.
        norms: gradient norms before and after clipping, summed over the finite ones.
        seconds: seconds of training.
        waited: seconds of them spent waiting for a batch.
    """

    nats: list[float] = field(default_factory=lambda: [0.0] * len(FIELDS))
    notes: int = 0
    tokens: int = 0
    steps: int = 0
    norms: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0
    waited: float = 0.0

    def add(self, nats: Sequence[float], notes: int, tokens: int, norm: float, clip: float) -> None:
        """Count one step, with the norm of its gradient and the largest that it may have."""
        before = self.nats if self.steps else [0.0] * len(nats)
        self.nats = [a + b for a, b in zip(before, nats, strict=True)]
        self.notes += notes
        self.tokens += tokens
        self.steps += 1
        if math.isfinite(norm):
            self.norms = self.norms[0] + norm, self.norms[1] + min(norm, clip)

    def row(self) -> MetricsRow:
        """The bits per note and the speed since the last report, rounded for reading."""
        bits = [nats * BITS / max(1, self.notes) for nats in self.nats]
        seconds = max(self.seconds, 1e-9)
        return {
            "bits_per_note": round(sum(bits), 4),
            "per_field": by_field(bits),
            "notes_per_second": round(self.notes / seconds, 1),
            "tokens_per_second": round(self.tokens / seconds, 1),
            "gradient_norm": round(self.norms[0] / max(1, self.steps), 5),
            "gradient_norm_clipped": round(self.norms[1] / max(1, self.steps), 5),
            "waiting_for_data": round(self.waited / seconds, 4),
        }


def by_field(values: Sequence[float]) -> dict[str, float]:
    """Values of the five fields under their names, or that of the one field of ids."""
    names = FIELDS if len(values) == len(FIELDS) else ("token",)
    return {name: round(value, 4) for name, value in zip(names, values, strict=True)}


def describe_row(row: Mapping[str, Any]) -> str:
    """A row as one line to print."""
    if row["kind"] == "validation":
        mark = ", the best so far" if row["is_best"] else ""
        tasks = " ".join(f"{task} {bits:.2f}" for task, bits in row.get("per_task", {}).items())
        return (
            f"validation at step {row['step']}: {row['bits_per_note']:.4f} bits/note{mark}"
            f"{tasks and f' ({tasks})'} ({row['took']:.0f} s)"
        )
    if row["kind"] == "warning":
        return f"warning: {row['text']}"
    fields = " ".join(f"{name} {bits:.2f}" for name, bits in row["per_field"].items())
    waiting = row["waiting_for_data"]
    waits = f"  {100 * waiting:.0f} % waiting for data" if waiting >= 0.02 else ""
    return (
        f"step {row['step']:>6}  {100 * row['fraction_done']:5.1f} %"
        f"  {row['bits_per_note']:6.3f} bits/note ({fields})"
        f"  {row['notes_per_second']:,.0f} notes/s{waits}"
        f"  {row['memory_mb']:,} MB  {_clock(row['seconds_left'])} left"
    )


def _clock(seconds: float) -> str:
    whole = int(max(0.0, seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class Journal:
    """Metrics on disk: `metrics.jsonl` and the curves; trackers take the same.

    When a run resumes from an earlier step, rows after that step are removed first.

    Attributes:
        file: `metrics.jsonl`.
    """

    def __init__(self, run: Path, step: int, trackers: Sequence[Tracker] = ()) -> None:
        """Open the journal of a run that has done `step` steps.

        Raises:
            InputError: if it cannot be written.
        """
        self.file = run / "metrics.jsonl"
        self._trackers = trackers
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
        for tracker in self._trackers:
            tracker.log(row["step"], numbers(row))

    def draw(self) -> None:
        """Write the curves of all rows as `curve.png` beside the journal."""
        write_curves(read_metrics(self.file), self.file.with_name("curve.png"))

    def close(self) -> None:
        """Close the files."""
        self._stream.close()
        for tracker in self._trackers:
            tracker.close()


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
    for name in shown[0]["per_field"]:
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
