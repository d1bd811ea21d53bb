"""The studio in Chromium and over HTTP: how soon it is there, sounds and answers, one table.

    python benchmarks/studio.py [--weights mini] [--requests 1000] [--only page,sound,scroll,bursts]

    page      from Enter to the printed address, and from the address to a page that can be used
    sound     from the button to the first new note and to its sound, weights warm
    scroll    20,000 notes moved sideways: how long each frame takes to draw, and between frames
    bursts    jobs of one bar, forty at a time, every third one cancelled: how they end, and memory

Needs the extra `studio`, and for all but bursts Playwright and Chromium (or CHROMIUM=/path).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import mido

ROOT = Path(__file__).resolve().parents[1]
POP = ROOT / "examples" / "prompts" / "pop.mid"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
PATIENCE = 120_000  # milliseconds


class Studio:
    """A `musenet studio` in a process of its own.

    Args:
        folder: where its tree is.
        weights: a name or a checkpoint folder.
        song: the MIDI file that it opens.
    """

    def __init__(self, folder: Path, weights: str, song: Path) -> None:
        code = "from musenet.cli.main import main; main()"
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "studio", song, "--no-browser", "--weights", weights],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout is not None
        found = None
        while found is None:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit("the studio did not start")
            found = re.match(r"(http://127\.0\.0\.1:\d+)/\?token=(\S+)", line)
        self.seconds = time.perf_counter() - began
        self.address = found[0]
        self._base, self._token = f"{found[1]}/api/v1/", found[2]

    def __call__(self, method: str, path: str, body: Any = None) -> str:
        """The text of an answer."""
        request = urllib.request.Request(
            self._base + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return str(answer.read().decode())

    def memory(self) -> float:
        """Resident memory in MB; 0 where the system does not tell."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return 0.0
        return int(re.findall(r"VmRSS:\s+(\d+)", status.read_text())[0]) / 1024

    def made(self, node: int, **options: Any) -> None:
        """Have music written, and wait for it."""
        asked = {"action": "continue", "options": options}
        job = json.loads(self("POST", f"nodes/{node}/jobs", asked))["job"]
        self("GET", f"jobs/{job}/events")

    def stop(self) -> None:
        """End the process."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(60)


def many_notes(path: Path, count: int = 20_000) -> Path:
    """A file of so many notes in ten tracks."""
    file = mido.MidiFile(ticks_per_beat=480)
    for channel in range(10):
        track = mido.MidiTrack()
        track.append(mido.Message("program_change", channel=channel, program=8 * channel))
        for n in range(count // 10):
            pitch = 36 + (7 * n + 5 * channel) % 48
            track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=64, time=0))
            track.append(mido.Message("note_off", channel=channel, note=pitch, time=120))
        file.tracks.append(track)
    file.save(path)
    return path


def page_ready(page: Any, studio: Studio) -> float:
    """Seconds from the address to a page that can be used."""
    began = time.perf_counter()
    page.goto(studio.address)
    page.wait_for_selector("body.is-ready")
    return time.perf_counter() - began


_SOUND = """async () => {
    const { session, player } = studio;
    const began = performance.now();
    const found = { first: null, sound: null };
    session.addEventListener("note", () => (found.first ??= performance.now() - began));
    document.querySelector("#write").click();
    while (found.sound === null) {
        await new Promise((done) => setTimeout(done, 5));
        const { score } = session;
        if (score.boundary === null) continue;
        const fresh = score.firstFrom(score.boundary);
        if (fresh >= score.count) continue;
        const here = score.start[fresh] <= player.tick;
        if (here && !player.waiting && player.playing) found.sound = performance.now() - began;
    }
    return [found.first / 1000, found.sound / 1000];
}"""

_SCROLL = """async () => {
    const { roll } = studio;
    roll.scale *= 2;
    roll.paints.length = 0;
    const between = [];
    let last = performance.now();
    for (let i = 0; i < 240; i++) {
        roll.pan(i < 120 ? 40 : -40);
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        between.push(now - last);
        last = now;
    }
    return [roll.paints, between.slice(1)];
}"""


def in_browser(work: Callable[[Any], None]) -> None:
    """Do something with a new page of Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 760})
        page.set_default_timeout(PATIENCE)
        work(page)
        browser.close()


def page(folder: Path, weights: str) -> None:
    """How soon the address and the page are there, the page also a second time."""

    def measured(tab: Any) -> None:
        tab.goto("about:blank")
        studio = Studio(folder, weights, POP)
        cold, again = page_ready(tab, studio), page_ready(tab, studio)
        print(f"page     address {studio.seconds:.2f} s, page {cold:.2f} s, again {again:.2f} s")
        studio.stop()

    in_browser(measured)


def sound(folder: Path, weights: str) -> None:
    """How soon new music is heard, three times, four takes at once."""
    studio = Studio(folder, weights, POP)
    studio.made(1, bars=2)  # warms the weights

    def measured(tab: Any) -> None:
        found = []
        for _ in range(3):
            page_ready(tab, studio)
            tab.evaluate("() => studio.session.select(1)")
            found.append(tab.evaluate(_SOUND))
            tab.evaluate("() => studio.session.cancel().catch(() => {})")
            tab.wait_for_function("() => studio.session.job === null")
        first, heard = (median(column) for column in zip(*found, strict=True))
        print(f"sound    first new note {first:.2f} s, heard {heard:.2f} s after the button")

    in_browser(measured)
    print(f"memory   {studio.memory():.0f} MB")
    studio.stop()


def scroll(folder: Path, weights: str) -> None:
    """How long frames take while many notes move."""
    studio = Studio(folder, weights, many_notes(folder / "many.mid"))

    def measured(tab: Any) -> None:
        page_ready(tab, studio)
        tab.wait_for_function("() => studio.session.score?.count === 20000")
        time.sleep(5)  # the weights are loaded meanwhile
        paints, between = (sorted(row) for row in tab.evaluate(_SCROLL))
        print(
            f"scroll   drawing: median {median(paints):.1f} ms, worst {paints[-1]:.1f} ms; "
            f"between frames: median {median(between):.1f} ms, worst {between[-1]:.1f} ms"
        )

    in_browser(measured)
    studio.stop()


def bursts(folder: Path, weights: str, requests: int) -> None:
    """How jobs in bursts end, and how memory grows."""
    studio = Studio(folder, weights, POP)
    studio.made(1, bars=1)

    def one(number: int) -> str:
        asked = {"action": "continue", "options": {"bars": 1, "seed": number}}
        job = json.loads(studio("POST", "nodes/1/jobs", asked))["job"]
        if number % 3 == 0:
            studio("DELETE", f"jobs/{job}")
        return re.findall(r"^event: (\w+)$", studio("GET", f"jobs/{job}/events"), re.MULTILINE)[-1]

    memory, ends = [studio.memory()], Counter[str]()
    began = time.perf_counter()
    with ThreadPoolExecutor(40) as pool:
        for first in range(0, requests, max(1, requests // 4)):
            last = min(first + max(1, requests // 4), requests)
            ends.update(pool.map(one, range(first, last)))
            memory.append(studio.memory())
    told = ", ".join(f"{count} {name}" for name, count in sorted(ends.items()))
    print(
        f"bursts   {requests:,} requests in {time.perf_counter() - began:.0f} s: {told}; "
        f"left {studio('GET', 'jobs')}; memory {' → '.join(f'{mb:.0f}' for mb in memory)} MB"
    )
    studio.stop()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--only", default="page,sound,scroll,bursts")
    given = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    wanted = given.only.split(",")
    for work in (page, sound, scroll):
        if work.__name__ in wanted:
            try:
                import playwright  # noqa: F401
            except ImportError:
                print(f"{work.__name__}: Playwright is not installed")
                continue
            if CHROMIUM is None:
                print(f"{work.__name__}: Chromium is not installed")
                continue
            with tempfile.TemporaryDirectory() as folder:
                work(Path(folder), given.weights)
    if "bursts" in wanted:
        with tempfile.TemporaryDirectory() as folder:
            bursts(Path(folder), given.weights, given.requests)


if __name__ == "__main__":
    main()
