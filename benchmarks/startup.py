"""How long users wait for a command, and how much memory it takes, start of Python included.

    python benchmarks/startup.py [--rounds 7]

Every command once per round, by turns; the median and the shortest time of each, and the most
memory that it held. `python -c "import numpy"` is the floor of all that deals with notes.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
MUSENET = "import sys; from musenet.cli.main import main; main(sys.argv[1:])"
PROMPT = str(ROOT / "examples" / "prompts" / "pop.mid")
COMMANDS = {
    'python -c "import numpy"': ["import numpy"],
    "musenet --help": [MUSENET, "--help"],
    "musenet generate --help": [MUSENET, "generate", "--help"],
    "musenet inspect SONG": [MUSENET, "inspect", PROMPT],
    "musenet tokens SONG": [MUSENET, "tokens", PROMPT],
    "musenet generate SONG, one bar": [
        *(MUSENET, "generate", PROMPT, "--bars", "1", "--seed", "1", "--out", "{}/one.mid"),
    ],
    "musenet fill SONG, four bars of the bass": [
        *(MUSENET, "fill", PROMPT, "--bars", "3-6", "--instrument", "electric bass"),
        *("--seed", "1", "--out", "{}/fill.mid"),
    ],
    "the same, four takes": [
        *(MUSENET, "fill", PROMPT, "--bars", "3-6", "--instrument", "electric bass"),
        *("--seed", "1", "--variations", "4", "--out", "{}/fills.mid"),
    ],
}


def run(command: list[str], folder: str) -> tuple[float, float]:
    """The seconds that a command took and the most megabytes that it held.

    Raises:
        SystemExit: if it fails.
    """
    arguments = [part.replace("{}", folder) for part in command]
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    _, status, usage = os.wait4(child.pid, 0)
    took = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(arguments[1:])} ended with code {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return took, usage.ru_maxrss * unit / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            with tempfile.TemporaryDirectory() as folder:
                found[name].append(run(command, folder))
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print(f"{'':44s} {'median':>8s} {'shortest':>8s} {'memory':>8s}")
    for name, runs in found.items():
        times, memory = zip(*runs, strict=True)
        print(f"{name:44s} {median(times):6.2f} s {min(times):6.2f} s {max(memory):5.0f} MB")


if __name__ == "__main__":
    main()
