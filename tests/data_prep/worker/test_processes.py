from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data_prep.worker.engines import Engine, Limits
from data_prep.worker.processes import on_processes
from data_prep.worker.worker import FileBatch, FileRecord
from tokenizer import Score
from tokenizer.midi.read import to_bytes

MakeBatches = Callable[..., list[FileBatch]]
RunEngine = Callable[[Engine, list[FileBatch], Limits], dict[str, FileRecord]]


@pytest.mark.usefixtures("saboteur")
def test_a_file_that_hangs_or_crashes_is_dropped_and_not_the_run(
    corpus: Path, tmp_path: Path, make_batches: MakeBatches, run_engine: RunEngine
) -> None:
    todo = make_batches(corpus, tmp_path, b"hang", b"die", b"bug")
    found = run_engine(on_processes, todo, Limits(workers=2, seconds=1.5))
    assert found["hang"].refused == "time_limit"
    assert found["hang"].detail == "reading it took more than 1.5 s"
    assert found["die"].refused == "crashed"
    assert found["die"].detail == "the process reading it died"
    assert found["bug"].detail == "ZeroDivisionError: a bug"
    assert sum(not record.refused for record in found.values()) >= 5


@pytest.mark.usefixtures("saboteur")
def test_a_file_at_fault_is_found_when_many_are_worked_on_together(
    corpus: Path,
    tmp_path: Path,
    melody: Callable[..., Score],
    make_batches: MakeBatches,
    run_engine: RunEngine,
) -> None:
    names = {91: "dies.mid", 92: "hangs.mid", 93: "eats.mid"}
    bad = [to_bytes(melody(notes, notes=notes)) for notes in names]
    todo = make_batches(corpus, tmp_path, *bad)
    named = [
        file._replace(name=names[90 + place // 2 + 1]) if file.data else file
        for place, file in enumerate(todo[0].files)
    ]
    todo[0] = replace(todo[0], files=tuple(named))
    found = run_engine(on_processes, todo, Limits(workers=2, seconds=1.5))
    refused = {name: record.refused for name, record in found.items() if record.refused}
    expected = {"dies.mid": "crashed", "hangs.mid": "time_limit", "eats.mid": "memory_limit"}
    assert refused == expected
    assert len(found) == 6 + len(expected)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@pytest.mark.usefixtures("saboteur")
def test_a_file_that_eats_memory_is_dropped(
    corpus: Path, tmp_path: Path, make_batches: MakeBatches, run_engine: RunEngine
) -> None:
    todo = make_batches(corpus, tmp_path, b"eat")
    found = run_engine(on_processes, todo, Limits(workers=1, megabytes=600))
    assert found["eat"].refused == "memory_limit"
    assert sum(not record.refused for record in found.values()) >= 5
