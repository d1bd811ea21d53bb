from __future__ import annotations

from pathlib import Path

from data_prep.sources.find import MidiFile
from data_prep.worker.chunks import chunk_key, read_chunk, write_chunk
from data_prep.worker.worker import FileRecord

RECORDS = [
    FileRecord(
        corpus="Été",
        name="a/ü.mid",
        notes=3,
        rows=4,
        quarters=1 / 3,
        seconds=0.1,
        instruments=(0, 128),
        tempo=119.99,
        time_signature="3/4",
        fifths=-3,
        minor=False,
        content_hash=bytes(range(16)),
        sketch=b"\n\0\xff\n",
        tokens=b"\n" * 40,
    ),
    FileRecord("c", "b.mid", "unreadable", 'a "name"\n in it'),
    FileRecord(
        "c", "c.mid", notes=1, rows=1, tempo=None, content_hash=b"x" * 16, tokens=b"0123456789"
    ),
]


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    write_chunk(tmp_path / "chunk", RECORDS)
    assert list(read_chunk(tmp_path / "chunk", tokens=True)) == RECORDS
    without = [record._replace(tokens=b"") for record in RECORDS]
    assert list(read_chunk(tmp_path / "chunk", tokens=False)) == without


def test_a_chunk_is_named_by_its_files_and_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(b"one")
    files = [MidiFile.on_disk("c", "a.mid", str(path)), MidiFile("c", "b.mid", None, b"two", 3)]
    key = chunk_key(files, "preprocessing")
    assert key == chunk_key(list(files), "preprocessing")
    others = [
        chunk_key(files, "other"),
        chunk_key(files[:1], "preprocessing"),
        chunk_key([files[0]._replace(modified=1), files[1]], "preprocessing"),
        chunk_key([files[0], files[1]._replace(data=b"ten")], "preprocessing"),
    ]
    assert len({key, *others}) == 5
