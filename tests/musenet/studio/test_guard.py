"""Who is let in: the token, the name of the server, and where a request comes from."""

from __future__ import annotations

import hmac
import os
import stat
from pathlib import Path

import pytest
from starlette.websockets import WebSocketDisconnect

from musenet.studio import app, guard
from tokenizer.errors import InputError

from .conftest import PORT, TOKEN, Studio

HERE = f"127.0.0.1:{PORT}"


def status(studio: Studio, path: str = "/api/v1/tree", **headers: str) -> int:
    """The status of a request with these headers alone."""
    studio.client.headers.pop("Authorization", None)
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    found: int = studio.client.get(path, headers=spelled).status_code
    return found


def test_the_token_opens_by_header_or_query(studio: Studio) -> None:
    assert status(studio, Authorization=f"Bearer {TOKEN}") == 200
    assert status(studio, Authorization=f"bearer {TOKEN}") == 200
    assert status(studio, f"/api/v1/tree?token={TOKEN}") == 200


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"])
def test_no_other_token_does(studio: Studio, wrong: str) -> None:
    assert status(studio) == 401
    assert status(studio, f"/api/v1/tree?token={wrong}") == 401
    assert status(studio, f"/?token={wrong}") == 401
    if wrong.isascii():
        assert status(studio, Authorization=f"Bearer {wrong}") == 401
        assert status(studio, Authorization=f"Basic {wrong}") == 401
    assert status(studio, Authorization="Bearer") == 401


def test_tokens_are_compared_in_constant_time(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        seen.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    assert status(studio, Authorization="Bearer wrong") == 401
    assert seen == [(b"wrong", TOKEN.encode())]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"localhost.evil.example:{PORT}",
             f"[::1]:{PORT}", f"0.0.0.0:{PORT}", ""],
)  # fmt: skip
def test_another_name_for_this_machine_is_refused(studio: Studio, host: str) -> None:
    assert status(studio, Host=host, Authorization=f"Bearer {TOKEN}") == 403


def test_both_names_of_this_machine_are_taken(studio: Studio) -> None:
    for name in ("127.0.0.1", "localhost"):
        own = {"Host": f"{name}:{PORT}", "Origin": f"http://{name}:{PORT}"}
        assert status(studio, Authorization=f"Bearer {TOKEN}", **own) == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"https://{HERE}", "http://127.0.0.1", f"http://{HERE}/",
               f"http://localhost:{PORT}"],
)  # fmt: skip
def test_pages_of_other_origins_are_refused(studio: Studio, origin: str) -> None:
    assert status(studio, Origin=origin, Authorization=f"Bearer {TOKEN}") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_fetches_for_another_page_is_refused(studio: Studio, site: str) -> None:
    assert status(studio, Sec_Fetch_Site=site, Authorization=f"Bearer {TOKEN}") == 403
    assert status(studio, "/page/main.js", Sec_Fetch_Site=site) == 403


def test_a_preflight_is_refused(studio: Studio) -> None:
    headers = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = studio.client.options("/api/v1/prompts", headers=headers)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/", "/page/nothing.js", "/api/v1/tree", "/api/v1/nodes/9/score"])
def test_every_answer_carries_the_headers(studio: Studio, path: str) -> None:
    for answer in (studio.client.get(path), studio.client.get(path, headers={"Host": "x"})):
        for name, value in guard.HEADERS.items():
            assert answer.headers[name] == value
        assert "access-control-allow-origin" not in answer.headers


def test_there_are_no_websockets(studio: Studio) -> None:
    opening = studio.client.websocket_connect(f"/api/v1/tree?token={TOKEN}")
    with pytest.raises(WebSocketDisconnect), opening:
        pass


def test_the_interface_lies_below_a_version() -> None:
    assert app.API == "/api/v1"


def test_a_token_file_is_made_for_its_user_alone_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = guard.token_in(path)
    assert len(token) >= 43
    assert guard.token_in(path) == token
    assert path.read_text(encoding="ascii").strip() == token
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o640)
        with pytest.raises(InputError, match="others can read"):
            guard.token_in(path)


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 15, "x" * 20 + " y", "é" * 20, "x" * 20 + "\0"]
)
def test_a_file_without_a_token_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="holds no token"):
        guard.token_in(path)
    assert path.read_text(encoding="utf-8") == text
