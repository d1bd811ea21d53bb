from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from data_prep.worker.engines import Engine, Limits, on_threads
from data_prep.worker.processes import on_processes
from data_prep.worker.worker import FileBatch, FileRecord

MakeBatches = Callable[..., list[FileBatch]]
RunEngine = Callable[[Engine, list[FileBatch], Limits], dict[str, FileRecord]]


def test_engines_and_worker_counts_write_the_same_chunks(
    corpus: Path, tmp_path: Path, make_batches: MakeBatches, run_engine: RunEngine
) -> None:
    written: list[list[bytes]] = []
    for engine, workers in ((on_threads, 1), (on_threads, 4), (on_processes, 1), (on_processes, 3)):
        target = tmp_path / f"{engine.__name__}{workers}"
        todo = make_batches(corpus, target, b"no midi")
        run_engine(engine, todo, Limits(workers))
        written.append([batch.target.read_bytes() for batch in todo])
    assert all(chunks == written[0] for chunks in written)
