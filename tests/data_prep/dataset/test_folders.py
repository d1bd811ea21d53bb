"""Verifying, merging, reporting and hearing whole dataset folders."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.merge import merge
from data_prep.corpus.split import Shares
from data_prep.dataset.preview import piece_scores, window_scores
from data_prep.dataset.verify import verify
from data_prep.pipeline import Run
from data_prep.report.page import page
from data_prep.worker.limits import Limits
from data_prep.worker.worker import Recipe
from tokenizer import Grid, InputError, Tokenizer, Vocabulary, read, write


def made(folder: Path, out: Path, **options: Any) -> Path:
    plan = options.pop("plan", Plan(Shares(0.2, 0.2)))
    prepare([folder], out, run=Run("threads", Limits(1)), plan=plan, **options)
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = parquet.read_table(out / "pieces.parquet").to_pylist()
    return table


@pytest.fixture
def dataset(corpus: Path, tmp_path: Path) -> Path:
    return made(corpus, tmp_path / "dataset")


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
        assert f"{name} is not what was written" in verify(dataset)
    (dataset / name).write_bytes(whole)
    assert verify(dataset) == []


def test_the_piece_with_the_flipped_bit_is_named(dataset: Path) -> None:
    piece = rows(dataset)[5]
    tokens = dataset / "tokens/00000.bin"
    data = bytearray(tokens.read_bytes())
    data[10 * (piece["offset"] + 3)] ^= 4
    tokens.write_bytes(data)
    assert verify(dataset) == [
        "tokens/00000.bin is not what was written",
        f"corpus/{piece['source']} is not what was written: its tokens have another hash",
    ]


def test_missing_files_are_said(dataset: Path, tmp_path: Path) -> None:
    (dataset / "report.html").unlink()
    assert verify(dataset) == ["report.html is missing"]
    (dataset / "tokens/00000.bin").unlink()
    with pytest.raises(InputError, match="missing or cut short"):
        verify(dataset)
    with pytest.raises(InputError, match="not a dataset"):
        verify(tmp_path)


def test_merging_the_parts_gives_the_pieces_of_the_whole(corpus: Path, tmp_path: Path) -> None:
    whole = made(corpus, tmp_path / "whole")
    parts = [made(corpus / part, tmp_path / part) for part in "ab"]
    merge(parts, tmp_path / "merged")
    merged = tmp_path / "merged"
    assert verify(merged) == []

    def pieces(out: Path) -> dict[str, tuple[bytes, str]]:
        tokens = np.fromfile(out / "tokens/00000.bin", dtype="<i2").reshape(-1, 5)
        return {
            row["id"]: (tokens[row["offset"] :][: row["length"]].tobytes(), row["split"])
            for row in rows(out)
        }

    assert pieces(merged) == pieces(whole)


def test_merging_leaks_nothing(corpus: Path, tmp_path: Path) -> None:
    first = made(corpus, tmp_path / "first", plan=Plan(Shares(0, 0)))
    second_corpus = tmp_path / "second_corpus"
    second_corpus.mkdir()
    for seed in range(0, 8, 2):
        [path] = corpus.rglob(f"piece{seed:02}.mid")
        write(read(path).transpose(4), second_corpus / f"up{seed}.mid")
    same = (corpus / "a" / "piece10.mid").read_bytes()
    (second_corpus / "same.mid").write_bytes(same)
    second = made(second_corpus, tmp_path / "second", plan=Plan(Shares(0, 1.0)))
    report = merge([first, second], tmp_path / "merged")
    assert report.refused == {"near_duplicate_of_held_out": 4, "exact_duplicate": 1}
    split = {row["source"]: row["split"] for row in rows(tmp_path / "merged")}
    assert [split[f"up{seed}.mid"] for seed in range(0, 8, 2)] == ["test"] * 4
    assert "a/piece00.mid" not in split
    assert split["a/piece10.mid"] == "test"  # held out in one of the two: held out
    assert split["a/piece12.mid"] == "train"


def test_merging_joins_labels_and_keeps_ids(corpus: Path, tmp_path: Path) -> None:
    plan = Plan(Shares(0, 0), label_pieces=1)
    rows_of = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    parts = []
    for part in "ab":
        lines = [{**row, "file": row["file"][2:]} for row in rows_of if row["file"][0] == part]
        manifest = corpus / part / "manifest.jsonl"
        manifest.write_text("".join(json.dumps(row) + "\n" for row in lines))
        parts.append(made(corpus / part, tmp_path / part, plan=plan))
    merge(parts, tmp_path / "merged")
    one, other, merged = (
        Tokenizer.load(out / "tokenizer.json").vocabulary for out in (*parts, tmp_path / "merged")
    )
    assert merged.names("composer") == ("bach", "chopin")
    assert merged.controls[: len(one.controls)] == one.controls
    assert set(other.controls) <= set(merged.controls)


def test_datasets_of_different_tokenizers_do_not_merge(corpus: Path, tmp_path: Path) -> None:
    seconds = Recipe(Tokenizer(Vocabulary.create(Grid.seconds())))
    parts = [
        made(corpus / "a", tmp_path / "a"),
        made(corpus / "b", tmp_path / "b", recipe=seconds),
    ]
    with pytest.raises(InputError, match="another tokenizer"):
        merge(parts, tmp_path / "merged")


class _Page(HTMLParser):
    """Checks that tags close in order and gathers the text."""

    void = frozenset({"meta", "br", "rect", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_says_what_the_report_says(corpus: Path, tmp_path: Path) -> None:
    (corpus / "a" / "<odd & name>.mid").write_bytes(b"no midi")
    out = made(corpus, tmp_path / "d")
    text = (out / "report.html").read_text(encoding="utf-8")
    assert text == page(json.loads((out / "report.json").read_text()), "What is in this dataset")
    parser = _Page()
    parser.feed(text)
    assert parser.open == []
    for said in (
        "23 of 25 files are in this dataset (92.0%)",
        "corpus/a/<odd & name>.mid",
        "Johann Sebastian Bach",
        "Violin",
        "4/4",
        "CC0",
        "too few notes",
    ):
        assert said in parser.text
    assert "http" not in text.replace("http-equiv", "")  # it needs nothing from elsewhere


def test_pieces_can_be_heard_as_they_are(dataset: Path, corpus: Path) -> None:
    heard = list(piece_scores(dataset, "train", 3))
    assert len(heard) == 3
    for [name], score in heard:
        original = read(corpus / name.removeprefix("corpus/"))
        assert sorted(score.notes["pitch"]) == sorted(original.notes["pitch"])


def test_windows_can_be_heard_with_what_was_done_to_them(dataset: Path) -> None:
    heard = list(window_scores(dataset, "train", 64, 4))
    assert len(heard) == 4
    assert all(len(score.notes) > 20 for _, score in heard)
    assert any("semitones" in line for lines, _ in heard for line in lines)
    with pytest.raises(InputError, match="ask for 1 or more"):
        list(window_scores(dataset, "train", 64, 0))
