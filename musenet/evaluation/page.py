"""An evaluation as one HTML page: figures, plots, and music to listen to, with nothing to fetch."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizer import to_bytes
from tokenizer.score.score import Score

EXCERPTS = 8

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;"
    "text-align:left}td:not(:first-child){text-align:right;font-variant-numeric:tabular-nums}"
    "img{max-width:100%}"
)


def page(result: Mapping[str, Any], music: Sequence[tuple[str, Score]] = ()) -> str:
    """The page of figures that `report.scored` gave, with excerpts of made music."""
    low, high = result["interval"]
    parts = [
        f"<h1>Evaluation of {html.escape(str(result['weights']))}</h1>",
        f"<p><b>{result['bits_per_note']:.3f} bits per note</b> ({low:.3f}–{high:.3f}, 95 % over "
        f"pieces) on {result['notes']:,} notes of {result['pieces']:,} pieces; told "
        f"{html.escape(result['told'])}; weights {html.escape(result['weights_hash'])}.</p>",
        _plot("By field", result["per_field"], result.get("baselines", {})),
        _groups("By source", result["per_source"]),
        _groups("By instrument", result.get("per_instrument", {})),
        _groups("By composer", result.get("per_composer", {})),
        _statistics(result.get("music")),
        _originality(result.get("originality")),
        _excerpts(music),
    ]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Evaluation</title>"
        f"<style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _plot(title: str, fields: Mapping[str, float], baselines: Mapping[str, Any]) -> str:
    """Stacked bars of the fields' bits: the model, and the models of counts beside it."""
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
    picture = base64.b64encode(data.getvalue()).decode()
    rows = [(field, f"{value:.3f}") for field, value in fields.items()]
    return (
        f"<h2>{title}</h2><img alt='bits per note by field' src='data:image/png;base64,{picture}'>"
        + _table(("field", "bits per note"), rows)
    )


def _groups(title: str, groups: Mapping[str, Any]) -> str:
    if not groups:
        return ""
    rows = [
        (
            name,
            f"{part['bits_per_note']:.3f}",
            "{:.2f}–{:.2f}".format(*part["interval"]),
            part["pieces"],
            f"{part['notes']:,}",
        )
        for name, part in sorted(groups.items(), key=lambda item: -item[1]["notes"])[:40]
    ]
    header = ("", "bits per note", "95 %", "pieces", "notes")
    return f"<h2>{title}</h2>" + _table(header, rows)


def _statistics(figures: Mapping[str, Any] | None) -> str:
    if not figures:
        return ""
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
    header = ("", "made", "real", "95 % of real means", "inside", "distance in deviations")
    lead = f"<p>{figures['made']} made pieces beside {figures['real']} real ones.</p>"
    return "<h2>Musical statistics</h2>" + lead + _table(header, rows)


def _originality(figures: Mapping[str, Any] | None) -> str:
    if not figures:
        return ""
    names = ("median_longest", "percentile_99", "longest", "mean_covered")
    rows = [
        (name.replace("_", " "), f"{figures['made'][name]:.3g}", f"{figures['held_out'][name]:.3g}")
        for name in names
    ]
    close = [(p["name"], p["longest"], p["at_note"], p["piece"]) for p in figures["too_close"]]
    listed = _table(("made", "notes", "at note", "in"), close) if close else "<p>None.</p>"
    return (
        "<h2>Originality</h2>"
        f"<p>Longest runs of notes, in any key, shared with {figures['library']:,} training pieces."
        "</p>"
        + _table(("", "made", "held-out real music"), rows)
        + "<h3>Longer than in 99 % of real music</h3>"
        + listed
    )


def _excerpts(music: Sequence[tuple[str, Score]]) -> str:
    if not music:
        return ""
    links = [
        f"<li><a download='{html.escape(name, quote=True)}' href='data:audio/midi;base64,"
        f"{base64.b64encode(to_bytes(score)).decode()}'>{html.escape(name)}</a></li>"
        for name, score in music[:EXCERPTS]
    ]
    return f"<h2>Music</h2><ul>{''.join(links)}</ul>"
