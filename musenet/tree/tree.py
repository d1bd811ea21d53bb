"""A tree of music: prompts, and variations grown from any point, with how they were made.

Every node stores its whole piece, from the beginning of the prompt to the node's end, as the bytes
of a MIDI file, so nothing is lost when a prompt moves or weights are replaced. It also records
how it was grown, so that it can be reproduced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from musenet.options.fill_options import FillOptions
from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError, unknown

CONTINUATION, FILL, ACCOMPANIMENT = "continuation", "fill", "accompaniment"


@dataclass(frozen=True)
class Growth:
    """How a node was grown from its parent's music, behind it or inside of it.

    Attributes:
        program: the version of this program.
        weights: the hash of the weights.
        model: the checkpoint as it was named.
        options: the generation options, with the number of this variation only.
        boundary: the tick at which the new music starts.
        bars: the first and the last new bar, counted from 1.
        notes: how many notes are new.
        task: continuation, fill or accompaniment.
        holes: of a fill or an accompaniment, the first tick of each hole and the first after it.
        stopped: whether it was stopped before its end, so that it cannot be made again.
    """

    program: str
    weights: str
    model: str
    options: GenerateOptions | FillOptions
    boundary: int
    bars: tuple[int, int]
    notes: int
    task: str = CONTINUATION
    holes: tuple[tuple[int, int], ...] = ()
    stopped: bool = False


@dataclass(frozen=True)
class Node:
    """A prompt, or a variation.

    Attributes:
        number: its number; numbers are never reused.
        parent: the number of what it was grown from; None for a prompt.
        title: title of the prompt at its root, for pictures and recipes.
        data: the MIDI file from the beginning to this node's end; empty if there is no prompt.
        growth: how it was made; None for a prompt.
        name: its name, or "".
        marked: whether it is marked to keep.
        note: free text.
    """

    number: int
    parent: int | None
    title: str
    data: bytes
    growth: Growth | None = None
    name: str = ""
    marked: bool = False
    note: str = ""

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the MIDI file."""
        return hashlib.sha256(self.data).hexdigest()[:12]

    @property
    def display_name(self) -> str:
        """What errors call it; music that is in no tree has no number."""
        return f"node {self}" if self.number else f"'{self.title}'"

    def __str__(self) -> str:
        return f"{self.number} '{self.name}'" if self.name else str(self.number)


@dataclass(frozen=True)
class Tree:
    """Nodes by number, parents before children; every change returns a new tree.

    Attributes:
        nodes: in the order of their numbers.
        following: the number of the next node.
    """

    nodes: dict[int, Node] = field(default_factory=dict)
    following: int = 1

    def find(self, called: str) -> Node:
        """The node with a number or name.

        Raises:
            InputError: if there is none, with the nearest name, or if it was pruned.
        """
        for node in self.nodes.values():
            if called and called in (str(node.number), node.name):
                return node
        if called.isdecimal() and 1 <= int(called) < self.following:
            raise InputError(f"node {called} was pruned; `musenet tree show` lists what is there")
        names = [node.name for node in self.nodes.values() if node.name]
        raise unknown("node", called, [*names, *map(str, self.nodes)])

    def only_prompt(self) -> Node:
        """The root of a tree of one prompt.

        Raises:
            InputError: if there are several.
        """
        roots = [node for node in self.nodes.values() if node.parent is None]
        if len(roots) == 1:
            return roots[0]
        among = ", ".join(str(node) for node in roots)
        raise InputError(f"the tree has several prompts ({among}); choose one with --at")

    def path(self, node: Node) -> list[Node]:
        """The nodes from the root to a node."""
        path = [node]
        while (parent := path[-1].parent) is not None:
            path.append(self.nodes[parent])
        return path[::-1]

    def children(self, node: Node) -> list[Node]:
        """The nodes that were grown from a node."""
        return [each for each in self.nodes.values() if each.parent == node.number]

    def branch(self, node: Node) -> list[Node]:
        """A node and all that was grown from it."""
        found = [node]
        for each in found:
            found += self.children(each)
        return found

    def joined(self, nodes: Iterable[Node]) -> Tree:
        """With more nodes, which get their numbers here.

        Raises:
            InputError: if a parent was pruned.
        """
        kept, number = dict(self.nodes), self.following
        for node in nodes:
            if node.parent is not None and node.parent not in kept:
                raise InputError(f"node {node.parent} was pruned while music was grown from it")
            kept[number] = replace(node, number=number)
            number += 1
        return Tree(kept, number)

    def marked(self, node: Node, name: str = "") -> Tree:
        """With a node marked, and named if a name is given.

        Raises:
            InputError: if another node has the name, or it is a number.
        """
        if name.isdecimal() or name != name.strip():
            raise InputError(f"'{name}' is not a valid name; give a word such as 'chorus'")
        taken = next((n for n in self.nodes.values() if name and n.name == name), node)
        if taken.number != node.number:
            raise InputError(f"node {taken.number} is already called '{name}'; choose another name")
        return self._with(replace(node, marked=True, name=name or node.name))

    def unmarked(self, node: Node) -> Tree:
        """Without the mark and the name of a node."""
        return self._with(replace(node, marked=False, name=""))

    def unnamed(self, node: Node) -> Tree:
        """Without the name of a node; a mark stays."""
        return self._with(replace(node, name=""))

    def noted(self, node: Node, note: str) -> Tree:
        """With a new note at a node; an empty one removes it."""
        return self._with(replace(node, note=note.strip()))

    def pruned(self, node: Node, *, marked_too: bool = False, whole_too: bool = False) -> Tree:
        """Without a node and all that was grown from it.

        Args:
            node: where the branch begins.
            marked_too: whether something in it may be marked.
            whole_too: whether it may be the whole tree.

        Raises:
            InputError: if something in the branch is marked, or nothing else is in the tree.
        """
        gone = self.branch(node)
        kept = [n for n in gone if n.marked]
        if kept and not marked_too:
            raise InputError(
                f"node {kept[0]} in that branch is marked; remove the mark (mark --off), "
                "or add --marked-too"
            )
        if len(gone) == len(self.nodes) and not whole_too:
            raise InputError(f"node {node} is the root of the whole tree; delete the file instead")
        numbers = {n.number for n in gone}
        return replace(self, nodes={k: n for k, n in self.nodes.items() if k not in numbers})

    def _with(self, node: Node) -> Tree:
        return replace(self, nodes={**self.nodes, node.number: node})
