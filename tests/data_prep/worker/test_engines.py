from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data_prep.pipeline import ENGINES
from data_prep.sources.find import MidiFile
from data_prep.worker.chunks import read_chunk
from data_prep.worker.engines import Limits
from data_prep.worker.worker import FileBatch, FileRecord, Preprocessing
from tokenizer import InputError, Score, Tokenizer
from tokenizer.midi.read import to_bytes

WRITES_AND_HANGS = """
import data_prep.worker.worker, os, sys, time
real = data_prep.worker.worker.read_all
def checked(sources):
    for data in sources:
        what = bytes(data[:6])
        if what == b"hang":
            time.sleep(1000)
        if what == b"die":
            os.kill(os.getpid(), 11)
        if what == b"eat":
            data = [bytearray(1 << 26) for _ in range(1000)]
        if what == b"bug":
            raise ZeroDivisionError("a bug")
        yield data
data_prep.worker.worker.read_all = lambda sources, **options: real(checked(sources), **options)

sketches = data_prep.worker.worker.sketches
def checked_sketches(music):
    for notes in music.count.tolist():
        if notes == 91:
            os.kill(os.getpid(), 11)
        if notes == 92:
            time.sleep(1000)
        if notes == 93:
            raise MemoryError
    return sketches(music)
data_prep.worker.worker.sketches = checked_sketches
"""


def batches(corpus: Path, target: Path, *names: bytes) -> list[FileBatch]:
    """One batch of good files with bad ones between them, and one of good files alone."""
    good = [
        MidiFile("c", path.name, str(path), None, 1) for path in sorted(corpus.rglob("*.mid"))[:6]
    ]
    bad = [MidiFile("c", name.decode("latin-1"), None, name, len(name)) for name in names]
    mixed = [file for pair in zip(good, bad, strict=False) for file in pair]
    return [
        FileBatch(0, target / "0.parquet", tuple(mixed)),
        FileBatch(1, target / "1.parquet", tuple(good)),
    ]


def run(name: str, todo: list[FileBatch], limits: Limits) -> dict[str, FileRecord]:
    done = list(ENGINES[name](iter(todo), Preprocessing(Tokenizer.default()), limits))
    assert sorted(batch.number for batch in done) == [0, 1]
    return {r.name: r for batch in todo for r in read_chunk(batch.target, tokens=False)}


@pytest.fixture
def saboteur(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes in which some bytes hang, crash or eat memory when they are read."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WRITES_AND_HANGS)
    root = Path(__file__).resolve().parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(root)]))


@pytest.mark.usefixtures("saboteur")
def test_a_file_that_hangs_or_crashes_is_dropped_and_not_the_run(
    corpus: Path, tmp_path: Path
) -> None:
    todo = batches(corpus, tmp_path, b"hang", b"die", b"bug")
    found = run("processes", todo, Limits(workers=2, seconds=1.5))
    assert found["hang"].refused == "time_limit"
    assert found["hang"].detail == "reading it took more than 1.5 s"
    assert found["die"].refused == "crashed"
    assert found["die"].detail == "the process reading it died"
    assert found["bug"].detail == "ZeroDivisionError: a bug"
    assert sum(not record.refused for record in found.values()) >= 5


@pytest.mark.usefixtures("saboteur")
def test_a_file_at_fault_is_found_when_many_are_worked_on_together(
    corpus: Path, tmp_path: Path, melody: Callable[..., Score]
) -> None:
    names = {91: "dies.mid", 92: "hangs.mid", 93: "eats.mid"}
    bad = [to_bytes(melody(notes, notes=notes)) for notes in names]
    todo = batches(corpus, tmp_path, *bad)
    named = [
        file._replace(name=names[90 + place // 2 + 1]) if file.data else file
        for place, file in enumerate(todo[0].files)
    ]
    todo[0] = replace(todo[0], files=tuple(named))
    found = run("processes", todo, Limits(workers=2, seconds=1.5))
    refused = {name: record.refused for name, record in found.items() if record.refused}
    expected = {"dies.mid": "crashed", "hangs.mid": "time_limit", "eats.mid": "memory_limit"}
    assert refused == expected
    assert len(found) == 6 + len(expected)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@pytest.mark.usefixtures("saboteur")
def test_a_file_that_eats_memory_is_dropped(corpus: Path, tmp_path: Path) -> None:
    todo = batches(corpus, tmp_path, b"eat")
    found = run("processes", todo, Limits(workers=1, megabytes=600))
    assert found["eat"].refused == "memory_limit"
    assert sum(not record.refused for record in found.values()) >= 5


def test_engines_and_worker_counts_write_the_same_chunks(corpus: Path, tmp_path: Path) -> None:
    written: list[list[bytes]] = []
    for name, workers in (("threads", 1), ("threads", 4), ("processes", 1), ("processes", 3)):
        target = tmp_path / f"{name}{workers}"
        todo = batches(corpus, target, b"no midi")
        run(name, todo, Limits(workers))
        written.append([batch.target.read_bytes() for batch in todo])
    assert all(chunks == written[0] for chunks in written)


@pytest.mark.slow
@pytest.mark.usefixtures("saboteur")
def test_ray_writes_the_same_chunks_and_drops_the_same_files(corpus: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    root = str(Path(__file__).resolve().parents[3])
    site = os.environ["PYTHONPATH"]
    environment = {"env_vars": {"PYTHONPATH": site}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    assert root in site
    try:
        names = (b"hang", b"die", b"bug")
        limits = Limits(workers=2, seconds=1.5)
        one = batches(corpus, tmp_path / "ray", *names)
        other = batches(corpus, tmp_path / "processes", *names)
        found = run("ray", one, limits)
        run("processes", other, limits)
    finally:
        ray.shutdown()
    assert found["hang"].refused == "time_limit"
    assert found["die"].refused == "crashed"
    assert [b.target.read_bytes() for b in one] == [b.target.read_bytes() for b in other]


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is not None, reason="the extra 'ray' is installed"
)
def test_without_ray_it_says_what_to_install(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pip install"):
        run("ray", batches(corpus, tmp_path), Limits())


SCRIPT = """
import sys
from data_prep import prepare
from data_prep.worker.engines import Limits
from data_prep.pipeline import Run
def main():
    prepare([sys.argv[1]], sys.argv[2], run=Run(sys.argv[3], Limits(2)))
if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    for copy in range(12):  # enough for several chunks
        shutil.copytree(corpus / "a", corpus / f"copy{copy}")
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def start(out: Path) -> subprocess.Popen[Any]:
        command = [sys.executable, str(script), str(corpus), str(out), "threads"]
        return subprocess.Popen(command, env=environment)

    begun = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    took = time.monotonic() - begun
    for attempt in range(1, 7):
        process = start(tmp_path / "killed")
        time.sleep(took * attempt / 7)
        process.send_signal(signal.SIGKILL)
        process.wait()
    start(tmp_path / "killed").wait()
    for path in sorted((tmp_path / "whole").rglob("*")):
        if path.is_file():
            other = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
            assert other.read_bytes() == path.read_bytes(), path.name
    assert not (tmp_path / "killed/.work").exists()
