"""One training run over two machines, here two network namespaces of one, beside a single process.

    python benchmarks/two_nodes.py [--address 10.83.0.1]

Each node has its own network stack and address and sees the other over a virtual cable only, as two
machines do. Where namespaces cannot be made (not root, or not Linux) two local launchers stand for
the nodes. The table compares the validations of the run with those of one process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console
from rich.table import Table

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.pipeline import Run

ROOT = Path(__file__).resolve().parents[1]
NODES = 2
PORT = 29_531
SETTINGS = {
    "context": 128,
    "batch": 4,
    "steps": 12,
    "warmup": 2,
    "threads": 1,
    "validate_steps": 4,
    "validate_windows": 2,
    "precision": "fp32",
    "device": "cpu",
    "model": {"layers": 2, "width": 64, "heads": 4, "kv_heads": 2},
}


@contextmanager
def namespaces(address: str) -> Iterator[list[list[str]]]:
    """What stands before a command to run it on each node; nothing without namespaces."""
    names = [f"musenet{number}" for number in range(NODES)]
    start = address.rpartition(".")[0]
    steps = [["netns", "add", name] for name in names]
    steps += [["link", "add", "musenet-a", "type", "veth", "peer", "name", "musenet-b"]]
    for number, (name, end) in enumerate(zip(names, ("musenet-a", "musenet-b"), strict=True)):
        inside = ["netns", "exec", name, "ip"]
        steps += [
            ["link", "set", end, "netns", name],
            [*inside, "addr", "add", f"{start}.{number + 1}/24", "dev", end],
            [*inside, "link", "set", end, "up"],
            [*inside, "link", "set", "lo", "up"],
        ]
    try:
        for step in steps:
            subprocess.run(["ip", *step], check=True, capture_output=True)
        yield [["ip", "netns", "exec", name] for name in names]
    except (OSError, subprocess.CalledProcessError):
        yield [[] for _ in names]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def arguments(dataset: Path, out: Path) -> list[str]:
    """The command line of the run, after the launcher."""
    words = [f"--set={key}={json.dumps(value)}" for key, value in SETTINGS.items()]
    return [str(ROOT / "train.py"), str(dataset), "--out", str(out), *words]


def over_nodes(dataset: Path, out: Path, address: str) -> str:
    """Train on both nodes at once; says how they were kept apart."""
    with namespaces(address) as places:
        apart = bool(places[0])
        host = address if apart else "127.0.0.1"
        processes = []
        for rank, place in enumerate(places):
            launcher = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={NODES}"]
            launcher += [f"--node-rank={rank}", "--nproc-per-node=1"]
            launcher += [f"--master-addr={host}", f"--master-port={PORT}"]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            if apart:
                environment["GLOO_SOCKET_IFNAME"] = f"musenet-{'ab'[rank]}"
            command = [*place, *launcher, *arguments(dataset, out)]
            processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        for process in processes:
            said = process.communicate(timeout=600)[1]
            if process.returncode:
                print(said.decode()[-2000:], file=sys.stderr)
                sys.exit(process.returncode)
    return "two network namespaces" if apart else "two local launchers"


def validations(run: Path) -> dict[int, float]:
    """Bits per note by step."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["step"]: row["bits_per_note"] for row in rows if row["kind"] == "validation"}


def main() -> None:
    """Train twice, and print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--address", default="10.83.0.1", help="of the first node")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(
            [ROOT / "examples"],
            work / "dataset",
            plan=Plan(Shares(0.1, 0.0)),
            run=Run("threads"),
        )
        how = over_nodes(work / "dataset", work / "two", options.address)
        alone = [sys.executable, *arguments(work / "dataset", work / "one")]
        subprocess.run(alone, check=True, capture_output=True)
        one, two = validations(work / "one"), validations(work / "two")
    table = Table("step", "one process", how, title="validation, bits per note")
    for step, bits in one.items():
        table.add_row(str(step), f"{bits:.4f}", f"{two[step]:.4f}")
    Console(width=80).print(table)


if __name__ == "__main__":
    main()
