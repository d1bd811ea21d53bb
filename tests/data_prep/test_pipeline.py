from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.pipeline import Run
from data_prep.report.report import DatasetReport
from data_prep.sources.label import PathPattern
from data_prep.worker.engines import Limits
from tokenizer import InputError, Tokenizer, read, write

THREADS = Run("threads", Limits(2))
PLAN = Plan(Shares(0.2, 0.2))


def made(corpus: Path, out: Path, **options: Any) -> DatasetReport:
    options = {"run": THREADS, "plan": PLAN, **options}
    return prepare([corpus], out, **options)


def rows(out: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = parquet.read_table(out / "pieces.parquet").to_pylist()
    return table


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_piece_decodes_to_what_its_file_holds(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "dataset"
    made(corpus, out)
    tokenizer = Tokenizer.load(out / "tokenizer.json")
    tokens = np.fromfile(out / "tokens/00000.bin", dtype="<i2").reshape(-1, 5)
    pieces = rows(out)
    assert len(pieces) == 23
    assert sum(piece["length"] for piece in pieces) == len(tokens)
    for piece in pieces:
        score = read(corpus / piece["source"])
        body = tokens[piece["offset"] : piece["offset"] + piece["length"]]
        expected = np.concatenate([Tokenizer.default().body(score), tokenizer.end()])
        np.testing.assert_array_equal(body, expected)
        assert piece["notes"] == len(score.notes) == (body[:, 1] > 0).sum()
        assert piece["seconds"] == pytest.approx(score.seconds(score.end))
        assert piece["quarters"] == score.end / 480


def test_labels_come_from_the_manifest(corpus: Path, tmp_path: Path) -> None:
    report = made(corpus, tmp_path / "d", plan=Plan(Shares(0, 0)))
    pieces = {piece["source"]: piece for piece in rows(tmp_path / "d")}
    assert pieces["a/piece00.mid"]["composer"] == "bach"
    assert pieces["b/piece01.mid"]["composer"] == "chopin"
    assert "prelude" in pieces["b/piece01.mid"]["styles"]
    assert pieces["b/piece01.mid"]["title"] == "Piece 1"
    assert pieces["b/piece01.mid"]["licence"] == "CC0"
    assert pieces["b/piece01.mid"]["instruments"] == [0, 40]
    vocabulary = Tokenizer.load(tmp_path / "d/tokenizer.json").vocabulary
    assert vocabulary.names("composer") == ("bach", "chopin")
    assert {"composer:bach", "composer:chopin", "style:prelude"} <= set(report.labels)
    rare = made(corpus, tmp_path / "rare", plan=Plan(label_pieces=30))
    assert rare.labels == ()


def test_the_report_accounts_for_every_file(corpus: Path, tmp_path: Path) -> None:
    (corpus / "a" / "broken.mid").write_bytes(b"MThd and then nothing")
    (corpus / "a" / "copy.mid").write_bytes((corpus / "a" / "piece00.mid").read_bytes())
    report = made(corpus, tmp_path / "d").to_json()
    assert report["files"] == 26
    assert report["refused"] == {"exact_duplicate": 1, "too_few_notes": 1, "unreadable": 1}
    assert report["kept"]["pieces"] == 23
    assert sum(split["pieces"] for split in report["splits"].values()) == 23
    assert report["kept"]["notes"] == sum(piece["notes"] for piece in rows(tmp_path / "d"))
    [example] = report["examples"]["unreadable"]
    assert example["file"] == "corpus/a/broken.mid"
    assert report == json.loads((tmp_path / "d/report.json").read_text())
    lines = (tmp_path / "d/left_out.jsonl").read_text(encoding="utf-8").splitlines()
    left_out = {row["file"]: row["reason"] for row in map(json.loads, lines)}
    kept = {f"{piece['corpus']}/{piece['source']}" for piece in rows(tmp_path / "d")}
    files = {f"corpus/{path.relative_to(corpus).as_posix()}" for path in corpus.rglob("*.mid")}
    assert left_out == {
        "corpus/a/broken.mid": "unreadable",
        "corpus/a/piece00.mid": "exact_duplicate",
        "corpus/b/piece07.mid": "too_few_notes",
    }
    assert kept | left_out.keys() == files
    assert not kept & left_out.keys()


def test_an_archive_and_its_folder_give_the_same_music(corpus: Path, tmp_path: Path) -> None:
    archive = tmp_path / "corpus.tar.xz"
    with tarfile.open(archive, "w:xz") as out:
        for path in sorted(corpus.rglob("*.*")):
            out.add(path, f"corpus/{path.relative_to(corpus)}")
    made(corpus, tmp_path / "folder")
    made(archive, tmp_path / "archive")
    assert hashes(tmp_path / "folder") == hashes(tmp_path / "archive")


def test_bytes_do_not_depend_on_engine_or_workers(corpus: Path, tmp_path: Path) -> None:
    for name, run in {
        "one": Run("threads", Limits(1)),
        "three": Run("threads", Limits(3)),
        "processes": Run("processes", Limits(2)),
    }.items():
        made(corpus, tmp_path / name, run=run)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "three")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "processes")


def test_no_arrangement_of_a_held_out_piece_is_trained_on(corpus: Path, tmp_path: Path) -> None:
    for path in sorted(corpus.rglob("piece*.mid")):
        score = read(path)
        write(score.transpose(3), path.with_name(f"{path.stem}-up.mid"))
    made(corpus, tmp_path / "d")
    split = {Path(piece["source"]).stem: piece["split"] for piece in rows(tmp_path / "d")}
    groups = {Path(piece["source"]).stem: piece["group"] for piece in rows(tmp_path / "d")}
    originals = [stem for stem in split if not stem.endswith("-up")]
    assert len(originals) == 23
    assert all(split[stem] == split[f"{stem}-up"] for stem in originals)
    assert all(groups[stem] == groups[f"{stem}-up"] for stem in originals)
    assert set(split.values()) == {"train", "validation", "test"}


def test_excluded_music_stays_out(corpus: Path, tmp_path: Path) -> None:
    bench = tmp_path / "bench"
    bench.mkdir()
    for seed in (2, 3, 10):
        [path] = corpus.rglob(f"piece{seed:02}.mid")
        write(read(path).transpose(-2), bench / path.name)
    report = made(corpus, tmp_path / "d", exclude=[bench])
    assert report.refused["near_duplicate_of_excluded"] == 3
    names = {Path(piece["source"]).stem for piece in rows(tmp_path / "d")}
    assert names.isdisjoint({"piece02", "piece03", "piece10"})
    assert len(names) == 20


def test_music_to_exclude_that_cannot_be_read_is_said(corpus: Path, tmp_path: Path) -> None:
    bench = tmp_path / "bench"
    bench.mkdir()
    (bench / "broken.mid").write_bytes(b"no music")
    with pytest.raises(InputError, match=r"none of the music to exclude.* bench/broken\.mid"):
        made(corpus, tmp_path / "d", exclude=[bench])
    [path] = corpus.rglob("piece02.mid")
    write(read(path), bench / "two.mid")
    report = made(corpus, tmp_path / "d", exclude=[bench])
    assert report.refused["near_duplicate_of_excluded"] == 1
    [unread] = report.unread_excluded
    assert unread.startswith("bench/broken.mid (")
    plain = json.loads((tmp_path / "d" / "report.json").read_text())
    assert plain["music_to_exclude_not_read"] == {"files": 1, "for_example": [unread]}


def test_a_dataset_of_nothing_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is left"):
        made(corpus, tmp_path / "d", exclude=[corpus])
    assert not (tmp_path / "d" / "dataset.json").exists()


def test_a_path_pattern_that_matches_no_file_is_refused(corpus: Path, tmp_path: Path) -> None:
    plan = Plan(path_labels=PathPattern("music/{composer}/{title}.mid"))
    with pytest.raises(InputError, match=r"matches no file: '[ab]/piece\d\d\.mid', for one"):
        made(corpus, tmp_path / "d", plan=plan)


def test_stated_splits_are_kept(corpus: Path, tmp_path: Path) -> None:
    manifest = corpus / "manifest.jsonl"
    stated = [json.loads(line) for line in manifest.read_text().splitlines()]
    for i, row in enumerate(stated):
        row["split"] = ("train", "valid", "test")[i % 3]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in stated))
    made(corpus, tmp_path / "d")
    for piece in rows(tmp_path / "d"):
        seed = int(Path(piece["source"]).stem.removeprefix("piece"))
        assert piece["split"] == ("train", "validation", "test")[seed % 3]
    made(corpus, tmp_path / "own", plan=Plan(Shares(0, 0), stated_splits=False))
    assert {piece["split"] for piece in rows(tmp_path / "own")} == {"train"}


def test_composers_stay_together_if_asked(corpus: Path, tmp_path: Path) -> None:
    made(corpus, tmp_path / "d", plan=Plan(Shares(0.3, 0.3), split_by="composer"))
    splits: dict[str, set[str]] = {}
    for piece in rows(tmp_path / "d"):
        splits.setdefault(piece["composer"], set()).add(piece["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_what_cannot_be_written_or_used_is_said(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "d"
    made(corpus, out)
    with pytest.raises(InputError, match="already a dataset"):
        made(corpus, out)
    (out / ".work/whole").mkdir(parents=True)  # as if killed when all was done but tidying up
    with pytest.raises(InputError, match="already a dataset"):
        made(corpus, out)
    assert not (out / ".work").exists()
    before = hashes(out)
    made(corpus, out, overwrite=True)
    assert hashes(out) == before
    with pytest.raises(InputError, match="contains other files"):
        made(corpus, corpus)
    with pytest.raises(InputError, match="is a file"):
        made(corpus, corpus / "manifest.jsonl")
    with pytest.raises(InputError, match=r"refused as too_few_notes: 4 notes"):
        made(corpus / "b" / "piece07.mid", tmp_path / "none")
    with pytest.raises(InputError, match="did you mean 'threads'"):
        made(corpus, tmp_path / "e", run=Run("thread"))


SCRIPT = """
import sys
from data_prep import prepare
from data_prep.worker.engines import Limits
from data_prep.pipeline import Run
def main():
    prepare([sys.argv[1]], sys.argv[2], run=Run(sys.argv[3], Limits(2)))
if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    for copy in range(12):  # enough for several chunks
        shutil.copytree(corpus / "a", corpus / f"copy{copy}")
    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def start(out: Path) -> subprocess.Popen[Any]:
        command = [sys.executable, str(script), str(corpus), str(out), "threads"]
        return subprocess.Popen(command, env=environment)

    begun = time.monotonic()
    assert start(tmp_path / "whole").wait() == 0
    took = time.monotonic() - begun
    for attempt in range(1, 7):
        process = start(tmp_path / "killed")
        time.sleep(took * attempt / 7)
        process.send_signal(signal.SIGKILL)
        process.wait()
    start(tmp_path / "killed").wait()
    for path in sorted((tmp_path / "whole").rglob("*")):
        if path.is_file():
            other = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
            assert other.read_bytes() == path.read_bytes(), path.name
    assert not (tmp_path / "killed/.work").exists()


def test_odd_names_links_and_archives_do_not_stop_the_run(corpus: Path, tmp_path: Path) -> None:
    (corpus / "dangling.mid").symlink_to("nowhere")
    (corpus / "itself.mid").symlink_to("itself.mid")
    (corpus / "none.zip").write_bytes(b"no archive")
    write(read(corpus / "a/piece00.mid").slice(480, 20_000), tmp_path / "x.mid")
    with open(os.fsencode(corpus) + b"/caf\xe9.mid", "wb") as file:  # noqa: PTH123 (not UTF-8)
        file.write((tmp_path / "x.mid").read_bytes())
    for engine in ("processes", "threads"):
        report = made(corpus, tmp_path / engine, run=Run(engine, Limits(1)))
        assert report.refused["unreadable"] == 2
        assert report.refused["bad_archive"] == 1
        assert "caf\\xe9.mid" in {row["source"] for row in rows(tmp_path / engine)}
        page = (tmp_path / engine / "report.html").read_text(encoding="utf-8")
        assert "none.zip" in page


def test_manifest_rows_without_a_file_are_named_and_refused_where_none_has_one(
    corpus: Path, tmp_path: Path
) -> None:
    manifest = corpus / "manifest.jsonl"
    text = manifest.read_text()
    manifest.write_text(text + '{"file": "a/lost.mid", "title": "Lost"}\n')
    report = made(corpus, tmp_path / "d")
    assert report.unmatched_rows == {"corpus": ["a/lost.mid"]}
    plain = json.loads((tmp_path / "d" / "report.json").read_text())
    assert plain["manifest_rows_without_file"]["corpus"]["rows"] == 1
    manifest.write_text(text.replace('"file": "', '"file": "music/'))
    with pytest.raises(InputError, match=r"no row of the manifest of corpus .*piece00\.mid"):
        made(corpus, tmp_path / "e")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT])
@pytest.mark.parametrize("name", [".records", "00000.bin", "sketches", ".json"])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, name: str
) -> None:
    """A stand-in for a file system that takes no more when a file of this name is opened."""
    real = io.open

    def full(file: Any, mode: str = "r", *more: Any, **options: Any) -> Any:
        if str(file).endswith(name) and "r" not in mode:
            raise OSError(code, os.strerror(code), str(file))
        return real(file, mode, *more, **options)

    with monkeypatch.context() as patch:
        patch.setattr("io.open", full)
        patch.setattr("builtins.open", full)
        with pytest.raises(InputError, match=re.escape(os.strerror(code))) as error:
            made(corpus, tmp_path / "d")
        assert "\n" not in str(error.value)
    made(corpus, tmp_path / "d")
    made(corpus, tmp_path / "other")
    assert hashes(tmp_path / "d") == hashes(tmp_path / "other")


def small_disk(folder: Path, size: str) -> bool:
    """Mount a small file system on a folder, where that is allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return (
        shutil.which("mount") is not None
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


@pytest.mark.parametrize("size", ["8k", "40k", "60k"])
def test_a_small_disk_that_fills_up_stops_the_run_with_a_sentence(
    corpus: Path, tmp_path: Path, size: str
) -> None:
    disk = tmp_path / "disk"
    if not small_disk(disk, size):
        pytest.skip("mounting is not allowed here")
    try:
        run = "from data_prep import prepare; import sys; prepare([sys.argv[1]], sys.argv[2])"
        command = [sys.executable, "-c", run, str(corpus), str(disk / "d")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert "No space left on device" in done.stderr.splitlines()[-1]
        assert "InputError" in done.stderr.splitlines()[-1]
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)
