"""The file of a tree: versioned JSON, a line a fact, so that two states of it can be compared.

The bytes of each node's MIDI file are in it, packed by zlib and written in base64, with a digest
that is checked when the file is read. A new node stands behind the others, which stay as they are.
"""

from __future__ import annotations

import base64
import json
import os
import textwrap
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from musenet.generation.options import Options
from musenet.generation.prompt import Place
from tokenizer.errors import InputError
from tokenizer.files import write_text

from .tree import Growth, Node, Tree

FORMAT = "musenet-tree-1"
_LINE = 92


def write_tree(tree: Tree, path: str | os.PathLike[str]) -> None:
    """Write a tree, whole or not at all.

    Raises:
        InputError: if it cannot be written.
    """
    write_text(path, to_text(tree))


def read_tree(path: str | os.PathLike[str]) -> Tree:
    """Read a tree.

    Raises:
        InputError: if there is none, or it is damaged or of another version.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; `musenet tree new` makes a tree"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a tree of musenet") from error
    try:
        return from_text(text)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def to_text(tree: Tree) -> str:
    """The tree as JSON: a line for every fact, and the bytes of a node in lines of their own."""
    nodes = ",\n".join(_node_text(node) for node in tree.nodes.values())
    return f'{{"format": "{FORMAT}",\n"following": {tree.following},\n"nodes": [\n{nodes}\n]}}\n'


def from_text(text: str) -> Tree:
    """The inverse of `to_text`.

    Raises:
        InputError: if it is no tree, or a damaged one, or of another version.
    """
    try:
        record = json.loads(text)
        given = record["format"]
        if given != FORMAT:
            raise InputError(f"the tree is of the format {given}, and this program reads {FORMAT}")
        nodes = [_node(each) for each in record["nodes"]]
        tree = Tree({node.number: node for node in nodes}, int(record["following"]))
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("this is not a tree of musenet, or a damaged one") from error
    before: set[int | None] = {None}
    for node in nodes:
        if node.parent not in before or node.number in before or node.number >= tree.following:
            raise InputError(f"the tree is damaged: node {node} does not belong where it stands")
        before.add(node.number)
    return tree


def _node_text(node: Node) -> str:
    facts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in _facts(node)]
    packed = base64.b64encode(zlib.compress(node.data, 9)).decode() if node.data else ""
    lines = ",\n  ".join(f'"{line}"' for line in textwrap.wrap(packed, _LINE))
    return " {" + ",\n  ".join(facts) + f',\n  "midi": [\n  {lines}]}}'


def _facts(node: Node) -> Iterator[tuple[str, object]]:
    yield from (("number", node.number), ("parent", node.parent), ("title", node.title))
    yield from (("marked", node.marked), ("name", node.name), ("note", node.note))
    if node.growth is not None:
        growth = vars(node.growth)
        for key in ("program", "weights", "model", "boundary", "bars", "notes"):
            yield key, growth[key]
        yield from (("from", _where(node.growth.begin)), ("to", _where(node.growth.stop)))
        yield "options", asdict(node.growth.options)
    yield "digest", node.digest


def _where(place: Place | None) -> dict[str, float] | None:
    return None if place is None else {k: v for k, v in vars(place).items() if v is not None}


def _node(facts: dict[str, Any]) -> Node:
    packed = "".join(facts["midi"])
    node = Node(
        number=int(facts["number"]),
        parent=facts["parent"],
        title=str(facts["title"]),
        data=zlib.decompress(base64.b64decode(packed, validate=True)) if packed else b"",
        growth=_growth(facts) if facts["parent"] is not None else None,
        name=str(facts["name"]),
        marked=bool(facts["marked"]),
        note=str(facts["note"]),
    )
    if node.digest != facts["digest"]:
        raise InputError(f"the music of node {node} is damaged: its bytes are not what was written")
    return node


def _growth(facts: dict[str, Any]) -> Growth:
    begin, stop = facts["from"], facts["to"]
    first, last = facts["bars"]
    return Growth(
        program=facts["program"],
        weights=facts["weights"],
        model=facts["model"],
        begin=begin and Place(**begin),
        stop=stop and Place(**stop),
        options=Options.from_json(json.dumps(facts["options"])),
        boundary=int(facts["boundary"]),
        bars=(int(first), int(last)),
        notes=int(facts["notes"]),
    )
