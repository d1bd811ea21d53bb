"""A page of another site gets and changes nothing."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from musenet.tree.file import read_tree

from .conftest import BROWSER, Studio, dropped

pytestmark = BROWSER

HOSTILE = """<!doctype html><title>Another site</title><iframe src="{0}/"></iframe>
<form method="post" action="{0}/api/v1/prompts" enctype="text/plain" target="out">
<input name="x"></form><iframe name="out"></iframe>"""
ATTACK = """async (origin) => {
    const got = [];
    const api = `${origin}/api/v1/`;
    const asked = [["GET", "tree"], ["GET", "nodes/1/file.mid"], ["POST", "prompts"],
        ["DELETE", "nodes/1"]];
    const ask = async (method, path, token, given) => {
        const body = method === "POST" ? JSON.stringify({ blank: true }) : undefined;
        try {
            const answer = await fetch(`${api}${path}?token=${token}`, { method, body, ...given });
            if (answer.type !== "opaque") got.push(`${method} ${path} ${token}`);
        } catch {}
    };
    for (const token of ["", "guessed", "secret"]) {
        const headers = { Authorization: `Bearer ${token}` };
        for (const [method, path] of asked) {
            await ask(method, path, token, { headers });
            await ask(method, path, token, { mode: "no-cors" });
        }
    }
    document.forms[0].submit();
    for (const kind of ["img", "script"]) {
        await new Promise((done) => {
            const element = document.createElement(kind);
            element.onload = () => (got.push(kind), done());
            element.onerror = done;
            element.src = `${api}nodes/1/picture.png?token=secret`;
            document.body.append(element);
        });
    }
    return got;
}"""


def test_a_page_of_another_site_gets_and_changes_nothing(running: Studio, tmp_path: Path) -> None:
    page = running.open()
    dropped(page)
    origin = running.address.partition("/?")[0]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text(HOSTILE.format(origin))
    quiet = functools.partial(QuietHandler, directory=str(tmp_path / "site"))
    site = ThreadingHTTPServer(("127.0.0.1", 0), quiet)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    stranger = running.context.new_page()
    stranger.goto(f"http://127.0.0.1:{site.server_port}/")
    tried = stranger.evaluate(ATTACK, origin)
    site.shutdown()
    assert tried == []
    assert stranger.frames[1].url.startswith("chrome-error:")  # it may not be embedded
    page.evaluate("() => studio.session.refresh()")
    assert page.evaluate("() => studio.session.nodes.length") == 1
    assert list(read_tree(running.path).nodes) == [1]
    stranger.close()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: Any) -> None:
        return
