"""Trees: what stands where, what is found, kept and taken away, and the file that holds it.

A brute-force walk over parent numbers judges paths and branches.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from musenet.tree.file import from_text, read_tree, to_text, write_tree
from musenet.tree.text import described, drawn
from musenet.tree.tree import Growth, Node, Tree
from tokenizer.errors import InputError
from tokenizer.theory import Key

FOLK = Path(__file__).parents[3] / "examples" / "prompts" / "folk.mid"
GROWTH = Growth(
    program="0.1.0",
    weights="0123456789ab",
    model="mini",
    options=GenerateOptions(bars=4, seed=7, begin=Place(bar=2), stop=Place(seconds=12.5)),
    boundary=960,
    bars=(3, 6),
    notes=41,
)
RICH = GenerateOptions(
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
    temperature={"pitch": 0.5},
    top_k=5,
    instrument_balance=0.5,
    overlap=0.25,
    seed=2**40,
    variations=(3,),
)


def tree_of(parents: list[int | None]) -> Tree:
    """A tree whose node k + 1 has the k-th parent; each node's bytes differ."""
    tree = Tree()
    for index, parent in enumerate(parents):
        growth = None if parent is None else GROWTH
        tree = tree.joined([Node(0, parent, "song", b"music %d" % index * 30, growth)])
    return tree


FAMILY = tree_of([None, 1, 1, 2, 2, 4])

parents = st.integers(0, 12).flatmap(
    lambda n: st.tuples(*(st.none() | st.integers(1, k + 1) for k in range(n)))
)


@given(parents)
def test_paths_and_branches(chosen: tuple[int | None, ...]) -> None:
    above: dict[int, int | None] = dict(enumerate([None, *chosen], 1))
    tree = tree_of(list(above.values()))
    assert {n.number: n.parent for n in tree.nodes.values()} == above
    ancestors: dict[int, list[int]] = {}
    for number, parent in above.items():
        ancestors[number] = [*(ancestors[parent] if parent else []), number]
        assert [n.number for n in tree.path(tree.nodes[number])] == ancestors[number]
    for number in above:
        below = {k for k, line in ancestors.items() if number in line}
        assert {n.number for n in tree.branch(tree.nodes[number])} == below
        if len(below) == len(above):
            with pytest.raises(InputError, match="delete the file"):
                tree.pruned(tree.nodes[number])
            continue
        left = tree.pruned(tree.nodes[number])
        assert set(left.nodes) == set(above) - below
        assert left.following == tree.following, "a number is never given twice"


@given(parents)
def test_a_drawing_has_a_line_for_every_node_below_its_parent(
    chosen: tuple[int | None, ...],
) -> None:
    tree = Tree().joined([Node(0, None, "", b"")])
    for parent in chosen:
        growth = GROWTH if parent else None
        tree = tree.joined([Node(0, parent, "", b"new" if parent else b"", growth)])
    lines = drawn(tree).splitlines()
    depths = {int(line.strip("│├└─ ").split()[0]): len(line) - len(line.lstrip("│├└─ "))
              for line in lines}  # fmt: skip
    assert set(depths) == set(tree.nodes)
    assert len(lines) == len(tree.nodes)
    for number, depth in depths.items():
        assert depth == 3 * (len(tree.path(tree.nodes[number])) - 1)


def test_nodes_are_found_by_number_and_name() -> None:
    tree = FAMILY.marked(FAMILY.nodes[3], "chorus")
    assert tree.find("3") is tree.find("chorus")
    assert tree.find("3").marked
    with pytest.raises(InputError, match="did you mean 'chorus'"):
        tree.find("Chorus!")
    for unknown in ("", "7", "0", "-1"):
        with pytest.raises(InputError, match="no node called"):
            tree.find(unknown)
    with pytest.raises(InputError, match="node 3 was pruned"):
        FAMILY.pruned(FAMILY.nodes[3]).find("3")


def test_names_are_unique_and_no_numbers() -> None:
    tree = FAMILY.marked(FAMILY.nodes[3], "chorus")
    assert tree.marked(tree.nodes[3], "chorus") == tree
    assert tree.marked(tree.nodes[3]).nodes[3].name == "chorus"
    with pytest.raises(InputError, match="node 3 is already called 'chorus'"):
        tree.marked(tree.nodes[2], "chorus")
    for name in ("12", " chorus"):
        with pytest.raises(InputError, match="is not a valid name"):
            tree.marked(tree.nodes[2], name)
    assert tree.unmarked(tree.nodes[3]) == FAMILY


def test_what_is_marked_is_not_pruned_by_accident() -> None:
    tree = FAMILY.marked(FAMILY.nodes[6])
    with pytest.raises(InputError, match="node 6 in that branch is marked"):
        tree.pruned(tree.nodes[2])
    assert set(tree.pruned(tree.nodes[2], marked_too=True).nodes) == {1, 3}
    assert set(tree.pruned(tree.nodes[3]).nodes) == {1, 2, 4, 5, 6}


def test_what_is_grown_from_a_pruned_node_is_refused() -> None:
    child = Node(0, 3, "song", b"late", GROWTH)
    with pytest.raises(InputError, match="node 3 was pruned while"):
        FAMILY.pruned(FAMILY.nodes[3]).joined([child])


def test_the_only_prompt() -> None:
    assert FAMILY.only_prompt().number == 1
    with pytest.raises(InputError, match=r"several prompts \(1, 7\)"):
        FAMILY.joined([Node(0, None, "other", b"x")]).only_prompt()


@pytest.mark.parametrize("options", [GenerateOptions(), RICH], ids=["default", "rich"])
def test_a_file_holds_all_of_a_tree(tmp_path: Path, options: GenerateOptions) -> None:
    tree = FAMILY.noted(FAMILY.nodes[4], 'twice\n"as" long — ½')
    tree = tree.marked(tree.nodes[5], "Übergang").pruned(tree.nodes[3])
    tree = tree.joined([Node(0, 2, "song", b"\0\xff", replace(GROWTH, options=options))])
    write_tree(tree, tmp_path / "song.tree.json")
    again = read_tree(tmp_path / "song.tree.json")
    assert again == tree
    assert to_text(again) == to_text(tree)


def test_a_file_keeps_every_option_even_at_its_default() -> None:
    """A default may change with the program; what was asked for then must not."""
    record = json.loads(to_text(FAMILY))
    assert set(record["nodes"][1]["growth"]["options"]) == set(vars(GenerateOptions()))


def test_a_change_changes_the_lines_it_is_about() -> None:
    before = to_text(FAMILY).splitlines()
    after = to_text(FAMILY.noted(FAMILY.nodes[2], "nice")).splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [('   "note": "",', '   "note": "nice",')]
    grown = to_text(FAMILY.joined([Node(0, 2, "song", b"new", GROWTH)])).splitlines()
    gone = [line for line in before if line not in grown]
    assert gone == [' "following": 7,']


def test_a_damaged_file_says_so() -> None:
    text = to_text(FAMILY)
    record = json.loads(text)
    record["nodes"][2]["midi"] = record["nodes"][3]["midi"]
    with pytest.raises(InputError, match="music of node 3 is damaged"):
        from_text(json.dumps(record))
    with pytest.raises(InputError, match="format musenet-tree-9"):
        from_text(text.replace("musenet-tree-2", "musenet-tree-9"))
    for old, new in (('"parent": 4', '"parent": 6'), ('"parent": 4', '"parent": 40'),
                     ('"number": 3', '"number": 2'), ('"number": 6', '"number": 60')):  # fmt: skip
        with pytest.raises(InputError, match="is in the wrong place"):
            from_text(text.replace(old, new))
    for broken in ("", "{}", "[]", "3", text[:-20], text.replace('"notes"', '"noten"')):
        with pytest.raises(InputError, match="tree"):
            from_text(broken)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="musenet tree new"):
        read_tree(tmp_path / "none.json")
    with pytest.raises(InputError, match="not a MuseNet tree"):
        read_tree(FOLK)


def test_a_write_that_fails_leaves_the_old_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "song.json"
    write_tree(FAMILY, path)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="disk full"):
        write_tree(FAMILY.noted(FAMILY.nodes[2], "lost"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_node_is_described_in_full() -> None:
    tree = FAMILY.joined([Node(0, 4, "song", b"x", replace(GROWTH, options=RICH))])
    tree = tree.noted(tree.nodes[7], "a note that is\nlonger than a line")
    words = described(tree, tree.nodes[7])
    for fact in ("1 → 2 → 4 → 7", "longer than a line", "bar 2", "12.5 s", "bach", "mini",
                 "0123456789ab", "baroque", "96.5", "polyphony"):  # fmt: skip
        assert fact in words
    prompt = Tree().joined([Node(0, None, "folk", FOLK.read_bytes())])
    assert "folk, 8 bars, 128 notes" in drawn(prompt)
