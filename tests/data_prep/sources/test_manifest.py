from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from data_prep.sources.manifest import ManifestStore, file_of, read_manifest, read_manifest_bytes
from tokenizer import InputError

ROWS = [{"file": "a.mid", "title": "Été"}, {"file": "b/c.mid", "title": "two, three"}]


def written(folder: Path) -> list[Path]:
    jsonl, csv, table = (folder / f"manifest{s}" for s in (".jsonl", ".csv", ".parquet"))
    jsonl.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")
    csv.write_text('file,title\na.mid,Été\nb/c.mid,"two, three"\n', encoding="utf-8")
    parquet.write_table(pa.Table.from_pylist(ROWS), table)
    return [jsonl, csv, table]


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    for path in written(tmp_path):
        assert list(read_manifest(path)) == ROWS
        assert list(read_manifest_bytes(path.read_bytes(), "x", path.name)) == ROWS


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("manifest.jsonl", b'{"file": "a"}\n{oops\n', "line 2 is not JSON"),
        ("manifest.jsonl", b'{"file": "a"}\n{"title": "b"}\n', r"row 2: there is no column 'file'"),
        ("manifest.csv", b"file;title\na;b\n", r"manifest\.csv, row 1: .* are file;title"),
        ("manifest.csv", b"file,title\na," + b"b" * 200_000, r"manifest\.csv is not a CSV file"),
        ("manifest.jsonl", b"[1, 2]\n", "line 1 is not a JSON object"),
        ("manifest.jsonl", b"\xff\xfe\x00", "not UTF-8"),
        ("manifest.parquet", b"PAR0 and then nothing", "not a Parquet file"),
    ],
)
def test_damaged_manifests_are_named(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError, match=says):
        list(read_manifest(path))
    with pytest.raises(InputError, match=says):
        list(read_manifest_bytes(data, str(path), name))


def test_the_file_column_has_known_names() -> None:
    assert file_of({"midi_filename": "x\\y.mid"}) == "x/y.mid"
    with pytest.raises(InputError, match="no column 'file'"):
        file_of({"title": "x"})


def test_the_store_keeps_the_last_row(tmp_path: Path) -> None:
    with ManifestStore(tmp_path / "rows.sqlite") as store:
        store.put("c", "a.mid", {"title": "old"})
        store.put("c", "a.mid", {"title": "new"})
        store.put("d", "a.mid", {"title": "other"})
        assert store.get("c", "a.mid") == {"title": "new"}
        assert store.get("c", "b.mid") == {}
        store.put("c", "a.mid", {"file": "a.mid", "composer": ""})  # says nothing
        assert store.get("c", "a.mid") == {"title": "new"}
    with ManifestStore(tmp_path / "none.sqlite") as store:
        assert store.get("c", "a.mid") == {}


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        ("jsonl", '{"file": "a.mid", "split": "dev"}\n{"file": "b.mid", "split": "tset"}\n'),
        ("csv", "file,split\na.mid,\nb.mid,tset\n"),
    ],
)
def test_an_unknown_split_is_said_with_its_row(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"manifest.{suffix}"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        list(read_manifest(path))
    assert str(refused.value) == (
        f"{path}, row 2: there is no split called 'tset'; it is train, validation, test, or empty"
    )
