"""The page and its server: takes are written, kept, seen in two tabs, and there after a crash."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from musenet.generation.request import Request
from musenet.tree.file import read_tree
from tokenizer.typing import Notes

from ..conftest import FOLK, Server
from .conftest import BROWSER, Studio, drop, dropped, has, written

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = BROWSER


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


def test_what_is_no_midi_file_is_refused_in_a_sentence(running: Studio, tmp_path: Path) -> None:
    page = running.open()
    wrong = tmp_path / "song.mid"
    wrong.write_bytes(b"not music")
    drop(page, wrong)
    page.wait_for_selector(".toast.error")
    assert page.evaluate("() => studio.session.nodes.length") == 0
