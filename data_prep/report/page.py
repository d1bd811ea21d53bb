"""The report of a dataset as an HTML page: tables, and plots as inline SVG.

It is made from the plain data of `report.json` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from tokenizer.instruments import PROGRAM_NAMES
from tokenizer.labels import composer_name
from tokenizer.theory import key_name

from . import html
from .html import Html

MOST = 18
"""Rows of a ranked plot."""

_REASONS = {
    "unreadable": "not a MIDI file, or damaged",
    "no_notes": "a MIDI file without a note",
    "too_few_notes": "too few notes",
    "too_many_notes": "too many notes",
    "too_short": "too short",
    "too_long": "too long",
    "too_large": "too large a file",
    "one_note_repeated": "mostly one note, repeated",
    "impossible_density": "more notes per second than music has",
    "silent_gap": "a long silence in the middle",
    "out_of_range": "mostly outside the instruments’ ranges",
    "exact_duplicate": "the same music as another file",
    "near_duplicate_of_excluded": "an arrangement of music to be excluded",
    "near_duplicate_of_held_out": "an arrangement of a held-out piece",
    "time_limit": "took too long to read",
    "memory_limit": "took too much memory to read",
    "crashed": "crashed its reader",
    "bad_archive": "an archive that is damaged or contains no MIDI",
    "packed": "a packed file that is not opened (.7z, .rar, .mid.gz)",
    "nested_archive": "an archive inside an archive",
    "failed": "failed in an unexpected way",
}

_SPLITS = {"train": html.BLUE, "validation": html.GREEN, "test": html.ORANGE}


def page(report: Mapping[str, Any], title: str) -> str:
    """The whole page for the plain data of a report."""
    return html.page(
        title,
        _summary(report),
        (
            _figures(report),
            html.section("What came in and what stayed", _flow(report)),
            html.section("Corpora", _corpora(report)),
            html.section("What was left out, and why", _refused(report)),
            html.section("Repeated music", _repeated(report)),
            html.section("The music", Html(f'<div class="plots">{"".join(_plots(report))}</div>')),
            html.section("Licences", html.table(("licence", "pieces"), report["licences"].items())),
        ),
    )


def _summary(report: Mapping[str, Any]) -> str:
    kept, files = report["kept"]["pieces"], report["files"]
    return (
        f"{kept:,} of {files:,} files are in this dataset ({kept / max(files, 1):.1%}): "
        f"{report['kept']['hours']:,.0f} hours of music in {len(report['corpora'])} corpora."
    )


def _figures(report: Mapping[str, Any]) -> Html:
    kept = report["kept"]
    composers = sum(name != "unknown" for name in report["composers"])
    return html.key_figures(
        (
            ("pieces", f"{kept['pieces']:,}"),
            ("notes", _short(kept["notes"])),
            ("tokens", _short(kept["tokens"])),
            ("hours", f"{kept['hours']:,.1f}"),
            ("tokens per note", f"{kept['tokens'] / max(kept['notes'], 1):.3f}"),
            ("composers", f"{composers:,}"),
        )
    )


def _short(count: float) -> str:
    for least, size, unit in ((1e9, 1e9, " G"), (1e6, 1e6, " M"), (1e4, 1e3, " k")):
        if count >= least:
            return f"{count / size:,.1f}{unit}"
    return f"{count:,.0f}"


def _flow(report: Mapping[str, Any]) -> Html:
    """One bar as long as all files: the splits, then what was left out."""
    parts = [
        (name, report["splits"].get(name, {}).get("pieces", 0), colour)
        for name, colour in _SPLITS.items()
    ]
    parts.append(("left out", sum(report["refused"].values()), html.LINE))
    total = max(sum(count for _, count, _ in parts), 1)
    bars, meanings, at = [], [], 0.0
    for name, count, colour in parts:
        width = 1000 * count / total
        bars.append(f'<rect x="{at:.1f}" y="0" width="{width:.1f}" height="26" fill="{colour}"/>')
        meanings.append((colour, f"{name} {count:,} ({count / total:.1%})"))
        at += width
    return Html(html.svg("files by split", 1000, 26, bars) + html.legend(meanings))


def _corpora(report: Mapping[str, Any]) -> Html:
    left_out = {c: sum(counts.values()) for c, counts in report["refused_by_corpus"].items()}
    splits = {**report["corpora"], "all": report["splits"]}
    left_out["all"] = sum(report["refused"].values())
    rows = [_corpus_row(name, splits[name], left_out.get(name, 0)) for name in splits]
    names = ("corpus", "pieces", "held out", "left out", "notes", "tokens per note", "hours")
    return html.table(names, rows, total=True)


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
        return "Nothing was left out."
    rows = [
        (
            _REASONS.get(reason, reason),
            count,
            f"{count / report['files']:.2%}",
            _examples(report["examples"].get(reason, [])),
        )
        for reason, count in report["refused"].items()
    ]
    return html.table(("reason", "files", "share", "for example"), rows, text_columns=(0, 3))


def _examples(examples: Iterable[Mapping[str, str]]) -> Html:
    lines = (html.text(f"{example['file']}: {example['detail']}") for example in examples)
    return Html(f'<div class="small">{"<br>".join(lines)}</div>')


def _repeated(report: Mapping[str, Any]) -> str:
    clipped, notes = report["clipped_notes"], max(report["kept"]["notes"], 1)
    return (
        f"{report['refused'].get('exact_duplicate', 0):,} files repeat another note for note and "
        f"were left out. {report['pieces_in_groups']:,} pieces belong to "
        f"{report['near_duplicate_groups']:,} groups of arrangements, editions and excerpts of the "
        f"same music; each group is in one split. {clipped:,} notes "
        f"({clipped / notes:.4%}) are longer than the longest duration and were shortened to it."
    )


def _plots(report: Mapping[str, Any]) -> list[Html]:
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
        _columns("Tempo, quarters per minute", tempos),
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


def _ranked(title: str, counts: Mapping[str, int]) -> Html:
    """Horizontal bars, longest first, with the rest in a line."""
    rows = list(counts.items())[:MOST]
    most = max((count for _, count in rows), default=1)
    marks = []
    for place, (name, count) in enumerate(rows):
        y, width = 17 * place, 230 * count / most
        marks.append(
            f'<text x="150" y="{y + 12}" text-anchor="end">{escape(_cut(name))}</text>'
            f'<rect x="157" y="{y + 2}" width="{width:.1f}" height="12" fill="{html.BLUE}"/>'
            f'<text fill="{html.GREY}" x="{162 + width:.1f}" y="{y + 12}">{_short(count)}</text>'
        )
    rest = len(counts) - len(rows)
    if rest > 0:
        marks.append(
            f'<text fill="{html.GREY}" x="157" y="{17 * len(rows) + 13}">and {rest:,} more</text>'
        )
    return _drawing(title, 440, 17 * (len(rows) + (rest > 0)) + 4, marks)


def _cut(name: str, most: int = 26) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _columns(title: str, counts: Mapping[str, int]) -> Html:
    """Upright bars in the given order."""
    most = max(counts.values(), default=1)
    step = 430 / max(len(counts), 1)
    marks = []
    for place, (name, count) in enumerate(counts.items()):
        height, x = 130 * count / most, 5 + step * place
        middle = x + 0.4 * step
        marks.append(
            f'<rect x="{x:.1f}" y="{150 - height:.1f}" width="{0.8 * step:.1f}" '
            f'height="{height:.1f}" fill="{html.BLUE}"/>'
            f'<text fill="{html.GREY}" x="{middle:.1f}" y="{145 - height:.1f}" '
            f'text-anchor="middle">{_short(count)}</text>'
            f'<text x="{middle:.1f}" y="163" text-anchor="end" '
            f'transform="rotate(-40 {middle:.1f} 163)">{escape(name)}</text>'
        )
    return _drawing(title, 440, 200, marks)


def _keys(counts: Mapping[str, int]) -> Html:
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
            f'fill="{html.ORANGE if minor else html.BLUE}"/>'
            f'<text x="{x + 11.5}" y="{label:.1f}" text-anchor="middle">{escape(tonic)}</text>'
        )
    marks.append(f'<text fill="{html.GREY}" x="0" y="89">♭ flats</text>')
    marks.append(f'<text fill="{html.GREY}" x="440" y="89" text-anchor="end">sharps ♯</text>')
    modes = html.legend(((html.BLUE, "major"), (html.ORANGE, "minor")))
    title = "Keys along the circle of fifths"
    return html.figure(title, html.svg(title, 440, 182, marks), modes)


def _drawing(title: str, width: float, height: float, marks: Iterable[str]) -> Html:
    return html.figure(title, html.svg(title, width, height, marks))
