from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep.dataset.shards import table_rows
from data_prep.dataset.verify import verify
from tokenizer import InputError


def test_a_whole_dataset_verifies(dataset: Path) -> None:
    assert verify(dataset) == []


@pytest.mark.parametrize(
    "name", ["pieces.parquet", "tokenizer.json", "report.json", "report.html", "tokens/00000.bin"]
)
def test_any_flipped_bit_is_found(dataset: Path, name: str) -> None:
    random = np.random.default_rng(0)
    whole = (dataset / name).read_bytes()
    for place in random.integers(0, len(whole), 12).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        (dataset / name).write_bytes(damaged)
        assert f"{name} is damaged" in verify(dataset)
    (dataset / name).write_bytes(whole)
    assert verify(dataset) == []


def test_the_piece_with_the_flipped_bit_is_named(dataset: Path) -> None:
    piece = list(table_rows(dataset))[5]
    tokens = dataset / "tokens/00000.bin"
    data = bytearray(tokens.read_bytes())
    data[10 * (piece["offset"] + 3)] ^= 4
    tokens.write_bytes(data)
    assert verify(dataset) == [
        "tokens/00000.bin is damaged",
        f"corpus/{piece['source']} is damaged: its tokens have another hash",
    ]


def test_missing_files_are_said(dataset: Path, tmp_path: Path) -> None:
    (dataset / "report.html").unlink()
    assert verify(dataset) == ["report.html is missing"]
    (dataset / "tokens/00000.bin").unlink()
    with pytest.raises(InputError, match="missing or cut short"):
        verify(dataset)
    with pytest.raises(InputError, match="not a dataset: it has no"):
        verify(tmp_path)
    with pytest.raises(InputError, match="not a dataset: it is a file"):
        verify(dataset / "tokenizer.json")
