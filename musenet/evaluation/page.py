"""An evaluation as one self-contained HTML page: figures, plots and MIDI files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from data_prep.report import html
from data_prep.report.html import Html
from tokenizer import to_bytes

from .generated import NamedScore
from .report import Evaluation

EXCERPTS = 8


def page(evaluation: Evaluation) -> str:
    """The page of an evaluation, with excerpts of generated music."""
    figures = evaluation.figures
    low, high = figures["interval"]
    lead = (
        f"{figures['bits_per_note']:.3f} bits per note ({low:.3f}–{high:.3f}, 95 % over pieces) on "
        f"{figures['notes']:,} notes of {figures['pieces']:,} pieces; given: {figures['told']}; "
        f"weights {figures['weights_hash']}."
    )
    parts = [
        _fields(figures["per_field"], figures.get("baselines", {})),
        _groups("By source", figures["per_source"]),
        _groups("By instrument", figures.get("per_instrument", {})),
        _groups("By composer", figures.get("per_composer", {})),
        _statistics(figures.get("music")),
        _originality(figures.get("originality")),
        _excerpts(evaluation.music),
    ]
    return html.page(f"Evaluation of {figures['weights']}", lead, [p for p in parts if p])


def _fields(fields: Mapping[str, float], baselines: Mapping[str, Any]) -> Html:
    """Stacked bars of the bits by field, for the model and the baselines."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    models = {"model": fields, **{n: p["per_field"] for n, p in baselines.items()}}
    figure = Figure(figsize=(9, 1 + 0.6 * len(models)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, (name, bits) in enumerate(models.items()):
        left = 0.0
        for number, (field, value) in enumerate(bits.items()):
            label = field if name == "model" else None
            axes.barh(row, value, left=left, color=f"C{number}", label=label)
            left += value
        axes.text(left, row, f" {left:.2f}", va="center")
    axes.set_yticks(range(len(models)), list(models))
    axes.invert_yaxis()
    axes.set_xlabel("bits per note")
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.3 if len(models) < 2 else 1.2))
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120)
    rows = [(field, f"{value:.3f}") for field, value in fields.items()]
    return html.section(
        "By field",
        html.png("bits per note by field", data.getvalue()),
        html.table(("field", "bits per note"), rows),
    )


def _groups(title: str, groups: Mapping[str, Any]) -> Html:
    if not groups:
        return Html()
    rows = [
        (
            name,
            f"{part['bits_per_note']:.3f}",
            "{:.2f}–{:.2f}".format(*part["interval"]),
            part["pieces"],
            part["notes"],
        )
        for name, part in sorted(groups.items(), key=lambda item: -item[1]["notes"])[:40]
    ]
    header = ("", "bits per note", "95 %", "pieces", "notes")
    return html.section(title, html.table(header, rows))


def _statistics(figures: Mapping[str, Any] | None) -> Html:
    if not figures:
        return Html()
    rows = [
        (
            name.replace("_", " "),
            f"{part['ours']:.3f}",
            f"{part['real']:.3f}",
            "{:.3f}–{:.3f}".format(*part["interval"]),
            "yes" if part["inside"] else "no",
            "" if part["distance"] is None else f"{part['distance']:+.2f}",
        )
        for name, part in figures["statistics"].items()
    ]
    header = (
        "",
        "generated",
        "real",
        "95 % of real means",
        "inside",
        "distance in standard deviations",
    )
    lead = f"{figures['made']} generated pieces beside {figures['real']} real ones."
    return html.section("Musical statistics", lead, html.table(header, rows))


def _originality(figures: Mapping[str, Any] | None) -> Html:
    if not figures:
        return Html()
    names = ("median_longest", "percentile_99", "longest", "mean_covered")
    rows = [
        (name.replace("_", " "), f"{figures['made'][name]:.3g}", f"{figures['held_out'][name]:.3g}")
        for name in names
    ]
    close = [(p["name"], p["longest"], p["at_note"], p["piece"]) for p in figures["too_close"]]
    header = ("generated", "notes", "at note", "in")
    listed = html.table(header, close, text_columns=(0, 3)) if close else "None."
    return html.section(
        "Originality",
        f"Longest runs of notes, in any key, shared with {figures['library']:,} training pieces.",
        html.table(("", "generated", "held-out real music"), rows),
        html.section("Longer than in 99 % of real music", listed, level=3),
    )


def _excerpts(music: Sequence[NamedScore]) -> Html:
    if not music:
        return Html()
    links = (
        f"<li>{html.download(name, 'audio/midi', to_bytes(score))}</li>"
        for name, score in music[:EXCERPTS]
    )
    return html.section("Music", Html(f"<ul>{''.join(links)}</ul>"))
