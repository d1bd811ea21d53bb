"""How fast music is made, and whether every file is whole: one table each.

    python benchmarks/generation.py [--weights mini] [--pieces 100] [--quick]

Times are wall-clock on this machine, one process. mido, pretty_midi and symusic judge the files.
"""

from __future__ import annotations

import argparse
import io
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mido
import pretty_midi
import symusic

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from musenet.checkpoint import Checkpoint, load  # noqa: E402
from musenet.sampling.compose import Composition, Result  # noqa: E402
from musenet.sampling.options import Options  # noqa: E402
from musenet.sampling.prompt import Place, Prompt, read_prompt  # noqa: E402

PROMPTS = ROOT / "examples" / "prompts"


def made(model: Checkpoint, prompt: Prompt | None, options: Options) -> tuple[list[Result], float]:
    """The results, and the seconds from the request until they were there."""
    began = time.perf_counter()
    composition = Composition(model, prompt, options)
    for _ in composition.steps():
        pass
    return composition.results(), time.perf_counter() - began


def music(result: Result) -> float:
    """Seconds of new music."""
    score = result.score
    return float(score.seconds(max(score.end, result.end)) - score.seconds(result.boundary))


def speed(model: Checkpoint, bars: int) -> None:
    """Each example prompt alone and in eight variations."""
    print(
        f"{'prompt':16s} {'notes/s':>8s} {'× real time':>12s} {'eight: notes/s':>15s} {'gain':>6s}"
    )
    for path in sorted(PROMPTS.glob("*.mid")):
        prompt = read_prompt(path)
        made(model, prompt, Options(bars=1))
        (one,), took = made(model, prompt, Options(bars=bars, seed=1))
        many, took_many = made(
            model, prompt, Options(bars=bars, seed=1, variations=tuple(range(1, 9)))
        )
        rate, rates = one.notes / took, sum(r.notes for r in many) / took_many
        times = music(one) / took
        print(f"{path.stem:16s} {rate:8.0f} {times:12.1f} {rates:15.0f} {rates / rate:6.2f}")


def orchestra(model: Checkpoint, seconds: float) -> None:
    """Four minutes of ten-instrument music: time, and the memory of the process."""
    programs = (73, 68, 71, 70, 60, 56, 40, 41, 42, 43)
    options = Options(bars=None, seconds=seconds, only_instruments=programs, tempo=100, seed=1)
    (result,), took = made(model, None, options)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{music(result):.0f} s of music, ten instruments, {result.notes:,} notes: {took:.1f} s, "
        f"{music(result) / took:.0f}× real time, {peak:.0f} MB at most"
    )


def first_note(name: str) -> None:
    """From pressing Enter to the first note in a growing file."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "song.mid"
        command = [
            sys.executable, str(ROOT / "generate.py"), str(PROMPTS / "piano.mid"),
            "--bars", "16", "--seed", "1", "--stream", "--out", str(out), "--weights", name,
        ]  # fmt: skip
        began = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while not out.exists() and process.poll() is None:
                time.sleep(0.01)
            took = time.perf_counter() - began
            process.wait()
    print(f"first bar in a file {took:.2f} s after the command")


def requests(pieces: int) -> Iterator[tuple[Prompt | None, Options]]:
    """As many different requests, prompts and none in turn, in batches of four."""
    prompts = [read_prompt(path, stop=Place(bar=4)) for path in sorted(PROMPTS.glob("*.mid"))]
    sets = [(0,), (40, 41, 42), (0, 33, 128), (73, 68, 71, 70, 60), (52,), (24,)]
    for number in range(-(-pieces // 4)):
        options = Options(bars=8, seed=number, variations=(1, 2, 3, 4), ending=number % 2 == 1)
        if number % 3:
            yield prompts[number % len(prompts)], options
        else:
            yield None, replace(options, only_instruments=sets[number % len(sets)])


def faults(result: Result, only: tuple[int, ...] | None) -> list[str]:
    """What is wrong with a file, in the eyes of three libraries."""
    found = []
    for track in mido.MidiFile(file=io.BytesIO(result.data)).tracks:
        now, sounding = 0, dict[tuple[int, int], int]()
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                found += ["struck while sounding"] if key in sounding else []
                sounding[key] = now
            elif sounding.pop(key, -1) >= now:
                found.append("no length")
        found += ["stuck"] if sounding else []
    judged = pretty_midi.PrettyMIDI(io.BytesIO(result.data))
    if sum(len(i.notes) for i in judged.instruments) < result.notes:
        found.append("pretty_midi misses notes")
    if symusic.Score.from_midi(result.data).note_num() < result.notes:
        found.append("symusic misses notes")
    if only and {128 if i.is_drum else i.program for i in judged.instruments} - set(only):
        found.append("another instrument")
    return found


def whole(model: Checkpoint, pieces: int) -> None:
    """Many pieces: faults, and how far endings are from where they were asked for."""
    count, wrong, endings, near = 0, 0, 0, 0
    for prompt, options in requests(pieces):
        for result in made(model, prompt, options)[0]:
            count += 1
            wrong += bool(faults(result, options.only_instruments))
            if options.ending:
                bar = 4 * result.file.division
                endings += 1
                near += abs(result.score.end - result.end) <= 2 * bar
    print(f"{count} pieces, {wrong} with a fault; {near} of {endings} endings within two bars")


def main() -> None:
    """Run everything, or with --quick a little of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int, default=100)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    model = load(arguments.weights)
    speed(model, 4 if arguments.quick else 16)
    orchestra(model, 20 if arguments.quick else 240)
    first_note(arguments.weights)
    whole(model, 8 if arguments.quick else arguments.pieces)


if __name__ == "__main__":
    main()
