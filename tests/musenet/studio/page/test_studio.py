"""The page as a whole: small screens, the keyboard alone, what axe finds, its pictures."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from musenet.studio.models import Weights

from .conftest import BROWSER, PATIENCE, Studio, dropped, has, served, written

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = BROWSER


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
