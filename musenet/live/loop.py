"""A take of a tree plays in a loop, and the next grow from it while it sounds; keys pick one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from musenet.generation.request import Request
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.shared_options import MOST_VARIATIONS
from musenet.tree.grow import grow
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.score.bars import Bars
from tokenizer.score.pedals import sustained

from .listener import Key
from .notes import LiveNote
from .stage import Stage

_NAP = 0.01  # seconds
_LEAD = 0.25  # seconds before a pass in which it is planned
WHITE_KEYS = (0, 2, 4, 5, 7, 9, 11)
"""Keys of any octave that pick a take: C the first, D the second; a black key picks none."""
KEY_NAMES = "CDEFGAB"


class Passage(NamedTuple):
    """The music of a node that is played in a loop.

    Attributes:
        notes: in beats from its beginning.
        length: in beats, whole bars.
        tempos: the beat of each change, and quarter notes per minute.
    """

    notes: tuple[LiveNote, ...]
    length: float
    tempos: tuple[tuple[float, float], ...]


class Loop:
    """The mode.

    Args:
        stage: ports, tempo, and what was played.
        model: the name of the weights, and the checkpoint.
        tree: to begin with.
        node: whose music plays first.
        save: is called with the tree after each change, by the thread that grows.
    """

    def __init__(
        self,
        stage: Stage,
        model: tuple[str, Checkpoint],
        tree: Tree,
        node: Node,
        save: Callable[[Tree], None],
    ) -> None:
        self._stage, self._model, self._save = stage, model, save
        self._tree, self._node = tree, node
        self._passage = passage_of(node)
        self._picked: Node | None = None
        self._said: list[str] = []
        self._error: Exception | None = None
        self._grower = threading.Thread(target=self._grow_all, name="grower", daemon=True)
        stage.listener.on_key = self._pick

    def run(self) -> Iterator[str]:
        """Play on and on until the stage is left; yields sentences about what happens."""
        stage = self._stage
        tempo = stage.options.tempo or self._passage.tempos[0][1]
        if not stage.options.clock:
            stage.count(time.perf_counter() + _LEAD, tempo)
        self._grower.start()
        try:
            yield from self._play()
        finally:
            stage.end()
            self._grower.join()
        if self._error is not None:
            raise self._error

    def _play(self) -> Iterator[str]:
        stage, bar = self._stage, self._bar
        following: float | None = None  # the beat of the next pass
        yield f"playing {_called(self._node)}"
        while stage.goes_on() and self._error is None:
            while self._said:
                yield self._said.pop(0)
            if not stage.transport.is_running or stage.paused:
                following = None
                time.sleep(_NAP)
                continue
            now = stage.transport.beat(time.perf_counter() + _LEAD)
            if following is None:
                following = math.ceil(max(now, 0.0) / bar) * bar
            if now < following:
                time.sleep(_NAP)
                continue
            if (picked := self._picked) is not None:
                self._node, self._picked = picked, None
                self._passage = passage_of(picked)
                yield f"playing {_called(picked)}"
            self._plan(following)
            following += self._passage.length

    def _plan(self, beat: float) -> None:
        """Plan the passage from a beat on, in its own tempos unless others are followed."""
        stage, passage = self._stage, self._passage
        if not stage.options.clock and stage.options.tempo is None:
            for at, tempo in passage.tempos:
                stage.transport.change(stage.transport.seconds(beat + at), beat + at, tempo)
        stage.performer.add(
            note._replace(begin=beat + note.begin, end=beat + note.end) for note in passage.notes
        )

    @property
    def _bar(self) -> float:
        numerator, denominator = self._stage.options.meter
        return 4 * numerator / denominator

    def _pick(self, key: Key) -> None:
        """Pick the take of a key; it plays when the present pass is over."""
        place = key.pitch % 12
        if place not in WHITE_KEYS:
            self._picked = None
            self._said.append(f"{_called(self._node)} plays on")
            return
        takes = self._tree.children(self._node)
        index = WHITE_KEYS.index(place)
        if index < len(takes):
            self._picked = takes[index]
            self._said.append(f"{_called(takes[index])} is next")
        else:
            self._said.append(f"there is no take {index + 1} yet")

    def _grow_all(self) -> None:
        """Grow takes of the node that plays until it has all, then of the next that plays."""
        try:
            while self._stage.goes_on():
                node = self._node
                count = len(self._tree.children(node))
                if count >= self._stage.options.takes:
                    time.sleep(_NAP)
                else:
                    self._grow(node, count)
        except Exception as error:  # is raised again by the thread that plays
            self._error = error

    def _grow(self, node: Node, count: int) -> None:
        options = self._stage.options
        children = self._tree.children(node)
        made = {child.growth.options.variations[0] for child in children if child.growth}
        request = GenerateOptions(
            bars=options.bars,
            instruments=options.instruments,
            **options.shared(),
            variations=(next(k for k in range(1, MOST_VARIATIONS + 1) if k not in made),),
        )
        grown = grow(node, self._model, request, self._watch)
        if self._stage_ended:
            return
        self._tree = self._tree.joined(grown)
        self._save(self._tree)
        if node is self._node:
            self._said.append(f"take {count + 1} is ready: key {KEY_NAMES[count]}")

    def _watch(self, _request: Request, steps: Iterator[float]) -> None:
        for _ in steps:
            if self._stage_ended:
                return

    @property
    def _stage_ended(self) -> bool:
        return not self._stage.goes_on()


def passage_of(node: Node) -> Passage:
    """The new music of a take, or the whole of a prompt, in whole bars.

    Raises:
        InputError: if it has no notes.
    """
    if not node.data:
        raise InputError(f"node {node} is empty: there is nothing to play")
    score = read(node.data)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    begin = bars.tick(bars.number(node.growth.boundary)) if node.growth is not None else 0
    last = int(score.notes["start"].max(initial=-1))
    if last < begin:
        raise InputError(f"node {node} has no notes; choose another with --at")
    end = bars.tick(bars.number(last) + 1)
    notes = sustained(score)
    notes = notes[(notes["start"] >= begin) & (notes["start"] < end)]
    quarter = score.ticks_per_quarter
    tempos = [(0, 120.0), *((int(t["time"]), 60e6 / int(t["microseconds"])) for t in score.tempos)]
    inside = [((at - begin) / quarter, tempo) for at, tempo in tempos if begin < at < end]
    opening = [tempo for at, tempo in tempos if at <= begin][-1]
    return Passage(
        tuple(
            LiveNote(
                (int(note["start"]) - begin) / quarter,
                min(
                    (int(note["start"] + note["duration"]) - begin) / quarter,
                    (end - begin) / quarter,
                ),
                int(note["pitch"]),
                max(int(note["velocity"]), 1),
                int(note["program"]),
            )
            for note in notes
        ),
        (end - begin) / quarter,
        ((0.0, opening), *inside),
    )


def _called(node: Node) -> str:
    return f"node {node}"
