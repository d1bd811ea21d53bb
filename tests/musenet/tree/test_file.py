"""A tree written in the first format opens; version 0.1.0 wrote the file that is read here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.tree import file
from musenet.tree.file import from_text, read_tree, to_text
from musenet.tree.tree import Node, Tree
from tokenizer.encoding.vocabulary import FIELDS
from tokenizer.errors import InputError
from tokenizer.midi.read import LARGEST_FILE
from tokenizer.theory import Key

FIRST = Path(__file__).parents[2] / "fixtures" / "first_format.tree.json"


def test_a_tree_of_the_first_format_keeps_its_music_and_its_names() -> None:
    tree = read_tree(FIRST)
    assert [node.data for node in tree.nodes.values()] == [b"prompt " * 9, b"plain", b"rich"]
    assert tree.following == 4
    assert tree.find("chorus") is tree.nodes[3]
    assert tree.nodes[3].marked
    assert tree.nodes[2].note == "twice as long"
    growth = tree.nodes[3].growth
    assert growth is not None
    assert (growth.weights, growth.boundary, growth.bars) == ("0123456789ab", 960, (3, 6))
    assert tree.nodes[1].growth is None


def test_its_options_have_the_names_of_today() -> None:
    growth = read_tree(FIRST).nodes[3].growth
    assert growth is not None
    assert growth.options == GenerateOptions(
        keep_chords=False,
        chord_guidance=1.0,
        entrance=0.0,
        seed_alone=True,
        pedal=False,
        find_beats=False,
        bars=None,
        length=90.0,
        begin=Place(bar=2),
        stop=Place(seconds=12.5),
        ending=True,
        composer="bach",
        styles=("baroque",),
        instruments=(0, 128),
        only_instruments=(0, 40, 128),
        new_instruments=True,
        tempo=96.5,
        meter=(6, 8),
        key=Key(-3, True),
        polyphony=4,
        density=6,
        unisons=False,
        scale=(0, 4, 7),
        temperature=dict(zip(FIELDS, (0.5, 0.6, 0.7, 0.8, 0.9), strict=True)),
        top_k=dict(zip(FIELDS, range(5), strict=True)),
        top_p=dict.fromkeys(FIELDS, 1.0),
        min_p=dict.fromkeys(FIELDS, 0.0),
        instrument_balance=0.5,
        style_penalty=0.25,
        loop_penalty=3.0,
        overlap=0.25,
        seed=2**40,
        variations=(3,),
    )


def test_it_is_written_in_the_format_of_today_with_nothing_lost() -> None:
    tree = read_tree(FIRST)
    text = to_text(tree)
    assert '"format": "musenet-tree-2"' in text
    assert from_text(text) == tree


def test_a_node_that_unpacks_to_more_than_any_file_is_refused() -> None:
    """16 MiB and a byte of zeros are 16 kB in a tree."""
    text = to_text(Tree().joined([Node(0, None, "bomb", bytes(LARGEST_FILE + 1))]))
    with pytest.raises(InputError, match="too large"):
        from_text(text)
    [again] = from_text(to_text(Tree().joined([Node(0, None, "zeros", bytes(99))]))).nodes.values()
    assert again.data == bytes(99)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"format": ' * 100_000, "", "{}", "null"])
def test_what_is_no_tree_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a MuseNet tree"):
        from_text(text)


def test_what_is_kept_of_the_last_text_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree().joined([Node(0, None, "a", b"MThd"), Node(0, None, "b", b"")])
    named, pruned = tree.marked(tree.nodes[1], "x"), tree.pruned(tree.nodes[2])
    for changed in (tree, named, pruned, tree, Tree()):
        text = to_text(changed)
        monkeypatch.setattr(file, "_texts", {})
        assert text == to_text(changed)
        assert json.loads(text)["following"] == changed.following
