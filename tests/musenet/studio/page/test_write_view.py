"""What is asked for: options, bars to fill, parts under a tune."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .conftest import BROWSER, Studio, dropped, has

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = BROWSER


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
