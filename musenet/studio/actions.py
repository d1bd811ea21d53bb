"""What a job does: continue a node, fill holes in it or accompany it, as its request says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.knob import from_json_values, knobs
from musenet.tree.tree import Node
from tokenizer.chords.chart import parse_chart
from tokenizer.errors import InputError, unknown

from .jobs import Job
from .models import Weights
from .workspace import Workspace

if TYPE_CHECKING:
    from musenet.generation.request import Request

Options = TypeVar("Options", GenerateOptions, FillOptions, AccompanyOptions)
ACTIONS: dict[str, type[Any]] = {
    "continue": GenerateOptions,
    "fill": FillOptions,
    "accompany": AccompanyOptions,
}
"""What a job does, and the options that it takes."""
_TELL_SECONDS = 0.1


class Source(Protocol):
    """Where the music of a job begins, and where the new music goes.

    Attributes:
        number: of the node in a tree, or None.
        makes: what `keep` returns, as in `Job`.
    """

    number: int | None
    makes: str

    def node(self) -> Node:
        """What is continued, filled or accompanied."""

    def keep(self, grown: list[Node]) -> list[Any]:
        """Take the new music; returns what the last event of the job says of it."""


class TreeSource:
    """A node of the tree, which the new nodes join.

    Args:
        workspace: the tree.
        number: of the node.
    """

    makes = "nodes"

    def __init__(self, workspace: Workspace, number: int) -> None:
        self._workspace = workspace
        self.number: int | None = number

    def node(self) -> Node:
        """The node.

        Raises:
            InputError: if it was pruned meanwhile.
        """
        node = self._workspace.tree.nodes.get(self.number or 0)
        if node is None:
            raise InputError(f"node {self.number} was pruned before its music began")
        return node

    def keep(self, grown: list[Node]) -> list[Any]:
        """Let the nodes join the tree; returns their numbers."""
        return [each.number for each in self._workspace.join(grown)]


class Actions:
    """The jobs that the server can do.

    Args:
        weights: what music is made with.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights

    def asked(self, source: Source, asked: dict[str, Any]) -> Job:
        """The job that JSON asks for.

        Args:
            source: where it starts.
            asked: `{"action": …, "options": {…}}`.

        Raises:
            InputError: if there is no such action or option, or a value is wrong.
        """
        for name in asked:
            if name not in ("action", "options"):
                raise unknown("entry of a job", name, ("action", "options"))
        action, given = asked.get("action"), asked.get("options", {})
        if action not in ACTIONS:
            raise unknown("action", str(action), ACTIONS)
        return self.job(source, action, given)

    def job(self, source: Source, action: str, given: Any) -> Job:
        """The job that does an action with options, named as in Python.

        Raises:
            InputError: if there is no such option, or a value is wrong.
        """
        if not isinstance(given, dict):
            raise InputError('"options" is a JSON object, such as {"bars": 8}')
        if action != "continue" and not self._weights.fills:
            raise InputError(
                f"the weights '{self._weights.name}' can only continue music; start the server "
                f"with others (--weights) to {action} it"
            )
        options = options_from(ACTIONS[action], given)
        work = partial(self._made, source, options)
        return Job(source.number, action, work, source.makes, len(options.variations))

    def _made(
        self, source: Source, options: GenerateOptions | FillOptions | AccompanyOptions, job: Job
    ) -> list[Any]:
        """The music of a job; of one that is stopped, what there is is kept, and of a hole nothing:
        it is half empty.
        """
        from musenet.tree.grow import grow_any

        node = source.node()
        model = self._weights.name, self._weights.load()
        grown = grow_any(node, model, options, partial(_follow, job))
        if job.stopping:
            going_on = isinstance(options, GenerateOptions)
            begun = (each for each in grown if going_on and each.growth and each.growth.notes)
            grown = [_stopped(each) for each in begun]
        return source.keep(grown)


def options_from(kind: type[Options], given: dict[str, Any]) -> Options:
    """The options of a request, named as in Python; the seed is drawn if none is given.

    Raises:
        InputError: for an unknown option or a wrong value.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(given.get("chords"), str):
        parse_chart(given["chords"])  # a chart as text only: no path of a client is opened
    for name, (_, knob) in knobs(kind).items():
        if knob.drawn is not None:
            given.setdefault(name, knob.drawn())
    return from_json_values(kind, given)


def _follow(job: Job, request: Request, steps: Iterator[float]) -> None:
    """Take the steps of a request until it ends or the job is stopped, telling each note."""
    begin, end = request.span
    told = 0.0
    for tick in steps:
        for note in request.latest():
            job.tell(
                "note",
                take=int(note["track"]),
                start=int(note["start"]),
                duration=int(note["duration"]),
                pitch=int(note["pitch"]),
                velocity=int(note["velocity"]),
                program=int(note["program"]),
            )
        job.share = min(max((tick - begin) / max(end - begin, 1), 0.0), 1.0)
        if (now := time.monotonic()) - told >= _TELL_SECONDS:
            told = now
            job.wake()
        if job.stopping:
            return


def _stopped(node: Node) -> Node:
    """A node whose music was stopped early."""
    growth = node.growth
    return node if growth is None else replace(node, growth=replace(growth, stopped=True))
