"""The tree that the studio works on: every change is saved, and what the user did can be undone.

New music joins the tree and is no step of undo, so that a take is never lost by it: `prune` removes
one, and that can be undone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from musenet.tree.file import read_tree, write_tree
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError

SUFFIX = ".tree.json"
_MOST_STEPS = 1000

Change = dict[int, tuple[Node | None, Node | None]]
"""Each node that a step changed: before and after, None where it was or is not in the tree."""


class Workspace:
    """A tree and its file.

    Args:
        path: the file; where none is there, it is written with the first change.
        tree: what stands in the file; None reads it.

    Raises:
        InputError: if the file cannot be read.
    """

    def __init__(self, path: Path, tree: Tree | None = None) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._stamp = _stamp(path)
        self._tree = tree if tree is not None else read_tree(path)
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._unsaved: str | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    @property
    def tree(self) -> Tree:
        """The tree as it is now, also if another program wrote the file.

        Raises:
            InputError: if that program left no tree.
        """
        with self._lock:
            self._read_again()
            return self._tree

    @property
    def steps(self) -> tuple[bool, bool]:
        """Whether there is something to undo, and to redo."""
        return bool(self._done), bool(self._undone)

    @property
    def unsaved(self) -> str | None:
        """Why the file lacks music that is in the tree; None if it lacks nothing."""
        return self._unsaved

    def change(self, changed: Callable[[Tree], Tree]) -> Tree:
        """Change the tree by a step that can be undone, and save it.

        Raises:
            InputError: what `changed` raises, or if the file cannot be written; the tree stays as
                it was.
        """
        with self._lock:
            before = self.tree
            self._save(changed(before))
            self._done.append(_difference(before, self._tree))
            del self._done[:-_MOST_STEPS]
            self._undone.clear()
            return self._tree

    def join(self, nodes: Iterable[Node]) -> list[Node]:
        """Add new music and save the tree; returns the nodes with their numbers.

        Where the file cannot be written, the music stays here and is saved with the next change.

        Raises:
            InputError: if their parent was pruned meanwhile.
        """
        with self._lock:
            before = self.tree
            after = before.joined(nodes)
            try:
                self._save(after)
            except InputError as error:
                self._tree, self._unsaved = after, str(error)
            return [node for n, node in self._tree.nodes.items() if n not in before.nodes]

    def undo(self) -> Tree:
        """Undo the last step and save the tree.

        Raises:
            InputError: if there is none, or the file cannot be written.
        """
        return self._turn(self._done, self._undone, "undo")

    def redo(self) -> Tree:
        """Do again what was undone last and save the tree.

        Raises:
            InputError: if there is nothing, or the file cannot be written.
        """
        return self._turn(self._undone, self._done, "redo")

    def _turn(self, steps: list[Change], others: list[Change], what: str) -> Tree:
        """Take back the last of `steps`; what takes that back goes to `others`."""
        with self._lock:
            before = self.tree
            if not steps:
                raise InputError(f"there is nothing to {what}")
            nodes = dict(before.nodes)
            for number, (old, _) in steps[-1].items():
                if old is not None:
                    nodes[number] = old
                elif number in nodes:  # music may have been grown from it meanwhile
                    for gone in before.branch(nodes[number]):
                        nodes.pop(gone.number, None)
            self._save(replace(before, nodes=dict(sorted(nodes.items()))))
            steps.pop()
            others.append(_difference(before, self._tree))
            return self._tree

    def _read_again(self) -> None:
        """Take what another program wrote into the file; steps of before cannot be undone."""
        stamp = _stamp(self._path)
        if stamp is not None and stamp != self._stamp and self._unsaved is None:
            self._tree, self._stamp = read_tree(self._path), stamp
            self._done.clear()
            self._undone.clear()

    def _save(self, tree: Tree) -> None:
        write_tree(tree, self._path)
        self._tree, self._stamp, self._unsaved = tree, _stamp(self._path), None


def _difference(before: Tree, after: Tree) -> Change:
    pairs = {n: (before.nodes.get(n), after.nodes.get(n)) for n in {**before.nodes, **after.nodes}}
    return {n: (old, new) for n, (old, new) in pairs.items() if old is not new}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is replaced; None if there is none."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def free_name(folder: Path, name: str) -> Path:
    """A file for a new tree: `name.tree.json`, or with the first number that is free."""
    path, number = folder / f"{name}{SUFFIX}", 2
    while path.exists():
        path, number = folder / f"{name}-{number}{SUFFIX}", number + 1
    return path
