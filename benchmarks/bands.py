"""Songs by rule beside real music: a table, and a page with curves and eight piano rolls.

    python benchmarks/bands.py --songs FOLDER --real FREEDOOM --drummers GROOVE --page page.html

`--songs` is a folder of `musenet bands`; without one, six songs of each style are made. `--real`
and `--drummers` are folders of MIDI. Beside the statistics of `musenet.evaluation.statistics`:

    L(t)              similarity of bars t apart, as in `musenet.evaluation.similarity`, but of
                      onsets on sixteenths, by pitch class in the key of C
    exact repeats     share of bars that are an earlier bar again, note for note, on sixteenths
    notes per bar     by role: drums, bass, the others
    velocity spread   standard deviation
    difference        of two songs: one less the mean over the bars of one of the similarity with
                      the most similar bar of the other, both in the key of C

Exits with 1 if the songs of some style differ less among themselves, on average, than the two real
pieces of one composer in Freedoom that differ least: by `LEAST_REAL`, so the real music itself is
not needed for that.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.bands.notation.style import load, names
from data_prep.bands.song import compose
from data_prep.report import html
from musenet.evaluation.similarity import jaccard, lag_sums
from musenet.evaluation.statistics import BarGrid, statistics_of
from musenet.export import piano_roll
from tokenizer import InputError, Score, read
from tokenizer.theory import best_key, key_correlations, pitch_class_weights
from tokenizer.typing import Mask

LEAST_REAL = 0.58
"""The least difference between two pieces by one composer among the band pieces of Freedoom."""

LAGS = 32
SLOTS = 16
SHOWN = (
    "pitch_class_entropy", "pitch_class_entropy_4", "scale_consistency", "groove_consistency",
    "groove_similarity", "polyphony", "self_similarity",
)  # fmt: skip
ROLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "drums": lambda program: program == 128,
    "bass": lambda program: (program >= 32) & (program < 40),
    "others": lambda program: (program < 32) | ((program >= 40) & (program < 128)),
}


@dataclass(frozen=True)
class Piece:
    """A song and what is compared of it."""

    name: str
    kind: str
    score: Score

    def bars(self) -> Mask:
        """What begins in each bar, `(bars, slots × (12 pitch classes of C + drum keys))`."""
        grid = BarGrid.of(self.score)
        notes = grid.score.notes
        first, size = grid.lines[grid.bar], np.diff(grid.lines)[grid.bar]
        place = (2 * (grid.start - first) * SLOTS // np.maximum(size, 1) + 1) // 2
        slot = np.minimum(place, SLOTS - 1)
        key = best_key(key_correlations(pitch_class_weights(self.score.notes)).tolist())
        tonic = 0 if key is None else (7 * key[0] + (9 if key[1] else 0)) % 12
        pitch = notes["pitch"].astype(np.int64)
        content = np.where(grid.pitched, (pitch - tonic) % 12, 12 + pitch)
        found = np.zeros((len(grid.lines) - 1, SLOTS, 12 + 128), bool)
        found[grid.bar, slot, content] = True
        return found.reshape(len(found), -1)


def difference(bars: Mask, others: Mask) -> float:
    """How much two songs differ, 0 to 1."""
    table = jaccard(bars, others)
    return float(1 - (table.max(axis=1).mean() + table.max(axis=0).mean()) / 2)


def figures(piece: Piece, bars: Mask) -> dict[str, float]:
    """The numbers of one song."""
    found = {name: value for name, value in statistics_of(piece.score).items() if name in SHOWN}
    notes = piece.score.notes
    for role, belongs in ROLES.items():
        count = int(belongs(notes["program"].astype(np.int64)).sum())
        found[f"notes per bar, {role}"] = count / len(bars) if count else math.nan
    found["velocity spread"] = float(notes["velocity"].std())
    filled = bars[bars.any(axis=1)]
    found["exact repeats"] = 1 - len(np.unique(filled, axis=0)) / max(1, len(filled))
    curve = lag_sums(bars, LAGS).curve
    found |= {f"L({t})": float(curve[t - 1]) for t in (1, 2, 4, 8, 16) if t < len(bars)}
    return found


def main() -> int:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--songs", type=Path)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--drummers", type=Path)
    parser.add_argument("--most", type=int, default=300, help="songs of each kind of music")
    parser.add_argument("--page", type=Path)
    asked = parser.parse_args()
    groups = {"songs by rule": pieces(asked.songs, asked.most) if asked.songs else made()}
    if asked.real:
        groups["real bands"] = pieces(asked.real, asked.most)
    if asked.drummers:
        groups["drums by rule"] = [drums_of(piece) for piece in groups["songs by rule"]]
        groups["human drummers"] = pieces(asked.drummers, asked.most, longest=True)
    groups = {name: [p for p in group if len(p.score.notes)] for name, group in groups.items()}
    bars = {name: [piece.bars() for piece in group] for name, group in groups.items()}
    rows = table_of(groups, bars)
    width = max(len(row[0]) for row in rows)
    for row in [["", *groups], *rows]:
        print(row[0].ljust(width), *(cell.rjust(16) for cell in row[1:]))
    styles = differences(groups, bars)
    print(f"\ndifference of two songs of a style (mean; two real ones: {LEAST_REAL}), least first")
    for style, mean in styles:
        print(f"{style:<28}{mean:.2f}", "  too alike" if mean < LEAST_REAL else "")
    if asked.page:
        asked.page.write_text(page(groups, bars, rows, styles), encoding="utf-8")
    return int(any(mean < LEAST_REAL for _, mean in styles))


def made() -> list[Piece]:
    """Six songs of each style."""
    return [
        Piece(f"{name} {n}", name, compose(load(name), f"bench/{n}").score)
        for name in names()
        for n in range(6)
    ]


def pieces(folder: Path, most: int, *, longest: bool = False) -> list[Piece]:
    """Files of a folder, evenly chosen or the longest; kinds as its manifest says."""
    kinds = {}
    manifest = folder / "manifest.jsonl"
    if manifest.exists():
        rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
        kinds = {row["file"]: str(row.get("style") or row.get("genre") or "") for row in rows}
    files = sorted(folder.rglob("*.mid"))
    if longest:
        files = sorted(files, key=lambda path: -path.stat().st_size)[:most]
    step = max(1, len(files) // most)
    found = []
    for path in files[::step][:most]:
        name = str(path.relative_to(folder))
        try:
            found.append(Piece(name, kinds.get(name, folder.name), read(path)))
        except InputError:
            continue
    return found


def drums_of(piece: Piece) -> Piece:
    """The drums of a song alone."""
    return Piece(piece.name, piece.kind, piece.score.select(programs=[128]))


def table_of(groups: dict[str, list[Piece]], bars: dict[str, list[Mask]]) -> list[list[str]]:
    """A row a figure: its name, then the mean ± standard deviation of each group."""
    columns = {
        name: [figures(piece, b) for piece, b in zip(group, bars[name], strict=True)]
        for name, group in groups.items()
    }
    order = dict.fromkeys(name for column in columns.values() for row in column for name in row)
    rows = [["songs", *(str(len(group)) for group in groups.values())]]
    for figure in order:
        cells = []
        for column in columns.values():
            values = np.array([row.get(figure, math.nan) for row in column])
            values = values[~np.isnan(values)]
            cells.append(f"{values.mean():.2f} ± {values.std():.2f}" if len(values) else "—")
        rows.append([figure, *cells])
    return rows


def differences(
    groups: dict[str, list[Piece]], bars: dict[str, list[Mask]]
) -> list[tuple[str, float]]:
    """The mean difference of songs of each style, least first."""
    ours = list(zip(groups["songs by rule"], bars["songs by rule"], strict=True))
    styles = {}
    for kind in dict.fromkeys(piece.kind for piece, _ in ours):
        of_kind = [b for piece, b in ours if piece.kind == kind][:8]
        pairs = [difference(a, b) for a, b in itertools.combinations(of_kind, 2)]
        if pairs:
            styles[kind] = float(np.mean(pairs))
    return sorted(styles.items(), key=lambda item: item[1])


def page(
    groups: dict[str, list[Piece]],
    bars: dict[str, list[Mask]],
    rows: Sequence[Sequence[str]],
    styles: Sequence[tuple[str, float]],
) -> str:
    """The page: the table, the curves, the styles' differences and eight songs to look at."""
    ours = groups["songs by rule"]
    chosen = [ours[n * len(ours) // 8] for n in range(min(8, len(ours)))]
    rolls = [html.figure(f"{p.kind}: {p.name}", html.png(p.name, roll(p))) for p in chosen]
    differing = [[style, f"{mean:.2f}"] for style, mean in styles]
    parts = [
        html.section("Statistics", html.table(["mean ± standard deviation", *groups], rows)),
        html.section("Similarity of bars, by how far they are apart", curves(bars)),
        html.section(
            "How much two songs of a style differ",
            f"Two real pieces by one composer differ by at least {LEAST_REAL}.",
            html.table(["style", "mean difference"], differing),
        ),
        html.section("Eight songs", *rolls),
    ]
    return html.page("Songs by rule", f"{len(ours)} songs beside real music.", parts)


def roll(piece: Piece) -> bytes:
    """The first sixteen bars, as a picture."""
    grid = BarGrid.of(piece.score)
    size = piece.score.ticks_per_quarter
    end = int(grid.lines[min(16, len(grid.lines) - 1)]) * size // 24
    lines = grid.lines[: 17 if len(grid.lines) > 16 else len(grid.lines)] * size // 24
    return piano_roll.render(piece.score.slice(0, end), lines)


def curves(bars: dict[str, list[Mask]]) -> html.Html:
    """L(t) of each group, as lines."""
    colours = (html.BLUE, html.ORANGE, html.GREEN, html.GREY)
    width, height = 640.0, 260.0
    marks = []
    for group, colour in zip(bars.values(), colours, strict=False):
        found = np.array([lag_sums(b, LAGS).curve for b in group if len(b) > 2])
        means = np.nanmean(found, axis=0)
        points = " ".join(
            f"{40 + (width - 50) * t / (LAGS - 1):.1f},{height - 30 - (height - 50) * v:.1f}"
            for t, v in enumerate(means.tolist())
        )
        marks.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    for t in (1, 4, 8, 16, 24, 32):
        x = 40 + (width - 50) * (t - 1) / (LAGS - 1)
        marks.append(f'<text x="{x:.0f}" y="{height - 10:.0f}" text-anchor="middle">{t}</text>')
    for v in (0, 0.5, 1):
        y = height - 30 - (height - 50) * v
        marks.append(f'<text x="30" y="{y + 4:.0f}" text-anchor="end">{v}</text>')
    named = html.legend(zip(colours, bars, strict=False))
    return html.figure("L(t), t in bars", html.svg("L(t)", width, height, marks), named)


if __name__ == "__main__":
    sys.exit(main())
