"""A studio with the tiny model on a tree in an empty folder, and a client that knows its token."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from musenet.model.checkpoint import Checkpoint
from musenet.studio.jobs import Jobs
from musenet.studio.models import Weights
from musenet.studio.workspace import Workspace
from musenet.tree.tree import Tree

testclient = pytest.importorskip("starlette.testclient", reason="the extra `studio` is missing")
httpx = pytest.importorskip("httpx", reason="httpx is missing")
TOKEN = "a-token-of-the-test"
PORT = 8123
ROOT = Path(__file__).parents[3]
FOLK = ROOT / "examples" / "prompts" / "folk.mid"
SECONDS = 120.0


class Studio:
    """What a test drives: the tree and a client."""

    def __init__(self, workspace: Workspace, client: Any) -> None:
        self.workspace = workspace
        self.client = client

    def __call__(self, method: str, path: str, **given: Any) -> Any:
        """The JSON of an answer that must be a good one."""
        answer = self.client.request(method, f"/api/v1/{path}", **given)
        assert answer.is_success, answer.text
        return answer.json()

    def refuses(self, method: str, path: str, **given: Any) -> tuple[int, str]:
        """The status and the sentence of an answer that must be an error."""
        answer = self.client.request(method, f"/api/v1/{path}", **given)
        assert answer.is_error, answer.text
        assert set(answer.json()) == {"error"}
        return answer.status_code, answer.json()["error"]

    def follow(self, job: str, after: int = 0) -> list[tuple[str, dict[str, Any]]]:
        """The events of a job to its end: names and data."""
        headers = {"Last-Event-ID": str(after)}
        answer = self.client.get(f"/api/v1/jobs/{job}/events", headers=headers)
        assert answer.headers["content-type"].startswith("text/event-stream")
        return events_of(answer.text)

    def make(self, node: int = 1, **options: Any) -> dict[str, Any]:
        """The last event of a job that continues a node."""
        job = self("POST", f"nodes/{node}/jobs", json={"action": "continue", "options": options})
        name, data = self.follow(job["job"])[-1]
        return {"state": name, **data}


SLOWED = """
import time
from musenet.generation.request import Request
steps = Request.steps
Request.steps = lambda self: (time.sleep(0.03) or tick for tick in steps(self))
"""
"""Makes every note take a while: the tiny model leaps over bars, and is done before one looks."""


class Server:
    """A `musenet studio` or `serve` in a process of its own."""

    def __init__(
        self,
        folder: Path,
        weights: Path,
        *arguments: str,
        serve: bool = False,
        slow: bool = False,
    ) -> None:
        code = (SLOWED if slow else "") + "from musenet.cli.main import main; main()"
        command = ["serve", "--port", "0"] if serve else ["studio", "--no-browser"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *command, *arguments, "--weights", str(weights)],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        else:
            pytest.fail("the server did not start")
        (base,) = re.findall(r"http://127\.0\.0\.1:\d+", said)
        (self.token,) = re.findall(r"(?:\?token=|Token: )(\S+)", said) or [""]
        self.address = f"{base}/?token={self.token}"
        self.client = httpx.Client(
            base_url=f"{base}/api/v1/",
            headers={"Authorization": f"Bearer {self.token}"} if self.token else {},
            timeout=SECONDS,
            limits=httpx.Limits(max_connections=64),
        )

    def __call__(self, method: str, path: str, **given: Any) -> Any:
        answer = self.client.request(method, path, **given)
        assert answer.is_success, answer.text
        return answer.json()

    def ask(self, node: int = 1, **options: Any) -> str:
        """Ask for music; returns the job."""
        asked = {"action": "continue", "options": options}
        found: str = self("POST", f"nodes/{node}/jobs", json=asked)["job"]
        return found

    def stop(self, sign: int = signal.SIGINT) -> int:
        self.client.close()
        self.process.send_signal(sign)
        code = self.process.wait(SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def events_of(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The events in a stream of Server-Sent Events."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


@pytest.fixture
def weights(folder: Path, tiny: Checkpoint) -> Weights:
    """The tiny model, with lively weights."""
    found = Weights(str(folder))
    found.use(tiny)
    return found


@pytest.fixture
def open_studio(
    tmp_path: Path, weights: Weights, request: pytest.FixtureRequest
) -> Callable[..., Studio]:
    """A function that opens the studio on the tree of a file."""
    from musenet.studio.app import make_app

    def opened(name: str = "song.tree.json", workers: int = 1) -> Studio:
        path = tmp_path / name
        workspace = Workspace(path, None if path.exists() else Tree())
        jobs = Jobs(workers)
        request.addfinalizer(jobs.close)
        app = make_app(workspace, weights, jobs, TOKEN, PORT)
        client = testclient.TestClient(
            app,
            base_url=f"http://127.0.0.1:{PORT}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            raise_server_exceptions=False,
        )
        return Studio(workspace, client)

    return opened


@pytest.fixture
def studio(open_studio: Callable[..., Studio]) -> Studio:
    """A studio on a new tree with one prompt, node 1."""
    found = open_studio()
    found("POST", "prompts", content=FOLK.read_bytes(), headers={"X-Name": "folk.mid"})
    return found
