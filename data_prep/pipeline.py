"""`prepare`: folders and archives of MIDI become a dataset folder.

    find ─▶ examine (read, clean, encode, fingerprint) ─▶ chunks on disk      in workers
    chunks ─▶ survey ─▶ duplicates, groups, splits, labels                    all files together
    chunks ─▶ shards, table, tokenizer, report                                one pass, in order

The first line is the long one. Its chunks stay in a folder of their own until the dataset is whole,
so that a run that was stopped anywhere goes on from there. Everything follows the order of the
inputs, never that in which workers finish: the bytes are the same for any workers and engine.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data_prep.corpus.decide import Plan, Survey, accepted, decide
from data_prep.corpus.sketch_store import Sketches
from data_prep.report.report import Report
from data_prep.sources.find import Item, ManifestRow, MidiFile, find, sources
from data_prep.sources.manifest import ManifestStore
from data_prep.worker.chunks import CHUNK_BYTES, CHUNK_FILES, chunk_key, read_chunk
from data_prep.worker.engines import Engine, engine
from data_prep.worker.limits import Limits
from data_prep.worker.worker import Batch, Recipe
from tokenizer import InputError, Tokenizer

from .output import Output, opened

Inputs = Sequence["str | os.PathLike[str]"]

Progress = Callable[[str, int], None]
"""Hears the name of the stage and how many files it has done."""


def silent(_stage: str, _done: int) -> None:
    """Progress that nobody hears."""


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
    work = opened(folder, overwrite=overwrite)
    with ManifestStore(work / "manifests.sqlite") as store:
        runs = engine(run.engine)
        chunks = _examined(_items(found), store, work, recipe, run, runs, "reading")
        others = _examined(_items(barred), None, work, recipe, run, runs, "reading excluded")
        run.progress("comparing", 0)
        with Sketches(work / "sketches") as sketches:
            survey = _surveyed(chunks, store, plan, sketches)
            for record in accepted(others):
                survey.exclude(record)
            decisions = decide(survey, plan, work)
        output = Output(work, decisions, recipe.tokenizer.extended(decisions.labels))
        for chunk in chunks:
            for record in read_chunk(chunk, tokens=True):
                output.add(record, plan.describe(store, record))
            run.progress("writing", output.report.files)
    output.finish(folder)
    return output.report


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
            target = work / "chunks" / f"{chunk_key(files, key)}.records"
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


def _surveyed(
    chunks: Sequence[Path], store: ManifestStore, plan: Plan, sketches: Sketches
) -> Survey:
    """What all accepted files have in common.

    Raises:
        InputError: if there is none.
    """
    survey = Survey(sketches)
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
