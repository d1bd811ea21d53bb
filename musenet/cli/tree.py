"""`musenet tree`: try things out from any point of a piece, keep what is good, lose nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from musenet.generation.options import GenerateOptions
from tokenizer.errors import InputError

from .options import takes

if TYPE_CHECKING:
    from musenet.tree.tree import Node

tree = typer.Typer(
    help="Branch from any point of a piece; mark, prune and export what was grown.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="The tree's file.", metavar="TREE", show_default=False)]
Called = Annotated[
    str, typer.Argument(help="A node's number or name.", metavar="NODE", show_default=False)
]
Prompts = Annotated[
    list[Path] | None, typer.Argument(help="MIDI files.", metavar="PROMPT…", show_default=False)
]


@tree.command()
def new(
    file: File,
    prompts: Prompts = None,
    nothing: Annotated[
        bool, typer.Option("--nothing", help="Begin without a prompt: new music.")
    ] = False,
) -> None:
    """Begin a tree with a prompt; its bytes are kept in the tree."""
    from musenet.generation.outputs import check_writable
    from musenet.tree.file import write_tree
    from musenet.tree.text import drawn
    from musenet.tree.tree import Tree

    if nothing == bool(prompts):
        raise InputError("give a prompt, or --nothing to begin without one")
    if file.exists():
        raise InputError(f"{file} is there already; add a prompt to it (add), or name another file")
    check_writable(file, (".json",))
    made = Tree().joined(_roots(prompts or []))
    write_tree(made, file)
    print(drawn(made))


@tree.command()
def add(file: File, prompts: Prompts = None) -> None:
    """Put more prompts into a tree, beside the first."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import drawn

    if not prompts:
        raise InputError("say which prompts to add")
    after = read_tree(file).joined(_roots(prompts))
    write_tree(after, file)
    print(drawn(after))


@tree.command()
@takes(GenerateOptions)
def grow(
    file: File,
    options: GenerateOptions,
    at: Annotated[
        str | None,
        typer.Option(help="Number or name of the node to continue.", show_default="the prompt"),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Name of a model that comes with MuseNet, or a checkpoint folder.",
            show_default="the node's, or mini",
        ),
    ] = None,
) -> None:
    """Make variations from any point of a node: with --to, after a bar or at a time."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import line

    found = read_tree(file)
    parent = found.find(at) if at is not None else found.only_prompt()
    from musenet.tree.grow import grow as grown
    from musenet.tree.grow import model_for

    from .progress import watched

    model = model_for(parent, weights)
    try:
        nodes = grown(parent, model, options, watched)
    except KeyboardInterrupt:
        print(f"Stopped: {file} is as it was.")
        raise
    # Read again: nodes may have been marked, noted and grown while this music was made.
    after = read_tree(file).joined(nodes)
    write_tree(after, file)
    for node in list(after.nodes.values())[-len(nodes) :]:
        print(line(node))


@tree.command()
def show(
    file: File,
    node: Annotated[
        str | None, typer.Argument(help="A node, to see all of it.", show_default=False)
    ] = None,
) -> None:
    """Show a tree, or all that is known of a node."""
    from musenet.tree.file import read_tree
    from musenet.tree.text import described, drawn

    found = read_tree(file)
    print(drawn(found) if node is None else described(found, found.find(node)))


@tree.command()
def mark(
    file: File,
    node: Called,
    name: Annotated[
        str | None, typer.Argument(help="A name to call it by.", show_default=False)
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Take mark and name away.")] = False,
) -> None:
    """Mark a node as one to keep, and name it."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import line

    if off and name:
        raise InputError("--off takes mark and name away; leave the name out")
    found = read_tree(file)
    chosen = found.find(node)
    after = found.unmarked(chosen) if off else found.marked(chosen, name or "")
    write_tree(after, file)
    print(line(after.nodes[chosen.number]))


@tree.command()
def note(
    file: File,
    node: Called,
    text: Annotated[str, typer.Argument(help="What there is to say; '' takes it away.")],
) -> None:
    """Write a note at a node."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import line

    found = read_tree(file)
    chosen = found.find(node)
    after = found.noted(chosen, text)
    write_tree(after, file)
    print(line(after.nodes[chosen.number]))


@tree.command()
def prune(
    file: File,
    node: Called,
    marked_too: Annotated[
        bool, typer.Option("--marked-too", help="Even if something in it is marked.")
    ] = False,
) -> None:
    """Take a node away, and all that was grown from it."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import drawn

    found = read_tree(file)
    after = found.pruned(found.find(node), marked_too=marked_too)
    write_tree(after, file)
    print(drawn(after))


@tree.command()
def export(
    file: File,
    node: Called,
    out: Annotated[Path, typer.Option("--out", "-o", help="MIDI file to write.")],
    picture: Annotated[Path | None, typer.Option(help="Piano roll to draw, .png or .svg.")] = None,
) -> None:
    """Write the piece from the prompt's beginning to a node's end as one MIDI file."""
    from musenet.generation.outputs import Outputs
    from musenet.tree.file import read_tree
    from musenet.tree.text import line
    from tokenizer.files import write_bytes

    Outputs(out, picture).check(folder=False)
    found = read_tree(file)
    chosen = found.find(node)
    if not chosen.data:
        raise InputError(f"node {chosen} is empty; grow something from it and export that")
    write_bytes(out, chosen.data)
    if picture is not None:
        _draw(found.path(chosen), picture)
    print(f"{out}: {line(chosen)}")


@tree.command()
def verify(
    file: File,
    node: Annotated[
        str | None,
        typer.Argument(
            help="Verify only this node and those it was grown from.", show_default="all nodes"
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Checkpoint to make them with; repeatable.", show_default="those that made them"
        ),
    ] = None,
) -> None:
    """Make the music again and compare every event; exit with 1 if anything differs."""
    from musenet import __version__
    from musenet.tree.file import read_tree

    found = read_tree(file)
    nodes = list(found.nodes.values()) if node is None else found.path(found.find(node))
    from musenet.tree.grow import changed

    from .progress import watched

    same = differing = 0
    for each, differs in changed(found, nodes, weights or (), watched):
        same, differing = same + (not differs), differing + differs
        if differs and each.growth is not None:
            made = f"version {each.growth.program}, this is {__version__}"
            print(f"node {each} is made otherwise now: by another machine or program ({made})")
    if differing:
        raise typer.Exit(1)
    print(f"{file}: {same} of {same} variations are the same when made again, event for event")


def _roots(prompts: list[Path]) -> list[Node]:
    """Nodes for prompts, or for music from nothing where there are none."""
    from musenet.generation.prompt import prompt_of, read_file
    from musenet.tree.tree import Node

    found = []
    for path in prompts:
        data, _ = read_file(path)
        prompt_of(
            data, path.stem, str(path)
        )  # says what is wrong with one that cannot be continued
        found.append(Node(0, None, path.stem, data))
    return found or [Node(0, None, "", b"")]


def _draw(path: list[Node], picture: Path) -> None:
    """The piano roll of a path; the prompt at its root is what the model did not make."""
    from musenet.export import piano_roll
    from tokenizer.midi.read import read
    from tokenizer.score.bars import Bars

    score = read(path[-1].data)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    grown = [node.growth.boundary for node in path if node.growth is not None]
    boundary = min(grown, default=score.end) if path[0].data else None
    title = " → ".join(str(n) for n in path)
    piano_roll.save(score, bars.lines(0, score.end), picture, boundary=boundary, title=title)
