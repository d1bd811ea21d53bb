"""A soak: random requests to the command line, killed, stopped and starved at random.

    python benchmarks/soak.py [--requests 2000] [--seed 0] [--weights tiny] [--json]

Each request is a command in a process of its own, in a folder of its own, on a small disk where a
mount is allowed: generate, edit (fill or accompany), tree or prepare, with good and bad prompts and
random folders. Some are killed or interrupted at a random moment, some run on a disk with little
room. Afterwards: no traceback, an exit code that is promised, no temporary files but those of a
killed process, every file that was written whole, and no memory that grows over the requests.
`tiny` is a model with random weights, made here. Prints one table, and exits with 1 if a promise is
broken.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1"}

import argparse
import contextlib
import json
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.cli.main import COMMANDS, named
from musenet.cli.main import main as musenet
from tokenizer import MidiError, read

ROOT = Path(__file__).resolve().parents[1]
MIDI = ROOT / "tests" / "fixtures" / "midi"
PROMPTS = sorted(MIDI.glob("*.mid"))
BAD = sorted((ROOT / "tests" / "fixtures" / "nasty").glob("*.mid"))
SECONDS = 120.0  # for one request
GROWTH = 0.1  # of memory, from the first quarter of the requests that share a process to the last
PROMISED = {0, 1, 2, 130}
ENDINGS = ("left alone", "killed", "interrupted", "full disk")
DISK = "1m"


@dataclass
class Outcome:
    """What one request did; `failures` are broken promises in words."""

    index: int
    command: str
    ending: str
    code: int = 0
    failures: list[str] = field(default_factory=list)


Words = list[str]
Maker = Callable[[random.Random, Path, str], list[Words]]


def prompt(rng: random.Random) -> str:
    """A file to continue, one in four of them broken or no music."""
    return str(rng.choice(BAD if rng.random() < 0.25 else PROMPTS))


def generate(rng: random.Random, folder: Path, weights: str) -> list[Words]:
    """One continuation, or several."""
    words = ["generate", prompt(rng), "--out", str(folder / "out.mid"), "--weights", weights]
    words += ["--bars", str(rng.randint(1, 3)), "--seed", str(rng.randrange(99))]
    more = [["--variations", "2"], ["--stream"], ["--only-continuation"], ["--bars", "-1"], []]
    return [words + rng.choice(more)]


def edit(rng: random.Random, folder: Path, weights: str) -> list[Words]:
    """Holes filled in a song, or parts written for it."""
    words = [prompt(rng), "--out", str(folder / "out.mid"), "--weights", weights]
    words += ["--seed", str(rng.randrange(99))]
    fills = [
        ["--bars", "1"],
        ["--bars", "2-3", "--variations", "2"],
        ["--bars", "1,3", "--keep-rhythm"],
        ["--bars", "2", "--distance", "0.5"],
        ["--bars", "99"],
        ["--bars", "2", "--instruments", "theremin"],
    ]
    parts = [["--instruments", "bass,drums"], ["--replace", "1"], ["--replace", "nobody"], []]
    name, more = rng.choice([("fill", one) for one in fills] + [("accompany", p) for p in parts])
    return [[name, *words, *more]]


def tree(rng: random.Random, folder: Path, weights: str) -> list[Words]:
    """A tree with a prompt and something grown from it."""
    file = str(folder / "t.json")
    grow = ["tree", "grow", file, "--weights", weights, "--bars", "1", "--seed", "1"]
    last = rng.choice(
        [["tree", "show", file], ["tree", "verify", file], ["tree", "prune", file, "1"]]
    )
    return [["tree", "new", file, prompt(rng)], grow, last]


def prepare(rng: random.Random, folder: Path, _weights: str) -> list[Words]:
    """A dataset of a random folder with good, bad and odd files."""
    music = folder / "music"
    music.mkdir()
    for path in rng.sample(PROMPTS, 3) + rng.sample(BAD, rng.randint(0, 5)):
        shutil.copy(path, music)
    if rng.random() < 0.5:
        (music / "dangling.mid").symlink_to("nowhere")
        (music / "none.zip").write_bytes(b"no archive")
    words = ["prepare", str(music), "--out", str(folder / "dataset"), "--workers", "1"]
    return [[*words, "--engine", rng.choice(["threads", "processes"])]]


MAKERS: dict[str, Maker] = {
    "generate": generate,
    "edit": edit,
    "tree": tree,
    "prepare": prepare,
}


def tiny(folder: Path) -> str:
    """A checkpoint with random weights."""
    import torch

    from musenet.model.checkpoint import save_checkpoint
    from musenet.model.config import ModelConfig
    from musenet.model.transformer import Transformer
    from tokenizer import Tokenizer
    from tokenizer.encoding.structure import STRUCTURE_SIZES

    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = Tokenizer.default()
    sizes = tokenizer.vocabulary.sizes
    model = Transformer(
        ModelConfig(sizes, STRUCTURE_SIZES, layers=3, heads=2, width=32, context=256)
    )
    save_checkpoint(folder / "tiny", model, tokenizer, {})
    return str(folder / "tiny")


def forked(words: Words, log: Path, ending: str, rng: random.Random) -> int:
    """Run a command in a fork of this process, and end it as asked; its exit code."""
    log.touch()  # a child that is killed at once leaves none
    child = os.fork()
    if child == 0:
        os.setsid()  # with its own workers, which are killed along
        with log.open("ab", buffering=0) as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        code = 1
        try:
            musenet(words)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0
        except BaseException:
            import traceback

            traceback.print_exc()
        os._exit(code)
    if ending in ("killed", "interrupted"):
        time.sleep(rng.random() ** 2 * 3)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL if ending == "killed" else signal.SIGINT)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 999


def mounted(folder: Path) -> bool:
    """Whether a small file system could be mounted on a folder."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    return (
        shutil.which("mount") is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def fill(folder: Path, rng: random.Random) -> None:
    """Leave little or no room on a small disk."""
    with contextlib.suppress(OSError):
        (folder / "ballast").write_bytes(bytes(2**20 - rng.choice([0, 4096, 16384, 65536])))


def request(index: int, seed: int, weights: str) -> Outcome:
    """Make one request and look at what it leaves."""
    rng = random.Random(f"{seed}:{index}")
    name = rng.choice(list(MAKERS))
    ending = rng.choice(ENDINGS) if rng.random() < 0.6 else ENDINGS[0]
    outcome = Outcome(index, name, ending)
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "here"
        folder.mkdir()
        is_small = ending == "full disk" and mounted(folder)
        try:
            steps = MAKERS[name](rng, folder, weights)
            if is_small:
                fill(folder, rng)
            for words in steps:
                outcome.code = forked(words, Path(base) / "log", ending, rng)
                if outcome.code:
                    break
            outcome.failures += broken(outcome, folder, (Path(base) / "log").read_text("utf-8"))
            if name == "prepare" and outcome.code and not is_small:
                outcome.failures += resumed(steps[0], Path(base) / "log", rng)
        finally:
            if is_small:
                subprocess.run(["umount", str(folder)], check=True)
    return outcome


def broken(outcome: Outcome, folder: Path, log: str) -> list[str]:
    """Which promises a request has broken."""
    found = []
    if "Traceback" in log:
        found.append(log[log.index("Traceback") :][-600:])
    killed = outcome.ending == "killed"
    if outcome.code not in PROMISED and not killed and outcome.code != -signal.SIGINT:
        found.append(f"exit code {outcome.code}")
    for path in folder.rglob("*"):
        if path.name.startswith(".") and path.name != ".work" and not killed:
            found.append(f"left behind: {path.relative_to(folder)}")
        if path.parent == folder and path.suffix == ".mid" and not path.name.startswith("."):
            try:
                read(path)
            except MidiError as error:
                found.append(f"half a file: {error}")
    return found


def resumed(words: Words, log: Path, rng: random.Random) -> list[str]:
    """Whether a `prepare` that was killed or stopped is completed by the same command."""
    code = forked(words, log, ENDINGS[0], rng)
    return [] if code in (0, 2) else [f"not resumed: exit code {code}"]


def memory() -> float:
    """Megabytes that this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def growth(weights: str, folder: Path, times: int) -> float:
    """How much more memory one process has after many requests than after a quarter of them."""
    sizes = []
    for number in range(times):
        words = ["generate", str(PROMPTS[number % len(PROMPTS)]), "--weights", weights]
        with contextlib.redirect_stdout(None), contextlib.suppress(SystemExit):
            musenet([*words, "--out", str(folder / "g.mid"), "--bars", "1", "--seed", "1"])
        sizes.append(memory())
    return sizes[-1] / sizes[times // 4] - 1


def table(found: list[Outcome]) -> str:
    """One line for each command and way to end."""
    lines = [f"{'command':<10}{'ending':<14}{'requests':>9}  {'exit codes':<32}{'failed':>8}"]
    for name in MAKERS:
        for ending in ENDINGS:
            mine = [o for o in found if (o.command, o.ending) == (name, ending)]
            codes = " ".join(f"{c}: {n}" for c, n in sorted(Counter(o.code for o in mine).items()))
            failed = sum(bool(o.failures) for o in mine)
            lines.append(f"{name:<10}{ending:<14}{len(mine):>9}  {codes:<32}{failed:>8}")
    return "\n".join(lines)


def main() -> int:
    """Run the soak; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", default="tiny")
    parser.add_argument("--json", action="store_true", help="print the failures and figures only")
    options = parser.parse_args()
    for name in COMMANDS:
        named(name)  # what is imported once need not be imported in every fork
    with tempfile.TemporaryDirectory() as base:
        weights = tiny(Path(base)) if options.weights == "tiny" else options.weights
        grown = growth(weights, Path(base), max(options.requests // 20, 8))
        found = []
        for index in range(options.requests):
            found.append(request(index, options.seed, weights))
            if found[-1].failures or index % 100 == 99:
                print(f"{index + 1} requests, {found[-1].failures}", file=sys.stderr, flush=True)
    failed = [o for o in found if o.failures]
    good = not failed and grown <= GROWTH
    if options.json:
        figures = {"requests": len(found), "growth": grown, "good": good}
        print(json.dumps({**figures, "failed": [asdict(o) for o in failed]}))
        return not good
    print(table(found))
    print(f"\nmemory of one process over {max(options.requests // 20, 8)} requests: {grown:+.1%}")
    for outcome in failed[:20]:
        print(f"request {outcome.index} ({outcome.command}, {outcome.ending}): {outcome.failures}")
    return not good


if __name__ == "__main__":
    sys.exit(main())
