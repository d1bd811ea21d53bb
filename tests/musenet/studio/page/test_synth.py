"""What is heard: the small synthesiser, the bank of sounds, audio, a MIDI port."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mido
import numpy as np
import pytest

from ..conftest import FOLK, ROOT
from .conftest import BROWSER, Studio, dropped, has

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = BROWSER
BANK = ROOT / "musenet" / "studio" / "page" / "bank" / "synth.js"


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
