"""Piano-roll pictures, with prompt and continuation in two colour families.

Cool colours are the prompt, warm ones the continuation; each instrument has one of each. Drums have
a separate panel. Needs matplotlib, which is imported when a picture is drawn; no display is used.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tokenizer.files import format_of, write_bytes
from tokenizer.instruments import DRUMS, name
from tokenizer.score.score import Score
from tokenizer.typing import Ints, Notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg")

# Neighbours differ in lightness as well as in hue; twelve of each, enough for an orchestra.
COOL = (
    "#2f6db5", "#1b998b", "#6a5acd", "#4aa8d8", "#22577a", "#7fb069",
    "#8093f1", "#3d5a80", "#5fb3a1", "#35478c", "#9ac1d9", "#4f7942",
)  # fmt: skip
WARM = (
    "#e4572e", "#f2a541", "#c2255c", "#f28482", "#9c2a1b", "#d4a017",
    "#d16ba5", "#b5651d", "#ffb997", "#7d1f3f", "#e8c15a", "#a65e5e",
)  # fmt: skip
_BLACK_KEYS = (1, 3, 6, 8, 10)
_INK = "#2b2d33"


def check_format(path: str | os.PathLike[str]) -> str:
    """The format given by the suffix of a picture.

    Raises:
        InputError: if it is neither PNG nor SVG.
    """
    return format_of(path, "a picture", FORMATS)


def save(
    score: Score,
    bar_lines: Ints,
    path: str | os.PathLike[str],
    *,
    boundary: int | None = None,
    title: str = "",
) -> None:
    """Draw a piano roll and write it as PNG or SVG, by the path's suffix.

    Args:
        score: what is drawn.
        bar_lines: ticks of the bar lines, the first opening bar 1.
        path: the picture.
        boundary: the tick at which the continuation starts; None draws all in warm colours.
        title: above the picture.

    Raises:
        InputError: if the suffix is not supported or the file cannot be written.
    """
    form = check_format(path)
    write_bytes(path, render(score, bar_lines, form, boundary=boundary, title=title))


def render(
    score: Score,
    bar_lines: Ints,
    form: str = "png",
    *,
    boundary: int | None = None,
    title: str = "",
) -> bytes:
    """The bytes of a picture; the arguments are those of `save`."""
    import matplotlib as mpl

    figure = draw(score, bar_lines, boundary=boundary, title=title)
    out = io.BytesIO()
    # No date and fixed ids, so that the same music gives the same bytes.
    with mpl.rc_context({"svg.hashsalt": "musenet", "svg.fonttype": "path"}):
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, dpi=150, metadata=metadata)
    return out.getvalue()


def draw(
    score: Score,
    bar_lines: Ints,
    *,
    boundary: int | None = None,
    title: str = "",
) -> Figure:
    """The picture as a matplotlib figure; the arguments are those of `save`."""
    from matplotlib.figure import Figure

    notes = score.notes
    drums = notes["program"] == DRUMS
    split = 0 if boundary is None else boundary
    wide = float(np.clip(0.42 * len(bar_lines) + 3, 9, 26))
    figure = Figure(figsize=(wide, 5.6 if drums.any() else 4.9), facecolor="white")
    panels = _panels(figure, bool((~drums).any()), bool(drums.any()))
    programs = _in_order(notes, split)
    for axes, mine in panels:
        shown = _ranked(notes[drums]) if mine else notes[~drums]
        _rows(axes, shown["pitch"], drums=mine)
        for index, program in enumerate(programs):
            own = shown[shown["program"] == program]
            for part, colours in ((own["start"] < split, COOL), (own["start"] >= split, WARM)):
                _bars(axes, own[part], colours[index % len(colours)], score.ticks_per_quarter)
    _time(panels, bar_lines, max(score.end, int(bar_lines[-1])))
    if boundary:
        _boundary(panels, boundary)
    _words(figure, panels[0][0], programs, title, two=bool(boundary))
    return figure


def _in_order(notes: Notes, split: int) -> list[int]:
    """The programs in score order: highest first, drums last, the prompt's before others."""
    known = set(notes["program"][notes["start"] < split].tolist())

    def place(program: int) -> tuple[bool, bool, float]:
        mean = float(notes["pitch"][notes["program"] == program].mean())
        return program not in known, program == DRUMS, -mean

    return sorted(np.unique(notes["program"]).tolist(), key=place)


def _panels(figure: Figure, melodic: bool, drums: bool) -> list[tuple[Axes, bool]]:
    """The axes from top to bottom, each with whether it shows drums."""
    if melodic and drums:
        upper, lower = figure.subplots(
            2, 1, sharex=True, gridspec_kw={"height_ratios": (4.2, 1), "hspace": 0.06}
        )
        return [(upper, False), (lower, True)]
    return [(figure.subplots(), drums)]


def _ranked(notes: Notes) -> Notes:
    """Drum notes with the rank of their sound among those played as pitch."""
    ranked = notes.copy()
    ranked["pitch"] = np.unique(notes["pitch"], return_inverse=True)[1]
    return ranked


def _rows(axes: Axes, pitches: npt.NDArray[np.uint8], *, drums: bool) -> None:
    """The vertical axis: rows of black keys shaded, octaves named; drums without names."""
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (60, 72)
    margin = 0.9 if drums else 2.5
    axes.set_ylim(low - margin, high + margin)
    if drums:
        axes.set_yticks([])
        axes.set_ylabel("Drums", color=_INK)
    else:
        for pitch in range(low - 3, high + 4):
            if pitch % 12 in _BLACK_KEYS:
                axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f3f4f7", lw=0, zorder=0)
        octaves = [p for p in range(0, 128, 12) if low - 3 <= p <= high + 3]
        axes.set_yticks(octaves, [f"C{p // 12 - 1}" for p in octaves])
        for pitch in octaves:
            axes.axhline(pitch - 0.5, color="#d5d8df", lw=0.7, zorder=1)
    axes.tick_params(colors=_INK, length=0)
    for side in axes.spines.values():
        side.set_color("#c3c7d0")


def _bars(axes: Axes, notes: Notes, colour: str, quarter: int) -> None:
    """Notes as rectangles, loud ones opaque; a thin gap separates repeated notes."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    if not len(notes):
        return
    left = notes["start"].astype(float)
    length = np.maximum(notes["duration"] - quarter / 24, quarter / 6)
    middle = notes["pitch"].astype(float)
    x = np.stack([left, left, left + length, left + length], axis=1)
    y = np.stack([middle - 0.42, middle + 0.42, middle + 0.42, middle - 0.42], axis=1)
    colours = np.empty((len(notes), 4))
    colours[:, :3] = to_rgb(colour)
    colours[:, 3] = 0.45 + 0.55 * notes["velocity"] / 127
    axes.add_collection(
        PolyCollection(list(np.stack([x, y], axis=2)), facecolors=colours, lw=0, zorder=3)
    )


def _time(panels: list[tuple[Axes, bool]], bar_lines: Ints, end: int) -> None:
    """The horizontal axis: one line per bar, numbers as dense as is legible."""
    every = next(n for n in (1, 2, 4, 8, 16, 32, 64, 128, 1024) if len(bar_lines) / n <= 40)
    for axes, _ in panels:
        for bar, tick in enumerate(bar_lines.tolist()):
            strong = bar % max(4, every) == 0
            axes.axvline(tick, color="#b9bdc8" if strong else "#e2e4ea", lw=0.7, zorder=2)
        axes.set_xlim(0, end)
        axes.set_xticks([])
    shown = [bar for bar in range(0, len(bar_lines), every) if bar_lines[bar] < end]
    panels[-1][0].set_xticks([int(bar_lines[b]) for b in shown], [str(b + 1) for b in shown])
    panels[-1][0].set_xlabel("bar", color=_INK)


def _boundary(panels: list[tuple[Axes, bool]], boundary: int) -> None:
    for axes, _ in panels:
        axes.axvline(boundary, color=_INK, lw=1.6, zorder=4)
    axes = panels[0][0]
    for words, align, x in (("prompt  ", "right", 0), ("  continuation", "left", 1)):
        axes.annotate(
            words,
            (boundary, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha=align,
            color=(COOL, WARM)[x][0],
            fontsize=10,
            fontweight="bold",
            annotation_clip=False,
        )


def _words(figure: Figure, axes: Axes, programs: list[int], title: str, *, two: bool) -> None:
    """Title and legend: a patch in each colour family for every instrument."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.patches import Patch

    handles: list[Any] = []
    for index in range(len(programs)):
        families = (COOL, WARM) if two else (WARM,)
        handles.append(tuple(Patch(color=family[index % len(family)]) for family in families))
    width, height = figure.get_size_inches()
    columns = max(1, min(len(programs), int(width / 2.1)))
    below = 0.62 + 0.22 * -(-len(programs) // columns)
    figure.subplots_adjust(
        left=0.6 / width, right=1 - 0.25 / width, top=1 - 0.68 / height, bottom=below / height
    )
    figure.legend(
        handles,
        [name(program) for program in programs],
        handler_map={tuple: HandlerTuple(ndivide=None, pad=0)},
        loc="lower center",
        ncols=columns,
        frameon=False,
        fontsize=9,
        labelcolor=_INK,
        handlelength=2.2,
    )
    if title:
        figure.suptitle(
            title, x=axes.get_position().x0, y=0.975, ha="left", color=_INK, fontsize=13
        )
