"""Growing a tree: new variations from any point of a node, and reproducing old ones to compare.

A node is grown as `musenet generate` continues a file: its parent's, cut where requested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from musenet import __version__
from musenet.editing.fill import Fill
from musenet.editing.fill_ranking import ranked_takes
from musenet.editing.piece import piece_of
from musenet.export.recipe_event import same_music
from musenet.generation.prompt import Prompt, prompt_of
from musenet.generation.request import Request
from musenet.generation.reranking import ranked
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError
from tokenizer.score.bars import Bars

from .tree import ACCOMPANIMENT, FILL, Growth, Node, Tree

DEFAULT_MODEL = "mini"
Watch = Callable[[Request, Iterator[float]], None]


def model_for(parent: Node, name: str | None) -> tuple[str, Checkpoint]:
    """The name and the checkpoint to grow with: as named, or the one that made the parent.

    Raises:
        InputError: if it is not there, or contains other weights now than when the parent was made.
    """
    if name is not None or parent.growth is None:
        name = name or DEFAULT_MODEL
        return name, load_checkpoint(name)
    name = parent.growth.model
    checkpoint = load_checkpoint(name)
    if checkpoint.hash != parent.growth.weights:
        raise InputError(
            f"node {parent} was grown with the weights {parent.growth.weights}, and {name} holds "
            f"{checkpoint.hash} now; to continue with these anyway, add --weights {name}"
        )
    return name, checkpoint


def grow_any(
    parent: Node,
    model: tuple[str, Checkpoint],
    options: GenerateOptions | FillOptions | AccompanyOptions,
    watch: Watch,
    keep: int | None = None,
) -> list[Node]:
    """Nodes behind a node's music or inside of it, as the kind of the options says; see `grow`.

    Raises:
        InputError: if the request cannot be met.
    """
    if isinstance(options, GenerateOptions):
        return grow(parent, model, options, watch, keep)
    if isinstance(options, FillOptions):
        return grow_inside(parent, model, options, FILL, watch, keep)
    return grow_inside(parent, model, options.as_fill(), ACCOMPANIMENT, watch, keep)


def grow(
    parent: Node,
    model: tuple[str, Checkpoint],
    options: GenerateOptions,
    watch: Watch,
    keep: int | None = None,
) -> list[Node]:
    """Nodes for the requested variations; they get their numbers when they join the tree.

    Args:
        parent: the node that they continue.
        model: its name as given, and the checkpoint.
        options: the request.
        watch: takes the steps of a continuation until there are no more.
        keep: how many become nodes, the best first; None for all.

    Raises:
        InputError: if the request cannot be met.
    """
    name, checkpoint = model
    continuation = _continued(parent, checkpoint, options, watch)
    results = continuation.results()
    if keep is not None:
        best = ranked(checkpoint, continuation, results)[:keep]
        results = [result for result, _ in best]
    return [_node(parent, name, result) for result in results]


def grow_inside(
    parent: Node,
    model: tuple[str, Checkpoint],
    options: FillOptions,
    task: str,
    watch: Watch,
    keep: int | None = None,
) -> list[Node]:
    """Nodes for the requested variations inside of a node's music; see `grow`.

    Args:
        parent: the node whose music has the holes.
        model: its name as given, and the checkpoint.
        options: the request.
        task: fill or accompaniment.
        watch: takes the steps until there are no more.
        keep: how many become nodes, the best first; None for all.

    Raises:
        InputError: if the request cannot be met.
    """
    name, checkpoint = model
    request = _filled(parent, checkpoint, options, watch)
    begin, end = request.span
    growth = Growth(
        program=__version__,
        weights=checkpoint.hash,
        model=name,
        options=options,
        boundary=begin,
        bars=(request.bars.number(begin) + 1, request.bars.number(end - 1) + 1),
        notes=0,
        task=task,
        holes=request.holes,
    )
    takes = request.results()
    if keep is not None:
        takes = [take for take, _ in ranked_takes(request, takes)[:keep]]
    return [
        Node(
            0,
            parent.number,
            parent.title,
            take.data,
            replace(growth, options=take.recipe.options, notes=take.notes),
        )
        for take in takes
    ]


def changed(
    tree: Tree, nodes: Iterable[Node], models: Iterable[str], watch: Watch
) -> Iterator[tuple[Node, bool]]:
    """Generate nodes again from their parents; yields each, and whether its music has changed.

    Args:
        tree: that they belong to.
        nodes: the nodes; prompts, edits and what was stopped early are skipped.
        models: checkpoints to use instead of those that the nodes name.
        watch: takes the steps of a continuation until there are no more.

    Raises:
        InputError: if the weights that a node was made with are not there.
    """
    checkpoints = {checkpoint.hash: checkpoint for checkpoint in map(load_checkpoint, models)}
    for growth, siblings in _grown_together(nodes):
        if growth.weights not in checkpoints:
            checkpoints[growth.weights] = _right_weights(siblings[0], growth)
        results = _made(
            tree.path(siblings[0])[-2],
            checkpoints[growth.weights],
            growth.options,
            watch,
        )
        for node, result in zip(siblings, results, strict=True):
            yield node, not same_music(result, node.data)


def _grown_together(nodes: Iterable[Node]) -> list[tuple[Growth, list[Node]]]:
    """Nodes that differ in the number of their variation alone, and the growth of all of them."""
    together: dict[str, list[Node]] = {}
    for node in nodes:
        if (growth := node.growth) is not None and not growth.stopped:
            alike = replace(growth.options, variations=(1,))
            key = (node.parent, growth.weights, alike)
            siblings = together.setdefault(repr(key), [])
            siblings.append(node)
    found = []
    for siblings in together.values():
        growths = [node.growth for node in siblings if node.growth is not None]
        numbers = tuple(growth.options.variations[0] for growth in growths)
        options = replace(growths[0].options, variations=numbers)
        found.append((replace(growths[0], options=options), siblings))
    return found


def _right_weights(node: Node, growth: Growth) -> Checkpoint:
    checkpoint = load_checkpoint(growth.model)
    if checkpoint.hash != growth.weights:
        raise InputError(
            f"node {node} was made with the weights {growth.weights}, and {growth.model} holds "
            f"{checkpoint.hash}; give the right ones with --weights"
        )
    return checkpoint


def _made(
    parent: Node,
    checkpoint: Checkpoint,
    options: GenerateOptions | FillOptions,
    watch: Watch,
) -> list[bytes]:
    """The MIDI files of a request."""
    if isinstance(options, FillOptions):
        return [take.data for take in _filled(parent, checkpoint, options, watch).results()]
    return [result.data for result in _continued(parent, checkpoint, options, watch).results()]


def _continued(
    parent: Node, checkpoint: Checkpoint, options: GenerateOptions, watch: Watch
) -> Continuation:
    continuation = Continuation(checkpoint, _prompt(parent, options), options)
    watch(continuation, continuation.steps())
    return continuation


def _filled(parent: Node, checkpoint: Checkpoint, options: FillOptions, watch: Watch) -> Fill:
    if not parent.data:
        raise InputError(f"{parent.display_name} is empty: there is no music to write in")
    request = Fill(checkpoint, piece_of(parent.data, parent.title, parent.display_name), options)
    watch(request, request.steps())
    return request


def _prompt(parent: Node, options: GenerateOptions) -> Prompt | None:
    begin, stop = options.begin, options.stop
    if parent.data:
        return prompt_of(
            parent.data,
            parent.title,
            parent.display_name,
            begin=begin,
            stop=stop,
            hear_as=options.hear_as,
            find_beats=options.find_beats,
        )
    if begin is not None or stop is not None:
        raise InputError(
            f"{parent.display_name} is empty: there is nothing to cut with --from and --to"
        )
    return None


def _node(parent: Node, model: str, result: Result) -> Node:
    recipe, score = result.recipe, result.score
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    end = score.end if recipe.options.ending else result.end
    last = bars.number(max(end - 1, result.boundary))
    growth = Growth(
        program=__version__,
        weights=recipe.weights,
        model=model,
        options=recipe.options,
        boundary=result.boundary,
        bars=(bars.number(result.boundary) + 1, last + 1),
        notes=result.notes,
    )
    return Node(0, parent.number, parent.title, result.data, growth)
