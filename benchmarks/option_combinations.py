"""Random combinations of options, valid and not, on prompts as people bring them.

    python benchmarks/option_combinations.py [--requests 300] [--seed 0] [--weights mini] [--tell]

Each request is `generate`, `fill` or `accompany` with one to five options drawn at random, some of
them with a value that is out of range, misspelt or contradicts another. Afterwards: no traceback;
exit code 0, with the files that were told, each of which can be read, and in a third of the cases
is made again by `replay`; or 2, with a sentence and no new file; nothing that was there is lost or
changed unless `--force` was given, and never the prompt. Prints one table, and exits with 1 if a
promise is broken.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1"}

import argparse
import contextlib
import io
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.cli.main import main as musenet
from tokenizer import read

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = sorted((ROOT / "examples" / "user_prompts").iterdir())
Words = list[str]
Pool = dict[str, tuple[str, ...]]

SHARED: Pool = {
    "--composer": ("bach", "chopin", "bach:0.6,chopin:0.4", "Taylor Swift", "", "bach:0,chopin:0"),
    "--style": ("jazz", "baroque,jazz", "polka-metal", "rock:0.5"),
    "--chords": ("C | Am | F | G7", "C", "H7 | ?", "", "| |", "Cmaj7 Dm7 | %"),
    "--keep-chords": ("",),
    "--no-keep-chords": ("",),
    "--as": ("Keys=piano", "Keys=theremin", "Nobody=drums", "1=drums", "=", "Keys"),
    "--scale": ("C major", "D dorian", "Z lydian", "A"),
    "--polyphony": ("1", "4", "0", "129", "two"),
    "--density": ("1", "8", "0", "-3"),
    "--no-unisons": ("",),
    "--temperature": ("0.9", "pitch=0.8,duration=1.1", "0", "-1", "99", "pitch=x", "loudness=1"),
    "--top-k": ("5", "0", "-1", "pitch=3"),
    "--top-p": ("0.9", "0", "1.5", "wait=0.9"),
    "--min-p": ("0.05", "1", "2"),
    "--instrument-balance": ("0", "2", "3", "nan"),
    "--style-penalty": ("0", "1.5", "-1", "inf"),
    "--loop-penalty": ("1", "2", "0"),
    "--overlap": ("0.2", "0.95"),
    "--seed": ("1", "-1", "9223372036854775807", "9223372036854775808", "x"),
    "--seed-alone": ("",),
    "--engine": ("eager", "int8", "graphs", "fast"),
    "--variations": ("2", "0", "65"),
    "--variation": ("3", "0", "-1"),
    "--candidates": ("2", "0", "-2"),
    "--keep": ("1", "3", "0"),
    "--force": ("",),
}
GENERATE: Pool = {
    **SHARED,
    "--bars": ("1", "2", "0", "-4", "10001", "1.5"),
    "--length": ("0:40", "1:00", "0:01", "-5", "4 minutes", "99:99"),
    "--end": ("",),
    "--from": ("2", "0:04", "0", "99", "-1", "x"),
    "--to": ("4", "0:08", "99", "0", "9:99", "x"),
    "--instrument": ("violin", "piano,drums", "theremin", "129", "", "Violin I"),
    "--only-instruments": ("piano", "violin,cello", "drums", "kazoo"),
    "--new-instruments": ("",),
    "--tempo": ("60", "180", "0", "1000", "fast"),
    "--meter": ("3/4", "7/8", "4/0", "0/4", "waltz"),
    "--key": ("D minor", "F# major", "H moll", "X"),
    "--guidance": ("1", "1.5", "11"),
    "--entrance": ("0", "2", "9"),
    "--no-pedal": ("",),
    "--no-find-beats": ("",),
    "--picture": ("roll.png", "roll.svg", "roll.gif", "kept.png"),
    "--stems": ("stems", "kept.mid"),
    "--render": ("a.wav", "a.mp3"),
    "--port": ("No such port",),
    "--only-continuation": ("",),
    "--stream": ("",),
}
FILL: Pool = {
    **SHARED,
    "--bars": ("2", "2-3", "1,3", "99", "3-2", "0", "a-b"),
    "--from": ("2", "0:04", "99", "x"),
    "--to": ("3", "0:06", "99", "1"),
    "--instruments": ("bass", "piano,drums", "theremin"),
    "--tracks": ("1", "2", "Keys", "Nobody", "0", "99"),
    "--add": ("strings", "bass,flute", "kazoo"),
    "--keep-rhythm": ("",),
    "--keep-pitches": ("",),
    "--distance": ("0.5", "0", "1", "2"),
}
ACCOMPANY: Pool = {
    **SHARED,
    "--instruments": ("strings", "bass,drums", "theremin", ""),
    "--replace": ("1", "Keys", "Nobody"),
}
OUT = (*4 * ("new.mid",), "kept.mid", "kept.mid", "deep/er/new.mid", "new.txt", "prompt", "folder")
POOLS = {"generate": GENERATE, "fill": FILL, "accompany": ACCOMPANY}


def request(rng: random.Random, folder: Path, weights: str) -> Words:
    """A command in a folder with a prompt and files that are to be kept."""
    source = rng.choice(PROMPTS)
    prompt = folder / source.name
    shutil.copy(source, prompt)
    for name in ("kept.mid", "kept.png", "folder/kept.mid"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"kept")
    command = rng.choice(("generate", "generate", "generate", "fill", "accompany"))
    if command == "generate" and rng.random() < 0.1:
        words = [command, str(rng.choice((folder, folder / "none.mid", folder / "kept.mid")))]
    elif command == "generate" and rng.random() < 0.2:
        words = [command]
    else:
        words = [command, str(prompt)]
    out = rng.choice(OUT)
    words += ["--out", str(prompt if out == "prompt" else folder / out), "--weights", weights]
    pool = POOLS[command]
    names = rng.sample(sorted(pool), rng.randint(1, 5))
    if command == "fill" and rng.random() < 0.8:
        names = ["--bars", *(n for n in names if n not in ("--bars", "--from", "--to"))]
    if command == "accompany" and rng.random() < 0.8:
        names = ["--instruments", *(n for n in names if n != "--instruments")]
    if command == "generate" and "--length" not in names:
        names = ["--bars", *(n for n in names if n != "--bars")]
    if "--keep" in names and "--candidates" not in names and rng.random() < 0.8:
        names.append("--candidates")
    for name in names:
        value = pool[name][0] if rng.random() < 0.75 else rng.choice(pool[name])
        is_file = name in ("--picture", "--stems", "--render")
        words += (
            [name, str(folder / value)] if is_file else [name] if value == "" else [name, value]
        )
    return words


def snapshot(folder: Path) -> dict[Path, bytes]:
    """The files of a folder."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def failures(words: Words, folder: Path) -> tuple[int, list[str]]:
    """Run a request; its exit code, and the promises that it broke."""
    before = snapshot(folder)
    out, err = io.StringIO(), io.StringIO()
    code, broken = 0, []
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            musenet(words)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
        except BaseException:
            traceback.print_exc()
            code, broken = 99, ["a traceback"]
    after = snapshot(folder)
    told, said = out.getvalue(), err.getvalue()
    if "Traceback" in said and not broken:
        broken.append(said.strip().splitlines()[-1])
    forced = "--force" in words and words[words.index("--out") + 1]
    for path, data in before.items():
        if path not in after:
            broken.append(f"{path.name} is lost")
        elif after[path] != data and (data != b"kept" or not forced):
            broken.append(f"{path.name} is changed")
    new = [path for path in after if path not in before]
    if code == 0 and not (new or forced):
        broken.append("nothing was written at exit code 0")
    if code == 2 and new and words[1] != str(folder):
        broken.append(f"{new[0].name} was written at exit code 2")
    if code == 2 and not said.strip():
        broken.append("no sentence at exit code 2")
    if code not in (0, 2):
        broken.append(f"exit code {code}")
    for path in (path for path in new if path.suffix == ".mid"):
        read(path)
        if path.parent.name != "stems" and path.name not in told and words[1] != str(folder):
            broken.append(f"{path.name} was not told")
    if code == 0 and differs_again(words, folder, new):
        broken.append("a replay with other music")
    return code, broken


def differs_again(words: Words, folder: Path, new: list[Path]) -> bool:
    """Whether the first new file is not made again, where it can be."""
    made = [path for path in new if path.suffix == ".mid" and path.parent.name != "stems"]
    if not made or "--only-continuation" in words or "--candidates" in words or len(words) % 3:
        return False
    again = ["replay", str(made[0]), "--out", str(folder / "again.mid")]
    again += ["--weights", words[words.index("--weights") + 1]]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            musenet(again)
        except SystemExit as stop:
            return bool(stop.code)
    return False


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--tell", action="store_true", help="print every request")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    codes: Counter[tuple[str, int]] = Counter()
    broken: list[tuple[Words, list[str]]] = []
    for number in range(arguments.requests):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            words = request(rng, folder, arguments.weights)
            code, found = failures(words, folder)
            codes[words[0], code] += 1
            short = [word.replace(f"{name}/", "") for word in words]
            if found:
                broken.append((short, found))
                print(f"{number}: {'; '.join(found)}: {short}", file=sys.stderr, flush=True)
            elif arguments.tell:
                print(f"{number}: {code}: {short}", file=sys.stderr, flush=True)
    print(f"{'command':12}{'exit code':>10}{'requests':>10}")
    for (command, code), count in sorted(codes.items()):
        print(f"{command:12}{code:>10}{count:>10}")
    print(f"{len(broken)} of {arguments.requests} broke a promise")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
