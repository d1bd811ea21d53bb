"""The studio's page in a real browser: needs Playwright (`make test-studio`) and Chromium."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mido
import numpy as np
import pytest

from musenet.api import generate
from musenet.generation.request import Request
from musenet.options.generate_options import GenerateOptions
from musenet.studio.jobs import Jobs
from musenet.studio.models import Weights
from musenet.studio.workspace import Workspace
from musenet.tree.file import read_tree
from musenet.tree.tree import Tree
from tokenizer.midi.read import read
from tokenizer.notation.read import musicxml_score
from tokenizer.typing import Notes

from .conftest import FOLK, ROOT, Server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra `studio` is missing")

PLACES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PLACES)), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
    "--autoplay-policy=no-user-gesture-required",
]
BANK = ROOT / "musenet" / "studio" / "page" / "bank" / "synth.js"
FRAME = 32  # milliseconds that drawing may take
PATIENCE = 60_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


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
    with playwright.sync_playwright() as driver:
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


def test_drop_a_file_write_and_switch_takes_while_they_play(running: Studio) -> None:
    page = running.open()
    page.wait_for_selector("#welcome:not([hidden])")
    dropped(page)
    assert page.is_hidden("#welcome")
    notes = sum(
        m.type == "note_on" and m.velocity > 0 for t in mido.MidiFile(FOLK).tracks for m in t
    )
    assert page.evaluate("() => studio.session.score.count") == notes
    nodes = written(page)
    assert len(nodes) == 4
    assert page.locator("#takes .take").count() == 4

    page.evaluate(
        "() => { studio.player.seek(studio.session.score.boundary); studio.player.play(); }"
    )
    has(page, "() => studio.player.synth.voices.length > 0")
    for key, node in zip("2341", [*nodes[1:], nodes[0]], strict=True):
        before = page.evaluate("() => studio.player.seconds")
        page.keyboard.press(key)
        has(page, "node => studio.session.current === node && studio.roll.score", node)
        after, playing = page.evaluate("() => [studio.player.seconds, studio.player.playing]")
        assert playing
        assert before - 1e-6 < after < before + 3  # it went on, from the same place
    page.keyboard.press(" ")
    assert page.evaluate("() => studio.player.playing") is False


def test_what_is_written_is_heard_before_it_is_whole(running: Studio) -> None:
    page = running.open()
    dropped(page)
    page.click("#bars label:has(input[value='32'])")
    page.click("#write")
    has(page, "() => studio.session.job")
    has(
        page, "() => (score => score.count > score.firstFrom(score.boundary))(studio.session.score)"
    )
    assert page.evaluate("() => studio.player.playing")
    has(page, "() => studio.session.job === null")


def test_a_job_is_cancelled_and_what_there_was_is_kept(
    running: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = Request.latest

    def slowly(request: Request) -> Notes:
        time.sleep(0.01)  # a network this small is done before the page has drawn its first notes
        return latest(request)

    monkeypatch.setattr(Request, "latest", slowly)
    page = running.open()
    dropped(page)
    page.evaluate("() => studio.session.write('continue', { bars: 4000, variations: 2 }, null)")
    has(page, "() => studio.session.job?.takes[1].count > 20")
    page.click("#cancel")
    has(page, "() => studio.session.job === null")
    assert page.evaluate("() => studio.session.nodes.length") == 3
    assert page.evaluate("() => studio.session.score.bar(studio.session.score.end)") < 4000


def test_branch_reload_and_export(running: Studio) -> None:
    page = running.open()
    dropped(page)
    nodes = written(page)
    page.evaluate("() => { studio.player.pause(); studio.roll.showAll(); }")
    # branch: drag over the bar numbers, then continue from there
    x = page.evaluate("() => [5, 6].map(bar => studio.roll.x(studio.roll.score.barStart(bar)) + 8)")
    box = page.locator("#over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x[0], box["y"] + 12)
    page.mouse.down()
    page.mouse.move(box["x"] + x[1], box["y"] + 12, steps=4)
    page.mouse.up()
    page.click("#bars-menu button >> nth=0")
    assert page.input_value("#after") == "6"
    branch = written(page)
    parent, boundary = page.evaluate(
        """() => {
            const { score, current } = studio.session;
            return [studio.session.find(current).parent, score.bar(score.boundary)];
        }"""
    )
    assert parent == nodes[0]
    assert boundary == 7

    page.reload()
    page.wait_for_selector("body.is-ready")
    assert page.evaluate("() => studio.session.current") == branch[0]
    assert page.evaluate("() => studio.session.nodes.length") == 1 + 4 + 4

    with page.expect_download() as download:
        page.click("#downloads")
        page.click("[data-file=midi]")
    saved = Path(download.value.path()).read_bytes()
    assert download.value.suggested_filename.endswith(".mid")
    assert saved == read_tree(running.path).nodes[branch[0]].data


def test_audio_is_rendered_in_the_page(running: Studio) -> None:
    page = running.open()
    dropped(page)
    with page.expect_download() as download:
        page.click("#downloads")
        page.click("[data-file=wav]")
    data = Path(download.value.path()).read_bytes()
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    seconds = (len(data) - 44) / (44_100 * 4)
    assert mido.MidiFile(FOLK).length < seconds < mido.MidiFile(FOLK).length + 5
    peak = int(np.abs(np.frombuffer(data[44:], "<i2").astype(int)).max())
    assert 3_000 < peak < 32_767


@pytest.mark.skipif(not BANK.is_file(), reason="there is no bank of sounds; `make studio` makes it")
def test_the_bank_of_sounds_plays_is_silenced_and_is_rendered(running: Studio) -> None:
    page = running.open()
    dropped(page)
    page.evaluate("() => studio.player.play()")
    has(page, "() => studio.player.synth?.worklet")
    has(page, "() => studio.player.synth.voices.length > 0")
    page.evaluate("() => studio.player.pause()")
    has(page, "() => studio.player.synth.voices.length === 0")
    loud = wav_of(page)
    page.evaluate("() => studio.players.turn('M', studio.player.keys[0])")
    soft = wav_of(page)
    page.evaluate("() => studio.players.turn('M', studio.player.keys[1])")
    silent = wav_of(page)
    assert np.abs(loud).max() > 2_000
    assert np.square(loud).sum() > 1.2 * np.square(soft).sum() > 0
    assert np.abs(silent).max() < 3


def wav_of(page: Page) -> np.ndarray[Any, Any]:
    """The samples of the audio that the page renders."""
    with page.expect_download() as download:
        page.click("#downloads")
        page.click("[data-file=wav]")
    data = Path(download.value.path()).read_bytes()
    return np.frombuffer(data[44:], "<i2").astype(float)


def test_notes_are_edited_undone_and_kept(running: Studio) -> None:
    page = running.open()
    dropped(page)
    page.click("#mode label:has(input[value=advanced])")
    count = page.evaluate("() => studio.session.score.count")
    x, y = page.evaluate(
        """() => {
            const { roll, session: { score } } = studio;
            const place = i => [roll.x(score.start[i]) + 5, roll.y(score.pitch[i]) + 3];
            const found = (_, i) => !score.isDrum(i) && roll.at(...place(i)) === i;
            return place(score.start.findIndex(found));
        }"""
    )
    page.click("#over", position={"x": x, "y": y})
    assert "velocity" in page.inner_text("#read")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Delete")
    assert page.evaluate("() => studio.session.score.count") == count - 1
    page.keyboard.press("Control+z")
    assert page.evaluate("() => studio.session.score.count") == count
    page.click("#draft .primary")
    has(page, "() => studio.session.draft === null && studio.session.nodes.length === 2")
    nodes = read_tree(running.path).nodes
    before, after = (pitches(nodes[n].data) for n in (1, 2))
    assert sum(after) == sum(before) + 1
    page.keyboard.press("Control+z")
    has(page, "() => studio.session.nodes.length === 1")


def pitches(data: bytes) -> list[int]:
    """The pitches of all notes of a MIDI file, by mido."""
    tracks = mido.MidiFile(file=io.BytesIO(data)).tracks
    return [m.note for track in tracks for m in track if m.type == "note_on" and m.velocity]


def test_blends_switches_and_sliders_are_asked_for(running: Studio) -> None:
    page = running.open()
    dropped(page)
    asked = "() => { const asked = studio.write.asked(); delete asked.variations; return asked; }"
    known = page.evaluate("() => studio.session.info")
    one, other = known["composers"][:2]
    page.fill("#composer input", one["text"])
    assert page.evaluate(asked) == {"bars": 8, "composer": one["name"]}
    page.fill("#composer input", other["text"])
    page.fill(".shares input >> nth=0", "75")
    page.fill(".shares input >> nth=1", "25")
    assert page.inner_text(".shares output >> nth=0") == "75 %"
    blend = f"{one['name']}:0.75,{other['name']}:0.25"
    page.click("#mode label:has(input[value=advanced])")
    page.fill("#option-guidance", "2")
    assert page.evaluate(asked) == {"bars": 8, "composer": blend, "guidance": 2}
    page.fill("#option-guidance", "1")
    page.click("#composer .chip button >> nth=1")
    page.click("#actions label:has(input[value=fill])")
    page.check("#option-keep_rhythm")
    page.fill("#option-distance", "0.3")
    page.select_option("#option-keep_chords", "true")
    options = {"keep_rhythm": True, "distance": 0.3, "keep_chords": True}
    assert page.evaluate(asked) == {"composer": one["name"], **options}
    page.uncheck("#option-keep_rhythm")
    page.fill("#option-distance", "1")
    assert page.evaluate(asked) == {"composer": one["name"], "keep_chords": True}
    page.click("#composer .chip button")
    page.fill("#composer input", "nobody at all")
    assert page.evaluate(asked)["composer"] == "nobody at all"  # the server says who is near


def test_bars_are_filled_for_the_players_that_are_not_locked(running: Studio) -> None:
    page = running.open()
    dropped(page)
    page.click("#mode label:has(input[value=advanced])")
    before = notes_of(page)
    page.evaluate("() => { studio.roll.bars = { from: 3, to: 4 }; studio.roll.draw(); }")
    page.click(".player[data-track='1'] .L")
    page.click("#actions label:has(input[value=fill])")
    page.click("#takes-count label:has(input[value='2'])")
    page.click("#write")
    finished(page, 3)
    after = notes_of(page)
    hole = range(*page.evaluate("() => [3, 5].map(bar => studio.session.score.barStart(bar))"))
    assert [n for n in after if n[0] not in hole] == [n for n in before if n[0] not in hole]
    assert [n for n in after if n[4] == 1] == [n for n in before if n[4] == 1]
    assert after != before
    kinds = page.evaluate("() => studio.session.nodes.map(node => node.kind)")
    assert kinds == ["prompt", "fill", "fill"]

    # only the guitar, with R: in the same bars, and the fiddle stays
    page.click(".player[data-track='1'] .L")
    page.click(".player[data-track='1'] .who")
    page.keyboard.press("r")
    finished(page, 4)
    again = notes_of(page)
    assert [n for n in again if n[4] == 0] == [n for n in after if n[4] == 0]


def finished(page: Page, nodes: int) -> None:
    """Wait until nothing is written and there are so many nodes."""
    has(page, "count => studio.session.nodes.length === count && !studio.session.job", nodes)
    has(page, "() => typeof studio.session.current === 'number'")


def notes_of(page: Page) -> list[list[int]]:
    """Start, duration, pitch, velocity and track of the notes that are seen, sorted."""
    found: list[list[int]] = page.evaluate(
        "() => studio.session.score.notes().map(n => "
        "[n.start, n.duration, n.pitch, n.velocity, n.track])"
    )
    return sorted(found)


def test_parts_are_written_under_a_tune_over_typed_chords(running: Studio) -> None:
    page = running.open()
    dropped(page)
    page.click("#mode label:has(input[value=advanced])")
    page.evaluate(
        "() => studio.roll.dispatchEvent(new CustomEvent('chord', { detail: { tick: 0, x: 80 } }))"
    )
    page.fill("#chord", "F#m7")
    page.keyboard.press("Enter")
    assert page.evaluate("() => studio.roll.chords[0]") == [0, "F#m7"]
    page.click("#actions label:has(input[value=accompany])")
    page.fill("#instruments input", "Acoustic Bass")
    page.click("#takes-count label:has(input[value='1'])")
    page.click("#write")
    finished(page, 2)
    programs = page.evaluate("() => studio.session.score.tracks.map(track => track.program)")
    assert 32 in programs
    growth = page.evaluate("() => studio.session.nodes[1].growth")
    assert growth["task"] == "accompaniment"
    assert growth["options"]["chords"].startswith("F#m7")


def test_takes_are_compared_in_colour_and_dragged_out(running: Studio, weights: Weights) -> None:
    page = running.open()
    dropped(page)
    page.click("#mode label:has(input[value=advanced])")
    page.click("#options summary:has-text('Sampling')")
    page.fill("#option-seed", "5")
    page.keyboard.press("Tab")
    nodes = written(page)
    songs = generate(weights.load(), FOLK, GenerateOptions(bars=4, seed=5, variations=(1, 2, 3, 4)))
    tree = read_tree(running.path)
    assert [tree.nodes[node].data for node in nodes] == [song.result.data for song in songs]

    page.evaluate("() => studio.player.pause()")
    page.select_option("#node-tools select", str(nodes[1]))
    has(page, "() => !document.querySelector('#compared').hidden")
    differs, missing = page.evaluate(
        "() => [studio.roll.differs, studio.roll.missing].map(row => row.filter(Boolean).length)"
    )
    one, other = (Counter(pitches_at(tree.nodes[node].data)) for node in nodes[:2])
    assert differs == (one - other).total() > 0
    assert missing == (other - one).total() > 0

    page.click("#downloads")
    carried = page.evaluate(DRAG, "#files .drag")
    kind, name, address = carried.split(":", 2)
    assert (kind, name.endswith(".mid")) == ("audio/midi", True)
    fetch = "async (url) => Array.from(new Uint8Array(await (await fetch(url)).arrayBuffer()))"
    assert bytes(page.evaluate(fetch, address)) == tree.nodes[nodes[0]].data
    page.keyboard.press("Escape")
    stem = page.evaluate(DRAG, ".player[data-track='0']").split(":", 2)[2]
    own = pitches(bytes(page.evaluate(fetch, stem)))
    fiddle = page.evaluate(
        "() => studio.session.score.pitch.filter((_, i) => studio.session.score.track[i] === 0)"
    )
    assert sorted(own) == sorted(fiddle)
    with page.expect_download() as download:
        page.click("#downloads")
        page.click("[data-file=picture]")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.click("#downloads")
        page.click("[data-file=musicxml]")
    score = musicxml_score(Path(download.value.path()).read_bytes())
    assert [track.name for track in score.tracks] == ["Fiddle", "Guitar"]


DRAG = """(selector) => {
    const carried = new DataTransfer();
    const given = { dataTransfer: carried, cancelable: true, bubbles: true };
    const event = new DragEvent("dragstart", given);
    document.querySelector(selector).dispatchEvent(event);
    return carried.getData("DownloadURL") || null;
}"""


def pitches_at(data: bytes) -> list[tuple[int, int, int, int]]:
    """Start, pitch, duration and program of all notes of a MIDI file."""
    notes = read(data).notes
    return [
        (int(n["start"]), int(n["pitch"]), int(n["duration"]), int(n["program"])) for n in notes
    ]


def test_notes_go_to_a_midi_port_instead(running: Studio) -> None:
    page = running.open()
    page.evaluate(
        """() => {
            globalThis.sent = [];
            const port = { name: "Own port", send: (bytes, at) => sent.push([...bytes, at]) };
            navigator.requestMIDIAccess = async () => ({ outputs: new Map([["1", port]]) });
        }"""
    )
    dropped(page)
    page.select_option("#output", "ask")
    page.wait_for_selector("#output option:has-text('Own port')", state="attached")
    page.select_option("#output", "0")
    page.evaluate("() => studio.player.play()")
    has(page, "() => sent.filter(([status]) => (status & 0xf0) === 0x90).length > 4")
    assert page.evaluate("() => studio.player.synth.voices.length") == 0
    page.evaluate("() => studio.player.pause()")
    messages = page.evaluate("() => sent")
    assert {m[0] & 0xF0 for m in messages} >= {0x90, 0x80, 0xC0}
    programs = {m[1] for m in messages if m[0] & 0xF0 == 0xC0}
    assert programs == {24, 40}


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (768, 1024)])
def test_small_screens_show_everything(running: Studio, size: tuple[int, int]) -> None:
    page = running.open()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    dropped(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    if page.is_visible("#show-write"):
        page.click("#show-write")
    page.wait_for_selector("#write", state="visible")
    page.wait_for_function(
        "() => document.querySelector('#write').getBoundingClientRect().right <= innerWidth"
    )
    assert page.evaluate("() => studio.roll.height > 200 && studio.roll.width > 300")


def test_two_tabs_see_the_same_tree(running: Studio) -> None:
    first, second = running.open(), running.open()
    dropped(first)
    second.evaluate("() => studio.session.refresh()")
    has(second, "() => studio.session.nodes.length === 1")
    assert second.is_hidden("#welcome")
    first.keyboard.press("k")
    has(first, "() => studio.session.nodes[0].mark")
    second.evaluate("() => studio.session.refresh()")
    has(second, "() => studio.session.nodes[0].mark")


def test_a_killed_server_is_said_and_its_tree_opens_again(
    browser: Browser, tmp_path: Path, lively: Path
) -> None:
    # Beside other work a page may draw its first note after the tiny model has written its last.
    server = Server(tmp_path, lively, str(FOLK), slow=True)
    studio = Studio(server.address, tmp_path / "folk.tree.json", browser)
    page = studio.open()
    nodes = written(page)
    page.evaluate("() => studio.session.write('continue', { bars: 4000 }, null)")
    has(page, "() => studio.session.job?.takes[0].count > 20")
    server.stop(signal.SIGKILL)
    page.wait_for_selector(".toast.error")
    assert "does not answer" in page.inner_text(".toast.error")
    has(page, "() => studio.session.job === null && studio.session.current === 2")
    again = Server(tmp_path, lively, "folk.tree.json")
    studio.address = again.address
    page = studio.open()
    assert page.evaluate("() => studio.session.nodes.map(node => node.id)") == [1, *nodes]
    assert written(page)
    studio.context.close()
    again.stop()


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


def test_a_file_of_5_mb_is_read_shown_and_played(running: Studio, tmp_path: Path) -> None:
    path = many_notes(tmp_path / "large.mid", 40_000)
    file = mido.MidiFile(path)
    text = mido.MetaMessage("text", text="x" * 100_000)
    file.tracks.append(mido.MidiTrack([text] * 49))
    file.save(path)
    assert 5_000_000 < path.stat().st_size < 10 * 2**20
    page = running.open()
    dropped(page, path)
    assert page.evaluate("() => studio.session.score.count") == 40_000
    page.evaluate("() => studio.player.play()")
    has(page, "() => studio.player.synth.voices.length > 0")
    page.evaluate("() => studio.player.pause()")


def test_what_is_no_midi_file_is_refused_in_a_sentence(running: Studio, tmp_path: Path) -> None:
    page = running.open()
    wrong = tmp_path / "song.mid"
    wrong.write_bytes(b"not music")
    drop(page, wrong)
    page.wait_for_selector(".toast.error")
    assert page.evaluate("() => studio.session.nodes.length") == 0


def many_notes(path: Path, count: int) -> Path:
    """A file of many short notes on sixteen tracks."""
    file = mido.MidiFile(ticks_per_beat=480)
    for channel in range(16):
        track = mido.MidiTrack()
        track.append(mido.Message("program_change", channel=channel, program=channel * 8))
        for i in range(count // 16):
            pitch = 36 + (i * 7 + channel * 3) % 48
            velocity = 20 + (i * 13) % 100
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=velocity))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=120))
        file.tracks.append(track)
    file.save(path)
    return path


def test_20_000_notes_are_drawn_within_a_frame(running: Studio, tmp_path: Path) -> None:
    page = running.open()
    dropped(page, many_notes(tmp_path / "many.mid", 20_000))
    assert page.evaluate("() => studio.session.score.count") == 20_000
    paints = page.evaluate(
        """async () => {
            const { roll } = studio;
            roll.scale *= 2;
            roll.paints.length = 0;
            for (let i = 0; i < 120; i++) {
                roll.pan(i < 60 ? 40 : -40);
                await new Promise(requestAnimationFrame);
            }
            return roll.paints;
        }"""
    )
    print(f"drawing: median {sorted(paints)[len(paints) // 2]:.1f} ms, worst {max(paints):.1f} ms")
    assert sorted(paints)[len(paints) * 9 // 10] < FRAME  # other programs may take a frame's time


def test_instruments_of_the_families_sound_unlike(running: Studio) -> None:
    """Loudness over time and brightness tell any two families apart, by more than a fifth."""
    page = running.open()
    sounds = page.evaluate(
        """async () => {
            const { Synth } = await import("/page/synth.js");
            const found = {};
            for (const program of [0, 12, 19, 24, 33, 40, 48, 56, 65, 73, 80, 89]) {
                const context = new OfflineAudioContext(1, 44100 * 1.2, 44100);
                new Synth(context).play("a", { program, drums: false }, 60, 100, 0, 1);
                found[program] = Array.from((await context.startRendering()).getChannelData(0));
            }
            return found;
        }"""
    )
    found = {program: features_of(np.array(samples)) for program, samples in sounds.items()}
    for one, other in itertools.combinations(found, 2):
        assert np.linalg.norm(found[one] - found[other]) > 0.2, (one, other)


def features_of(samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of a note of a second: loudness at its start and end against its middle, brightness."""
    rms = [np.sqrt((samples[a : a + 2205] ** 2).mean()) + 1e-9 for a in (0, 4410, 35_280)]
    crossings = (samples[1:40_000] * samples[:39_999] < 0).sum() + 1
    rough = np.abs(np.diff(samples[:40_000])).sum() / np.abs(samples[:40_000]).sum()
    return np.log([rms[0] / rms[1], rms[2] / rms[1], crossings, rough**3])


def test_nothing_serious_is_found_by_axe(running: Studio) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is missing")
    page = running.open()
    found = serious(axe, page)
    dropped(page)
    written(page)
    page.click("#mode label:has(input[value=advanced])")
    found += serious(axe, page)
    assert not found


def serious(axe: Any, page: Page) -> list[str]:
    """What axe-core calls serious or critical on the page as it is."""
    violations = axe.Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {json.dumps([n['html'][:120] for n in v['nodes']][:3])}"
        for v in violations
        if v["impact"] in ("serious", "critical")
    ]


def test_the_keyboard_alone_is_enough(running: Studio) -> None:
    page = running.open()
    page.focus("[data-opening=pop]")
    page.keyboard.press("Enter")
    has(page, "() => studio.session.score?.count > 0")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    page.keyboard.press("Escape")
    page.focus("#tree [role=treeitem]")
    page.keyboard.press("End")
    page.focus("#roll")
    page.keyboard.press(".")
    assert "velocity" in page.inner_text("#live")
    has(page, "() => document.querySelectorAll('#outline li').length > 4")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => studio.session.score.place(studio.player.tick)") == "2.1"


@pytest.mark.skipif("PICTURES" not in os.environ, reason="PICTURES names no folder")
def test_pictures_for_the_documentation(browser: Browser, tmp_path: Path) -> None:
    folder = Path(os.environ["PICTURES"])
    with served(tmp_path / "pop.tree.json", Weights("mini")) as address:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1280, "height": 760}, color_scheme=scheme
            )
            context.set_default_timeout(PATIENCE * 5)
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("body.is-ready")
            if scheme == "light":
                page.click("[data-opening=pop]")
                has(page, "() => studio.session.score?.count > 0")
                written(page, 8)
            else:
                page.click("#mode label:has(input[value=advanced])")
            page.evaluate("() => studio.player.seek(studio.session.score.barStart(11))")
            time.sleep(4)
            page.screenshot(path=folder / f"studio-{scheme}.png")
            context.close()
