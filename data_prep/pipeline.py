"""`prepare`: folders and archives of MIDI become a dataset folder.

    find ─▶ examine (read, clean, encode, fingerprint) ─▶ chunks on disk      in workers
    chunks ─▶ survey ─▶ duplicates, groups, splits, labels                    all files together
    chunks ─▶ shards, table, tokenizer, report                                one pass, in order

The first line is the long one. Its chunks stay in the folder `.work` until the dataset is whole,
so that a run that was stopped anywhere goes on from there. Everything follows the order of the
inputs, never that in which workers finish: the bytes are the same for any workers and engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tokenizer import InputError, Tokenizer
from tokenizer.files import write_text

from .chunks import CHUNK_BYTES, CHUNK_FILES, chunk_key, read_chunk
from .engines import Engine, Limits, engine
from .examine import Batch, Recipe, Record
from .find import Item, ManifestRow, MidiFile, find, sources
from .label import SPLITS, Described
from .manifest import ManifestStore
from .report import Report
from .shards import ShardWriter, write_index
from .survey import EXACT_DUPLICATE, Decisions, Plan, Survey, accepted, decide

Inputs = Sequence["str | os.PathLike[str]"]

Progress = Callable[[str, int], None]
"""Hears the name of the stage and how many files it has done."""


def silent(_stage: str, _done: int) -> None:
    """Progress that nobody hears."""


WORK = ".work"

_DETAILS = {
    "near_duplicate_of_excluded": "an arrangement or excerpt of music that was to be excluded",
    "near_duplicate_of_held_out": "an arrangement or excerpt of a piece its source holds out",
}


@dataclass(frozen=True)
class Run:
    """How the work is done; nothing here changes a byte of the result.

    Attributes:
        engine: `processes`, `threads` or `ray`.
        limits: workers, and what one file may take.
        progress: hears how far the run is.
    """

    engine: str = "processes"
    limits: Limits = field(default_factory=Limits)
    progress: Progress = silent


def prepare(
    inputs: Inputs,
    out: str | os.PathLike[str],
    *,
    exclude: Inputs = (),
    recipe: Recipe | None = None,
    plan: Plan | None = None,
    run: Run | None = None,
    overwrite: bool = False,
) -> Report:
    """Turn folders and archives of MIDI into the dataset folder `out`.

    Args:
        inputs: folders, archives, globs, or lists of files (`.jsonl`, `.csv`, `.parquet`).
        out: the folder to write; if an earlier run there was stopped, it goes on.
        exclude: music of which no near-duplicate may get into the dataset.
        recipe: what is done to each file; by default the compound tokenizer and its rules.
        plan: what is decided over all files.
        run: engine, workers and limits.
        overwrite: whether a finished dataset in `out` is replaced.

    Raises:
        InputError: if an input cannot be used, or `out` holds a dataset or other files.
    """
    recipe = recipe or Recipe(Tokenizer.default())
    plan, run = plan or Plan(), run or Run()
    folder = Path(out)
    found, barred = sources(inputs), sources(exclude) if exclude else []
    work = _work_folder(folder, overwrite=overwrite)
    with ManifestStore(work / "manifests.sqlite") as store:
        runs = engine(run.engine)
        chunks = _examined(_items(found), store, work, recipe, run, runs, "reading")
        others = _examined(_items(barred), None, work, recipe, run, runs, "reading excluded")
        run.progress("comparing", 0)
        survey = _surveyed(chunks, store, plan)
        excluded = [np.frombuffer(record.sketch, dtype="<u4") for record in accepted(others)]
        decisions = decide(survey, excluded, plan)
        report = _write(work / "whole", chunks, store, decisions, plan, recipe, run)
    _move_into_place(work / "whole", folder)
    shutil.rmtree(work)
    return report


def _work_folder(folder: Path, *, overwrite: bool) -> Path:
    if (folder / "dataset.json").exists() and not overwrite:
        raise InputError(f"{folder} is already a dataset; name another folder, or use --overwrite")
    if folder.is_dir() and not (folder / WORK).exists() and not (folder / "dataset.json").exists():
        if any(folder.iterdir()):
            raise InputError(f"{folder} holds other files; name a new folder for the dataset")
    elif folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the dataset")
    work = folder / WORK
    try:
        (work / "chunks").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    (work / "manifests.sqlite").unlink(missing_ok=True)
    shutil.rmtree(work / "whole", ignore_errors=True)
    return work


def _items(found: Sequence[Any]) -> Iterator[Item]:
    for source in found:
        yield from find(source)


def _examined(
    items: Iterator[Item],
    store: ManifestStore | None,
    work: Path,
    recipe: Recipe,
    run: Run,
    runs: Engine,
    stage: str,
) -> list[Path]:
    """The chunks of all files, in order; those that an earlier run made are not made again."""
    key = recipe_key(recipe, run.limits)
    chunks: list[Path] = []
    done = 0

    def missing() -> Iterator[Batch]:
        nonlocal done
        for files in _batches(items, store):
            target = work / "chunks" / f"{chunk_key(files, key)}.parquet"
            chunks.append(target)
            if target.exists():
                done += len(files)
                run.progress(stage, done)
            else:
                yield Batch(len(chunks) - 1, target, tuple(files))

    for batch in runs(missing(), recipe, run.limits):
        done += len(batch.files)
        run.progress(stage, done)
    return chunks


def recipe_key(recipe: Recipe, limits: Limits) -> str:
    """A name for all that a chunk depends on beside its files."""
    plain = {
        "tokenizer": recipe.tokenizer.to_json(),
        "thresholds": vars(recipe.thresholds),
        "repair": recipe.repair,
        "limits": [limits.seconds, limits.megabytes],
    }
    return hashlib.blake2b(json.dumps(plain).encode(), digest_size=8).hexdigest()


def _batches(items: Iterator[Item], store: ManifestStore | None) -> Iterator[list[MidiFile]]:
    """Files in runs of `CHUNK_FILES`, and manifest rows into the store."""
    files: list[MidiFile] = []
    size = 0
    for item in items:
        if isinstance(item, ManifestRow):
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


def _surveyed(chunks: Sequence[Path], store: ManifestStore, plan: Plan) -> Survey:
    """What all accepted files have in common.

    Raises:
        InputError: if there is none.
    """
    survey = Survey()
    for record in accepted(chunks):
        described = plan.describe(store, record)
        survey.add(record, described, stated_splits=plan.stated_splits)
    if not survey.contents:
        first = next(record for chunk in chunks for record in read_chunk(chunk, tokens=False))
        raise InputError(
            "none of the files can be used; "
            f"{first.name}, for one, is refused as {first.refused}: {first.detail}"
        )
    return survey


def _write(
    folder: Path,
    chunks: Sequence[Path],
    store: ManifestStore,
    decisions: Decisions,
    plan: Plan,
    recipe: Recipe,
    run: Run,
) -> Report:
    """Shards, table, tokenizer and report, in one pass over the chunks."""
    writer = ShardWriter(folder)
    report = Report(labels=decisions.labels)
    ids: list[str] = []
    for chunk in chunks:
        for record in read_chunk(chunk, tokens=True):
            if record.refused:
                report.refuse(record, record.refused, record.detail)
                continue
            place = len(ids)
            ids.append(f"{record.corpus}/{record.name}")
            reason = decisions.refused[place]
            if reason:
                same = ids[decisions.original[place]]
                detail = f"as {same}" if reason == EXACT_DUPLICATE else _DETAILS[reason]
                report.refuse(record, reason, detail)
                continue
            described = plan.describe(store, record)
            name = SPLITS[decisions.split[place]]
            report.keep(record, described, name)
            group = ids[decisions.group[place]]
            report.groups[group] += 1
            writer.add(record.tokens, piece_columns(record, described, name, group))
        run.progress("writing", report.files)
    shards = writer.close()
    recipe.tokenizer.extended(decisions.labels).save(folder / "tokenizer.json")
    write_text(folder / "report.json", json.dumps(report.to_json(), indent=1) + "\n")
    write_index(folder, shards, report.total.pieces)
    return report


def piece_columns(record: Record, described: Described, split: str, group: str) -> dict[str, Any]:
    """A record's row in the table of pieces, but for where its tokens are."""
    return {
        "id": record.content_hash.hex(),
        "notes": record.notes,
        "split": split,
        "corpus": record.corpus,
        "source": record.name,
        "title": described.title,
        "composer": described.composer,
        "styles": list(described.styles),
        "instruments": list(record.instruments),
        "tempo": record.tempo,
        "time_signature": record.time_signature,
        "key_fifths": record.fifths,
        "key_minor": record.minor,
        "quarters": record.quarters,
        "seconds": record.seconds,
        "clipped": record.clipped,
        "licence": described.licence,
        "content_hash": record.content_hash,
        "fingerprint": record.sketch,
        "group": group,
    }


def _move_into_place(whole: Path, folder: Path) -> None:
    """Put a finished dataset where it belongs; `dataset.json` goes away first and comes last."""
    (folder / "dataset.json").unlink(missing_ok=True)
    shutil.rmtree(folder / "tokens", ignore_errors=True)
    names = sorted(path.name for path in whole.iterdir() if path.name != "dataset.json")
    for name in [*names, "dataset.json"]:
        (whole / name).replace(folder / name)
