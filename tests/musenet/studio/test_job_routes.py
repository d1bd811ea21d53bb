"""Jobs over HTTP: their music is that of the command line, and no event of theirs is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.cli import generate_run
from musenet.cli.main import main
from musenet.model.checkpoint import Checkpoint
from tokenizer.midi.read import read

from .conftest import FOLK, Studio


def test_a_take_has_the_bytes_of_the_command_line(
    studio: Studio, tiny: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate_run, "load_checkpoint", lambda name, **_: tiny)
    shutil.copy(FOLK, tmp_path / "folk.mid")
    words = "--bars 2 --seed 7 --variations 2 --tempo 90 --temperature pitch=0.9 --end"
    with pytest.raises(SystemExit) as stop:
        main(["generate", f"{tmp_path}/folk.mid", "--out", f"{tmp_path}/o/x.mid", *words.split()])
    assert not stop.value.code
    options = {"bars": 2, "seed": 7, "variations": 2, "tempo": 90, "ending": True}
    made = studio.make(**options, temperature="pitch=0.9")
    assert made == {"state": "done", "nodes": [2, 3]}
    for number, node in enumerate(made["nodes"], 1):
        file = studio.client.get(f"/api/v1/nodes/{node}/file.mid")
        assert file.content == (tmp_path / "o" / f"x-{number}.mid").read_bytes()
        assert file.headers["content-disposition"].startswith('attachment; filename="folk ')


def test_notes_are_told_as_they_are_written(studio: Studio) -> None:
    asked = {"action": "continue", "options": {"bars": 2, "seed": 3, "variations": 2}}
    events = studio.follow(studio("POST", "nodes/1/jobs", json=asked)["job"])
    notes = [data for name, data in events if name == "note"]
    for take, node in enumerate(events[-1][1]["nodes"]):
        told = sorted((n["start"], n["pitch"], n["program"]) for n in notes if n["take"] == take)
        score = read(studio.workspace.tree.nodes[node].data)
        new = score.notes[score.notes["start"] >= 8 * 3 * 480]
        written = sorted(
            zip(*(new[k].tolist() for k in ("start", "pitch", "program")), strict=True)
        )
        assert set(written) <= set(told)
        assert len(written) >= 0.9 * len(told) > 0
    starts = [n["start"] for n in notes if n["take"] == 0]
    assert starts == sorted(starts)
    facts = studio("GET", "tree")["nodes"][1]
    assert (facts["kind"], facts["parent"], facts["growth"]["options"]["bars"]) == (
        "continuation",
        1,
        2,
    )
    assert studio("GET", "nodes/2/score")["boundary"] == 8 * 3 * 480


def test_reading_goes_on_where_it_broke_off(studio: Studio) -> None:
    asked = {"action": "continue", "options": {"bars": 2, "seed": 3}}
    job = studio("POST", "nodes/1/jobs", json=asked)["job"]
    whole = [e for e in studio.follow(job) if e[0] not in ("queued", "progress")]
    for after in (1, 5, len(whole) - 1):
        again = [e for e in studio.follow(job, after) if e[0] not in ("queued", "progress")]
        assert again == whole[after:]
    path = f"/api/v1/jobs/{job}/events"
    done = studio.client.get(path, headers={"Last-Event-ID": str(len(whole))})
    assert (done.status_code, done.content) == (204, b"")
    for odd in ("x", "-1", "1e9", ""):
        assert studio.client.get(path, headers={"Last-Event-ID": odd}).text.count("event: note") > 0


def test_a_seed_is_drawn_where_none_is_given(studio: Studio) -> None:
    nodes = [studio.make(bars=1)["nodes"][0] for _ in range(2)]
    one, two = (studio.workspace.tree.nodes[node] for node in nodes)
    assert one.growth is not None
    assert two.growth is not None
    assert one.growth.options.seed != two.growth.options.seed
    assert one.data != two.data


def test_music_from_nothing(studio: Studio) -> None:
    blank = studio("POST", "prompts", json={"blank": True})["id"]
    assert studio.refuses("GET", f"nodes/{blank}/file.mid")[0] == 400
    made = studio.make(blank, bars=2, seed=1, meter="3/4")
    assert (
        read(studio.workspace.tree.nodes[made["nodes"][0]].data).time_signatures["numerator"] == 3
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"bar": 4}, "did you mean 'bars'"),
        ({"bars": "many"}, "the option 'bars' does not take 'many'"),
        ({"bars": 0}, "bars 0 is outside"),
        ({"composer": "nobody at all"}, "composer"),
        ({"composer": 3}, "does not take 3"),
        ({"instruments": ["piono"]}, "piano"),
        ({"seed": 1.5}, "the option 'seed' does not take 1.5"),
        ({"seed": True}, "the option 'seed' does not take True"),
        ({"key": ["x"]}, "does not take"),
        ({"engine": "steam"}, "steam"),
        ({"begin": "x"}, "--from"),
        ({"variations": 65}, "1 to 64"),
        ({"variations": "x"}, "the option 'variations' does not take 'x'"),
        ({"scale": {"a": 1}}, "the option 'scale' does not take"),
        ([], "JSON object"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_sentence(studio: Studio, options: object, sentence: str) -> None:
    asked = {"action": "continue", "options": options}
    answer = studio.client.post("/api/v1/nodes/1/jobs", json=asked)
    if answer.status_code == 202:
        name, data = studio.follow(answer.json()["job"])[-1]
        assert name == "failed"
        assert sentence in data["error"]
    else:
        assert answer.status_code == 400
        assert sentence in answer.json()["error"]
    assert len(studio("GET", "tree")["nodes"]) == 1


def test_other_actions_and_other_nodes(studio: Studio) -> None:
    code, sentence = studio.refuses("POST", "nodes/1/jobs", json={"action": "fil"})
    assert (code, "did you mean 'fill'" in sentence) == (400, True)
    assert studio.refuses("POST", "nodes/1/jobs", json={"do": 1})[0] == 400
    assert studio.refuses("POST", "nodes/7/jobs", json={"action": "continue"})[0] == 404
    assert studio.refuses("GET", "jobs/1/events")[0] == 404
    assert studio.refuses("DELETE", "jobs/1")[0] == 404


def test_the_options_that_info_tells_are_taken(studio: Studio) -> None:
    told = studio("GET", "info")["options"]
    kinds = {"boolean", "integer", "number", "text", "list"}
    assert {option["type"] for option in told} <= kinds
    defaults = {option["name"]: option["default"] for option in told}
    assert studio.make(**{**defaults, "bars": 1, "length": None})["state"] == "done"
    assert {"--bars", "--from", "--to", "--end"} <= {option["flag"] for option in told}


def test_the_picture_is_that_of_the_command_line(studio: Studio, tmp_path: Path) -> None:
    studio.make(bars=1, seed=1)
    target = tmp_path / "x.png"
    tree = studio.workspace.path
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "tree",
                "export",
                str(tree),
                "2",
                "--out",
                f"{tmp_path}/x.mid",
                "--picture",
                str(target),
            ]
        )
    assert not stop.value.code
    assert studio.client.get("/api/v1/nodes/2/picture.png").content == target.read_bytes()
    assert (
        studio.client.get("/api/v1/nodes/2/file.mid").content == (tmp_path / "x.mid").read_bytes()
    )


def test_notes_of_a_score_are_those_that_mido_reads(studio: Studio, tmp_path: Path) -> None:
    node = studio.make(bars=1, seed=1)["nodes"][0]
    path = tmp_path / "x.mid"
    path.write_bytes(studio.client.get(f"/api/v1/nodes/{node}/file.mid").content)
    pitches = [m.note for m in mido.MidiFile(path) if m.type == "note_on" and m.velocity]
    assert np.array_equal(
        sorted(pitches), sorted(studio("GET", f"nodes/{node}/score")["notes"]["pitch"])
    )
