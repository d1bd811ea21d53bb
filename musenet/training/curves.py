"""The curves of a run as a picture: bits per note over notes seen, in total and by field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.files import replacing

from .metrics import Row


def draw(rows: Sequence[Row], file: Path) -> None:
    """Write the curves of metrics rows as PNG; nothing where there is nothing to draw yet."""
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
    for field in FIELDS:
        values = [row["per_field"][field] for row in shown]
        fields.plot(_millions(shown), values, label=f"{field} ({values[-1]:.2f})", lw=1)
    fields.set(xlabel="million notes seen", title=f"by field, {shown[0]['kind']}")
    for axes in (total, fields):
        axes.grid(alpha=0.3)
        axes.legend()
    values = [row["bits_per_note"] for row in (*train, *validation)]
    total.set_ylim(0.95 * min(values), min(max(values), 2.2 * min(values)))
    FigureCanvasAgg(figure)
    with replacing(file) as temporary:
        figure.savefig(temporary, format="png")


def _millions(rows: Sequence[Row]) -> list[float]:
    return [row["notes"] / 1e6 for row in rows]
