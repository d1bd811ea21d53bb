"""Growing: a node is what `generate` makes of its parent's file, and can be made again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from musenet.api import generate
from musenet.generation.request import Request
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.tree import grow as tree_growth
from musenet.tree.grow import changed, grow, model_for
from musenet.tree.tree import Node, Tree
from tokenizer.errors import InputError
from tokenizer.midi.read import read

PROMPTS = Path(__file__).parents[3] / "examples" / "prompts"
FOLK = PROMPTS / "folk.mid"
Messages = Callable[[bytes], list[list[tuple[int, bytes]]]]


def run(request: Request, steps: Iterator[float]) -> None:
    for _ in steps:
        pass


def grown(tree: Tree, tiny: Checkpoint, number: int, options: GenerateOptions) -> Tree:
    return tree.joined(grow(tree.nodes[number], ("tiny", tiny), options, run))


@pytest.fixture(scope="module")
def folk(tiny: Checkpoint) -> Tree:
    """1 the prompt; 2 and 3 two variations; 4 from the middle of 2; 5 from the end of 4."""
    tree = Tree().joined([Node(0, None, "folk", FOLK.read_bytes())])
    tree = grown(tree, tiny, 1, GenerateOptions(bars=3, seed=1, variations=(1, 2)))
    part = GenerateOptions(bars=2, seed=2, instruments=(73,), begin=Place(bar=2), stop=Place(bar=9))
    tree = grown(tree, tiny, 2, part)
    return grown(tree, tiny, 4, GenerateOptions(bars=1, seed=3, tempo=80.0))


@pytest.fixture
def tiny_is_mini(tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever checkpoint is asked for, the tiny one comes."""
    monkeypatch.setattr(tree_growth, "load_checkpoint", lambda name: tiny)


def test_a_node_is_what_generate_makes(folk: Tree, tiny: Checkpoint) -> None:
    songs = generate(tiny, FOLK, GenerateOptions(bars=3, seed=1, variations=(1, 2)))
    assert [folk.nodes[k].data for k in (2, 3)] == [song.result.data for song in songs]


def test_a_deeper_node_is_what_generate_makes_of_the_exported_file(
    folk: Tree, tiny: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "folk.mid"
    path.write_bytes(folk.nodes[2].data)
    growth = folk.nodes[4].growth
    assert growth is not None
    assert isinstance(growth.options, GenerateOptions)
    (song,) = generate(tiny, path, growth.options)
    assert folk.nodes[4].data == song.result.data


def test_every_node_is_made_again(folk: Tree, tiny_is_mini: None) -> None:
    found = list(changed(folk, folk.nodes.values(), (), run))
    assert sorted(node.number for node, _ in found) == [2, 3, 4, 5]
    assert not any(differs for _, differs in found)


def test_a_node_that_was_changed_is_found_out(
    folk: Tree, tiny: Checkpoint, tiny_is_mini: None
) -> None:
    other = grown(folk, tiny, 1, GenerateOptions(bars=1, seed=9)).nodes[6]
    forged = {**folk.nodes, 3: replace(folk.nodes[3], data=other.data)}
    found = {n.number: d for n, d in changed(Tree(forged, 6), forged.values(), (), run)}
    assert found == {2: False, 3: True, 4: False, 5: False}


def test_the_prompts_own_events_go_all_the_way_down(folk: Tree, messages: Messages) -> None:
    prompt = messages(FOLK.read_bytes())
    for node in folk.nodes.values():
        for before, after in zip(prompt, messages(node.data), strict=False):
            assert [m for m in after if m in before] == before


def test_a_parents_music_is_its_childs_up_to_the_branch(folk: Tree) -> None:
    parent, child = (read(folk.nodes[k].data).notes for k in (2, 4))
    bar = 9 * 3 * 480
    fields = ["start", "pitch", "velocity", "program"]
    old = parent[parent["start"] < bar][fields]
    assert len(parent) > len(old) > len(read(FOLK).notes)
    assert np.array_equal(child[child["start"] < bar][fields], old)
    growth = folk.nodes[4].growth
    assert growth is not None
    assert (growth.boundary, growth.bars) == (bar, (10, 11))
    assert growth.notes == np.sum(child["start"] >= bar) > 0


def test_music_from_nothing_and_on_from_there(tiny: Checkpoint, tiny_is_mini: None) -> None:
    tree = Tree().joined([Node(0, None, "", b"")])
    tree = grown(tree, tiny, 1, GenerateOptions(bars=2, seed=5, meter=(3, 4)))
    tree = grown(tree, tiny, 2, GenerateOptions(bars=2, seed=6))
    assert (
        tree.nodes[2].data
        == generate(tiny, None, GenerateOptions(bars=2, seed=5, meter=(3, 4)))[0].result.data
    )
    score = read(tree.nodes[3].data)
    assert score.time_signatures.tolist() == [(0, 3, 4)]
    assert score.end <= 4 * 3 * score.ticks_per_quarter
    assert not any(differs for _, differs in changed(tree, tree.nodes.values(), (), run))
    with pytest.raises(InputError, match="node 1 is empty"):
        grown(tree, tiny, 1, GenerateOptions(bars=1, stop=Place(bar=2)))


def test_a_branch_where_there_is_no_music(folk: Tree, tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match=r"node 2 has no notes between --from and --to"):
        grown(folk, tiny, 2, GenerateOptions(bars=1, begin=Place(bar=90)))


def test_changed_weights_are_refused(
    folk: Tree, tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(tiny, hash="ffffffffffff")
    monkeypatch.setattr(
        tree_growth, "load_checkpoint", lambda name: tiny if name == "old" else other
    )
    with pytest.raises(InputError, match=f"weights {tiny.hash}, and tiny holds ffffffffffff now"):
        model_for(folk.nodes[2], None)
    assert model_for(folk.nodes[2], "new") == ("new", other)
    assert model_for(folk.nodes[1], None) == ("mini", other)
    with pytest.raises(InputError, match="node 2 was made with the weights"):
        list(changed(folk, folk.nodes.values(), (), run))
    again = list(changed(folk, folk.path(folk.nodes[4]), ["new", "old"], run))
    assert [(node.number, differs) for node, differs in again] == [(2, False), (4, False)]
