"""Small corpora made here, so that the tests need no music from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.pipeline import Run
from data_prep.worker.engines import Limits
from tokenizer.score.score import NOTES, TEMPOS, TIME_SIGNATURES, Score

MakeScore = Callable[..., Score]
MakeDataset = Callable[..., Path]


def _melody(
    seed: int,
    *,
    notes: int = 60,
    programs: tuple[int, ...] = (0, 40),
    transpose: int = 0,
    bpm: float = 120.0,
    meter: tuple[int, int] = (4, 4),
) -> Score:
    """Random chords and a line over them: other seeds give other music."""
    random = np.random.default_rng(seed)
    beats = np.sort(random.choice(notes * 4, notes, replace=False)) * 120
    columns = np.zeros(notes, dtype=NOTES)
    columns["start"] = beats
    columns["duration"] = random.choice([120, 240, 480], notes)
    columns["pitch"] = random.integers(55, 80, notes) + transpose
    columns["velocity"] = random.integers(40, 100, notes)
    track = random.integers(0, len(programs), notes)
    columns["track"] = track
    columns["program"] = np.array(programs)[track]
    return Score(
        ticks_per_quarter=480,
        notes=columns,
        tempos=np.array([(0, round(60e6 / bpm))], dtype=TEMPOS),
        time_signatures=np.array([(0, *meter)], dtype=TIME_SIGNATURES),
    )


@pytest.fixture(scope="session")
def melody() -> MakeScore:
    """A function that makes music from a seed: see `_melody`."""
    return _melody


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder of 24 pieces by two composers with a manifest, one of them too short."""
    from tokenizer import write

    folder = tmp_path / "corpus"
    folder.mkdir()
    rows = []
    for seed in range(24):
        name = f"{'ab'[seed % 2]}/piece{seed:02}.mid"
        (folder / name).parent.mkdir(exist_ok=True)
        write(_melody(seed, notes=4 if seed == 7 else 50 + seed), folder / name)
        rows.append(
            {
                "file": name,
                "composer": ("Bach, Johann Sebastian", "ChopinFF")[seed % 2],
                "title": f"Piece {seed}",
                "genre": "Prelude",
                "licence": "CC0",
            }
        )
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    """A function that prepares a folder, by default with a fifth of the pieces in each split."""

    def made(folder: Path, out: Path, **options: Any) -> Path:
        options = {"run": Run("threads", Limits(1)), "plan": Plan(Shares(0.2, 0.2)), **options}
        prepare([folder], out, **options)
        return out

    return made


@pytest.fixture
def dataset(corpus: Path, tmp_path: Path, make_dataset: MakeDataset) -> Path:
    """The dataset of `corpus`."""
    return make_dataset(corpus, tmp_path / "dataset")
