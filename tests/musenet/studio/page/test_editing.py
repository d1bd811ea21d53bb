"""Notes are edited, undone and kept."""

from __future__ import annotations

from musenet.tree.file import read_tree

from .conftest import BROWSER, Studio, dropped, has, pitches

pytestmark = BROWSER


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
