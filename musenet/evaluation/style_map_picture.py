"""The style map as a picture: a similarity matrix and a t-SNE map.

Left, the similarity of all pairs of labels, ordered by average linkage; right, t-SNE. The colours
of names are periods. Needs matplotlib and, for both panels, scikit-learn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tokenizer.errors import InputError
from tokenizer.typing import Floats, Ints

from .style_map import Label, StyleMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


COLOURS = {
    "medieval": "#6b5b95",
    "renaissance": "#2a7f62",
    "baroque": "#b5651d",
    "classical": "#2f6db5",
    "romantic": "#c2255c",
    "modern": "#7048a8",
    "genre": "#3a3f4a",
}
_OTHER = "#8b8f98"
_INK = "#2b2d33"

TABLE_LABELS = 40
"""Maximum number of rows of the matrix; more would be illegible."""


def render(found: StyleMap, form: str, *, title: str, seed: int = 0) -> bytes:
    """Draw a map as PNG or SVG.

    Raises:
        InputError: if scikit-learn is not installed.
    """
    order, places = _arranged(found, seed)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(17, 9), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=_INK, fontsize=15, fontweight="bold", x=0.01, ha="left")
    table, plane = figure.subplots(1, 2, width_ratios=(0.92, 1))
    _draw_table(table, found, order)
    texts = _draw_points(plane, found.labels, places)
    figure.draw_without_rendering()
    _part(plane, texts, figure, places)
    data = io.BytesIO()
    # No date and a fixed salt, so that the same map gives the same file.
    with rc_context({"svg.hashsalt": title}):
        figure.savefig(data, format=form, dpi=110, metadata={"Date": None} if form == "svg" else {})
    return data.getvalue()


def _arranged(found: StyleMap, seed: int) -> tuple[Ints, Floats]:
    """The order of the rows, and the positions on the map `(N, 2)`."""
    try:
        from scipy.cluster.hierarchy import leaves_list, linkage
        from scipy.spatial.distance import squareform
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise InputError(
            "the map needs scikit-learn, which is not installed: pip install 'musenet[maps]'"
        ) from error
    distance = np.clip(1 - found.similarity, 0, 2)
    np.fill_diagonal(distance, 0)
    distance = (distance + distance.T) / 2
    rows = min(len(distance), TABLE_LABELS)
    near = squareform(distance[:rows, :rows], checks=False)
    order = leaves_list(linkage(near, "average", optimal_ordering=True))
    perplexity = min(12.0, (len(distance) - 1) / 3)
    places = TSNE(
        metric="precomputed", init="random", perplexity=perplexity, random_state=seed
    ).fit_transform(distance)
    return order, places.astype(np.float64)


def _colour(label: Label) -> str:
    return COLOURS.get(label.group, _OTHER)


def _draw_table(axes: Axes, found: StyleMap, order: Ints) -> None:
    shown = found.similarity[np.ix_(order, order)].copy()
    np.fill_diagonal(shown, np.nan)
    limit = max(0.2, float(np.nanpercentile(np.abs(shown), 99.5)))
    image = axes.imshow(shown, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="equal")
    names = [found.labels[i] for i in order.tolist()]
    size = 7.5 if len(names) > 30 else 9
    axes.set_xticks(range(len(names)), [label.name for label in names], rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), [label.name for label in names], fontsize=size)
    for ticks in (axes.get_xticklabels(), axes.get_yticklabels()):
        for text, label in zip(ticks, names, strict=True):
            text.set_color(_colour(label))
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.5, pad=0.02)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0)
    chosen = "best known" if names[0].pieces is None else "most frequent"
    axes.set_title(
        f"Cosine similarity of the {len(names)} {chosen}", loc="left", fontsize=10, color=_INK
    )


def _draw_points(axes: Axes, labels: Sequence[Label], places: Floats) -> list[Any]:
    colours = [_colour(label) for label in labels]
    most = max((label.pieces or 1) for label in labels)
    sizes = [14 + 90 * ((label.pieces or 0) / most) ** 0.5 for label in labels]
    axes.scatter(places[:, 0], places[:, 1], s=sizes, c=colours, alpha=0.75, linewidths=0)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.07)
    for spine in axes.spines.values():
        spine.set_color("#d5d7dc")
    axes.set_title(f"t-SNE of {len(labels)}", loc="left", fontsize=10, color=_INK)
    for group in dict.fromkeys([*COLOURS, ""]):
        if any(label.group == group for label in labels):
            axes.scatter([], [], c=COLOURS.get(group, _OTHER), label=group or "period unknown")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=7, fontsize=8.5, frameon=False
    )
    return [
        axes.annotate(
            label.name,
            place,
            (0, 0),
            textcoords="offset points",
            fontsize=8,
            color=colour,
            ha="center",
            va="center",
        )
        for label, place, colour in zip(labels, places.tolist(), colours, strict=True)
    ]


def _part(axes: Axes, texts: Sequence[Any], figure: Figure, places: Floats) -> None:
    """Move names beside their points so that none covers another; hide those without room."""
    points = axes.transData.transform(places)
    frame = axes.get_window_extent()
    scale = 72 / figure.dpi
    taken = np.empty((0, 4))
    for text, point in zip(texts, points, strict=True):
        box = text.get_window_extent()
        half = np.array([box.width, box.height]) / 2 + 1
        for move in _moves(half):
            corner = np.array([*(point + move - half), *(point + move + half)])
            inside = (corner[:2] >= frame.min).all() and (corner[2:] <= frame.max).all()
            if inside and not _meets(corner, taken) and not _covers(corner, points):
                text.set_position(tuple(move * scale))
                taken = np.vstack([taken, corner])
                break
        else:
            text.set_visible(False)


def _moves(half: Floats) -> list[Floats]:
    """Offsets of the centre of a name from its point, best first: beside, above, further away."""
    sides = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]
    return [np.array(side) * (half + gap) for gap in (5.0, 10.0, 16.0) for side in sides]


def _meets(box: Floats, boxes: Floats) -> bool:
    apart = (box[:2] >= boxes[:, 2:]) | (box[2:] <= boxes[:, :2])
    return bool((~apart.any(axis=1)).any())


def _covers(box: Floats, points: Floats) -> bool:
    return bool(((points > box[:2]) & (points < box[2:])).all(axis=1).any())
