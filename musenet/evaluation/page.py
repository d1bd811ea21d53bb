"""An evaluation as one self-contained HTML page: figures, plots and MIDI files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from data_prep.report import html
from data_prep.report.html import Html
from tokenizer import to_bytes

from .generated import NamedScore
from .holes import VARIANTS

EXCERPTS = 8


def page(figures: Mapping[str, Any], music: Sequence[NamedScore] = ()) -> str:
    """The page of an evaluation, with excerpts of generated music.

    Args:
        figures: as `musenet evaluate --json` writes them.
        music: the generated scores that were compared.
    """
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
        _listening(figures.get("listening")),
        _excerpts(music),
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


def _listening(figures: Mapping[str, Any] | None) -> Html:
    """Copy gain, and the similarity of bars."""
    if not figures:
        return Html()
    rows = [
        (
            f"{row['bars']}, {row['music']}",
            row["figures"],
            "{}–{}".format(*row["rounds"]),
            f"{row['first']:.2f}",
            f"{row['later']:.2f}",
            f"{row['gain']:.2f}",
            "{:.2f}–{:.2f}".format(*row["gain_interval"]),
        )
        for row in figures["copy_gain"]
    ]
    header = ("bars", "figures", "rounds", "first time", "from the third", "copy gain", "95 %")
    return html.section(
        "Listening to the prompt",
        "Bits per note of a figure that is played again and again.",
        html.table(header, rows),
        _similarity(figures["continuations"]),
        _holes(figures.get("holes")),
    )


def _holes(figures: Mapping[str, Any] | None) -> Html:
    """Bits per note of holes, by what is known of the music around them."""
    if not figures:
        return Html()
    rows = []
    for kind, row in figures.items():
        found = (row[variant] for variant in VARIANTS)
        bits = ("" if one is None else f"{one['bits_per_note']:.2f}" for one in found)
        rows.append((kind, row["passages"], *bits))
    return html.table(("written in", "passages", *VARIANTS), rows)


def _similarity(figures: Mapping[str, Any] | None) -> Html:
    """L(t) of continuations and of real music, as two lines."""
    if not figures:
        return Html()
    width, height, marks = 640.0, 240.0, []
    curves = {"continuations": figures["similarity"], "real music": figures["real_similarity"]}
    lags = max(map(len, curves.values()))
    top = max(v for curve in curves.values() for v in curve if v is not None) or 1.0
    for curve, colour in zip(curves.values(), (html.ORANGE, html.BLUE), strict=True):
        points = " ".join(
            f"{40 + (width - 50) * t / max(1, lags - 1):.1f},{210 - 190 * value / top:.1f}"
            for t, value in enumerate(curve)
            if value is not None
        )
        marks.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    for t in (1, 4, 8, 16, 24, 32, 40):
        x = 40 + (width - 50) * (t - 1) / max(1, lags - 1)
        marks.append(f'<text x="{x:.0f}" y="230" text-anchor="middle">{t}</text>')
    for share in (0.0, 0.5, 1.0):
        y = 214 - 190 * share
        marks.append(f'<text x="34" y="{y:.0f}" text-anchor="end">{share * top:.2f}</text>')
    return html.section(
        "Similarity of bars",
        f"L(t) of bars t apart, the later one new; {figures['pieces']} pieces, "
        f"{figures['bars']} bars after {figures['prompt_bars']}. Similarity error "
        f"{figures['similarity_error']:.3f}.",
        html.figure(
            "L(t), t in bars",
            html.svg("L(t)", width, height, marks),
            html.legend([(html.ORANGE, "continuations"), (html.BLUE, "real music")]),
        ),
        level=3,
    )


def _excerpts(music: Sequence[NamedScore]) -> Html:
    if not music:
        return Html()
    links = (
        f"<li>{html.download(name, 'audio/midi', to_bytes(score))}</li>"
        for name, score in music[:EXCERPTS]
    )
    return html.section("Music", Html(f"<ul>{''.join(links)}</ul>"))
