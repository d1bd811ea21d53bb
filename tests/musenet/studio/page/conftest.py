"""The studio's page in a real browser: needs Playwright (`make test-studio`) and Chromium."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mido
import pytest

from musenet.studio.jobs import Jobs
from musenet.studio.models import Weights
from musenet.studio.workspace import Workspace
from musenet.tree.tree import Tree

from ..conftest import FOLK

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PLACES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PLACES)), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--autoplay-policy=no-user-gesture-required",
]
PATIENCE = 60_000
BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("playwright") is None, reason="Playwright is not installed"),
    pytest.mark.skipif(find_spec("uvicorn") is None, reason="the extra `studio` is missing"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
"""What every test here is marked with."""


class Studio:
    """A running studio: its address, its tree's file, and the pages that look at it."""

    def __init__(self, address: str, path: Path, browser: Browser) -> None:
        self.address = address
        self.path = path
        self.context = browser.new_context(
            viewport={"width": 1280, "height": 760}, accept_downloads=True
        )
        self.context.set_default_timeout(PATIENCE)
        self.requests: list[str] = []
        self.errors: list[str] = []

    def open(self) -> Page:
        """A new tab with the page, once it is ready."""
        page = self.context.new_page()
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)
        page.goto(self.address)
        page.wait_for_selector("body.is-ready")
        return page

    def _said(self, message: Any) -> None:
        if message.type == "error" and "status of 4" not in message.text:
            self.errors.append(message.text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def running(browser: Browser, tmp_path: Path, weights: Weights) -> Iterator[Studio]:
    """A studio on an empty tree; no page may ask another host or meet an error."""
    with served(tmp_path / "song.tree.json", weights) as address:
        studio = Studio(address, tmp_path / "song.tree.json", browser)
        yield studio
        studio.context.close()
    origin = address.partition("?")[0]
    others = [url for url in studio.requests if not url.startswith((origin, "blob:", "data:"))]
    assert not others
    assert not studio.errors


@contextlib.contextmanager
def served(tree: Path, weights: Weights) -> Iterator[str]:
    """The address of a studio on a free port, which runs in a thread."""
    import uvicorn

    from musenet.studio.app import make_app

    config = uvicorn.Config("", "127.0.0.1", 0, log_config=None, lifespan="off")
    socket = config.bind_socket()
    port = socket.getsockname()[1]
    jobs = Jobs(1)
    config.app = make_app(Workspace(tree, Tree()), weights, jobs, "secret", port)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/?token=secret"
    jobs.close()
    server.should_exit = server.force_exit = True
    thread.join(20)


def has(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until an expression holds."""
    page.wait_for_function(expression, arg=argument)


def dropped(page: Page, path: Path = FOLK) -> None:
    """Drop a MIDI file on the page and wait until its notes are there."""
    drop(page, path)
    has(page, "() => studio.session.score?.count > 0")


def drop(page: Page, path: Path) -> None:
    """Drop a file on the page, as from a folder."""
    page.evaluate(
        """async ([bytes, name]) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], name, { type: "audio/midi" }));
            const event = { dataTransfer: carried, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("dragover", event));
            document.body.dispatchEvent(new DragEvent("drop", event));
        }""",
        [list(path.read_bytes()), path.name],
    )


def written(page: Page, bars: int = 4) -> list[int]:
    """Have takes written; the numbers of their nodes."""
    page.click(f"#bars label:has(input[value='{bars}'])")
    page.click("#write")
    has(page, "() => studio.session.job !== null")
    has(page, "() => studio.session.job === null && typeof studio.session.current === 'number'")
    nodes: list[int] = page.evaluate("() => studio.session.takes(studio.session.current)")
    return nodes


def pitches(data: bytes) -> list[int]:
    """The pitches of all notes of a MIDI file, by mido."""
    tracks = mido.MidiFile(file=io.BytesIO(data)).tracks
    return [m.note for track in tracks for m in track if m.type == "note_on" and m.velocity]
