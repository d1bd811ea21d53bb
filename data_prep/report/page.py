"""The report as one HTML page that needs nothing else: tables, and plots as inline SVG.

It is made from the plain data of `report.json` alone, and laid out for A4 as well as for a screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from tokenizer.encoding.vocabulary import key_name
from tokenizer.instruments import PROGRAM_NAMES
from tokenizer.labels import composer_name

MOST = 18
"""Rows of a ranked plot."""

# Colours stand in the marks themselves: not every printer of HTML applies styles inside SVG.
_INK, _SOFT, _LINE = "#1b1d22", "#646a73", "#dcdfe4"
_BLUE, _ORANGE, _GREEN = "#39618f", "#c2703d", "#8a9a5b"
_FONT = "'Source Sans 3', 'Segoe UI', system-ui, sans-serif"

_STYLE = """
:root { --ink: #1b1d22; --soft: #646a73; --line: #dcdfe4; --bar: #39618f; }
* { box-sizing: border-box; }
body { font: 15px/1.45 "Source Sans 3", "Segoe UI", system-ui, sans-serif; color: var(--ink);
       background: #fff; max-width: 64rem; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 2rem; font-weight: 650; margin: 0 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.1rem; font-weight: 650; margin: 2.4rem 0 .7rem; padding-top: .5rem;
     border-top: 1px solid var(--line); }
p.lead { color: var(--soft); margin: 0 0 1.6rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.2rem; }
.figures div { border-left: 3px solid var(--bar); padding: .1rem 0 .1rem .7rem; }
.figures b { display: block; font-size: 1.5rem; font-weight: 650; line-height: 1.2;
             font-variant-numeric: tabular-nums; }
.figures span { color: var(--soft); font-size: .85rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--ink); }
th, td { padding: .28rem .8rem .28rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--line); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.sum td { border-top: 1px solid var(--ink); border-bottom: none; font-weight: 600; }
.examples { color: var(--soft); font-size: .8rem; overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(2, 1fr); gap: 1.2rem 2.2rem; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .3rem; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
.legend { font-size: .85rem; color: var(--soft); margin: .4rem 0 0; }
.swatch { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 1em;
          vertical-align: -.05em; }
@media (max-width: 44rem) { .plots { grid-template-columns: 1fr; } }
@media print { body { font-size: 10pt; margin: 0; max-width: none; padding: 0; }
  h2 { break-after: avoid; } tr { break-inside: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } @page { margin: 16mm; } }
"""

_REASONS = {
    "unreadable": "not a MIDI file, or damaged",
    "no_notes": "a MIDI file without a note",
    "too_few_notes": "too few notes",
    "too_many_notes": "too many notes",
    "too_short": "too short",
    "too_long": "too long",
    "too_large": "a file too large to read",
    "one_note_repeated": "mostly one note, repeated",
    "impossible_density": "more notes a second than music has",
    "silent_gap": "a long silence in the middle",
    "out_of_range": "mostly outside the instruments’ ranges",
    "exact_duplicate": "the same music as another file",
    "near_duplicate_of_excluded": "an arrangement of music to be excluded",
    "near_duplicate_of_held_out": "an arrangement of a held-out piece",
    "time_limit": "took too long to read",
    "memory_limit": "took too much memory to read",
    "crashed": "crashed its reader",
    "failed": "failed in an unexpected way",
}

_SPLITS = {"train": _BLUE, "validation": _GREEN, "test": _ORANGE}


def page(report: Mapping[str, Any], title: str) -> str:
    """The whole page for the plain data of a report."""
    body = "\n".join(
        (
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(_summary(report))}</p>',
            _figures(report),
            "<h2>What came in and what stayed</h2>",
            _flow(report),
            "<h2>Corpora</h2>",
            _corpora(report),
            "<h2>What was left out, and why</h2>",
            _refused(report),
            "<h2>Repeated music</h2>",
            f"<p>{escape(_repeated(report))}</p>",
            "<h2>The music</h2>",
            f'<div class="plots">{"".join(_plots(report))}</div>',
            "<h2>Licences</h2>",
            _table(("licence", "pieces"), report["licences"].items()),
        )
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _summary(report: Mapping[str, Any]) -> str:
    kept, files = report["kept"]["pieces"], report["files"]
    return (
        f"{kept:,} of {files:,} files are in this dataset ({kept / max(files, 1):.1%}): "
        f"{report['kept']['hours']:,.0f} hours of music in {len(report['corpora'])} corpora."
    )


def _figures(report: Mapping[str, Any]) -> str:
    kept = report["kept"]
    figures = {
        "pieces": f"{kept['pieces']:,}",
        "notes": _short(kept["notes"]),
        "tokens": _short(kept["tokens"]),
        "hours": f"{kept['hours']:,.1f}",
        "tokens a note": f"{kept['tokens'] / max(kept['notes'], 1):.3f}",
        "composers": f"{sum(name != 'unknown' for name in report['composers']):,}",
    }
    cells = "".join(
        f"<div><b>{value}</b><span>{name}</span></div>" for name, value in figures.items()
    )
    return f'<div class="figures">{cells}</div>'


def _short(count: float) -> str:
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if count >= size:
            return f"{count / min(size, size if unit != ' k' else 1e3):,.1f}{unit}"
    return f"{count:,.0f}"


def _flow(report: Mapping[str, Any]) -> str:
    """One bar as long as all files: the splits, then what was left out."""
    parts = [
        (name, report["splits"].get(name, {}).get("pieces", 0), colour)
        for name, colour in _SPLITS.items()
    ]
    parts.append(("left out", sum(report["refused"].values()), _LINE))
    total = max(sum(count for _, count, _ in parts), 1)
    bars, legend, at = [], [], 0.0
    for name, count, colour in parts:
        width = 1000 * count / total
        bars.append(f'<rect x="{at:.1f}" y="0" width="{width:.1f}" height="26" fill="{colour}"/>')
        legend.append(
            f'<span class="swatch" style="background:{colour}"></span>{name} {count:,} '
            f"({count / total:.1%})"
        )
        at += width
    return (
        f'<svg viewBox="0 0 1000 26" role="img">{"".join(bars)}</svg>'
        f'<p class="legend">{"".join(legend)}</p>'
    )


def _corpora(report: Mapping[str, Any]) -> str:
    left_out = {c: sum(counts.values()) for c, counts in report["refused_by_corpus"].items()}
    splits = {**report["corpora"], "all": report["splits"]}
    left_out["all"] = sum(report["refused"].values())
    rows = [_corpus_row(name, splits[name], left_out.get(name, 0)) for name in splits]
    names = ("corpus", "pieces", "held out", "left out", "notes", "tokens a note", "hours")
    return _table(names, rows, total=True)


def _corpus_row(name: str, splits: Mapping[str, Any], left_out: int) -> tuple[int | str, ...]:
    """A corpus's totals over its splits."""
    pieces, notes, tokens, hours = (
        sum(split[key] for split in splits.values())
        for key in ("pieces", "notes", "tokens", "hours")
    )
    held_out = pieces - splits.get("train", {"pieces": 0})["pieces"]
    return name, pieces, held_out, left_out, notes, f"{tokens / max(notes, 1):.3f}", f"{hours:,.1f}"


def _refused(report: Mapping[str, Any]) -> str:
    if not report["refused"]:
        return "<p>Nothing was left out.</p>"
    rows = []
    for reason, count in report["refused"].items():
        examples = "<br>".join(
            f"{escape(example['file'])}: {escape(example['detail'])}"
            for example in report["examples"].get(reason, [])
        )
        rows.append(
            f'<tr><td>{escape(_REASONS.get(reason, reason))}</td><td class="n">{count:,}</td>'
            f'<td class="n">{count / report["files"]:.2%}</td>'
            f'<td class="examples">{examples}</td></tr>'
        )
    return (
        '<table><tr><th>reason</th><th class="n">files</th><th class="n">share</th>'
        f"<th>for example</th></tr>{''.join(rows)}</table>"
    )


def _repeated(report: Mapping[str, Any]) -> str:
    clipped, notes = report["clipped_notes"], max(report["kept"]["notes"], 1)
    return (
        f"{report['refused'].get('exact_duplicate', 0):,} files repeat another note for note and "
        f"were left out. {report['pieces_in_groups']:,} pieces belong to "
        f"{report['near_duplicate_groups']:,} groups of arrangements, editions and excerpts of the "
        f"same music; each group is in one split. {clipped:,} notes "
        f"({clipped / notes:.4%}) are longer than the longest duration and were shortened to it."
    )


def _plots(report: Mapping[str, Any]) -> list[str]:
    instruments = {PROGRAM_NAMES[int(p)]: n for p, n in report["instruments"].items()}
    composers = {composer_name(c): n for c, n in report["composers"].items() if c != "unknown"}
    styles = {style.replace("_", " "): n for style, n in report["styles"].items()}
    tempos = {
        f"{t}–{int(t) + 19}" if int(t) < 300 else "300 +": n for t, n in report["tempos"].items()
    }
    return [
        _ranked("Composers, in pieces", composers),
        _ranked("Styles, in pieces", styles),
        _ranked("Instruments, in pieces", instruments),
        _ranked("Time signatures, in pieces", report["time_signatures"]),
        _keys(report["keys"]),
        _columns(
            "Length of pieces", {_length(int(s)): n for s, n in report["lengths_seconds"].items()}
        ),
        _columns("Tempo, quarters a minute", tempos),
        _ranked("Notes by corpus", _notes_by_corpus(report)),
    ]


def _notes_by_corpus(report: Mapping[str, Any]) -> dict[str, int]:
    notes = {
        corpus: sum(split["notes"] for split in splits.values())
        for corpus, splits in report["corpora"].items()
    }
    return dict(sorted(notes.items(), key=lambda item: -item[1]))


def _length(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min"


def _ranked(title: str, counts: Mapping[str, int]) -> str:
    """Horizontal bars, longest first, with the rest in a line."""
    rows = list(counts.items())[:MOST]
    most = max((count for _, count in rows), default=1)
    marks = []
    for place, (name, count) in enumerate(rows):
        y, width = 17 * place, 230 * count / most
        marks.append(
            f'<text x="150" y="{y + 12}" text-anchor="end">{escape(_cut(name))}</text>'
            f'<rect x="157" y="{y + 2}" width="{width:.1f}" height="12" fill="{_BLUE}"/>'
            f'<text fill="{_SOFT}" x="{162 + width:.1f}" y="{y + 12}">{_short(count)}</text>'
        )
    rest = len(counts) - len(rows)
    if rest > 0:
        marks.append(
            f'<text fill="{_SOFT}" x="157" y="{17 * len(rows) + 13}">and {rest:,} more</text>'
        )
    return _figure(title, 440, 17 * (len(rows) + (rest > 0)) + 4, marks)


def _cut(name: str, most: int = 26) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _columns(title: str, counts: Mapping[str, int]) -> str:
    """Upright bars in the given order."""
    most = max(counts.values(), default=1)
    step = 430 / max(len(counts), 1)
    marks = []
    for place, (name, count) in enumerate(counts.items()):
        height, x = 130 * count / most, 5 + step * place
        middle = x + 0.4 * step
        marks.append(
            f'<rect x="{x:.1f}" y="{150 - height:.1f}" width="{0.8 * step:.1f}" '
            f'height="{height:.1f}" fill="{_BLUE}"/>'
            f'<text fill="{_SOFT}" x="{middle:.1f}" y="{145 - height:.1f}" text-anchor="middle">'
            f"{_short(count)}</text>"
            f'<text x="{middle:.1f}" y="163" text-anchor="end" '
            f'transform="rotate(-40 {middle:.1f} 163)">{escape(name)}</text>'
        )
    return _figure(title, 440, 200, marks)


def _keys(counts: Mapping[str, int]) -> str:
    """Keys along the circle of fifths, major above and minor below."""
    most = max(counts.values(), default=1)
    marks = []
    for name, count in counts.items():
        fifths, _, mode = name.partition(" ")
        minor, x, height = mode == "minor", 5 + 29 * (int(fifths) + 7), 72 * count / most
        top, label = (92.0, 104 + height) if minor else (78 - height, 74 - height)
        tonic = key_name(int(fifths), minor).split()[0]
        marks.append(
            f'<rect x="{x}" y="{top:.1f}" width="23" height="{height:.1f}" '
            f'fill="{_ORANGE if minor else _BLUE}"/>'
            f'<text x="{x + 11.5}" y="{label:.1f}" text-anchor="middle">{escape(tonic)}</text>'
        )
    marks.append(f'<text fill="{_SOFT}" x="0" y="89">♭ flats</text>')
    marks.append(f'<text fill="{_SOFT}" x="440" y="89" text-anchor="end">sharps ♯</text>')
    legend = (
        f'<p class="legend"><span class="swatch" style="background:{_BLUE}"></span>major'
        f'<span class="swatch" style="background:{_ORANGE}"></span>minor</p>'
    )
    return _figure("Keys along the circle of fifths", 440, 182, marks, legend)


def _figure(title: str, width: int, height: float, marks: Iterable[str], legend: str = "") -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {width} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f'<g font-family="{_FONT}" font-size="11" fill="{_INK}">{"".join(marks)}</g></svg>'
        f"{legend}</figure>"
    )


def _table(names: Sequence[str], rows: Iterable[Sequence[Any]], *, total: bool = False) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [list(row) for row in rows]
    head = "".join(f"<th{' class=n' if i else ''}>{escape(n)}</th>" for i, n in enumerate(names))
    body = []
    for place, row in enumerate(lines):
        cells = "".join(
            f'<td class="n">{_number(cell)}</td>' if i else f"<td>{escape(str(cell))}</td>"
            for i, cell in enumerate(row)
        )
        last = total and place == len(lines) - 1
        body.append(f"<tr{' class=sum' if last else ''}>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(body)}</table>"


def _number(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(value)
