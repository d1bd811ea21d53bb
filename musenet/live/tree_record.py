"""A performance as a tree: the player's phrases and what the program made of them, as takes."""

from __future__ import annotations

from pathlib import Path

from musenet import __version__
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.tree.file import write_tree
from musenet.tree.tree import ACCOMPANIMENT, CONTINUATION, Growth, Node, Tree
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars

_TITLE = "Live"


class TreeRecord:
    """Writes the tree as it grows, whole or not at all.

    Args:
        model: the name of the weights, and the checkpoint.
        file: of the tree.
    """

    def __init__(self, model: tuple[str, Checkpoint], file: Path) -> None:
        self._model, self._file = model, file
        self._tree = Tree()
        self._last: int | None = None

    def played(self, data: bytes) -> None:
        """Add what the player has played, after all before it."""
        self._add(Node(0, self._last, _TITLE, data))

    def made(
        self, data: bytes, options: GenerateOptions | FillOptions, begin: float, notes: int
    ) -> None:
        """Add what the program has made of it; it cannot be made again by itself.

        Args:
            data: the MIDI file up to its end.
            options: of the request that is nearest to it.
            begin: its first beat.
            notes: how many are new.
        """
        score = read(data)
        bars = Bars(score.time_signatures, score.ticks_per_quarter)
        boundary, end = round(begin * score.ticks_per_quarter), max(score.end, 1)
        beside = isinstance(options, FillOptions)
        growth = Growth(
            program=__version__,
            weights=self._model[1].hash,
            model=self._model[0],
            options=options,
            boundary=boundary,
            bars=(bars.number(boundary) + 1, bars.number(max(end - 1, boundary)) + 1),
            notes=notes,
            task=ACCOMPANIMENT if beside else CONTINUATION,
            holes=((boundary, end),) if beside else (),
            stopped=True,
        )
        self._add(Node(0, self._last, _TITLE, data, growth))

    def _add(self, node: Node) -> None:
        self._last = self._tree.following
        self._tree = self._tree.joined([node])
        write_tree(self._tree, self._file)
