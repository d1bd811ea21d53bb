from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from data_prep.sources.archives import is_midi
from data_prep.sources.find import (
    ManifestEntry,
    MidiFile,
    find_corpora,
    find_items,
    find_midi_files,
)
from tokenizer import InputError


def tar_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(folder, arcname=folder.name)
    return buffer.getvalue()


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
    ".tar.zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def contents(path: Path) -> dict[str, bytes]:
    """Name to bytes of every MIDI file found in one corpus."""
    [corpus] = find_corpora([path])
    return {
        item.name: item.data if item.data is not None else Path(str(item.path)).read_bytes()
        for item in find_items(corpus)
        if isinstance(item, MidiFile) and not item.refused
    }


def labels(path: Path) -> dict[str, str]:
    [corpus] = find_corpora([path])
    return {i.name: i.row["title"] for i in find_items(corpus) if isinstance(i, ManifestEntry)}


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_tar_archive_gives_what_its_folder_gives(
    corpus: Path, tmp_path: Path, suffix: str
) -> None:
    archive = tmp_path / f"corpus{suffix}"
    archive.write_bytes(COMPRESSED[suffix](tar_of(corpus)))
    assert contents(archive) == contents(corpus)
    assert labels(archive) == labels(corpus)
    assert len(contents(archive)) == 24
    assert labels(archive)["a/piece00.mid"] == "Piece 0"


def test_one_path_is_not_a_list_of_letters(corpus: Path) -> None:
    assert find_corpora(str(corpus)) == find_corpora([corpus]) == find_corpora(corpus)


def test_a_zip_archive_gives_what_its_folder_gives(corpus: Path, tmp_path: Path) -> None:
    archive = tmp_path / "music.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(corpus.rglob("*.*")):
            out.write(path, path.relative_to(corpus))
        out.writestr("__MACOSX/a/._piece00.mid", b"junk")
    assert contents(archive) == contents(corpus)
    assert labels(archive) == labels(corpus)


def test_a_manifest_may_lie_beside_its_archive(corpus: Path, tmp_path: Path) -> None:
    manifest = corpus / "manifest.jsonl"
    (tmp_path / "corpus.manifest.jsonl").write_bytes(manifest.read_bytes())
    manifest.unlink()
    archive = tmp_path / "corpus.tar"
    archive.write_bytes(tar_of(corpus))
    assert labels(archive)["b/piece01.mid"] == "Piece 1"


def test_a_folder_of_archives_is_a_corpus_each(corpus: Path, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name in ("two.tar", "one.tar"):
        (shelf / name).write_bytes(tar_of(corpus))
    assert [corpus.name for corpus in find_corpora([shelf])] == ["one", "two"]


def test_a_folder_with_its_own_manifest_is_its_own_corpus(corpus: Path) -> None:
    inner = corpus / "a" / "inner"
    inner.mkdir()
    (inner / "manifest.jsonl").write_text('{"file": "x.mid", "title": "X"}\n')
    (inner / "x.mid").write_bytes((corpus / "a" / "piece00.mid").read_bytes())
    assert [(c.name, len(c.files)) for c in find_corpora([corpus])] == [
        ("corpus", 24),
        ("inner", 1),
    ]


def test_equal_names_are_told_apart(corpus: Path) -> None:
    assert [corpus.name for corpus in find_corpora([corpus, corpus])] == ["corpus", "corpus-2"]


def test_globs_and_lists(corpus: Path) -> None:
    assert len(contents(corpus / "a" / "*.mid")) == 12
    listed = corpus / "some.csv"
    listed.write_text("file,title\na/piece00.mid,First\n")
    assert list(contents(listed)) == ["a/piece00.mid"]
    assert labels(listed) == {"a/piece00.mid": "First"}
    listed.write_text("file\nmissing.mid\n")
    assert refused([listed]) == {"missing.mid": ("unreadable", "No such file or directory")}


def test_order_does_not_depend_on_the_file_system(corpus: Path) -> None:
    assert list(contents(corpus)) == sorted(contents(corpus))


@pytest.mark.parametrize("name", ["x.mid", "X.MIDI", "a/b.kar", "b.rmi"])
def test_midi_names(name: str) -> None:
    assert is_midi(name)


@pytest.mark.parametrize("name", ["._x.mid", "x.mid.txt", "mid", "Icon_"])
def test_other_names(name: str) -> None:
    assert not is_midi(name)


def test_what_cannot_be_found_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        find_corpora([tmp_path / "none"])
    with pytest.raises(InputError, match="contains no MIDI"):
        find_corpora([tmp_path])
    text = tmp_path / "readme.txt"
    text.write_text("x")
    with pytest.raises(InputError, match="neither MIDI nor an archive"):
        find_corpora([text])


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip"])
def test_damaged_archives_are_one_refused_file(corpus: Path, tmp_path: Path, suffix: str) -> None:
    archive = tmp_path / f"corpus{suffix}"
    whole = COMPRESSED[suffix](tar_of(corpus)) if suffix in COMPRESSED else b"PK\3\4 and no more"
    archive.write_bytes(whole[: len(whole) // 2])
    found = refused([archive])
    assert list(found) == [archive.name]
    assert found[archive.name][0] == "bad_archive"
    assert "cannot be read as an archive" in found[archive.name][1]


def refused(inputs: list[Path]) -> dict[str, tuple[str, str]]:
    """Name to reason of every file that cannot be read."""
    items = [item for corpus in find_corpora(inputs) for item in find_items(corpus)]
    return {i.name: i.refused for i in items if isinstance(i, MidiFile) and i.refused}


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_odd_files_of_a_folder_are_refused_one_by_one(corpus: Path) -> None:
    (corpus / "dangling.mid").symlink_to("nowhere")
    (corpus / "itself.mid").symlink_to("itself.mid")
    (corpus / "folder.mid").mkdir()
    os.mkfifo(corpus / "pipe.mid")
    (corpus / "empty.zip").write_bytes(b"")
    (corpus / "none.zip").write_bytes(b"no archive")
    (corpus / "bare.zip").write_bytes(zip_of({}))
    (corpus / "nested.zip").write_bytes(zip_of({"inner.zip": zip_of({}), "readme.txt": b"x"}))
    with open(os.fsencode(corpus) + b"/caf\xe9.mid", "wb") as file:  # noqa: PTH123 (not UTF-8)
        file.write((corpus / "a" / "piece00.mid").read_bytes())
    found = refused([corpus])
    assert {name: reason for name, (reason, _) in found.items()} == {
        "dangling.mid": "unreadable",
        "itself.mid": "unreadable",
        "pipe.mid": "unreadable",
        "empty.zip": "bad_archive",
        "none.zip": "bad_archive",
        "bare.zip": "bad_archive",
        "inner.zip": "nested_archive",
    }
    names = [i.name for i in find_items(find_corpora([corpus])[0]) if isinstance(i, MidiFile)]
    assert "caf\\xe9.mid" in names
    assert len(names) == 24 + 4


def test_a_tar_with_a_name_that_is_not_utf8(corpus: Path, tmp_path: Path) -> None:
    data = (corpus / "a" / "piece00.mid").read_bytes()
    form = tarfile.GNU_FORMAT
    with tarfile.open(tmp_path / "odd.tar", "w", encoding="latin-1", format=form) as tar:
        info = tarfile.TarInfo("caf\xe9.mid")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("link.mid")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert contents(tmp_path / "odd.tar") == {"caf\\xe9.mid": data}


def test_a_member_of_a_zip_that_cannot_be_read_is_refused_alone(tmp_path: Path) -> None:
    data = bytearray(zip_of({"good.mid": b"MThd", "bad.mid": b"MThd then damage"}))
    data[data.index(b"then damage")] ^= 1  # the checksum no longer holds
    (tmp_path / "some.zip").write_bytes(bytes(data))
    assert list(refused([tmp_path])) == ["bad.mid"]
    assert next(iter(contents(tmp_path / "some.zip"))) == "good.mid"


def test_a_bomb_is_not_decompressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """17 MiB of zeros are 17 kB in a zip; what lies outside of the archive is passed over."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("etc/large.mid", bytes(17 * 2**20))
        archive.writestr("../../etc/outside.mid", b"MThd")

    read = zipfile.ZipFile.read

    def small(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        assert info.file_size < 2**20
        return read(archive, info)

    monkeypatch.setattr(zipfile.ZipFile, "read", small)
    [corpus] = find_corpora([tmp_path])
    [item] = [item for item in find_items(corpus) if isinstance(item, MidiFile)]
    assert item.size == 17 * 2**20
    assert item.data is None
    assert [path.name for path in tmp_path.rglob("*")] == ["bomb.zip"]


def test_an_encrypted_member_is_refused_in_words(corpus: Path, tmp_path: Path) -> None:
    archive = tmp_path / "locked.zip"
    with zipfile.ZipFile(archive, "w") as members:
        members.write(corpus / "a" / "piece00.mid", "piece.mid")
        members.writestr("readme.txt", "hello")
    data = bytearray(archive.read_bytes())
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # as `zip -P` sets them
        place = data.find(signature)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(signature, place + 4)
    archive.write_bytes(data)
    [only] = [item for found in find_corpora([archive]) for item in find_items(found)]
    assert isinstance(only, MidiFile)
    assert only.name == "piece.mid"
    assert only.refused is not None
    assert only.refused[1] == "it is encrypted; unpack the archive with its password"


def test_a_folder_that_cannot_be_listed_is_reported(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir = os.scandir

    def without_rights(path: str) -> object:
        if str(path).endswith("a"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    whole = contents(corpus)
    monkeypatch.setattr(os, "scandir", without_rights)
    items = [item for found in find_corpora([corpus]) for item in find_items(found)]
    refused = {i.name: i.refused for i in items if isinstance(i, MidiFile) and i.refused}
    assert refused == {
        "a": ("unreadable", "what is in this folder is not known: Permission denied")
    }
    assert contents(corpus) == {k: v for k, v in whole.items() if not k.startswith("a/")}


def test_linked_folders_are_entered_once_and_circles_end(corpus: Path, tmp_path: Path) -> None:
    whole = contents(corpus)
    top = tmp_path / "top"
    (top / "inside").mkdir(parents=True)
    for name, target in {
        "corpus": str(corpus / "a"),  # a folder elsewhere
        "again": str(corpus / "a"),
        "here": ".",
        "up": "..",
        "inside/over": "../inside",
        "nothing": "not there",
    }.items():
        (top / name).symlink_to(target, target_is_directory=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "back").symlink_to(top, target_is_directory=True)
    (other / "manifest.jsonl").write_text('{"file": "one.mid"}\n')
    (other / "one.mid").write_bytes(b"one")
    (top / "inside" / "other").symlink_to(other, target_is_directory=True)
    found = {c.name: [i.name for i in find_items(c)] for c in find_corpora([top])}
    assert set(found["top"]) == {f"again/{k[2:]}" for k in whole if k.startswith("a/")}
    assert set(found["other"]) == {"one.mid"}
    assert len(found) == 2


def test_packed_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    names = {"a.7z", "b.RAR", "c.mid.gz"}
    for name in names:
        (tmp_path / name).write_bytes(b"packed")
    (tmp_path / "notes.gz").write_bytes(b"no music")
    found = {file.name: file.refused for file in find_midi_files([tmp_path])}
    assert set(found) == names
    assert all(why and why[0] == "packed" and "unpack it" in why[1] for why in found.values())
