"""The server as it runs: a real port, streams over it, kills, restarts, and bursts of requests."""

from __future__ import annotations

import functools
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from musenet.api import generate
from musenet.cli.main import main
from musenet.model.checkpoint import load_checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.studio.server import open_workspace
from musenet.tree.file import read_tree
from tokenizer.errors import InputError
from tokenizer.midi.read import read

from .conftest import FOLK, ROOT, SECONDS, Server, events_of, httpx


@pytest.fixture
def start(tmp_path: Path, lively: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def go(*arguments: str, serve: bool = False, slow: bool = False) -> Server:
        started.append(Server(tmp_path, lively, *arguments, serve=serve, slow=slow))
        return started[-1]

    yield go
    for each in started:
        if each.process.poll() is None:
            each.stop(signal.SIGKILL)


def test_notes_come_while_they_are_written(start: Callable[..., Server]) -> None:
    server = start(str(FOLK))
    job = server.ask(bars=400, seed=1)
    seen: list[str] = []
    with server.client.stream("GET", f"jobs/{job}/events") as stream:
        for line in stream.iter_lines():
            seen.append(line)
            if sum(each == "event: note" for each in seen) == 20:
                break
    last = max(int(line[4:]) for line in seen if line.startswith("id: "))
    assert server("GET", "jobs")[0]["state"] == "running"
    assert server("DELETE", f"jobs/{job}")["job"] == job
    rest = server.client.get(f"jobs/{job}/events", headers={"Last-Event-ID": str(last)})
    ids = [int(number) for number in re.findall(r"^id: (\d+)$", rest.text, re.MULTILINE)]
    assert ids == list(range(last + 1, last + 1 + len(ids)))
    name, data = events_of(rest.text)[-1]
    assert (name, len(data["nodes"])) == ("cancelled", 1)
    kept = server("GET", "tree")["nodes"][-1]
    assert kept["growth"]["stopped"]
    assert kept["growth"]["notes"] > 0


def test_a_killed_server_leaves_the_tree_as_it_was(
    start: Callable[..., Server], tmp_path: Path, lively: Path
) -> None:
    server = start(str(FOLK))
    job = server.ask(bars=1, seed=5)
    assert events_of(server.client.get(f"jobs/{job}/events").text)[-1] == ("done", {"nodes": [2]})
    server("PATCH", "nodes/2", json={"name": "verse"})
    before = server("GET", "tree")
    server.ask(bars=400, seed=1)
    server.stop(signal.SIGKILL)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folk.tree.json"]
    again = start("folk.tree.json")
    assert again("GET", "tree")["nodes"] == before["nodes"]
    (song,) = generate(load_checkpoint(lively), FOLK, GenerateOptions(bars=1, seed=5))
    assert again.client.get("nodes/2/file.mid").content == song.result.data


def test_the_scripts_of_the_documentation_are_true(
    start: Callable[..., Server], tmp_path: Path, lively: Path
) -> None:
    shutil.copy(FOLK, tmp_path / "song.mid")
    server = start()
    url, token = server.client.base_url, server.client.headers["Authorization"].split()[1]
    page = (ROOT / "docs" / "studio.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    address = f"http://{url.host}:{url.port}/?token={token}"
    script = script.replace("http://127.0.0.1:8000/?token=…", address)
    run = functools.partial(subprocess.run, check=True, cwd=tmp_path, timeout=SECONDS)
    run([sys.executable, "-c", script])
    (song,) = generate(load_checkpoint(lively), FOLK, GenerateOptions(bars=2, seed=1))
    made = read((tmp_path / "more.mid").read_bytes())
    assert made == song.score
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (lines,) = re.findall(r"```sh\n(api=.*?)```", page, re.DOTALL)
    for line in lines.splitlines()[1:]:
        setting = lines.splitlines()[0].replace("$PORT", str(url.port)).replace("$TOKEN", token)
        line = line.replace("nodes/1/jobs", "nodes/3/jobs").replace("nodes/2/", "nodes/4/")
        job = server("GET", "jobs")[0]["job"] if "JOB" in line else ""
        run(["bash", "-c", f"{setting}\n{line.replace('JOB', job)}"], stdout=subprocess.DEVNULL)
    (song,) = generate(load_checkpoint(lively), FOLK, GenerateOptions(bars=8, seed=1))
    assert read((tmp_path / "more.mid").read_bytes()) == song.score


def test_an_interrupt_keeps_what_was_written(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start(str(FOLK))
    job = server.ask(bars=400, seed=1)
    with server.client.stream("GET", f"jobs/{job}/events") as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line == "event: note")
        server.process.send_signal(signal.SIGINT)
        rest = list(lines)
    assert "event: cancelled" in rest
    assert server.process.wait(SECONDS) in (0, 130, -signal.SIGINT)
    tree = read_tree(tmp_path / "folk.tree.json")
    assert tree.nodes[2].growth is not None
    assert tree.nodes[2].growth.stopped


@pytest.mark.slow
def test_hundreds_of_requests_in_bursts_with_cancels(start: Callable[..., Server]) -> None:
    server, rng = start(str(FOLK)), np.random.default_rng(0)

    def one(number: int) -> tuple[str, int]:
        job = server.ask(bars=1, seed=number)
        if number % 3 == 0:
            server("DELETE", f"jobs/{job}")
        name, data = events_of(server.client.get(f"jobs/{job}/events").text)[-1]
        return name, len(data["nodes"])

    with ThreadPoolExecutor(40) as pool:
        ends = list(pool.map(one, rng.permutation(300).tolist()))
    counts = Counter(name for name, _ in ends)
    assert counts["done"] + counts["cancelled"] == 300
    assert counts["done"] >= 200
    assert server("GET", "jobs") == []
    nodes = server("GET", "tree")["nodes"]
    assert len(nodes) == 1 + sum(count for _, count in ends)
    seeds = {n["growth"]["options"]["seed"] for n in nodes[1:] if not n["growth"]["stopped"]}
    assert seeds >= {number for number in range(300) if number % 3}
    assert server.stop() in (0, 130, -signal.SIGINT)


def test_only_this_machine_is_listened_to(
    start: Callable[..., Server], capsys: pytest.CaptureFixture[str], lively: Path
) -> None:
    server = start("--no-page")
    assert str(server.client.base_url).startswith("http://127.0.0.1:")
    port = server.client.base_url.port
    listening = Path("/proc/net/tcp")
    if listening.exists():
        own = f":{port:04X}"
        places = {row.split()[1] for row in listening.read_text().splitlines()[1:]}
        assert {place for place in places if place.endswith(own)} == {f"0100007F{own}"}
    assert server.client.get(f"http://127.0.0.1:{port}/").status_code == 404
    assert server("GET", "tree")["file"] == "studio.tree.json"
    with pytest.raises(SystemExit) as stop:
        main(["studio", "--port", str(port), "--no-browser", "--weights", str(lively)])
    assert stop.value.code == 2
    assert f"port {port} cannot be opened" in capsys.readouterr().err


def test_what_the_studio_is_opened_with(tmp_path: Path) -> None:
    folk = open_workspace(FOLK, tmp_path)
    assert folk.path.name == "folk.tree.json"
    assert open_workspace(FOLK, tmp_path).path.name == "folk-2.tree.json"
    assert open_workspace(folk.path, tmp_path).tree.nodes[1].title == "folk"
    empty = open_workspace(None, tmp_path)
    assert (empty.path.name, empty.path.exists()) == ("studio.tree.json", False)
    assert open_workspace(tmp_path / "new.tree.json", tmp_path).tree.nodes == {}
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.mid").write_text("x")
    (tmp_path / "x.json").write_text(json.dumps({"format": "x"}))
    for name in ("x.txt", "x.mid", "x.json", "missing.mid"):
        with pytest.raises(InputError, match=name.partition(".")[0]):
            open_workspace(tmp_path / name, tmp_path)


def test_who_hangs_up_stops_the_music(start: Callable[..., Server]) -> None:
    server = start(serve=True, slow=True)
    events = {"Accept": "text/event-stream"}
    music = FOLK.read_bytes()
    asked = server.client.build_request(
        "POST", "continue?bars=10000", content=music, headers=events
    )
    stream = server.client.send(asked, stream=True)
    lines = stream.iter_lines()  # a generator that is dropped closes the connection
    next(line for line in lines if line == "event: note")
    (job,) = server("GET", "jobs")
    assert (job["state"], job["node"], job["action"]) == ("running", None, "continue")
    stream.close()
    wait_until(lambda: server("GET", "jobs") == [])
    with pytest.raises(httpx.ReadTimeout):
        server.client.post("continue?bars=10000", content=music, timeout=0.5)
    wait_until(lambda: server("GET", "jobs") == [])


def test_a_cancelled_request_has_what_there_was(start: Callable[..., Server]) -> None:
    server = start(serve=True, slow=True)

    def cancel() -> None:
        wait_until(lambda: any(job["share"] > 0 for job in server("GET", "jobs")))
        for job in server("GET", "jobs"):
            server("DELETE", f"jobs/{job['job']}")

    with ThreadPoolExecutor(1) as pool:
        cancelled = pool.submit(cancel)
        answer = server("POST", "continue?bars=10000", content=FOLK.read_bytes())
        cancelled.result()
    assert answer["state"] == "cancelled"
    (take,) = answer["takes"]
    assert take["stopped"]
    assert take["notes"] > 0


def test_the_token_of_a_file_or_a_variable(
    start: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSENET_TOKEN", "chosen-by-its-user")
    for arguments in ((), ("--token-file", "token")):
        server = start(*arguments, serve=True)
        assert server.token == ""  # not printed
        assert server.client.get("info").status_code == 401
        text = (tmp_path / "token").read_text().strip() if arguments else "chosen-by-its-user"
        assert server.client.get("info", headers={"Authorization": f"Bearer {text}"}).is_success
        assert server.client.get("tree", params={"token": text}).status_code == 404
    monkeypatch.setenv("MUSENET_TOKEN", "short")
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--port", "0"])
    assert stop.value.code == 2


def test_the_examples_of_serve_are_true(
    start: Callable[..., Server], tmp_path: Path, lively: Path
) -> None:
    shutil.copy(FOLK, tmp_path / "song.mid")
    server = start("--token-file", "token", serve=True)
    page = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    assert "http://127.0.0.1:8710" in page
    page = page.replace("http://127.0.0.1:8710", f"http://127.0.0.1:{server.client.base_url.port}")
    run = functools.partial(subprocess.run, check=True, cwd=tmp_path, timeout=SECONDS)
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    run([sys.executable, "-c", script])
    (song,) = generate(load_checkpoint(lively), FOLK, GenerateOptions(bars=2, seed=1))
    assert read((tmp_path / "take-1.mid").read_bytes()) == song.score
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (lines,) = re.findall(r"```sh\n(api=.*?)```", page, re.DOTALL)
    run(["bash", "-ec", lines], stdout=subprocess.DEVNULL)
    made = {path.name for path in tmp_path.glob("*.mid")}
    assert {"more.mid", "band.mid", "other.mid"} <= made
    assert read((tmp_path / "more.mid").read_bytes()) == song.score
    assert "event: done" in (tmp_path / "events.txt").read_text()


def wait_until(true: Callable[[], bool]) -> None:
    """Wait until something has happened, or fail."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_hundreds_of_requests_of_which_a_third_hang_up(start: Callable[..., Server]) -> None:
    server, music = start(serve=True), FOLK.read_bytes()

    def one(number: int) -> int:
        path = f"continue?bars=1&seed={number}"
        if number % 3:
            return len(server("POST", path, content=music)["takes"])
        headers = {"Accept": "text/event-stream"}
        with server.client.stream("POST", path, content=music, headers=headers) as stream:
            next(stream.iter_lines())
        return 0

    with ThreadPoolExecutor(40) as pool:
        assert sum(pool.map(one, range(300))) == 200
    wait_until(lambda: server("GET", "jobs") == [])
    assert server.stop() in (0, 130, -signal.SIGINT)
