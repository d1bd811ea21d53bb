"""The Hub, against a stand-in of its interface on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from musenet import hub
from musenet.api import Model, load
from musenet.model.checkpoint import Checkpoint
from tokenizer.errors import InputError

REPOSITORY = "someone/tiny"
COMMIT = "a" * 40


class StandIn(BaseHTTPRequestHandler):
    """As much of the Hub as downloading and uploading ask for; files in memory."""

    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def log_message(self, *_arguments: Any) -> None:
        pass

    def _json(self, data: Any, status: int = 200) -> None:
        self._bytes(json.dumps(data).encode(), status, {"Content-Type": "application/json"})

    def _bytes(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _missing(self) -> None:
        self._bytes(b"", 404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "not found"})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.partition("?")[0]
        if not self.files or REPOSITORY not in path:
            self._missing()
        elif path.startswith(f"/api/models/{REPOSITORY}/tree/"):
            self._json(
                [
                    {"type": "file", "path": name, "size": len(data), "oid": _oid(data)}
                    for name, data in self.files.items()
                ]
            )
        elif path.startswith("/api/models/"):
            names = [{"rfilename": name} for name in self.files]
            self._json({"id": REPOSITORY, "sha": COMMIT, "siblings": names, "private": False})
        else:
            data = self.files.get(path.rpartition("/")[2])
            if data is None:
                self._bytes(b"", 404, {"X-Error-Code": "EntryNotFound"})
            else:
                self._bytes(data, 200, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": COMMIT})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.asked.append(f"POST {path}")
        if path == "/api/repos/create":
            self._json({"url": f"http://{self.headers['Host']}/{REPOSITORY}", "id": REPOSITORY})
        elif "/preupload/" in path:
            names = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]
            self._json({"files": files})
        elif "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    data = base64.b64decode(line["value"]["content"])
                    self.files[line["value"]["path"]] = data
            url = f"http://{self.headers['Host']}/{REPOSITORY}/commit/{COMMIT}"
            self._json({"commitUrl": url, "commitOid": COMMIT})
        else:
            self._json({})


def _oid(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    StandIn.files, StandIn.asked = {}, []
    yield server
    server.shutdown()
    server.server_close()


def test_a_model_goes_up_and_comes_down_and_is_there_offline(
    endpoint: ThreadingHTTPServer, tiny: Checkpoint, tmp_path: Path
) -> None:
    address = Model(tiny).push_to_hub(REPOSITORY, licence="cc0-1.0", token="secret")
    assert address.endswith(f"/{REPOSITORY}")
    assert set(StandIn.files) == set(hub.FILES)
    back = load(REPOSITORY)
    for name, tensor in back.checkpoint.model.state_dict().items():
        expected = tiny.model.state_dict()[name].bfloat16().float()
        assert torch.equal(tensor, expected), name
    assert back.checkpoint.tokenizer == tiny.tokenizer
    assert len(back.generate(bars=1, seed=1, engine="eager")[0].score.notes) >= 0
    folder = hub.download(REPOSITORY, tmp_path / "here")
    assert folder == tmp_path / "here"
    assert load(folder).checkpoint.hash == back.checkpoint.hash
    endpoint.shutdown()
    endpoint.server_close()
    assert load(REPOSITORY).checkpoint.hash == back.checkpoint.hash, "from the cache"
    with pytest.raises(InputError, match="cannot reach the Hub for someone/other"):
        load("someone/other")


def test_the_card_has_the_metadata_that_the_hub_wants(
    endpoint: ThreadingHTTPServer, tiny: Checkpoint
) -> None:
    from dataclasses import replace

    from huggingface_hub import ModelCard

    figures = {"bits_per_note": 3.21, "pieces": 12}
    known = replace(tiny, source=tiny.model, training={"evaluation": figures})
    Model(known).push_to_hub(REPOSITORY, licence="cc-by-sa-4.0")
    data = ModelCard(StandIn.files["README.md"].decode()).data
    assert (data.license, data.library_name) == ("cc-by-sa-4.0", "musenet")
    assert {"music", "midi"} <= set(data.tags)
    assert [(r.metric_type, r.metric_value) for r in data.eval_results] == [("bits-per-note", 3.21)]


def test_what_is_not_there_is_one_sentence(endpoint: ThreadingHTTPServer, tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match="the Hub has no model some/thing, or it is private"):
        load("some/thing")
    with pytest.raises(InputError, match="give owner/name"):
        Model(tiny).push_to_hub("alone", licence="mit")


def test_a_folder_is_never_looked_for_on_the_hub(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent.parent)
    name = f"{folder.parent.name}/{folder.name}"
    assert not hub.is_repository(name)
    assert isinstance(load(name), Model)
    assert hub.is_repository("someone/something")
    assert not any(map(hub.is_repository, ("mini", "a/b/c", "/a/b", "../a", "mini+a/b")))


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"no folder run/best, .*pip install 'musenet\[hub\]'"):
        load("run/best")
