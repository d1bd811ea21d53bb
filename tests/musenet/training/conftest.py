"""A tiny dataset whose music has a rule to learn: scales that go up, in one of two instruments.

And the settings of runs small enough for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep.dataset.shards import ShardWriter, write_index
from musenet.training.settings import Settings, settings_of
from tokenizer import Tokenizer
from tokenizer.typing import Tokens


def scale(tokenizer: Tokenizer, rows: int, seed: int) -> Tokens:
    """A body of `rows` notes, then an end row: each a semitone above the last, with some noise."""
    random = np.random.default_rng(seed)
    body = np.zeros((rows, 5), dtype=np.int16)
    body[:, 0] = 1 + 12 * random.integers(0, 2, rows)
    body[:, 1] = 1 + int(random.integers(0, 2))
    body[:, 2] = 1 + 48 + (random.integers(0, 24) + np.arange(rows)) % 24
    body[:, 3] = 1 + 12
    body[:, 4] = 1 + 16
    return np.concatenate([body, tokenizer.end()])


def write_dataset(folder: Path, pieces: int = 24) -> Path:
    """A dataset folder of two corpora, `up` and `down`, every sixth piece held out."""
    tokenizer = Tokenizer.default()
    writer = ShardWriter(folder)
    for i in range(pieces):
        body = scale(tokenizer, 60 + 10 * i, seed=i)
        program = int(body[0, 1]) - 1
        writer.add(
            body.astype("<i2").tobytes(),
            {
                "id": str(i),
                "notes": len(body) - 1,
                "split": "validation" if i % 6 == 4 else "test" if i % 6 == 5 else "train",
                "corpus": "up" if i % 2 else "down",
                "source": f"{i}.mid",
                "title": "",
                "composer": None,
                "styles": [],
                "instruments": [program],
                "tempo": 120.0,
                "time_signature": "4/4",
                "key_fifths": None,
                "key_minor": None,
                "quarters": 10.0,
                "seconds": 5.0,
                "clipped": 0,
                "licence": "",
                "content_hash": bytes(16),
                "fingerprint": b"",
                "group": str(i),
            },
        )
    shards = writer.close()
    tokenizer.save(folder / "tokenizer.json")
    part = {"train": {"pieces": 8, "notes": 1000}}
    report = {"corpora": {"up": part, "down": part}, "licences": {"CC0": 16}, "splits": {}}
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    (folder / "report.html").write_text("<html></html>", encoding="utf-8")
    write_index(folder, shards, pieces)
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("data") / "dataset")


def _small(**changes: Any) -> Settings:
    base = {
        "context": 64,
        "batch": 4,
        "warmup": 5,
        "threads": 1,
        "validate_windows": 2,
        "device": "cpu",
        "model": {"layers": 3, "width": 32, "heads": 2, "row_length": 16, "context": 128},
    }
    return settings_of(base, changes)


@pytest.fixture(scope="session")
def small() -> Callable[..., Settings]:
    """A function that gives the settings of a run that takes seconds, with changes."""
    return _small
