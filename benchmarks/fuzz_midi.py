"""Mutated MIDI files against the reader: one verdict of every way to read, and mido's events.

    python benchmarks/fuzz_midi.py [FOLDER] [--files 10000] [--seed 0] [--workers 2] [--json]

Each file of the folder (default: tests/fixtures/midi) is damaged in one of six ways, the same for
the same seed, and read in every way, with every column, in a process that may die without taking
this one along; what is accepted is compared with what mido reads (see `fuzz_checks.py`). No crash,
no hang, no memory, no value out of range, no error after reading. Prints one table, and exits with
1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing as mp
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.fuzz_checks import Readers, failures, out_of_range, unlike_mido, verdict
from tokenizer import Score, read, read_reporting

ROOT = Path(__file__).parent.parent
SECONDS = 2.0
WAYS = 4  # to read a file, timed together
MEGABYTES = 500
KEPT, WRONG = 0.45, 0.005  # of all notes of truncated files; of the notes kept


def flip(data: bytearray, rng: random.Random) -> None:
    """Invert one to eight bits anywhere."""
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def truncate(data: bytearray, rng: random.Random) -> None:
    """Cut the file off anywhere."""
    del data[rng.randrange(len(data)) :]


def insert(data: bytearray, rng: random.Random) -> None:
    """Put 1 to 64 random bytes anywhere."""
    at = rng.randrange(len(data))
    data[at:at] = rng.randbytes(rng.randint(1, 64))


def delete(data: bytearray, rng: random.Random) -> None:
    """Take 1 to 64 bytes out."""
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, 64)]


def header(data: bytearray, rng: random.Random) -> None:
    """Overwrite one to four bytes of the header and the first track's."""
    for _ in range(rng.randint(1, 4)):
        data[rng.randrange(22)] = rng.randrange(256)


def lengths(data: bytearray, rng: random.Random) -> None:
    """Make a track's length, or a number among the events, as large as it goes."""
    starts = [i for i in range(len(data) - 8) if data[i : i + 4] == b"MTrk"]
    if rng.random() < 0.5:
        at = rng.choice(starts) + 4
        data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", rng.randbytes(4)])
    else:
        at = rng.randrange(22, len(data))
        data[at : at + 4] = rng.choice(
            [b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00"]
        )


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip,
    truncate,
    insert,
    delete,
    header,
    lengths,
)


@dataclass
class Outcome:
    """What one mutated file did; `failures` are broken promises in words."""

    index: int
    kind: str
    file: str
    accepted: bool = False
    compared: bool = False
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    megabytes: float = 0.0
    notes: int = 0
    kept: int = 0
    wrong: int = 0


def mutated(files: list[Path], seed: int, index: int) -> tuple[Path, str, bytes]:
    """File number `index` of a seed: where it comes from, how it is damaged, and its bytes."""
    rng = random.Random(f"{seed}:{index}")
    path = rng.choice(files)
    data = bytearray(path.read_bytes())
    mutate = MUTATIONS[index % len(MUTATIONS)]
    mutate(data, rng)
    return path, mutate.__name__, bytes(data)


def tried(path: Path, kind: str, index: int, data: bytes) -> Outcome:
    """Read one mutated file in every way, and look at what comes out."""
    outcome = Outcome(index, kind, path.name)
    begin = time.perf_counter()
    wrong, score = failures(data, Readers())
    outcome.failures += wrong
    outcome.seconds = (time.perf_counter() - begin) / WAYS
    if score is not None:
        outcome.accepted = True
        unlike = unlike_mido(data, score, read_reporting(data)[1].oddities)
        outcome.compared = unlike is not None
        outcome.failures += unlike or []
    repaired, words = verdict(lambda: read(data, repair=True))
    outcome.failures += [words] if words.startswith("late") else []
    outcome.failures += out_of_range(repaired) if repaired is not None else []
    if kind == "truncate":
        whole, part = notes_of(read(path)), notes_of(repaired) if repaired else Counter()
        outcome.notes = whole.total()
        outcome.kept = (whole & part).total()
        outcome.wrong = (part - whole).total()
    outcome.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if outcome.seconds > SECONDS:
        outcome.failures.append(f"took {outcome.seconds:.1f} s")
    if outcome.megabytes > MEGABYTES:
        outcome.failures.append(f"took {outcome.megabytes:.0f} MB")
    return outcome


def notes_of(score: Score) -> Counter[tuple[int, ...]]:
    """How often each note is there, without its track."""
    return Counter(row[:5] for row in score.notes.tolist())


def worker(files: list[Path], seed: int, pipe: Connection) -> None:
    """Try the files whose numbers come through the pipe, until None comes."""
    while (index := pipe.recv()) is not None:
        path, kind, data = mutated(files, seed, index)
        pipe.send(tried(path, kind, index, data))


def outcomes(files: list[Path], seed: int, count: int, workers: int) -> Iterator[Outcome]:
    """Try files 0…count−1 in processes of their own; one that dies or hangs is an outcome too."""
    context = mp.get_context("spawn")
    indices = iter(range(count))
    running: dict[Connection, tuple[BaseProcess, int, float]] = {}

    def begin(pipe: Connection | None = None, process: BaseProcess | None = None) -> None:
        index = next(indices, None)
        if index is None:
            if pipe is not None and process is not None:
                pipe.send(None)
                process.join()
            return
        if pipe is None or process is None:
            pipe, other = context.Pipe()
            process = context.Process(target=worker, args=(files, seed, other), daemon=True)
            process.start()
            other.close()
        pipe.send(index)
        running[pipe] = (process, index, time.monotonic())

    for _ in range(workers):
        begin()
    while running:
        wait(list(running), timeout=1.0)
        for pipe in [pipe for pipe in running if pipe.poll()]:
            process, index, _ = running.pop(pipe)
            try:
                outcome: Outcome = pipe.recv()
            except EOFError:
                process.join()
                yield lost(files, seed, index, f"crashed with exit code {process.exitcode}")
                begin()
            else:
                yield outcome
                begin(pipe, process)
        for pipe, (process, index, since) in list(running.items()):
            if time.monotonic() - since > 10 * SECONDS:  # the start of a process included
                process.kill()
                process.join()
                del running[pipe]
                yield lost(files, seed, index, "hung")
                begin()


def lost(files: list[Path], seed: int, index: int, why: str) -> Outcome:
    """The outcome of a file that took its process along."""
    path, kind, _ = mutated(files, seed, index)
    return Outcome(index, kind, path.name, failures=[why])


def table(found: list[Outcome]) -> str:
    """One line for each way of damage."""
    lines = [
        f"{'damage':<10}{'files':>7}{'read':>7}{'as mido':>9}{'refused':>9}"
        + f"{'failed':>8}{'slowest':>10}"
    ]
    for kind in [mutate.__name__ for mutate in MUTATIONS] + ["all"]:
        mine = [o for o in found if kind in (o.kind, "all")]
        read_ = sum(o.accepted for o in mine)
        failed = sum(bool(o.failures) for o in mine)
        slowest = max((o.seconds for o in mine), default=0.0)
        lines.append(
            f"{kind:<10}{len(mine):>7}{read_:>7}{sum(o.compared for o in mine):>9}"
            f"{len(mine) - read_:>9}{failed:>8}{slowest:>8.2f} s"
        )
    return "\n".join(lines)


def repair_figures(found: list[Outcome]) -> tuple[float, float]:
    """Of truncated files: the share of all notes kept, and of the notes kept that are wrong."""
    notes, kept, wrong = (
        sum(getattr(o, name) for o in found) for name in ("notes", "kept", "wrong")
    )
    return kept / max(notes, 1), wrong / max(kept + wrong, 1)


def main() -> int:
    """Run the benchmark; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "tests/fixtures/midi")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print the failures and figures only")
    options = parser.parse_args()
    files = sorted(p for p in options.folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    if not files:
        parser.error(f"there is no MIDI file in {options.folder}")
    found = list(outcomes(files, options.seed, options.files, options.workers))
    kept, wrong = repair_figures(found)
    failed = [o for o in found if o.failures]
    peak = max(o.megabytes for o in found)
    good = not failed and kept >= KEPT and wrong <= WRONG
    if options.json:
        figures = {
            "files": len(found),
            "kept": kept,
            "wrong": wrong,
            "megabytes": peak,
            "good": good,
        }
        print(json.dumps({**figures, "failed": [asdict(o) for o in failed]}))
        return not good
    print(table(found))
    print(f"\nmost memory of a process: {peak:.0f} MB (at most {MEGABYTES})")
    print(
        f"truncated files, repaired: {kept:.1%} of all notes kept (at least {KEPT:.0%}), ", end=""
    )
    print(f"{wrong:.2%} of these wrong (at most {WRONG:.1%})")
    for outcome in failed[:20]:
        print(f"file {outcome.index} ({outcome.kind} {outcome.file}): {outcome.failures}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
