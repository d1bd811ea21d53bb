"""Piano rolls: the notes are where they should be, in the colours that they should have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.image import imread

from musenet.export import piano_roll
from tokenizer.errors import InputError
from tokenizer.score.score import NOTES, Score, Track

QUARTER = 480
BAR = 4 * QUARTER
LINES = np.arange(5) * BAR


def score() -> Score:
    """Piano and drums, two bars before the boundary and two after."""
    rows = [
        (0, 480, 60, 100, 0, 0),
        (BAR, 480, 64, 100, 0, 0),
        (0, 60, 36, 127, 128, 1),
        (2 * BAR, 960, 67, 127, 0, 0),
        (3 * BAR, 60, 42, 127, 128, 1),
    ]
    tracks = (Track("Piano", 0), Track("Drums", 128, True))
    return Score(QUARTER, tracks, notes=np.array(rows, NOTES))


def boxes(axes: Any) -> list[tuple[float, float, str]]:
    """(left, middle pitch, colour) of every note drawn."""
    found = []
    for collection in axes.collections:
        if isinstance(collection, PolyCollection):
            polygons: Any = collection.get_paths()
            colours: Any = collection.get_facecolor()
            for path, colour in zip(polygons, colours, strict=True):
                corners = path.vertices[:4]
                found.append((corners[0, 0], corners[:, 1].mean(), to_hex(colour)))
    return found


def test_notes_are_drawn_in_two_colour_families() -> None:
    figure = piano_roll.draw(score(), LINES, boundary=2 * BAR, title="A song")
    piano, drums = figure.axes
    assert boxes(piano) == [
        (0, 60, piano_roll.COOL[0]),
        (BAR, 64, piano_roll.COOL[0]),
        (2 * BAR, 67, piano_roll.WARM[0]),
    ]
    assert boxes(drums) == [(0, 0, piano_roll.COOL[1]), (3 * BAR, 1, piano_roll.WARM[1])]
    assert [tick.get_text() for tick in drums.get_xticklabels()] == ["1", "2", "3", "4"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words == ["Acoustic Grand Piano", "Drums"]


def test_without_a_boundary_all_is_new() -> None:
    figure = piano_roll.draw(score(), LINES)
    colours = {box[2] for axes in figure.axes for box in boxes(axes)}
    assert colours <= set(piano_roll.WARM)


def test_forty_instruments_and_a_thousand_bars_can_be_drawn() -> None:
    rows = [(i * BAR, 480, 40 + i % 50, 64, i % 40, i % 40) for i in range(1000)]
    long = Score(QUARTER, tuple(Track("", p) for p in range(40)), notes=np.array(rows, NOTES))
    figure = piano_roll.draw(long, np.arange(1001) * BAR, boundary=BAR)
    assert len(figure.axes[0].get_xticks()) <= 40


def test_no_notes_at_all_can_be_drawn() -> None:
    assert piano_roll.render(Score(), LINES)[:8] == b"\x89PNG\r\n\x1a\n"


def test_files_are_pictures_and_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a.png", "a.svg"):
        piano_roll.save(score(), LINES, tmp_path / name, boundary=BAR, title="twice")
        first = (tmp_path / name).read_bytes()
        piano_roll.save(score(), LINES, tmp_path / name, boundary=BAR, title="twice")
        assert (tmp_path / name).read_bytes() == first
    image = imread(tmp_path / "a.png")
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    assert (tmp_path / "a.svg").read_text().startswith("<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "a.svg"]


@pytest.mark.parametrize("name", ["a.jpg", "a", "png"])
def test_other_formats_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.png or \.svg"):
        piano_roll.save(score(), LINES, tmp_path / name)
    assert not list(tmp_path.iterdir())
