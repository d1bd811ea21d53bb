"""Writing a dataset folder: into its subfolder `.work`, then into place when it is complete."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from data_prep.corpus.decide import EXACT_DUPLICATE, EXCLUDED, LEAK, Decisions
from data_prep.dataset.shards import ENCODING, LEFT_OUT, ShardWriter, write_index
from data_prep.report.page import page
from data_prep.report.report import DatasetReport
from data_prep.sources.label import Metadata
from data_prep.sources.manifest import SPLITS
from data_prep.worker.worker import FileRecord
from tokenizer import InputError, Tokenizer
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.files import write_text

WORK = ".work"
WHOLE = "whole"
LOCK = ".lock"

_DETAILS = {
    EXACT_DUPLICATE: "as {}",
    EXCLUDED: "an arrangement or excerpt of music that was to be excluded",
    LEAK: "an arrangement or excerpt of a piece that is held out",
}


@contextmanager
def work_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """The work folder of a dataset folder, with what an earlier run left in `chunks`.

    Within the context no other run can have it; the system ends that also when a run is killed.

    Raises:
        InputError: if the folder holds a dataset (but for `overwrite`) or other files, cannot be
            written, or another run is writing it.
    """
    from filelock import FileLock, Timeout

    is_dataset, work = (folder / "dataset.json").exists(), folder / WORK
    if is_dataset and (work / WHOLE).is_dir() and not any((work / WHOLE).iterdir()):
        shutil.rmtree(work)  # a run was stopped when all was done but this
    if is_dataset and not overwrite:
        raise InputError(
            f"{folder} is already a dataset; choose another folder, or use --overwrite"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the dataset")
    if folder.is_dir() and not is_dataset and not work.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} contains other files; choose a new folder for the dataset")
    try:
        (work / "chunks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"another run is writing {folder}; wait for it, or choose another folder"
        ) from None
    try:
        (work / "manifests.sqlite").unlink(missing_ok=True)
        shutil.rmtree(work / WHOLE, ignore_errors=True)
        yield work
    finally:
        lock.release()
        with suppress(OSError):  # on Windows another run may be trying for it
            (folder / LOCK).unlink()


class DatasetWriter:
    """A dataset folder in the making: records go in, in the order of the survey.

    Attributes:
        report: of what has gone in.
        encoding: that was learned for models of the dataset, if any.
    """

    def __init__(self, work: Path, decisions: Decisions, tokenizer: Tokenizer) -> None:
        self.report = DatasetReport(
            labels=decisions.labels,
            known_meters=frozenset(tokenizer.vocabulary.names("time_signature")),
        )
        self._work = work
        self._decisions = decisions
        self._tokenizer = tokenizer
        self._writer = ShardWriter(work / WHOLE)
        self._names: list[str] = []
        self._left_out = (work / WHOLE / LEFT_OUT).open("w", encoding="utf-8", newline="\n")
        self.encoding: LearnedTokenizer | None = None

    def add(self, record: FileRecord, metadata: Metadata) -> None:
        """Write a record's piece, or report why not."""
        if record.refused:
            self._refuse(record, record.refused, record.detail)
            return
        place = len(self._names)
        self._names.append(f"{record.corpus}/{record.name}")
        reason = self._decisions.refused[place]
        if reason:
            original = self._names[self._decisions.original[place]]
            self._refuse(record, reason, _DETAILS[reason].format(original))
            return
        split = SPLITS[self._decisions.split[place]]
        group = self._names[self._decisions.group[place]]
        self.report.keep(record, metadata, split, group)
        self._writer.add(record.tokens, piece_columns(record, metadata, split, group))

    def _refuse(self, record: FileRecord, reason: str, detail: str) -> None:
        """Count a file that is left out, and write it to the list of those."""
        self.report.refuse(record, reason, detail)
        row = {"file": f"{record.corpus}/{record.name}", "reason": reason, "detail": detail}
        self._left_out.write(json.dumps(row, ensure_ascii=False) + "\n")

    def finish(self, folder: Path) -> None:
        """Write the other files, and move the dataset into place."""
        whole = self._work / WHOLE
        shards = self._writer.close()
        self._left_out.close()
        plain = self.report.to_json()
        self._tokenizer.save(whole / "tokenizer.json")
        if self.encoding is not None:
            self.encoding.save(whole / ENCODING)
        write_text(whole / "report.json", json.dumps(plain, indent=1) + "\n")
        write_text(whole / "report.html", page(plain, "What is in this dataset"))
        write_index(whole, shards, self.report.total.pieces)
        _move_into_place(whole, folder)
        shutil.rmtree(self._work)


def piece_columns(record: FileRecord, metadata: Metadata, split: str, group: str) -> dict[str, Any]:
    """A record's row in the table of pieces, but for where its tokens are."""
    return {
        "id": record.content_hash.hex(),
        "notes": record.notes,
        "split": split,
        "corpus": record.corpus,
        "source": record.name,
        "title": metadata.title,
        "composer": metadata.composer,
        "styles": list(metadata.styles),
        "instruments": list(record.instruments),
        "tempo": record.tempo,
        "time_signature": record.time_signature,
        "key_fifths": record.fifths,
        "key_minor": record.minor,
        "quarters": record.quarters,
        "seconds": record.seconds,
        "clipped": record.clipped,
        "licence": metadata.licence,
        "content_hash": record.content_hash,
        "fingerprint": record.sketch,
        "group": group,
    }


def _move_into_place(whole: Path, folder: Path) -> None:
    """Move a finished dataset into place; `dataset.json` is removed first and written last."""
    for name in ("dataset.json", ENCODING):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "tokens", ignore_errors=True)
    names = sorted(path.name for path in whole.iterdir() if path.name != "dataset.json")
    for name in [*names, "dataset.json"]:
        (whole / name).replace(folder / name)
