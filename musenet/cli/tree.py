"""`musenet tree`: a tree of variations that branch from any point of a piece."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError

from .generate import best_of
from .options import Candidates, Force, Keep, takes

if TYPE_CHECKING:
    from collections.abc import Callable

    from musenet.model.checkpoint import Checkpoint
    from musenet.tree.tree import Node

    Make = Callable[[Node, tuple[str, Checkpoint]], list[Node]]

Options = TypeVar("Options", GenerateOptions, FillOptions)

tree = typer.Typer(
    help="Branch from any point of a piece; mark, prune and export variations.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="Tree file.", metavar="TREE", show_default=False)]
Called = Annotated[
    str, typer.Argument(help="Number or name of a node.", metavar="NODE", show_default=False)
]
Prompts = Annotated[
    list[Path] | None,
    typer.Argument(help="MIDI or MusicXML files.", metavar="PROMPT…", show_default=False),
]

At = Annotated[
    str | None,
    typer.Option(help="Number or name of the node to start from.", show_default="the prompt"),
]
GrowingWeights = Annotated[
    str | None,
    typer.Option(
        help="Name of a bundled model, or a checkpoint folder.", show_default="the node's, or mini"
    ),
]


@tree.command()
def new(
    file: File,
    prompts: Prompts = None,
    nothing: Annotated[bool, typer.Option("--nothing", help="Start without a prompt.")] = False,
) -> None:
    """Create a tree from prompts; the MIDI files are stored inside it."""
    from musenet.generation.outputs import check_writable
    from musenet.tree.file import write_tree
    from musenet.tree.text import drawn
    from musenet.tree.tree import Tree

    if nothing == bool(prompts):
        raise InputError("give a prompt, or --nothing to start without one")
    if file.exists():
        raise InputError(f"{file} already exists; use `tree add`, or choose another file")
    check_writable(file, (".json",))
    made = Tree().joined(_roots(prompts or []))
    write_tree(made, file)
    print(drawn(made))


@tree.command()
def add(file: File, prompts: Prompts = None) -> None:
    """Add prompts to a tree."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import drawn

    if not prompts:
        raise InputError("no prompt is given; name one or more MIDI files")
    after = read_tree(file).joined(_roots(prompts))
    write_tree(after, file)
    print(drawn(after))


@tree.command()
@takes(GenerateOptions)
def grow(
    file: File,
    options: GenerateOptions,
    at: At = None,
    weights: GrowingWeights = None,
    candidates: Candidates = None,
    keep: Keep = None,
) -> None:
    """Generate variations that continue a node, or branch inside it with --to."""
    kept = best_of(candidates, keep, options.variations)
    options = _of_all(options, candidates)

    def make(parent: Node, model: tuple[str, Checkpoint]) -> list[Node]:
        from musenet.tree.grow import grow as grown

        from .progress import watched

        return grown(parent, model, options, watched, kept)

    _add_nodes(file, at, weights, make)


@tree.command()
@takes(FillOptions)
def fill(
    file: File,
    options: FillOptions,
    at: At = None,
    weights: GrowingWeights = None,
    candidates: Candidates = None,
    keep: Keep = None,
) -> None:
    """Write some bars of a node anew, as `musenet fill` does in a file."""
    from musenet.tree.tree import FILL

    kept = best_of(candidates, keep, options.variations)
    _add_nodes(file, at, weights, _inside(_of_all(options, candidates), FILL, kept))


@tree.command()
@takes(AccompanyOptions)
def accompany(
    file: File,
    options: AccompanyOptions,
    at: At = None,
    weights: GrowingWeights = None,
    candidates: Candidates = None,
    keep: Keep = None,
) -> None:
    """Write parts under the music of a node, as `musenet accompany` does in a file."""
    from musenet.tree.tree import ACCOMPANIMENT

    kept = best_of(candidates, keep, options.variations)
    fill = _of_all(options.as_fill(), candidates)
    _add_nodes(file, at, weights, _inside(fill, ACCOMPANIMENT, kept))


@tree.command()
def show(
    file: File,
    node: Annotated[
        str | None, typer.Argument(help="Node to show in detail.", show_default=False)
    ] = None,
) -> None:
    """Show a tree, or one node in detail."""
    from musenet.tree.file import read_tree
    from musenet.tree.text import described, drawn

    found = read_tree(file)
    print(drawn(found) if node is None else described(found, found.find(node)))


@tree.command()
def mark(
    file: File,
    node: Called,
    name: Annotated[
        str | None, typer.Argument(help="Name for the node.", show_default=False)
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Remove mark and name.")] = False,
) -> None:
    """Mark a node to keep, and name it."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import line

    if off and name:
        raise InputError("--off removes mark and name; leave out the name")
    found = read_tree(file)
    chosen = found.find(node)
    after = found.unmarked(chosen) if off else found.marked(chosen, name or "")
    write_tree(after, file)
    print(line(after.nodes[chosen.number]))


@tree.command()
def note(
    file: File,
    node: Called,
    text: Annotated[str, typer.Argument(help="Text of the note; '' removes it.")],
) -> None:
    """Attach a note to a node."""
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
        bool, typer.Option("--marked-too", help="Prune marked nodes too.")
    ] = False,
) -> None:
    """Remove a node and everything grown from it."""
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
    out: Annotated[Path, typer.Option("--out", "-o", help="MIDI or MusicXML file to write.")],
    picture: Annotated[Path | None, typer.Option(help="Piano roll to write, .png or .svg.")] = None,
    force: Force = False,
) -> None:
    """Write the whole piece up to the end of a node as a MIDI file."""
    from musenet.export.music_files import save_music
    from musenet.generation.outputs import Outputs
    from musenet.tree.file import read_tree
    from musenet.tree.text import line

    outputs = Outputs(out, picture, force=force)
    outputs.check(folder=False)
    found = read_tree(file)
    chosen = found.find(node)
    if not chosen.data:
        raise InputError(f"node {chosen} is empty; grow a variation from it and export that")
    outputs = outputs.unused((1,))
    save_music(chosen.data, outputs.midi, title=chosen.title)
    if outputs.picture is not None:
        from musenet.export.piano_roll import check_format
        from musenet.tree.picture import picture as drawn
        from tokenizer.files import write_bytes

        form = check_format(outputs.picture)
        write_bytes(outputs.picture, drawn(found.path(chosen), form))
    print(f"{outputs.midi}: {line(chosen)}")


@tree.command()
def verify(
    file: File,
    node: Annotated[
        str | None,
        typer.Argument(help="Verify only this node and its ancestors.", show_default="all nodes"),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            help="Checkpoint to use instead; repeatable.", show_default="those that made them"
        ),
    ] = None,
) -> None:
    """Generate the music again and compare; exit with code 1 if anything differs."""
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
            print(f"node {each} differs: made on another machine or by another version ({made})")
    if differing:
        raise typer.Exit(1)
    print(f"{file}: all {same} variations are reproduced, event for event")


def _of_all(options: Options, candidates: int | None) -> Options:
    """The request for all candidates, or as it is if there are none."""
    if candidates is None:
        return options
    return replace(options, variations=tuple(range(1, candidates + 1)))


def _inside(options: FillOptions, task: str, keep: int | None) -> Make:
    """Makes the nodes of a request inside of a node's music."""

    def make(parent: Node, model: tuple[str, Checkpoint]) -> list[Node]:
        from musenet.tree.grow import grow_inside

        from .progress import watched

        return grow_inside(parent, model, options, task, watched, keep)

    return make


def _add_nodes(file: Path, at: str | None, weights: str | None, make: Make) -> None:
    """Add the nodes that are made from a node to the tree in a file, and print them."""
    from musenet.tree.file import read_tree, write_tree
    from musenet.tree.text import line

    found = read_tree(file)
    parent = found.find(at) if at is not None else found.only_prompt()
    from musenet.tree.grow import model_for

    try:
        nodes = make(parent, model_for(parent, weights))
    except KeyboardInterrupt:
        print(f"Stopped: {file} is unchanged.")
        raise
    # Read again: the tree may have changed while this music was generated.
    after = read_tree(file).joined(nodes)
    write_tree(after, file)
    for node in list(after.nodes.values())[-len(nodes) :]:
        print(line(node))


def _roots(prompts: list[Path]) -> list[Node]:
    """Nodes for the prompts, or an empty node if there are none."""
    from musenet.generation.prompt import prompt_of, read_file
    from musenet.tree.tree import Node

    found = []
    for path in prompts:
        data, _ = read_file(path)
        prompt_of(data, path.stem, str(path))  # raises for a prompt that cannot be continued
        found.append(Node(0, None, path.stem, data))
    return found or [Node(0, None, "", b"")]
