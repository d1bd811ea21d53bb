"""Playing live, measured with a simulated player on loop-back ports.

    python benchmarks/live.py [--seconds 60] [--tempo 160] [--answers 8]

The player plays a tune with human timing (normally distributed, 12 ms) that goes elsewhere every
four bars, so that the band has to write anew. Both sides run in this process, on one core where the
system can say so. A note is late by the time between its beat and its arrival at the port.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mido
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.live.answer import Answer
from musenet.live.band import Band, Written
from musenet.live.session import performance
from musenet.live.stage import Stage
from musenet.live.writer import Writer
from musenet.model.checkpoint import load_checkpoint
from musenet.options.live_options import LiveOptions

SCALES = ((60, 62, 64, 67, 69), (57, 60, 62, 64, 67), (62, 65, 67, 69, 72))
PLAYERS = (128, 33, 0, 25, 48)  # drums, bass, piano, guitar, strings
HUMAN = 0.012  # seconds


def tune(random: np.random.Generator, tempo: float, seconds: float) -> Iterator[tuple[float, int]]:
    """Moments and pitches: eighths and quarters of a scale, another scale every four bars."""
    beat, now = 60 / tempo, 0.0
    while now < seconds:
        scale = SCALES[int(now / beat / 16) % len(SCALES)]
        yield max(now + random.normal(0, HUMAN), 0.0), int(random.choice(scale))
        now += beat * float(random.choice([0.5, 0.5, 1.0]))


class Player(threading.Thread):
    """Plays a tune on a port, and notes what comes back."""

    def __init__(self, notes: list[tuple[float, int]]) -> None:
        super().__init__(daemon=True)
        self._notes = notes
        self._port = mido.open_output("keys")
        self.heard: list[tuple[float, Any]] = []
        self.last = 0.0  # the moment of the last release
        self._input = mido.open_input("synth", callback=self._hear)

    def _hear(self, message: Any) -> None:
        self.heard.append((time.perf_counter(), message))

    def run(self) -> None:
        """Play."""
        begun = time.perf_counter()
        for moment, pitch in self._notes:
            time.sleep(max(begun + moment - time.perf_counter(), 0))
            self._port.send(mido.Message("note_on", note=pitch, velocity=80))
            time.sleep(0.1)
            self._port.send(mido.Message("note_off", note=pitch))
            self.last = time.perf_counter()

    def close(self) -> None:
        """Close the ports."""
        self._input.close()
        self._port.close()


def band(folder: Path, seconds: float, tempo: float) -> tuple[Stage, list[Written], Player]:
    """The band beside a player for some seconds."""
    options = LiveOptions(tempo=tempo, instruments=PLAYERS, seed=1)
    checkpoint = load_checkpoint("mini")
    written = []
    with performance(options, "keys", "synth", folder / "band.mid") as stage:
        mode = Band(stage, Writer(checkpoint, options, PLAYERS))
        warm(checkpoint, options)
        stage.performer.start(PLAYERS)
        player = Player(list(tune(np.random.default_rng(1), tempo, seconds)))
        player.start()
        threading.Timer(seconds, stage.end).start()
        written = list(mode.run())
        player.join()
    player.close()
    return stage, written, player


def answers(folder: Path, count: int, tempo: float) -> tuple[list[float], list[float]]:
    """Seconds from the last key to the first note of the answer: in all, and beyond the pause."""
    options = LiveOptions(tempo=tempo, seed=1)
    checkpoint = load_checkpoint("mini")
    whole, after = [], []
    with performance(options, "keys", "synth", folder / "answers.mid") as stage:
        mode = Answer(stage, Writer(checkpoint, options, (0,)))
        warm(checkpoint, options)
        stage.performer.start((0,))
        run = mode.run()
        for number in range(count):
            notes = list(tune(np.random.default_rng(number), tempo, 16 * 60 / tempo))
            player = Player(notes)
            player.start()
            next(run)
            player.join()
            first = [t for t, m in player.heard if m.type == "note_on" and t > player.last]
            player.close()
            whole.append(first[0] - player.last)
            after.append(whole[-1] - options.pause * 60 / tempo)
        stage.end()
    return whole, after


def warm(checkpoint: Any, options: LiveOptions) -> None:
    """Have the weights ready, as they are when a performance has begun."""
    writer = Writer(checkpoint, options, (0,))
    list(writer.write([], [], 0.0, 1.0, 120.0, beside=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--tempo", type=float, default=160)
    parser.add_argument("--answers", type=int, default=8)
    given = parser.parse_args()
    mido.set_backend("benchmarks.loopback")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
    print(f"{platform.processor() or platform.machine()}, one core; weights mini\n")
    with TemporaryDirectory() as name:
        stage, written, player = band(Path(name), given.seconds, given.tempo)
        whole, after = answers(Path(name), given.answers, given.tempo)
    late = np.array(stage.performer.late) * 1000
    took = np.array([each.seconds for each in written]) * 1000
    beats = given.seconds * given.tempo / 60
    gaps = sum(each.gap > 0 for each in written)
    sent = [sum(m.type == kind for _, m in player.heard) for kind in ("note_on", "note_off")]
    rows = {
        "notes sent, and ended": "{:,}, {:,}".format(*sent),
        "a note is late by": "median {:.2f} ms, 99 % {:.2f} ms, most {:.1f} ms".format(
            *np.percentile(late, (50, 99, 100))
        ),
        "beats that were not ready": f"{gaps} of {beats:.0f} ({gaps / beats:.1%})",
        "notes that came too late to be played": str(stage.performer.missed),
        "times written, of these anew": f"{len(written)}, {sum(e.anew for e in written)}",
        "writing takes": "median {:.0f} ms, 99 % {:.0f} ms".format(*np.percentile(took, (50, 99))),
        "from the last key to the answer's first note": f"median {np.median(whole):.2f} s",
        "of this beyond the pause of one beat": f"median {np.median(after):.2f} s",
    }
    print(f"| {len(PLAYERS)} players, {given.tempo:.0f} BPM, {given.seconds:.0f} s | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
