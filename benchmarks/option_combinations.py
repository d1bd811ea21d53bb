"""Random combinations of options, valid and not, on prompts as people bring them.

    python benchmarks/option_combinations.py [--requests 300] [--seed 0] [--weights mini] [--tell]

Each request is `generate`, `fill` or `accompany` with one to five options drawn at random, some of
them with a value that is out of range, misspelt or contradicts another. Afterwards: no traceback;
exit code 0, with the files that were told, each of which can be read, and in a third of the cases
is made again by `replay`; or 2, with a sentence and no new file; nothing that was there is lost or
changed unless `--force` was given, and never the prompt. A value that is wrong by itself is refused
and no other request is, unless it depends on the prompt, the machine or another option; and the
sentence names something that can be its reason. Prints one table, and exits with 1 if a promise is
broken.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1"}

import argparse
import contextlib
import io
import random
import re
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.cli.main import main as musenet
from tokenizer import read

ROOT = Path(__file__).resolve().parents[1]
PROMPTS = sorted((ROOT / "examples" / "user_prompts").iterdir())
Words = list[str]


class Values(NamedTuple):
    """What a request may give to an option.

    Attributes:
        right: never a reason to refuse by itself; the first is drawn most often.
        wrong: always refused, whatever else is asked for.
        unsure: right or wrong by the prompt, the machine or the other options.
    """

    right: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


Pool = dict[str, Values]
FLAG = Values(("",))
UNSURE_FLAG = Values((), (), ("",))

SHARED: Pool = {
    "--composer": Values(
        ("bach", "chopin", "bach:0.6,chopin:0.4"), ("Taylor Swift", "", "bach:0,chopin:0")
    ),
    "--style": Values(("jazz", "baroque,jazz", "rock:0.5"), ("polka-metal",)),
    "--chords": Values(("C | Am | F | G7", "C", "Cmaj7 Dm7 | %"), ("H7 | ?", "", "| |")),
    "--keep-chords": UNSURE_FLAG,
    "--no-keep-chords": FLAG,
    "--as": Values((), ("Keys=theremin", "Nobody=drums", "=", "Keys"), ("Keys=piano", "1=drums")),
    "--scale": Values(("C major", "D dorian", "A"), ("Z lydian",)),
    "--polyphony": Values(("1", "4"), ("0", "129", "two")),
    "--density": Values(("1", "8"), ("0", "-3")),
    "--no-unisons": FLAG,
    "--temperature": Values(
        ("0.9", "pitch=0.8,duration=1.1"), ("0", "-1", "99", "pitch=x", "loudness=1")
    ),
    "--top-k": Values(("5", "0", "pitch=3"), ("-1",)),
    "--top-p": Values(("0.9", "wait=0.9"), ("0", "1.5")),
    "--min-p": Values(("0.05", "1"), ("2",)),
    "--instrument-balance": Values(("0", "2"), ("3", "nan")),
    "--style-penalty": Values(("0", "1.5"), ("-1", "inf")),
    "--loop-penalty": Values(("1", "2"), ("0",)),
    "--overlap": Values(("0.2",), ("0.95",)),
    "--seed": Values(("1", "9223372036854775807"), ("-1", "9223372036854775808", "x")),
    "--seed-alone": FLAG,
    "--engine": Values(("eager", "int8"), ("fast",), ("graphs",)),
    "--variations": Values(("2",), ("0", "65")),
    "--variation": Values(("3",), ("0", "-1")),
    "--candidates": Values(("2",), ("0", "-2")),
    "--keep": Values((), ("0",), ("1", "3")),
    "--force": FLAG,
}
GENERATE: Pool = {
    **SHARED,
    "--bars": Values(("1", "2"), ("0", "-4", "10001", "1.5")),
    "--length": Values((), ("-5", "4 minutes", "99:99"), ("0:40", "1:00", "0:01")),
    "--end": FLAG,
    "--from": Values((), ("0", "99", "-1", "x"), ("2", "0:04")),
    "--to": Values((), ("0", "x"), ("4", "0:08", "99", "9:99")),
    "--instrument": Values(("violin", "piano,drums"), ("theremin", "129", ""), ("Violin I",)),
    "--only-instruments": Values(("piano", "violin,cello", "drums"), ("kazoo",)),
    "--new-instruments": FLAG,
    "--tempo": Values(("60", "180"), ("0", "1000", "fast")),
    "--meter": Values((), ("4/0", "0/4", "waltz"), ("3/4", "7/8")),
    "--key": Values(("D minor", "F# major"), ("H moll", "X")),
    "--guidance": Values(("1",), ("11",), ("1.5",)),
    "--entrance": Values(("0", "2"), ("9",)),
    "--no-pedal": FLAG,
    "--no-find-beats": FLAG,
    "--picture": Values(("roll.png", "roll.svg"), ("roll.gif",), ("kept.png",)),
    "--stems": Values(("stems",), ("kept.mid",)),
    "--render": Values((), ("a.mp3",), ("a.wav",)),
    "--port": Values((), (), ("No such port",)),
    "--only-continuation": FLAG,
    "--stream": FLAG,
}
FILL: Pool = {
    **SHARED,
    "--bars": Values(("2", "2-3", "1,3"), ("99", "3-2", "0", "a-b")),
    "--from": Values(("2",), ("99", "x"), ("0:04",)),
    "--to": Values(("3",), ("x",), ("0:06", "99", "1")),
    "--instruments": Values(("bass", "piano,drums"), ("theremin",)),
    "--tracks": Values((), ("Nobody", "0", "99"), ("1", "2", "Keys")),
    "--add": Values(("strings", "bass,flute"), ("kazoo",)),
    "--keep-rhythm": UNSURE_FLAG,
    "--keep-pitches": UNSURE_FLAG,
    "--distance": Values(("0.5", "1"), ("2",), ("0",)),
}
ACCOMPANY: Pool = {
    **SHARED,
    "--instruments": Values(("strings", "bass,drums"), ("theremin", "")),
    "--replace": Values((), ("Nobody",), ("1", "Keys")),
}
TOGETHER = (
    {"--chords", "--keep-chords"},
    {"--candidates", "--variations"},
    {"--candidates", "--variation"},
    {"--candidates", "--stream"},
    {"--bars", "--length"},
    {"--bars", "--from"},
    {"--bars", "--to"},
    {"--from", "--to"},
    {"--instrument", "--only-instruments"},
    {"--instruments", "--tracks"},
    {"--instruments", "--add"},
    {"--instruments", "--replace"},
    {"--keep-rhythm", "--add"},
    {"--distance", "--add"},
)
"""Options that may contradict each other."""
OUT = (*4 * ("new.mid",), "kept.mid", "kept.mid", "deep/er/new.mid", "new.txt", "prompt", "folder")
NEEDED = {
    "generate": set[str](),
    "fill": {"--bars", "--from", "--to"},
    "accompany": {"--instruments", "--replace"},
}
"""Options of which a request gives one at least."""
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
        values = [value for kind in pool[name] for value in kind]
        value = values[0] if rng.random() < 0.75 else rng.choice(values)
        words += [name] if is_flag(pool[name]) else [name, placed(name, value, folder)]
    return words


def is_flag(values: Values) -> bool:
    """Whether an option takes no value."""
    return values in (FLAG, UNSURE_FLAG)


def placed(name: str, value: str, folder: Path) -> str:
    """The value of an option, in the folder if it is a file."""
    return str(folder / value) if name in ("--picture", "--stems", "--render") else value


def given(words: Words) -> dict[str, str]:
    """The options of a request and their values, "" for a flag."""
    pool, found = POOLS[words[0]], {}
    rest = iter(words[1 if words[1].startswith("--") else 2 :])
    for name in rest:
        found[name] = "" if name in pool and is_flag(pool[name]) else next(rest)
    return found


def reasons(words: Words, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What in a request must be refused, and what else may be: options and their values."""
    pool, options = POOLS[words[0]], given(words)
    wrong, unsure = (
        {
            name: value
            for name, value in options.items()
            if name in pool and value in [placed(name, each, folder) for each in pool[name][kind]]
        }
        for kind in (1, 2)
    )
    for names in TOGETHER:
        if names <= set(options):
            unsure |= {name: options[name] for name in names}
    prompt = None if words[1].startswith("--") else Path(words[1])
    if prompt is not None and (not prompt.is_file() or prompt.read_bytes() == b"kept"):
        wrong["the prompt"] = prompt.name
    out = Path(options["--out"])
    if words[0] == "generate" and out.suffix != ".mid" and prompt != folder:
        wrong["--out"] = str(out)
    if "--force" in options:
        unsure["--out"] = str(out)
    for name in NEEDED[words[0]] if not options.keys() & NEEDED[words[0]] else ():
        wrong[name] = ""
    return wrong, unsure


def names(said: str, option: str, value: str) -> bool:
    """Whether a sentence names an option, with or without dashes, its value or a part of it."""
    parts = [part.strip() for part in re.split("[=:,|/]", value)]
    label = re.search(rf"\b{option.strip('-').replace('-', ' ')}\b", said.replace("-", " "))
    quoted = any(f"'{part}'" in said for part in parts)
    return bool(label) or quoted or any(len(p) > 1 and p in said for p in (value, *parts))


def judged(words: Words, folder: Path, code: int, said: str) -> list[str]:
    """Whether a request was rightly taken or refused, and for a reason that it has."""
    wrong, unsure = reasons(words, folder)
    if code == 0:
        return [f"{name} '{value}' was taken" for name, value in wrong.items()]
    if not wrong and not unsure:
        return [f"refused without a reason: {said.strip()}"]
    if not any(names(said, name, value) for name, value in (wrong | unsure).items()):
        return [f"the sentence names none of {', '.join(wrong | unsure)}: {said.strip()}"]
    return []


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
    if code in (0, 2):
        broken += judged(words, folder, code, said)
    else:
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
