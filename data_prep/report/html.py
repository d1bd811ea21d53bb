"""HTML for reports: a page with one style sheet, and the tables and figures in it.

A page needs nothing else: pictures are inside it. It is laid out for A4 as well as for a screen.
Text is escaped wherever it comes in, unless it is `Html` already.
"""

from __future__ import annotations

import base64
from collections.abc import Container, Iterable, Sequence
from html import escape

# Colours are set on the marks themselves: not every printer of HTML applies styles inside SVG.
INK, GREY, LINE = "#1b1d22", "#646a73", "#dcdfe4"
BLUE, ORANGE, GREEN = "#39618f", "#c2703d", "#8a9a5b"

_FONT = "'Source Sans 3', 'Segoe UI', system-ui, sans-serif"

_VARIABLES = {"ink": INK, "grey": GREY, "line": LINE, "bar": BLUE, "font": _FONT}

_STYLE = """
* { box-sizing: border-box; }
body { font: 15px/1.45 var(--font); color: var(--ink);
       background: #fff; max-width: 64rem; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 2rem; font-weight: 650; margin: 0 0 .2rem; letter-spacing: -.01em; }
h2 { font-size: 1.1rem; font-weight: 650; margin: 2.4rem 0 .7rem; padding-top: .5rem;
     border-top: 1px solid var(--line); }
h3 { font-size: 1rem; font-weight: 650; margin: 1.4rem 0 .5rem; }
p.lead { color: var(--grey); margin: 0 0 1.6rem; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.2rem; }
.figures div { border-left: 3px solid var(--bar); padding: .1rem 0 .1rem .7rem; }
.figures b { display: block; font-size: 1.5rem; font-weight: 650; line-height: 1.2;
             font-variant-numeric: tabular-nums; }
.figures span { color: var(--grey); font-size: .85rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; font-weight: 600; color: var(--grey);
     border-bottom: 1px solid var(--ink); }
th, td { padding: .28rem .8rem .28rem 0; vertical-align: top; }
td { border-bottom: 1px solid var(--line); }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.sum td { border-top: 1px solid var(--ink); border-bottom: none; font-weight: 600; }
.small { color: var(--grey); font-size: .8rem; overflow-wrap: anywhere; }
.plots { display: grid; grid-template-columns: repeat(2, 1fr); gap: 1.2rem 2.2rem; }
figure { margin: 0; break-inside: avoid; }
figcaption { font-weight: 600; font-size: .95rem; margin-bottom: .3rem; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
img { max-width: 100%; }
.legend { font-size: .85rem; color: var(--grey); margin: .4rem 0 0; }
.swatch { display: inline-block; width: .8em; height: .8em; margin: 0 .35em 0 1em;
          vertical-align: -.05em; }
@media (max-width: 44rem) { .plots { grid-template-columns: 1fr; } }
@media print { body { font-size: 10pt; margin: 0; max-width: none; padding: 0; }
  h2 { break-after: avoid; } tr { break-inside: avoid; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; } @page { margin: 16mm; } }
"""


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def page(title: str, lead: str, parts: Iterable[Html]) -> str:
    """A whole page: a title, a sentence or two below it, and sections."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="lead">{text(lead)}</p>\n{body}\n</body>\n</html>\n'
    )


def _style() -> str:
    return f":root {{{'; '.join(f'--{n}: {v}' for n, v in _VARIABLES.items())}}}{_STYLE}"


def text(content: str) -> Html:
    """Text with its special characters escaped."""
    return content if isinstance(content, Html) else Html(escape(content))


def section(title: str, *parts: str, level: int = 2) -> Html:
    """A heading and what follows it: `Html` as it is, text as a paragraph."""
    below = (part if isinstance(part, Html) else f"<p>{escape(part)}</p>" for part in parts)
    return Html(f"<h{level}>{escape(title)}</h{level}>\n{''.join(below)}")


def key_figures(figures: Iterable[tuple[str, str]]) -> Html:
    """Names and values as a row of large figures."""
    cells = (f"<div><b>{escape(v)}</b><span>{escape(n)}</span></div>" for n, v in figures)
    return Html(f'<div class="figures">{"".join(cells)}</div>')


def table(
    names: Sequence[str],
    rows: Iterable[Sequence[int | str]],
    *,
    total: bool = False,
    text_columns: Container[int] = (0,),
) -> Html:
    """A table.

    Args:
        names: heads of the columns.
        rows: cells; whole numbers are written with commas.
        total: whether the last row is a sum of the others.
        text_columns: columns aligned to the left; all others are numbers.
    """
    number = ["" if i in text_columns else ' class="n"' for i in range(len(names))]
    head = "".join(f"<th{kind}>{escape(n)}</th>" for n, kind in zip(names, number, strict=True))
    lines = [
        "".join(f"<td{kind}>{_cell(c)}</td>" for c, kind in zip(row, number, strict=True))
        for row in rows
    ]
    last = len(lines) - 1 if total else -1
    body = (
        f"<tr{' class=sum' if place == last else ''}>{line}</tr>"
        for place, line in enumerate(lines)
    )
    return Html(f"<table><tr>{head}</tr>{''.join(body)}</table>")


def _cell(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else text(value)


def figure(caption: str, picture: Html, legend: str = "") -> Html:
    """A picture with its caption above and a legend below."""
    return Html(f"<figure><figcaption>{escape(caption)}</figcaption>{picture}{legend}</figure>")


def legend(entries: Iterable[tuple[str, str]]) -> Html:
    """Colours and what they mean."""
    marks = (
        f'<span class="swatch" style="background:{colour}"></span>{escape(meaning)}'
        for colour, meaning in entries
    )
    return Html(f'<p class="legend">{"".join(marks)}</p>')


def svg(label: str, width: float, height: float, marks: Iterable[str]) -> Html:
    """A drawing of SVG elements in a box of `width` × `height`, scaled to the width of the page."""
    return Html(
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(label)}">'
        f'<g font-family="{_FONT}" font-size="11" fill="{INK}">{"".join(marks)}</g></svg>'
    )


def png(label: str, data: bytes) -> Html:
    """A PNG picture, inside the page."""
    return Html(f'<img alt="{escape(label)}" src="{data_uri("image/png", data)}">')


def download(name: str, kind: str, data: bytes) -> Html:
    """A link to save a file that is inside the page, such as one of kind `audio/midi`."""
    return Html(f'<a download="{escape(name)}" href="{data_uri(kind, data)}">{escape(name)}</a>')


def data_uri(kind: str, data: bytes) -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
