"""A user's folder as a dataset: prepared with the model's tokenizer, with a few pieces held out.

With few files, the usual shares of a few percent would hold nothing out, so:

    fewer than 4 pieces    all are trained on, and the result is not evaluated
    4 to 7                 one is for validation
    8 or more              a tenth, at least one, for validation and as many for testing

Near-duplicates count as one piece.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.pieces import splits_of
from data_prep.pipeline import ProgressCallback, Run, no_progress, prepare
from data_prep.report.report import DatasetReport
from data_prep.sources.label import PathPattern
from data_prep.sources.manifest import SPLITS
from data_prep.worker.worker import Preprocessing
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.labels import normalise_composer

_SHARE = 0.1
_TO_VALIDATE, _TO_TEST = 4, 8
_NEVER = 2**31
_BY_HASH = 50
"""With at least this many groups, shares by hash are accurate enough."""


def finetuning_plan(
    composer: str | None, path_labels: str | None, *, new_labels: bool = True
) -> Plan:
    """A plan in which every composer and style becomes a label, even with one piece.

    Args:
        composer: composer of files without a composer label.
        path_labels: a pattern such as `{composer}/{title}.mid`.
        new_labels: whether composers and styles that the model lacks are added.

    Raises:
        InputError: if `composer` is not a name, or the pattern is invalid.
    """
    name = normalise_composer(composer) if composer else None
    if composer and name is None:
        raise InputError(f"'{composer}' is not a composer; give a name such as 'Clara Schumann'")
    return Plan(
        shares=Shares(_SHARE, _SHARE),
        label_pieces=1 if new_labels else _NEVER,
        path_labels=PathPattern(path_labels) if path_labels else None,
        composer=name,
    )


def prepare_folder(
    inputs: Sequence[str],
    out: Path,
    tokenizer: Tokenizer,
    plan: Plan,
    progress: ProgressCallback = no_progress,
) -> DatasetReport:
    """Prepare a user's music as the dataset folder `out`, replacing its content.

    Args:
        inputs: folders, archives or files.
        out: the dataset folder.
        tokenizer: of the model; new labels are added.
        plan: see `finetuning_plan`.
        progress: called with the progress.

    Raises:
        InputError: if there is no usable music.
    """
    preprocessing = Preprocessing(tokenizer)
    # Threads start immediately; a small folder does not justify processes.
    run = Run("threads", progress=progress)
    report = prepare(inputs, out, preprocessing=preprocessing, plan=plan, run=run, overwrite=True)
    pieces = _pieces(out)
    groups = {group for _, group, _ in pieces}
    if len(groups) >= _BY_HASH and splits_of(out) == SPLITS:
        return report
    held = held_out({group: key for _, group, key in reversed(pieces)})
    plan = replace(plan, splits={name: held.get(group, "train") for name, group, _ in pieces})
    return prepare(inputs, out, preprocessing=preprocessing, plan=plan, run=run, overwrite=True)


def held_out(groups: Mapping[str, str]) -> dict[str, str]:
    """The groups that are held out, each with its split, of groups with a sortable key each."""
    order = sorted(groups, key=lambda name: groups[name])
    each = max(1, round(_SHARE * len(order)))
    validation = order[:each] if len(order) >= _TO_VALIDATE else []
    test = order[each : 2 * each] if len(order) >= _TO_TEST else []
    return dict.fromkeys(validation, "validation") | dict.fromkeys(test, "test")


def _pieces(out: Path) -> list[tuple[tuple[str, str], str, str]]:
    """Corpus and name, group and content of every piece of a dataset."""
    import pyarrow.parquet as parquet

    columns = ["corpus", "source", "group", "id"]
    rows = parquet.read_table(out / "pieces.parquet", columns=columns).to_pylist()
    return [((row["corpus"], row["source"]), row["group"], row["id"]) for row in rows]
