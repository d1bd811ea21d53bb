"""The piano roll of a node, with the prompt at the root of its path in colours of its own."""

from __future__ import annotations

from collections.abc import Sequence

from musenet.export import piano_roll
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars

from .tree import Node


def picture(path: Sequence[Node], form: str) -> bytes:
    """The piano roll of the last node of a path from the root.

    Args:
        path: the nodes, as `Tree.path` gives them; the last one has music.
        form: "png" or "svg".
    """
    score = read(path[-1].data)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    grown = [node.growth.boundary for node in path if node.growth is not None]
    boundary = min(grown, default=score.end) if path[0].data else None
    title = " → ".join(str(n) for n in path)
    return piano_roll.render(score, bars.lines(0, score.end), form, boundary=boundary, title=title)
