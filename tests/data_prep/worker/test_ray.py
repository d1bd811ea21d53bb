from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep.worker.engines import Engine, Limits
from data_prep.worker.processes import on_processes
from data_prep.worker.ray import on_ray
from data_prep.worker.worker import FileBatch, FileRecord
from tokenizer import InputError

MakeBatches = Callable[..., list[FileBatch]]
RunEngine = Callable[[Engine, list[FileBatch], Limits], dict[str, FileRecord]]


@pytest.mark.slow
@pytest.mark.usefixtures("saboteur")
def test_ray_writes_the_same_chunks_and_drops_the_same_files(
    corpus: Path, tmp_path: Path, make_batches: MakeBatches, run_engine: RunEngine
) -> None:
    ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    root = str(Path(__file__).resolve().parents[3])
    site = os.environ["PYTHONPATH"]
    environment = {"env_vars": {"PYTHONPATH": site}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    assert root in site
    try:
        names = (b"hang", b"die", b"bug")
        limits = Limits(workers=2, seconds=1.5)
        one = make_batches(corpus, tmp_path / "ray", *names)
        other = make_batches(corpus, tmp_path / "processes", *names)
        found = run_engine(on_ray, one, limits)
        run_engine(on_processes, other, limits)
    finally:
        ray.shutdown()
    assert found["hang"].refused == "time_limit"
    assert found["die"].refused == "crashed"
    assert [b.target.read_bytes() for b in one] == [b.target.read_bytes() for b in other]


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is not None, reason="the extra 'ray' is installed"
)
def test_without_ray_it_says_what_to_install(
    corpus: Path, tmp_path: Path, make_batches: MakeBatches, run_engine: RunEngine
) -> None:
    with pytest.raises(InputError, match="pip install"):
        run_engine(on_ray, make_batches(corpus, tmp_path), Limits())
