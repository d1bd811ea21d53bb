"""Scores of every kind, batches of files, and worker processes in which some files do harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.sources.find import MidiFile
from data_prep.worker.chunks import read_chunk
from data_prep.worker.engines import Engine, Limits
from data_prep.worker.worker import FileBatch, FileRecord, Preprocessing
from tests.conftest import random_score
from tokenizer import Tokenizer
from tokenizer.score.score import Score

MakeBatches = Callable[..., list[FileBatch]]
RunEngine = Callable[[Engine, list[FileBatch], Limits], dict[str, FileRecord]]


@pytest.fixture(scope="session")
def varied_scores() -> list[Score]:
    """80 scores of random notes: see `random_score`."""
    return [random_score(seed) for seed in range(80)]


def _batches(corpus: Path, target: Path, *names: bytes) -> list[FileBatch]:
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


@pytest.fixture(scope="session")
def make_batches() -> MakeBatches:
    """A function that makes two batches: see `_batches`."""
    return _batches


def _run(engine: Engine, todo: list[FileBatch], limits: Limits) -> dict[str, FileRecord]:
    done = list(engine(iter(todo), Preprocessing(Tokenizer.default()), limits))
    assert sorted(batch.number for batch in done) == [0, 1]
    return {r.name: r for batch in todo for r in read_chunk(batch.target, tokens=False)}


@pytest.fixture(scope="session")
def run_engine() -> RunEngine:
    """A function that runs batches and gives the record of each file by name."""
    return _run


HARMFUL = """
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
    for notes in music.note_counts.tolist():
        if notes == 91:
            os.kill(os.getpid(), 11)
        if notes == 92:
            time.sleep(1000)
        if notes == 93:
            raise MemoryError
    return sketches(music)
data_prep.worker.worker.sketches = checked_sketches
"""


@pytest.fixture
def saboteur(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes in which some bytes hang, crash or eat memory when they are read."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HARMFUL)
    root = Path(__file__).resolve().parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(root)]))
