from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.shards import table_rows
from data_prep.dataset.verify import verify
from data_prep.merge import merge
from data_prep.worker.worker import Preprocessing
from tokenizer import Grid, InputError, Tokenizer, Vocabulary, read, write

MakeDataset = Callable[..., Path]


def test_merging_the_parts_gives_the_pieces_of_the_whole(
    corpus: Path, tmp_path: Path, make_dataset: MakeDataset
) -> None:
    whole = make_dataset(corpus, tmp_path / "whole")
    parts = [make_dataset(corpus / part, tmp_path / part) for part in "ab"]
    merge(parts, tmp_path / "merged")
    merged = tmp_path / "merged"
    assert verify(merged) == []

    def pieces(out: Path) -> dict[str, tuple[bytes, str]]:
        tokens = np.fromfile(out / "tokens/00000.bin", dtype="<i2").reshape(-1, 5)
        return {
            row["id"]: (tokens[row["offset"] :][: row["length"]].tobytes(), row["split"])
            for row in table_rows(out)
        }

    assert pieces(merged) == pieces(whole)


def test_merging_leaks_nothing(corpus: Path, tmp_path: Path, make_dataset: MakeDataset) -> None:
    first = make_dataset(corpus, tmp_path / "first", plan=Plan(Shares(0, 0)))
    second_corpus = tmp_path / "second_corpus"
    second_corpus.mkdir()
    for seed in range(0, 8, 2):
        [path] = corpus.rglob(f"piece{seed:02}.mid")
        write(read(path).transpose(4), second_corpus / f"up{seed}.mid")
    same = (corpus / "a" / "piece10.mid").read_bytes()
    (second_corpus / "same.mid").write_bytes(same)
    second = make_dataset(second_corpus, tmp_path / "second", plan=Plan(Shares(0, 1.0)))
    report = merge([first, second], tmp_path / "merged")
    assert report.refused == {"near_duplicate_of_held_out": 4, "exact_duplicate": 1}
    split = {row["source"]: row["split"] for row in table_rows(tmp_path / "merged")}
    assert [split[f"up{seed}.mid"] for seed in range(0, 8, 2)] == ["test"] * 4
    assert "a/piece00.mid" not in split
    assert split["a/piece10.mid"] == "test"  # held out in one of the two: held out
    assert split["a/piece12.mid"] == "train"


def test_merging_joins_labels_and_keeps_ids(
    corpus: Path, tmp_path: Path, make_dataset: MakeDataset
) -> None:
    plan = Plan(Shares(0, 0), label_pieces=1)
    rows_of = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    parts = []
    for part in "ab":
        lines = [{**row, "file": row["file"][2:]} for row in rows_of if row["file"][0] == part]
        manifest = corpus / part / "manifest.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in lines))
        parts.append(make_dataset(corpus / part, tmp_path / part, plan=plan))
    merge(parts, tmp_path / "merged")
    one, other, merged = (
        Tokenizer.load(out / "tokenizer.json").vocabulary for out in (*parts, tmp_path / "merged")
    )
    assert merged.names("composer") == ("bach", "chopin")
    assert merged.controls[: len(one.controls)] == one.controls
    assert set(other.controls) <= set(merged.controls)


def test_datasets_of_different_tokenizers_do_not_merge(
    corpus: Path, tmp_path: Path, make_dataset: MakeDataset
) -> None:
    seconds = Preprocessing(Tokenizer(Vocabulary.create(Grid.seconds())))
    parts = [
        make_dataset(corpus / "a", tmp_path / "a"),
        make_dataset(corpus / "b", tmp_path / "b", preprocessing=seconds),
    ]
    with pytest.raises(InputError, match="another tokenizer"):
        merge(parts, tmp_path / "merged")
