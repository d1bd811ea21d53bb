"""`prepare`: folders and archives of MIDI become a dataset folder.

    find ─▶ examine (read, clean, encode, fingerprint) ─▶ chunks on disk      in workers
    chunks ─▶ survey ─▶ duplicates, groups, splits, labels                    all files together
    chunks ─▶ chords or merges, if an encoding is to be learned               training pieces
    chunks ─▶ shards, table, tokenizer, report                                one pass, in order

The first line takes most of the time. Its chunks stay in the folder `.work` until the dataset is
complete, so that a run that was stopped anywhere continues from there. Everything follows the
order of the inputs, never that in which workers finish: the bytes are the same for any number of
workers and any engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data_prep.corpus.decide import Plan, Survey, accepted, decide
from data_prep.corpus.learn import Learning
from data_prep.corpus.sketch_store import SketchStore
from data_prep.report.report import DatasetReport
from data_prep.sources.find import Corpus, Inputs, ManifestEntry, MidiFile, find_corpora, find_items
from data_prep.sources.manifest import ManifestStore
from data_prep.worker.chunks import CHUNK_BYTES, CHUNK_FILES, chunk_key, read_chunk
from data_prep.worker.engines import Engine, Limits, on_threads
from data_prep.worker.processes import on_processes
from data_prep.worker.ray import on_ray
from data_prep.worker.worker import FileBatch, Preprocessing
from tokenizer import InputError, Tokenizer
from tokenizer.errors import unknown

from .output import DatasetWriter, work_folder

ProgressCallback = Callable[[str, int], None]
"""Called with the name of a stage and how many files it has done."""

ENGINES: dict[str, Engine] = {"processes": on_processes, "threads": on_threads, "ray": on_ray}


def no_progress(_stage: str, _done: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True)
class Run:
    """How the work is carried out; nothing here changes a byte of the result.

    Attributes:
        engine: one of `ENGINES`.
        limits: workers, and what one file may take.
        progress: called with the progress of the run.
    """

    engine: str = "processes"
    limits: Limits = field(default_factory=Limits)
    progress: ProgressCallback = no_progress

    def __post_init__(self) -> None:
        """Refuse an engine that does not exist."""
        if self.engine not in ENGINES:
            raise unknown("engine", self.engine, ENGINES)


def prepare(
    inputs: Inputs,
    out: str | os.PathLike[str],
    *,
    exclude: Inputs = (),
    preprocessing: Preprocessing | None = None,
    plan: Plan | None = None,
    learning: Learning | None = None,
    run: Run | None = None,
    overwrite: bool = False,
) -> DatasetReport:
    """Turn folders and archives of MIDI into the dataset folder `out`.

    Args:
        inputs: folders, archives, globs, or lists of files (`.jsonl`, `.csv`, `.parquet`).
        out: the folder to write; a run that was stopped there is continued.
        exclude: music whose near-duplicates are left out of the dataset.
        preprocessing: what is done to each file; by default the compound tokenizer, all rules.
        plan: how splits and labels are decided, given all files.
        learning: an encoding to learn from the training split, if models are to be trained in it.
        run: engine, workers and limits.
        overwrite: whether a finished dataset in `out` is replaced.

    Raises:
        InputError: if an input cannot be used, or `out` contains a dataset or other files.
    """
    preprocessing = preprocessing or Preprocessing(Tokenizer.default())
    plan, run = plan or Plan(), run or Run()
    folder = Path(out)
    found, barred = find_corpora(inputs), find_corpora(exclude) if exclude else []
    try:
        with work_folder(folder, overwrite=overwrite) as work:
            return _prepared(found, barred, folder, work, preprocessing, plan, learning, run)
    except (OSError, sqlite3.Error) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(
            f"cannot write {folder}: {what}; what is done is kept, so make room and run this again"
        ) from error


def _prepared(
    found: Sequence[Corpus],
    barred: Sequence[Corpus],
    folder: Path,
    work: Path,
    preprocessing: Preprocessing,
    plan: Plan,
    learning: Learning | None,
    run: Run,
) -> DatasetReport:
    with ManifestStore(work / "manifests.sqlite") as store:
        chunks = _examined(_items(found), store, work, preprocessing, run, "reading")
        others = _examined(_items(barred), None, work, preprocessing, run, "reading excluded")
        unmatched = _check_manifests(chunks, store)
        run.progress("comparing", 0)
        with SketchStore(work / "sketches") as sketches:
            survey = _surveyed(chunks, store, plan, sketches)
            unread = _exclude(others, survey)
            decisions = decide(survey, plan, work)
        if all(decisions.refused):
            raise InputError(
                "nothing is left: every file is a near-duplicate of music under exclude"
            )
        tokenizer = preprocessing.tokenizer.extended(decisions.labels)
        output = DatasetWriter(work, decisions, tokenizer)
        if learning is not None:
            run.progress("learning", 0)
            output.encoding = learning.learned(tokenizer, chunks, decisions)
        output.report.unmatched_rows, output.report.unread_excluded = unmatched, unread
        for chunk in chunks:
            for record in read_chunk(chunk, tokens=True):
                output.add(record, plan.metadata(store, record))
            run.progress("writing", output.report.files)
    output.finish(folder)
    return output.report


def _items(found: Sequence[Corpus]) -> Iterator[MidiFile | ManifestEntry]:
    for corpus in found:
        yield from find_items(corpus)


def _examined(
    items: Iterator[MidiFile | ManifestEntry],
    store: ManifestStore | None,
    work: Path,
    preprocessing: Preprocessing,
    run: Run,
    stage: str,
) -> list[Path]:
    """The chunks of all files, in order; those that an earlier run made are not made again."""
    key = preprocessing_key(preprocessing, run.limits)
    chunks: list[Path] = []
    done = 0

    def missing() -> Iterator[FileBatch]:
        nonlocal done
        for files in _batches(items, store):
            target = work / "chunks" / f"{chunk_key(files, key)}.records"
            chunks.append(target)
            if target.exists():
                done += len(files)
                run.progress(stage, done)
            else:
                yield FileBatch(len(chunks) - 1, target, tuple(files))

    for batch in ENGINES[run.engine](missing(), preprocessing, run.limits):
        done += len(batch.files)
        run.progress(stage, done)
    return chunks


def preprocessing_key(preprocessing: Preprocessing, limits: Limits) -> str:
    """A hash of all that a chunk depends on beside its files."""
    plain = {
        "tokenizer": preprocessing.tokenizer.to_json(),
        "thresholds": vars(preprocessing.thresholds),
        "repair": preprocessing.repair,
        "limits": [limits.seconds, limits.megabytes],
    }
    return hashlib.blake2b(json.dumps(plain).encode(), digest_size=8).hexdigest()


def _batches(
    items: Iterator[MidiFile | ManifestEntry], store: ManifestStore | None
) -> Iterator[list[MidiFile]]:
    """Files in runs of `CHUNK_FILES`, and manifest rows into the store."""
    files: list[MidiFile] = []
    size = 0
    for item in items:
        if isinstance(item, ManifestEntry):
            if store is not None:
                store.put(item.corpus, item.name, item.row)
            continue
        if files and (len(files) == CHUNK_FILES or size + item.size > CHUNK_BYTES):
            yield files
            files, size = [], 0
        files.append(item)
        size += item.size
    if files:
        yield files


def _check_manifests(chunks: Sequence[Path], store: ManifestStore) -> dict[str, list[str]]:
    """The files that rows of manifests name and no corpus has, by corpus.

    Raises:
        InputError: if no row of a manifest matches a file.
    """
    if store.is_empty:
        return {}
    for chunk in chunks:
        store.mark((record.corpus, record.name) for record in read_chunk(chunk, tokens=False))
    unmatched = {}
    for corpus, rows, missing in store.unmatched():
        if len(missing) == rows:
            raise InputError(
                f"no row of the manifest of {corpus} matches a file: '{missing[0]}', for one, is "
                "not there; rows name files relative to the folder or archive"
            )
        unmatched[corpus] = missing
    return unmatched


def _exclude(chunks: Sequence[Path], survey: Survey) -> list[str]:
    """Add music to be excluded to a survey; what of it cannot be read, each with the reason.

    Raises:
        InputError: if there is such music and none of it can be read.
    """
    unread, some = [], False
    for record in (r for chunk in chunks for r in read_chunk(chunk, tokens=False)):
        if record.refused:
            unread.append(f"{record.corpus}/{record.name} ({record.detail})")
        else:
            some = True
            survey.exclude(record)
    if unread and not some:
        raise InputError(f"none of the music to exclude can be used: {unread[0]}, for one")
    return unread


def _surveyed(
    chunks: Sequence[Path], store: ManifestStore, plan: Plan, sketches: SketchStore
) -> Survey:
    """What all accepted files have in common.

    Raises:
        InputError: if there is none, or none that a pattern of labels in paths matches.
    """
    survey, labelled = Survey(sketches), plan.path_labels is None
    for record in accepted(chunks):
        metadata = plan.metadata(store, record)
        survey.add(record, metadata, stated_splits=plan.stated_splits)
        labelled = labelled or plan.has_path_labels(record)
    if survey.contents and not labelled:
        raise InputError(f"--path-labels matches no file: '{record.name}', for one, does not")
    if not survey.contents:
        first = next(record for chunk in chunks for record in read_chunk(chunk, tokens=False))
        raise InputError(
            "none of the files can be used; "
            f"{first.name}, for one, is refused as {first.refused}: {first.detail}"
        )
    return survey
