"""The tree over HTTP: what is in it, new prompts, marks and names, pruning, undo and redo."""

from __future__ import annotations

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from musenet.generation.prompt import prompt_of
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError
from tokenizer.midi.read import to_bytes
from tokenizer.notation.library import MUSICXML_SUFFIXES
from tokenizer.notation.read import musicxml_score

from .about import opening
from .answers import JSON, answer, body_of, json_object, json_of, sent
from .editing import edited, edits_of
from .music import node_facts, score_json
from .workspace import Workspace

LARGEST_UPLOAD = 10 * 2**20
"""Bytes that a prompt may have."""

_LONGEST = {"name": 100, "note": 10_000}
"""Characters that a text of a node may have."""


class TreeRoutes:
    """The requests that read or change the tree.

    Args:
        workspace: the tree and its file.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.routes = [
            Route("/tree", self._tree),
            Route("/prompts", self._add, methods=["POST"]),
            Route("/nodes/{id:int}", self._change, methods=["PATCH"]),
            Route("/nodes/{id:int}", self._prune, methods=["DELETE"]),
            Route("/nodes/{id:int}/score", self._score),
            Route("/nodes/{id:int}/edit", self._edit, methods=["POST"]),
            Route("/undo", self._undo, methods=["POST"]),
            Route("/redo", self._redo, methods=["POST"]),
        ]

    def _tree(self, _: Request) -> Response:
        return self._whole(self._workspace.tree)

    def _whole(self, tree: Tree) -> Response:
        workspace = self._workspace
        undo, redo = workspace.steps
        return answer(
            {
                "file": workspace.path.name,
                "nodes": [node_facts(node) for node in tree.nodes.values()],
                "undo": undo,
                "redo": redo,
                "unsaved": workspace.unsaved,
            }
        )

    async def _add(self, request: Request) -> Response:
        body = await body_of(request, LARGEST_UPLOAD)
        is_json = request.headers.get("content-type", "").partition(";")[0].strip() == JSON
        name = name_in(request)
        return await run_in_threadpool(self._added, body, is_json, name)

    def _added(self, body: bytes, is_json: bool, name: str) -> Response:
        if is_json:
            node = _asked_for(json_object(body))
        else:
            node = sent_node(body, name)
            prompt_of(node.data, node.title, node.title)  # raises for what cannot be continued
        tree = self._workspace.change(lambda tree: tree.joined([node]))
        return answer(node_facts(list(tree.nodes.values())[-1]), 201)

    async def _change(self, request: Request) -> Response:
        wanted = _wanted(await json_of(request))
        number = request.path_params["id"]

        def changed(tree: Tree) -> Tree:
            for name, value in wanted.items():
                tree = _with(tree, node_of(tree, number), name, value)
            return tree

        tree = await run_in_threadpool(self._workspace.change, changed)
        return answer(node_facts(tree.nodes[number]))

    def _prune(self, request: Request) -> Response:
        number = request.path_params["id"]
        return self._whole(
            self._workspace.change(
                lambda tree: tree.pruned(node_of(tree, number), marked_too=True, whole_too=True)
            )
        )

    def _score(self, request: Request) -> Response:
        return sent(score_json(node_of(self._workspace.tree, request.path_params["id"])))

    async def _edit(self, request: Request) -> Response:
        data = await json_of(request)
        number = request.path_params["id"]
        return await run_in_threadpool(self._edited, number, data)

    def _edited(self, number: int, data: dict[str, Any]) -> Response:
        new = edited(node_of(self._workspace.tree, number), edits_of(data))
        tree = self._workspace.change(lambda tree: tree.joined([new]))
        return answer(node_facts(list(tree.nodes.values())[-1]), 201)

    def _undo(self, _: Request) -> Response:
        return self._whole(self._workspace.undo())

    def _redo(self, _: Request) -> Response:
        return self._whole(self._workspace.redo())


def node_of(tree: Tree, number: int) -> Node:
    """The node of a number.

    Raises:
        HTTPException: if there is none.
    """
    if number not in tree.nodes:
        raise HTTPException(404, f"there is no node {number} in the tree")
    return tree.nodes[number]


def sent_node(body: bytes, name: str) -> Node:
    """The music that was sent, in no tree yet: a MIDI file, or one made of a MusicXML file.

    Args:
        body: the file.
        name: as a client gives it; it is never used as a path.
    """
    title = _title(name)
    if name.lower().endswith(MUSICXML_SUFFIXES):
        body = to_bytes(musicxml_score(body, title))
    return Node(0, None, title, body)


def _asked_for(data: dict[str, Any]) -> Node:
    """The prompt that a request names: an opening, or none."""
    if data == {"blank": True}:
        return Node(0, None, "", b"")
    if set(data) == {"opening"} and isinstance(data["opening"], str):
        return Node(0, None, data["opening"], opening(data["opening"]))
    raise InputError(
        'a prompt is a MIDI file, {"opening": name} or {"blank": true}; send one of them'
    )


def name_in(request: Request) -> str:
    """The name that a request gives its file in `X-Name`.

    A header holds ASCII alone, so other characters come as %C3%A9.
    """
    sent = request.headers.get("x-name", "").encode("latin-1", errors="replace")
    plain = re.sub(rb"%([0-9A-Fa-f]{2})", lambda code: bytes((int(code[1], 16),)), sent)
    return plain.decode(errors="replace")


def _title(name: str) -> str:
    """The title of a file that a client names."""
    stem = PurePosixPath(PureWindowsPath(name).name).stem
    return "".join(c for c in stem if c.isprintable())[:100].strip() or "prompt"


def _wanted(data: dict[str, Any]) -> dict[str, str | bool]:
    """The changes of a node that a request asks for.

    Raises:
        InputError: if it asks for something else.
    """
    kinds = {"name": str, "mark": bool, "note": str}
    for name, value in data.items():
        if name not in kinds or not isinstance(value, kinds[name]):
            raise InputError('a node takes "name" and "note" (texts) and "mark" (true or false)')
        if isinstance(value, str) and len(value) > _LONGEST[name]:
            raise InputError(f"a {name} has {_LONGEST[name]:,} characters at most")
    return {name: data[name] for name in ("mark", "name", "note") if name in data}


def _with(tree: Tree, node: Node, what: str, value: str | bool) -> Tree:
    """The tree with a mark, a name or a note changed at a node."""
    if what == "note":
        return tree.noted(node, str(value))
    if what == "mark":
        return tree.marked(node) if value else tree.unmarked(node)
    return tree.marked(node, str(value)) if value else tree.unnamed(node)
