from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_prep.corpus.decide import Decisions
from data_prep.dataset.shards import read_index, table_rows
from data_prep.dataset.verify import verify
from data_prep.merge import merge
from data_prep.output import DatasetWriter, work_folder
from data_prep.pipeline import prepare
from data_prep.sources.find import MidiFile
from data_prep.sources.label import NO_METADATA
from data_prep.worker.worker import FileRecord, Preprocessing, examine
from tokenizer import InputError, Tokenizer
from tokenizer.files import write_text


@pytest.fixture
def records(corpus: Path) -> list[FileRecord]:
    """The records of three files, the second of which is refused."""
    paths = [corpus / "a/piece00.mid", corpus / "b/piece07.mid", corpus / "a/piece02.mid"]
    preprocessing = Preprocessing(Tokenizer.default())
    return [examine(MidiFile.on_disk("c", path.name, str(path)), preprocessing) for path in paths]


def decisions(*refused: str) -> Decisions:
    """For two accepted files, of which the second repeats the first where it is refused."""
    zero = np.zeros(2, dtype=np.int64)
    return Decisions(list(refused), zero, np.arange(2), np.array([0, 2], dtype=np.int8), ())


def write(folder: Path, records: list[FileRecord], decided: Decisions) -> DatasetWriter:
    with work_folder(folder, overwrite=True) as work:
        writer = DatasetWriter(work, decided, Tokenizer.default())
    for record in records:
        writer.add(record, NO_METADATA)
    return writer


def test_a_folder_is_no_dataset_until_it_is_complete(
    records: list[FileRecord], tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    writer = write(folder, records, decisions("", ""))
    with pytest.raises(InputError, match="not a dataset"):
        read_index(folder)
    writer.finish(folder)
    assert verify(folder) == []
    assert not (folder / ".work").exists()
    assert [(row["source"], row["split"], row["group"]) for row in table_rows(folder)] == [
        ("piece00.mid", "train", "c/piece00.mid"),
        ("piece02.mid", "test", "c/piece02.mid"),
    ]
    assert writer.report.refused == {"too_few_notes": 1}


def test_two_runs_never_write_one_folder_at_once(corpus: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "dataset", tmp_path / "other"
    prepare([corpus], other)
    with work_folder(folder, overwrite=True) as work:
        kept = work / "whole" / "unfinished"
        write_text(kept, "of the first run")
        with pytest.raises(InputError, match=r"another run is writing .*dataset; wait"):
            prepare([corpus], folder, overwrite=True)
        with pytest.raises(InputError, match=r"another run is writing .*dataset; wait"):
            merge([other], folder, overwrite=True)
        assert kept.read_text() == "of the first run"
    prepare([corpus], folder)
    assert verify(folder) == []
    assert {".work", ".lock"}.isdisjoint(path.name for path in folder.iterdir())


def test_a_killed_run_leaves_the_folder_to_the_next(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    code = (
        "import os, sys; from pathlib import Path; from data_prep.output import work_folder\n"
        "with work_folder(Path(sys.argv[1]), overwrite=False): os._exit(9)"
    )
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=root, check=False)
    assert run.returncode == 9
    assert (folder / ".lock").exists() or sys.platform == "win32"
    prepare([corpus], folder)
    assert verify(folder) == []


def test_a_file_left_out_is_reported_with_the_file_it_repeats(
    records: list[FileRecord], tmp_path: Path
) -> None:
    writer = write(tmp_path / "dataset", records, decisions("", "exact_duplicate"))
    assert writer.report.total.pieces == 1
    [example] = writer.report.examples["exact_duplicate"]
    assert example == {"file": "c/piece02.mid", "detail": "as c/piece00.mid"}


def test_the_finished_dataset_stays_while_a_new_one_is_written(
    records: list[FileRecord], tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    write(folder, records, decisions("", "")).finish(folder)
    write(folder, records[:1], decisions("", ""))  # and the run is stopped here
    assert verify(folder) == []
    assert len(list(table_rows(folder))) == 2
