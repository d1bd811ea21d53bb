"""Generation speed and the validity of generated files, one table each.

    python benchmarks/generation.py [--weights mini] [--pieces 1000] [--only speed,pieces] [--quick]

    speed       each example prompt alone, and in eight variations at once
    share       rows per CPU second beside those of the bare network, which chooses the likeliest
    orchestra   four minutes of ten-instrument music, as a command of its own: time and peak memory
    first       from pressing Enter to the first note in a growing file
    pieces      many different requests: faults found by three libraries, instrument constraints,
                endings within two bars of the requested length, and final chords
    asked       pieces without a prompt for requested instruments, without a constraint: the
                share of notes in them

Times are wall-clock seconds, and CPU seconds, which other work on the machine does not change.
mido, pretty_midi and symusic check the files.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

import mido
import pretty_midi
import symusic

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from benchmarks.decoding import decoding  # noqa: E402
from musenet.decoding.engines import make_decoder  # noqa: E402
from musenet.generation.prompt import Prompt, read_prompt  # noqa: E402
from musenet.generation.reranking import (  # noqa: E402
    RARE,
    new_music,
    signs,
)
from musenet.generation.result import Result  # noqa: E402
from musenet.generation.session import Continuation  # noqa: E402
from musenet.model.checkpoint import Checkpoint, load_checkpoint  # noqa: E402
from musenet.options.generate_options import GenerateOptions  # noqa: E402
from musenet.options.parse import Place  # noqa: E402
from musenet.sampling.ending import Chord, last_chord  # noqa: E402
from tokenizer import read  # noqa: E402

PROMPTS = ROOT / "examples" / "prompts"
STEPS = 60  # of the bare network


def made(
    model: Checkpoint, prompt: Prompt | None, options: GenerateOptions
) -> tuple[Continuation, list[Result], float, float]:
    """The results, and the seconds of the clock and of the processor until they were there."""
    began, worked = time.perf_counter(), time.process_time()
    continuation = Continuation(model, prompt, options)
    for _ in continuation.steps():
        pass
    results = continuation.results()
    return continuation, results, time.perf_counter() - began, time.process_time() - worked


def music(result: Result) -> float:
    """Seconds of new music."""
    score = result.score
    return float(score.seconds(max(score.end, result.end)) - score.seconds(result.boundary))


def speed(model: Checkpoint, bars: int) -> None:
    """Each example prompt alone and in eight variations."""
    eight = tuple(range(1, 9))
    print(
        f"{'prompt':16s} {'notes/s':>8s} {'× real time':>12s} {'eight: notes/s':>15s} "
        f"{'gain':>6s} {'gain, CPU':>10s}"
    )
    for path in sorted(PROMPTS.glob("*.mid")):
        prompt = read_prompt(path)
        made(model, prompt, GenerateOptions(bars=1))
        _, (one,), took, worked = made(model, prompt, GenerateOptions(bars=bars, seed=1))
        _, many, took_many, worked_many = made(
            model, prompt, GenerateOptions(bars=bars, seed=1, variations=eight)
        )
        notes = sum(result.notes for result in many)
        rate, rates = one.notes / took, notes / took_many
        gain = (notes / worked_many) / (one.notes / worked)
        print(
            f"{path.stem:16s} {rate:8.0f} {music(one) / took:12.1f} {rates:15.0f} "
            f"{rates / rate:6.2f} {gain:10.2f}"
        )


def share(model: Checkpoint, bars: int, rounds: int = 5) -> None:
    """Generation with all defaults beside the bare int8 network, in turns; medians of CPU time.

    The network runs at the position that the music has reached in the middle, first with one
    sequence for each variation, then with as many as guidance by chords takes.
    """
    print(
        f"{'prompt':10s} {'variations':>10s} {'rows/s':>8s} {'network':>8s} {'share':>6s} "
        f"{'sequences':>10s} {'network':>8s} {'share':>6s}"
    )
    for name, count in ((name, count) for name in ("pop", "piano") for count in (1, 8)):
        prompt = read_prompt(PROMPTS / f"{name}.mid")
        options = GenerateOptions(bars=bars, seed=1, variations=tuple(range(1, count + 1)))
        continuation, *_ = made(model, prompt, replace(options, bars=1))
        sequences = count * (1 if continuation.options.keep_chords is not True else 2)
        rates: dict[int, list[float]] = {0: [], count: [], sequences: []}
        for _ in range(rounds):
            continuation = Continuation(model, prompt, options)
            steps = continuation.steps()
            next(steps)
            worked, rows = time.process_time(), sum(1 for _ in steps)
            live = sum(len(continuation.rows(index)) for index in range(count)) - count
            rates[0].append(live / (time.process_time() - worked))
            position = len(continuation.piece(0)) - rows // 2
            for batch in {count, sequences}:
                network = make_decoder(model.network, batch, "int8")
                run = decoding(network, batch, position, STEPS)
                worked = time.process_time()
                run()
                rates[batch].append(count * STEPS / (time.process_time() - worked))
        rate, bare, guided = (median(rates[key]) for key in (0, count, sequences))
        print(
            f"{name:10s} {count:10d} {rate:8.0f} {bare:8.0f} {rate / bare:6.0%} "
            f"{sequences:10d} {guided:8.0f} {rate / guided:6.0%}"
        )


def command(arguments: list[str], out: Path) -> tuple[float, float, float, float]:
    """Run `generate.py`: seconds until the file is there, until the end, of the CPU; peak MB."""
    began, there = time.perf_counter(), 0.0
    words = [sys.executable, str(ROOT / "generate.py"), *arguments, "--out", str(out)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if not there and out.exists():
                there = time.perf_counter() - began
            if pid:
                break
            time.sleep(0.005)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"generate.py failed: {' '.join(words)}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    worked = usage.ru_utime + usage.ru_stime
    return there, time.perf_counter() - began, worked, usage.ru_maxrss / unit


def orchestra(weights: str, seconds: int) -> None:
    """Ten instruments for minutes: how long it takes, with the start, and how much memory."""
    instruments = "flute,oboe,clarinet,bassoon,horn,trumpet,violin,viola,cello,contrabass"
    words = ["--only-instruments", instruments, "--length", str(seconds), "--tempo", "100"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "song.mid"
        _, took, worked, peak = command([*words, "--seed", "1", "--weights", weights], out)
        score = read(out)
    length = float(score.seconds(score.end))
    print(
        f"{length:.0f} s of music, ten instruments, {len(score.notes):,} notes: {took:.1f} s "
        f"({worked:.1f} s of CPU), {length / took:.0f}× real time ({length / worked:.0f}× by the "
        f"CPU), {peak:.0f} MB at most"
    )


def first_note(weights: str) -> None:
    """From pressing Enter to the first note in a growing file, the best of three."""
    words = [str(PROMPTS / "piano.mid"), "--bars", "4", "--seed", "1", "--stream"]
    found = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            there, *_ = command([*words, "--weights", weights], Path(folder) / "song.mid")
        found.append(there)
    times = ", ".join(f"{there:.2f}" for there in sorted(found))
    print(f"first note in a file {min(found):.2f} s after the command (three runs: {times})")


SETS = ((0,), (40, 41, 42), (0, 33, 128), (73, 68, 71, 70, 60), (52,), (24,))
"""Instruments that are asked for: piano, strings, a trio with drums, winds, a choir, a guitar."""


def requests(pieces: int) -> Iterator[tuple[Prompt | None, GenerateOptions]]:
    """As many different requests, prompts and none in turn, in batches of four."""
    prompts = [read_prompt(path, stop=Place(bar=4)) for path in sorted(PROMPTS.glob("*.mid"))]
    meters = [(4, 4), (3, 4), (6, 8), (2, 4)]
    for number in range(-(-pieces // 4)):
        options = GenerateOptions(
            bars=(8, 12, 16)[number // 2 % 3],
            seed=number,
            variations=(1, 2, 3, 4),
            ending=number % 2 == 1,
        )
        if number % 3:
            yield prompts[number % len(prompts)], options
        else:
            only = SETS[number // 3 % len(SETS)]
            yield None, replace(options, only_instruments=only, meter=meters[number // 3 % 4])


def faults(result: Result, only: tuple[int, ...] | None) -> set[str]:
    """What is wrong with a file, in the eyes of three libraries."""
    found = set()
    notes = 0
    for track in mido.MidiFile(file=io.BytesIO(result.data)).tracks:
        now, sounding = 0, dict[tuple[int, int], int]()
        for message in track:
            now += message.time
            if message.type not in ("note_on", "note_off"):
                continue
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity:
                found |= {"started while sounding"} if key in sounding else set()
                sounding[key] = now
                notes += 1
            elif key in sounding and sounding.pop(key) == now:
                found.add("no length")
        found |= {"stuck"} if sounding else set()
    parsed = pretty_midi.PrettyMIDI(io.BytesIO(result.data))
    if sum(len(i.notes) for i in parsed.instruments) != notes:
        found.add("pretty_midi sees other notes")
    if symusic.Score.from_midi(result.data).note_num() != notes:
        found.add("symusic sees other notes")
    if only and {128 if i.is_drum else i.program for i in parsed.instruments} - set(only):
        found.add("another instrument")
    return found


def whole(model: Checkpoint, pieces: int) -> None:
    """Many pieces: faults, instruments kept to, and endings near to where they were asked for."""
    wrong: Counter[str] = Counter()
    count = endings = near = kept = loops = 0
    chords: list[Chord] = []
    began, worked = time.perf_counter(), time.process_time()
    for prompt, options in requests(pieces):
        continuation, results, _, _ = made(model, prompt, options)
        for result in results[: pieces - count]:
            count += 1
            wrong.update(faults(result, options.only_instruments))
            kept += options.only_instruments is not None
            loops += signs(new_music(result))["loop"] > RARE["loop"]
            if options.ending:
                endings += 1
                near += abs(continuation.bars_late(result.score.end)) <= 2
                chord = last_chord(new_music(result).notes, continuation.key)
                chords += [chord] if chord else []
    took, worked = time.perf_counter() - began, time.process_time() - worked
    print(
        f"{count} pieces in {took:.0f} s ({worked:.0f} s of CPU): "
        f"{', '.join(f'{n} {fault}' for fault, n in wrong.items()) or 'no fault'}; "
        f"{kept} with instruments guaranteed; {near} of {endings} endings within two bars, "
        f"{sum(c.tonic_in_bass for c in chords)} of {len(chords)} with "
        "the tonic in the bass, a last chord "
        f"{2 ** median(c.held for c in chords):.1f} times as long as the middle note; "
        f"{loops} with a figure that loops more often than in 99 of 100 real passages"
    )


def asked(model: Checkpoint) -> None:
    """How many notes are in the instruments asked for where nothing holds the model to them."""
    shares = []
    for wanted in SETS:
        options = GenerateOptions(seed=1, variations=(1, 2, 3, 4), instruments=wanted)
        for result in made(model, None, options)[1]:
            shares.append(result.adherence.in_instruments or 0.0)
    print(
        f"{len(shares)} unprompted pieces: {sum(shares) / len(shares):.0%} of the notes in the "
        f"instruments asked for; in {sum(s >= 0.9 for s in shares)} pieces at least 90 %"
    )


def main() -> None:
    """Run everything, or with --quick a little of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int, default=100)
    parser.add_argument("--only", default="orchestra,first,speed,share,pieces,asked")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    # First, while this process is small: the peak of a child counts what it was forked from.
    if "orchestra" in parts:
        orchestra(arguments.weights, 20 if arguments.quick else 240)
    if "first" in parts:
        first_note(arguments.weights)
    if "speed" in parts:
        speed(load_checkpoint(arguments.weights), 4 if arguments.quick else 16)
    if "share" in parts:
        share(load_checkpoint(arguments.weights), 4 if arguments.quick else 8)
    if "pieces" in parts:
        whole(load_checkpoint(arguments.weights), 8 if arguments.quick else arguments.pieces)
    if "asked" in parts:
        asked(load_checkpoint(arguments.weights))


if __name__ == "__main__":
    main()
