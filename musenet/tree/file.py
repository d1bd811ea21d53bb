"""The file of a tree: versioned JSON, a fact per line, so that two states of it can be compared.

It contains the MIDI file of each node, compressed with zlib and encoded in base64, with a digest
that is checked on reading. New nodes are appended; the others stay unchanged.
"""

from __future__ import annotations

import base64
import json
import os
import textwrap
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from musenet.editing.fill_recipe import BEFORE
from musenet.generation.recipe import options_in
from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from tokenizer import records
from tokenizer.errors import InputError
from tokenizer.files import write_text
from tokenizer.midi.read import LARGEST_FILE

from .tree import CONTINUATION, Growth, Node, Tree

FORMAT = "musenet-tree-2"
_FIRST_FORMAT = "musenet-tree-1"
_LINE = 92
_texts: dict[int, tuple[Node, str]] = {}
"""The nodes of the tree that was written last, with their text: a tree of a thousand takes is
written after each new one."""


@dataclass(frozen=True)
class _GrowthRecord:
    """How a node was grown, but for its options, whose type is that of the task."""

    program: str
    weights: str
    model: str
    boundary: int
    bars: tuple[int, int]
    notes: int
    task: str = CONTINUATION
    holes: tuple[tuple[int, int], ...] = ()
    stopped: bool = False


@dataclass(frozen=True)
class _NodeRecord:
    """A node as stored in the file; `midi` is its bytes in lines of base64.

    `growth` is a `_GrowthRecord` with the options.
    """

    number: int
    parent: int | None
    title: str
    marked: bool
    name: str
    note: str
    growth: dict[str, Any] | None
    digest: str
    midi: tuple[str, ...]


@dataclass(frozen=True)
class _TreeRecord:
    format: str
    following: int
    nodes: tuple[_NodeRecord, ...]


def write_tree(tree: Tree, path: str | os.PathLike[str]) -> None:
    """Write a tree, whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    write_text(path, to_text(tree))


def read_tree(path: str | os.PathLike[str]) -> Tree:
    """Read a tree.

    Raises:
        InputError: if there is none, or it is damaged or of a later version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; `musenet tree new` makes a tree"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a MuseNet tree") from error
    try:
        return from_text(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def to_text(tree: Tree) -> str:
    """The tree as JSON: a line for every fact, and the bytes of a node in lines of their own."""
    global _texts
    kept = {}
    for number, node in tree.nodes.items():
        before = _texts.get(number)
        same = before is not None and before[0] is node
        kept[number] = before if before is not None and same else (node, _node_text(node))
    _texts = kept
    whole = records.to_json(_TreeRecord(FORMAT, tree.following, ()), indent=1) + "\n"
    nodes = ",\n".join(text for _, text in kept.values())
    return whole.replace('"nodes": []', f'"nodes": [\n{nodes}\n ]') if nodes else whole


def _node_text(node: Node) -> str:
    return textwrap.indent(records.to_json(_record(node), indent=1), "  ")


def from_text(text: str) -> Tree:
    """The inverse of `to_text`.

    Raises:
        InputError: if it is not a tree, damaged, or of a later version.
    """
    try:
        data: Any = json.loads(text)
        given = data["format"]
        if given not in (FORMAT, _FIRST_FORMAT):
            raise InputError(f"the tree has format {given}, but this version reads format {FORMAT}")
        nodes = [_node(each if given == FORMAT else _nested(each)) for each in data["nodes"]]
        tree = Tree({node.number: node for node in nodes}, int(data["following"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("this is not a MuseNet tree, or it is damaged") from error
    before: set[int | None] = {None}
    for node in nodes:
        if node.parent not in before or node.number in before or node.number >= tree.following:
            raise InputError(f"the tree is damaged: node {node} is in the wrong place")
        before.add(node.number)
    return tree


def _unpacked(packed: str) -> bytes:
    """The MIDI file in a node; a few bytes can be compressed from billions, so there is a limit."""
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(base64.b64decode(packed, validate=True), LARGEST_FILE)
    if not unpacker.eof:
        raise InputError("the tree is damaged: the music of a node is cut off, or too large")
    return data


def _record(node: Node) -> _NodeRecord:
    packed = base64.b64encode(zlib.compress(node.data, 9)).decode() if node.data else ""
    return _NodeRecord(
        number=node.number,
        parent=node.parent,
        title=node.title,
        marked=node.marked,
        name=node.name,
        note=node.note,
        growth=None if node.growth is None else asdict(node.growth),
        digest=node.digest,
        midi=tuple(textwrap.wrap(packed, _LINE)),
    )


def _node(data: dict[str, Any]) -> Node:
    what = f"node {data['number']} of the tree"
    growth = None if data["growth"] is None else _growth(data["growth"], what)
    record = records.from_data(_NodeRecord, {**data, "growth": None}, what)
    packed = "".join(record.midi)
    node = Node(
        number=record.number,
        parent=record.parent,
        title=record.title,
        data=_unpacked(packed) if packed else b"",
        growth=growth,
        name=record.name,
        marked=record.marked,
        note=record.note,
    )
    if node.digest != record.digest:
        raise InputError(f"the music of node {node} is damaged: its digest does not match")
    return node


def _growth(data: dict[str, Any], what: str) -> Growth:
    facts = {name: value for name, value in data.items() if name != "options"}
    record = records.from_data(_GrowthRecord, facts, what)
    options: GenerateOptions | FillOptions
    if record.task == CONTINUATION:
        options = options_in(data["options"], what)
    else:
        options = records.from_data(FillOptions, BEFORE | data["options"], f"the options of {what}")
    return Growth(options=options, **vars(record))


def _nested(facts: dict[str, Any]) -> dict[str, Any]:
    """A node of the first format, which stored the growth among the facts of the node."""
    growth = {}
    if facts["parent"] is not None:
        names = ("program", "weights", "model", "boundary", "bars", "notes", "options")
        growth = {name: facts.pop(name) for name in names}
        growth["options"] |= {"begin": facts.pop("from"), "stop": facts.pop("to")}
    return {**facts, "growth": growth or None}
