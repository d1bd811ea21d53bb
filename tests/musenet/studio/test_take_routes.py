"""Requests that bring their music: three ways in, three ways out, and no tree in between."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any

import mido
import pytest

from musenet.api import generate
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.studio.app import make_app
from musenet.studio.jobs import Jobs
from musenet.studio.models import Weights
from tokenizer.midi.read import read

from .conftest import FOLK, PORT, TOKEN, Studio, events_of, testclient

MIDI = FOLK.read_bytes()
BAR = 3 * 480
JSON = {"midi": base64.b64encode(MIDI).decode(), "name": "folk.mid"}


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    found = Jobs(1)
    yield found
    found.close()


@pytest.fixture
def call(weights: Weights, jobs: Jobs) -> Callable[..., Any]:
    """A server without a tree: a function that asks it."""
    client = testclient.TestClient(
        make_app(None, weights, jobs, TOKEN, PORT, page=False),
        base_url=f"http://127.0.0.1:{PORT}",
        headers={"Authorization": f"Bearer {TOKEN}"},
        raise_server_exceptions=False,
    )

    def ask(path: str, method: str = "POST", accept: str = "*/*", **given: Any) -> Any:
        headers = {"Accept": accept, **given.pop("headers", {})}
        return client.request(method, f"/api/v1/{path}", headers=headers, **given)

    return ask


def made_by(tiny: Checkpoint, **options: Any) -> bytes:
    """What Python makes of the same request."""
    (song,) = generate(tiny, FOLK, GenerateOptions(**options))
    return song.result.data


def test_three_ways_in_and_two_ways_out_are_the_same_music(
    call: Callable[..., Any], tiny: Checkpoint
) -> None:
    wanted = made_by(tiny, bars=2, seed=3)
    raw = call("continue?bars=2&seed=3", content=MIDI, headers={"X-Name": "folk.mid"})
    asked = call("continue", json={**JSON, "options": {"bars": 2, "seed": 3}})
    file = {"file": ("folk.mid", MIDI, "audio/midi")}
    form = call("continue", files=file, data={"bars": "2", "seed": "3"})
    for answer in (raw, asked, form):
        assert answer.status_code == 200, answer.text
        (take,) = answer.json()["takes"]
        assert base64.b64decode(take["midi"]) == wanted
        assert (take["variation"], take["seed"], take["bars"]) == (1, 3, [9, 10])
    whole = call(
        "continue?bars=2&seed=3", accept="audio/midi", content=MIDI, headers={"X-Name": "folk.mid"}
    )
    assert (whole.headers["content-type"], whole.content) == ("audio/midi", wanted)
    assert len(mido.MidiFile(file=io.BytesIO(whole.content)).tracks) >= 2


def test_takes_of_a_hole_leave_the_rest(call: Callable[..., Any], weights: Weights) -> None:
    if not weights.fills:
        pytest.skip("the tiny model knows no holes")
    asked = "fill?bars=3-4&instruments=violin&variations=2&seed=1&keep_chords=false"
    takes = call(asked, content=MIDI).json()["takes"]
    assert [take["variation"] for take in takes] == [1, 2]
    old = read(FOLK).notes
    inside = (old["start"] >= 2 * BAR) & (old["start"] < 4 * BAR) & (old["program"] == 40)
    for take in takes:
        assert take["holes"] == [[2 * BAR, 4 * BAR]]
        new = read(base64.b64decode(take["midi"])).notes
        still = (new["start"] < 2 * BAR) | (new["start"] >= 4 * BAR) | (new["program"] != 40)
        assert new[still].tolist() == old[~inside].tolist()


def test_notes_come_as_events_and_the_takes_last(call: Callable[..., Any]) -> None:
    answer = call("continue?bars=1&seed=1&variations=2", accept="text/event-stream", content=MIDI)
    events = events_of(answer.text)
    names = [name for name, _ in events]
    assert names[0] == "job"
    assert {"note", "done"} <= {*names}
    last = events[-1][1]
    told = [data for name, data in events if name == "note"]
    assert len(last["takes"]) == 2
    assert len(told) >= sum(take["notes"] for take in last["takes"]) > 0
    assert all(data["start"] >= take["boundary"] for data in told for take in last["takes"])


def test_nothing_is_kept_of_a_request_that_is_answered(
    call: Callable[..., Any], jobs: Jobs
) -> None:
    call("continue?bars=1", content=MIDI)
    events = call("continue?bars=1", accept="text/event-stream", content=MIDI)
    job = events_of(events.text)[0][1]["job"]
    assert call(f"jobs/{job}/events", "GET").status_code == 404
    assert call("jobs", "GET").json() == []
    assert not jobs._known


def test_a_new_piece_needs_no_music(call: Callable[..., Any]) -> None:
    (take,) = call("continue", json={"options": {"bars": 1, "instruments": ["piano"]}}).json()[
        "takes"
    ]
    assert (take["boundary"], take["bars"][0]) == (0, 1)


@pytest.mark.parametrize(
    ("path", "given", "code", "words"),
    [
        ("continue", {"content": b"no midi"}, 400, "MIDI"),
        ("continue?bars=x", {"content": MIDI}, 400, "bars"),
        ("continue?bras=2", {"content": MIDI}, 400, "did you mean"),
        ("continue?variations=2", {"content": MIDI, "accept": "audio/midi"}, 406, "one take"),
        ("continue", {"json": {"midi": "x!"}}, 400, "base64"),
        ("continue", {"json": {"midi": 3}}, 400, "base64"),
        ("continue", {"json": {**JSON, "options": []}}, 400, "options"),
        ("continue", {"json": {**JSON, "option": {}}}, 400, "option"),
        ("continue?chords=/etc/passwd", {"content": MIDI}, 400, "chord"),
        ("fill", {"content": MIDI}, 400, "no hole"),
        ("fill?bars=1-2", {"content": b""}, 400, "empty"),
        ("accompany", {"content": MIDI}, 400, "no part"),
        ("continue", {"content": b"x" * (10 * 2**20 + 1)}, 413, "too large"),
        (
            "continue",
            {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            400,
            "oundary",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    call: Callable[..., Any], path: str, given: dict[str, Any], code: int, words: str
) -> None:
    answer = call(path, **given)
    assert answer.status_code == code, answer.text
    assert set(answer.json()) == {"error"}
    assert words in answer.json()["error"]
    assert "node 0" not in answer.json()["error"]


def test_errors_that_come_late_are_events_too(call: Callable[..., Any]) -> None:
    answer = call("continue?bars=1", accept="text/event-stream", content=b"MThd")
    name, data = events_of(answer.text)[-1]
    assert (name, set(data)) == ("failed", {"error"})


def test_without_a_tree_there_are_no_nodes(call: Callable[..., Any]) -> None:
    for path in ("tree", "nodes/1/score", "undo"):
        assert call(path, "GET").status_code == 404
    described = call("openapi.json", "GET").json()["paths"]
    assert not any(path.startswith(("/tree", "/nodes")) for path in described)
    assert set(described["/continue"]["post"]["requestBody"]["content"]) == {
        "audio/midi",
        "application/json",
        "multipart/form-data",
    }


def test_the_studio_answers_them_too_and_its_tree_stays(studio: Studio) -> None:
    nodes = studio("GET", "tree")["nodes"]
    assert studio("POST", "continue?bars=1", content=MIDI)["state"] == "done"
    assert studio("GET", "tree")["nodes"] == nodes
