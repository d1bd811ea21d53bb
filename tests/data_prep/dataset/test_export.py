"""Exports read back with other libraries: the same tokens and labels, by split."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest

from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.export import FORMATS, export
from data_prep.dataset.pieces import Pieces, splits_of
from tokenizer import InputError, Tokenizer


@pytest.fixture
def split(corpus: Path, tmp_path: Path, make_dataset: Any) -> Path:
    folder: Path = make_dataset(corpus, tmp_path / "split", plan=Plan(Shares(0.2, 0.1)))
    return folder


def rows_of(out: Path, form: str, split: str) -> list[dict[str, Any]]:
    if form == "jsonl":
        lines = (out / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    folder = out / "data" if form == "hf" else out
    rows: list[dict[str, Any]] = parquet.read_table(folder / f"{split}.parquet").to_pylist()
    return rows


@pytest.mark.parametrize("form", FORMATS)
def test_every_piece_is_there_with_its_tokens_and_labels(
    split: Path, tmp_path: Path, form: str
) -> None:
    counts = export(split, tmp_path / "out", form)
    assert set(counts) == set(splits_of(split))
    for name, count in counts.items():
        pieces, rows = Pieces(split, name), rows_of(tmp_path / "out", form, name)
        assert len(rows) == len(pieces) == count
        for number, row in enumerate(rows):
            np.testing.assert_array_equal(np.array(row["tokens"]), pieces.tokens(number))
            assert row["source"] == pieces.sources[number]
            assert row["composer"] == pieces.labels(number).composer
    own, ours = (Tokenizer.load(f / "tokenizer.json") for f in (tmp_path / "out", split))
    assert own == ours


def test_hugging_face_datasets_reads_it(split: Path, tmp_path: Path) -> None:
    reason = "Hugging Face datasets is not installed"  # a folder of this name is no module of it
    datasets = pytest.importorskip("datasets.load", reason=reason)
    counts = export(split, tmp_path / "out", "hf")
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in found.items()} == counts
    pieces = Pieces(split, "train")
    first = found["train"][0]
    np.testing.assert_array_equal(np.array(first["tokens"]), pieces.tokens(0))
    assert first["instruments"] == list(pieces.labels(0).instruments)


def test_what_cannot_be_exported_is_said(split: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'parquet'"):
        export(split, tmp_path / "out", "parket")
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="already exists"):
        export(split, tmp_path / "there", "hf")
    with pytest.raises(InputError, match="is not a dataset"):
        export(tmp_path / "there", tmp_path / "out", "hf")
    assert not (tmp_path / "out").exists()
