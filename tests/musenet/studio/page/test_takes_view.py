"""Takes: switched while they play, compared in colour, dragged out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import mido

from musenet.api import generate
from musenet.options.generate_options import GenerateOptions
from musenet.studio.models import Weights
from musenet.tree.file import read_tree
from tokenizer.midi.read import read
from tokenizer.notation.read import musicxml_score

from ..conftest import FOLK
from .conftest import BROWSER, Studio, dropped, has, pitches, written

pytestmark = BROWSER


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
