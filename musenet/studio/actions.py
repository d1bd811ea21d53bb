"""What a job does: continue a node, fill holes in it or accompany it, as its request says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from musenet.editing.fill_options import AccompanyOptions, FillOptions
from musenet.generation.knob import from_json_values, knobs
from musenet.generation.options import GenerateOptions
from musenet.tree.tree import ACCOMPANIMENT, FILL, Node
from tokenizer.chords.chart import parse_chart
from tokenizer.errors import InputError, unknown

from .jobs import Job
from .models import Weights
from .workspace import Workspace

if TYPE_CHECKING:
    from musenet.generation.request import Request

Options = TypeVar("Options", GenerateOptions, FillOptions, AccompanyOptions)
ACTIONS = ("continue", "fill", "accompany")
_TELL_SECONDS = 0.1


class Actions:
    """The jobs that the studio can do.

    Args:
        workspace: the tree that new music joins.
        weights: what it is made with.
    """

    def __init__(self, workspace: Workspace, weights: Weights) -> None:
        self._workspace = workspace
        self._weights = weights

    def job(self, node: Node, asked: dict[str, Any]) -> Job:
        """The job that a request asks for.

        Args:
            node: where it starts.
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
        if not isinstance(given, dict):
            raise InputError('"options" is a JSON object, such as {"bars": 8}')
        if action == "continue":
            options = options_from(GenerateOptions, given)
            return Job(node.number, action, lambda job: self._continue(job, options))
        if not self._weights.fills:
            raise InputError(
                f"the weights '{self._weights.name}' can only continue music; start the studio "
                f"with others (--weights) to {action} it"
            )
        if action == "fill":
            hole, task = options_from(FillOptions, given), FILL
        else:
            hole, task = options_from(AccompanyOptions, given).as_fill(), ACCOMPANIMENT
        return Job(node.number, action, lambda job: self._fill(job, hole, task))

    def _continue(self, job: Job, options: GenerateOptions) -> list[int]:
        """Continue a node; what there is when the job is stopped is kept."""
        from musenet.tree.grow import grow

        node = self._node(job)
        model = self._weights.name, self._weights.load()
        grown = grow(node, model, options, partial(_follow, job))
        if job.stopping:
            grown = [_stopped(each) for each in grown if each.growth and each.growth.notes]
        return [each.number for each in self._workspace.join(grown)]

    def _fill(self, job: Job, options: FillOptions, task: str) -> list[int]:
        """Write inside a node; of a job that is stopped nothing is kept: its hole is half empty."""
        from musenet.tree.grow import grow_inside

        node = self._node(job)
        model = self._weights.name, self._weights.load()
        grown = grow_inside(node, model, options, task, partial(_follow, job))
        return [] if job.stopping else [each.number for each in self._workspace.join(grown)]

    def _node(self, job: Job) -> Node:
        node = self._workspace.tree.nodes.get(job.node)
        if node is None:
            raise InputError(f"node {job.node} was pruned before its music began")
        return node


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
