"""The tree and its file: every change saved whole, undone step by step, and nothing overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from musenet.studio import workspace as module
from musenet.studio.workspace import Workspace
from musenet.tree.file import read_tree, write_tree
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError

from .conftest import FOLK


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "song.tree.json", Tree())
    found.change(lambda tree: tree.joined([Node(0, None, "folk", FOLK.read_bytes())]))
    return found


def numbers(tree: Tree) -> list[int]:
    return list(tree.nodes)


def test_music_that_was_made_is_no_step(workspace: Workspace) -> None:
    workspace.change(lambda tree: tree.marked(tree.nodes[1], "verse"))
    (made,) = workspace.join([Node(0, 1, "folk", FOLK.read_bytes())])
    assert made.number == 2
    assert workspace.undo().nodes[1].name == ""
    assert numbers(workspace.redo()) == [1, 2]
    workspace.undo()
    assert numbers(workspace.undo()) == []  # the prompt, and what was made of it
    assert numbers(workspace.redo()) == [1, 2]
    assert read_tree(workspace.path).nodes == workspace.tree.nodes


def test_numbers_are_not_used_again(workspace: Workspace) -> None:
    workspace.change(lambda tree: tree.joined([Node(0, None, "x", FOLK.read_bytes())]))
    workspace.undo()
    assert workspace.join([Node(0, 1, "y", FOLK.read_bytes())])[0].number == 3


def test_what_another_program_wrote_is_taken(workspace: Workspace) -> None:
    other = read_tree(workspace.path).joined([Node(0, None, "other", FOLK.read_bytes())])
    write_tree(other, workspace.path)
    assert numbers(workspace.tree) == [1, 2]
    assert workspace.steps == (False, False)
    assert workspace.join([Node(0, 1, "mine", FOLK.read_bytes())])[0].number == 3
    assert numbers(read_tree(workspace.path)) == [1, 2, 3]


def test_a_file_that_cannot_be_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(tree: Tree, path: Path) -> None:
        raise InputError("cannot write song: no space left")

    before = workspace.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(module, "write_tree", full)
        with pytest.raises(InputError, match="no space"):
            workspace.change(lambda tree: tree.noted(tree.nodes[1], "x"))
        assert workspace.tree.nodes[1].note == ""
        (made,) = workspace.join([Node(0, 1, "take", FOLK.read_bytes())])
        assert "no space left" in str(workspace.unsaved)
        assert numbers(workspace.tree) == [1, 2]
    assert workspace.path.read_bytes() == before
    workspace.change(lambda tree: tree.marked(tree.nodes[made.number]))
    assert workspace.unsaved is None
    assert read_tree(workspace.path).nodes[2].marked


def test_a_parent_that_was_pruned(workspace: Workspace) -> None:
    workspace.change(lambda tree: tree.pruned(tree.nodes[1], whole_too=True))
    with pytest.raises(InputError, match="was pruned while music was grown"):
        workspace.join([Node(0, 1, "x", b"")])
