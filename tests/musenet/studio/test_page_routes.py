"""The page's own files, and nothing else of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from musenet.studio import page_routes

from .conftest import TOKEN, Studio


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page of three files beside a secret."""
    folder = tmp_path / "page"
    (folder / "lib").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "main.js").write_text("export {};")
    (folder / "lib" / "a b.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(page_routes, "FOLDER", folder)
    return folder


def test_the_page_and_its_modules(studio: Studio, page: Path) -> None:
    client = studio.client
    start = client.get("/")
    assert start.text == "<!doctype html>"
    assert start.headers["content-type"] == "text/html; charset=utf-8"
    client.headers.pop("Authorization")
    assert client.get("/").status_code == 401
    assert client.get(f"/?token={TOKEN}").status_code == 200
    module = client.get("/page/main.js")  # without the token
    assert module.headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/page/lib/a%20b.wasm").content == b"\0asm"
    again = client.get("/page/main.js", headers={"If-None-Match": module.headers["etag"]})
    assert again.status_code in (200, 304)


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd", "%2fetc%2fpasswd",
     "lib", "lib/", "", ".", "lib/../main.js", "main.js%00.txt", "MAIN.JS/", "..\\secret.txt",
     "lib/%2e%2e/%2e%2e/secret.txt"],
)  # fmt: skip
def test_no_path_leads_out_of_the_page(studio: Studio, page: Path, path: str) -> None:
    answer = studio.client.get(f"/page/{path}")
    assert "secret" not in answer.text
    assert answer.status_code in (401, 404) or answer.text == "export {};"


def test_a_link_is_followed_only_where_the_page_holds_it(studio: Studio, page: Path) -> None:
    assert studio.client.get("/page/missing.js").status_code == 404
    assert studio.client.get("/page/lib").status_code == 404
