"""A folder of songs: the same bytes on any number of workers, and food for `prepare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data_prep.bands.write import Order, write
from data_prep.pipeline import prepare
from data_prep.sources.label import metadata_of
from tokenizer import read
from tokenizer.errors import InputError

STYLES = ("rock", "reggae", "swing")


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_same_bytes_on_one_and_three_workers(tmp_path: Path) -> None:
    write(Order(STYLES, 5, tmp_path / "one"), 10, workers=1)
    write(Order(STYLES, 5, tmp_path / "three"), 10, workers=3)
    assert files(tmp_path / "one") == files(tmp_path / "three")
    write(Order(STYLES, 6, tmp_path / "other"), 10, workers=1)
    assert files(tmp_path / "one") != files(tmp_path / "other")


def test_a_longer_run_begins_with_the_same_songs(tmp_path: Path) -> None:
    write(Order(STYLES, 5, tmp_path / "few"), 3)
    write(Order(STYLES, 5, tmp_path / "more"), 9)
    few, more = files(tmp_path / "few"), files(tmp_path / "more")
    assert all(more[name] == data for name, data in few.items() if name.endswith(".mid"))


def test_the_manifest_describes_the_files(tmp_path: Path) -> None:
    manifest = write(Order(STYLES, 1, tmp_path), 6)
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 6
    for row in rows:
        score = read(tmp_path / row["file"])
        assert {track.name for track in score.tracks} == set(row["roles"])
        assert row["licence"] == "CC0-1.0"
        described = metadata_of(row, {})
        assert described.styles
        assert described.title == row["title"]
        assert described.licence == "CC0-1.0"
        bars = sum(int("".join(filter(str.isdigit, word))) for word in row["form"].split())
        assert bars == len(row["chords"])


def test_prepare_takes_the_folder(tmp_path: Path) -> None:
    write(Order(STYLES, 1, tmp_path / "songs"), 12)
    report = prepare([str(tmp_path / "songs")], tmp_path / "dataset")
    assert report.total.pieces == 12


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1"):
        write(Order(STYLES, 1, tmp_path), 0)
    write(Order(STYLES, 1, tmp_path), 1)
    with pytest.raises(InputError, match="exists"):
        write(Order(STYLES, 1, tmp_path), 1)
    write(Order(STYLES, 2, tmp_path), 1, overwrite=True)
