"""The music of nodes as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from musenet.studio import music
from musenet.tree.tree import Node

from .conftest import FOLK


def test_the_music_of_a_node_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Node] = []
    true = music.score_facts

    def counted(node: Node) -> dict[str, Any]:
        made.append(node)
        return true(node)

    monkeypatch.setattr(music, "score_facts", counted)
    node = Node(1, None, "folk", FOLK.read_bytes())
    first = music.score_json(node)
    assert music.score_json(replace(node, name="named", number=7)) is first
    assert len(made) <= 1


def test_only_the_latest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(music, "KEPT_SCORES", 3)
    for number in range(9):
        music.score_json(Node(1, None, "folk", FOLK.read_bytes() + bytes(number)))
    assert len(music._scores) == 3
