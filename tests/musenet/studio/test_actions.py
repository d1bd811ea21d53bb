"""What jobs do: requests inside of a piece, and those that weights cannot meet."""

from __future__ import annotations

from typing import Any

import pytest

from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions
from musenet.options.knob import knobs
from musenet.studio.actions import Actions, TreeSource, options_from
from musenet.studio.jobs import Job
from musenet.studio.models import Weights
from musenet.tree.file import read_tree, to_text
from musenet.tree.grow import grow
from musenet.tree.text import described, drawn
from tokenizer.errors import InputError
from tokenizer.midi.read import read
from tokenizer.typing import Notes

from .conftest import FOLK, Studio

BAR = 3 * 480


def ask(studio: Studio, action: str, **options: Any) -> tuple[str, dict[str, Any]]:
    """The last event of a job."""
    asked = {"action": action, "options": options}
    return studio.follow(studio("POST", "nodes/1/jobs", json=asked)["job"])[-1]


def around(notes: Notes) -> Notes:
    """The notes outside of the violin's bars 3 and 4."""
    bars = (notes["start"] >= 2 * BAR) & (notes["start"] < 4 * BAR)
    return notes[~(bars & (notes["program"] == 40))]


def test_a_hole_is_filled_and_all_else_stays(studio: Studio) -> None:
    if not studio("GET", "info")["can"]["fill"]:
        pytest.skip("the tiny model knows no holes")
    options = {"bars": "3-4", "instruments": ["violin"], "seed": 2, "variations": 2}
    name, data = ask(studio, "fill", **options)
    assert (name, len(data["nodes"])) == ("done", 2)
    old = read(FOLK).notes
    for number in data["nodes"]:
        new = read(studio.workspace.tree.nodes[number].data).notes
        assert around(new).tolist() == around(old).tolist()
        score = studio("GET", f"nodes/{number}/score")
        assert (score["boundary"], score["holes"]) == (None, [[2 * BAR, 4 * BAR]])
    fact = studio("GET", "tree")["nodes"][1]
    assert (fact["kind"], fact["parent"], fact["growth"]["bars"]) == ("fill", 1, [3, 4])


def test_a_tune_is_accompanied_and_the_tree_is_read_again(studio: Studio) -> None:
    if not studio("GET", "info")["can"]["accompany"]:
        pytest.skip("the tiny model knows no given parts")
    name, data = ask(studio, "accompany", instruments="bass", seed=2)
    assert name == "done"
    tree = read_tree(studio.workspace.path)
    assert to_text(tree) == to_text(studio.workspace.tree)
    node = tree.nodes[data["nodes"][0]]
    assert node.growth is not None
    assert node.growth.task == "accompaniment"
    assert {*read(node.data).notes["program"].tolist()} <= {40, 24, 33}
    assert "accompaniment · bars 1–8" in drawn(tree)
    assert "seed" in described(tree, node)


def test_weights_that_know_no_holes_say_so(
    studio: Studio, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(weights.__dict__, "fills", False)
    for action in ("fill", "accompany"):
        asked = {"action": action, "options": {"bars": "1-2"}}
        code, sentence = studio.refuses("POST", "nodes/1/jobs", json=asked)
        assert (code, "can only continue music" in sentence) == (400, True)


def test_no_option_opens_a_file_of_a_client(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chart = tmp_path / "chart.txt"
    chart.write_text("C | Am | F | G7")
    with pytest.raises(InputError):
        options_from(GenerateOptions, {"chords": str(chart)})
    assert options_from(GenerateOptions, {"chords": "C | Am"}).chords == "C | Am"
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_, **__: pytest.fail("a file was read"))
    kinds: tuple[Any, ...] = (GenerateOptions, FillOptions, AccompanyOptions)
    for kind in kinds:
        for name in knobs(kind):
            with pytest.raises((InputError, AssertionError)):
                options_from(kind, {name: str(chart), "bars": "x"})


def test_a_node_that_is_pruned_while_its_job_waits(studio: Studio, weights: Weights) -> None:
    workspace = studio.workspace
    job = Actions(weights).asked(TreeSource(workspace, 1), {"action": "continue"})
    studio("DELETE", "nodes/1")
    with pytest.raises(InputError, match="node 1 was pruned"):
        job.work(job)


def test_what_was_pruned_while_it_was_continued_is_one_sentence(
    studio: Studio, weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = studio.workspace
    asked = {"action": "continue", "options": {"bars": 1}}
    job: Job = Actions(weights).asked(TreeSource(workspace, 1), asked)

    def pruned_meanwhile(*given: Any) -> Any:
        grown = grow(*given)
        studio("DELETE", "nodes/1")
        return grown

    monkeypatch.setattr("musenet.tree.grow.grow", pruned_meanwhile)
    with pytest.raises(InputError, match="pruned while music was grown"):
        job.work(job)
