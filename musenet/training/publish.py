"""Publishing a model: the best model of a run with a generated model card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musenet.model.checkpoint import hash_of, load_checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from tokenizer import Tokenizer
from tokenizer.errors import InputError

from .card import card


@dataclass(frozen=True)
class CardExtras:
    """Additional content of a model card.

    Attributes:
        evaluation: results written by `musenet evaluate --json`.
        notices: a folder with `<corpus>/ATTRIBUTION.txt`.
        remarks: a Markdown file with additional remarks.
    """

    evaluation: Path | None = None
    notices: Path | None = None
    remarks: Path | None = None


NO_EXTRAS = CardExtras()


def export(run: Path, folder: Path, extras: CardExtras = NO_EXTRAS, *, which: str = "best") -> str:
    """Write a run's model as a checkpoint folder with a model card; returns the weights' hash.

    Args:
        run: the run's folder.
        folder: the folder to write.
        extras: for the card.
        which: `best` (on validation) or `last`.

    Raises:
        InputError: if the run has no model yet, or the evaluation is of other weights.
    """
    source = run / which
    if not (source / "config.json").is_file():
        raise InputError(f"{run} has no {which} model yet; train longer, or use the other one")
    loaded = load_checkpoint(source)
    dataset = Path(json.loads((run / "settings.json").read_text(encoding="utf-8"))["dataset"])
    training = {**loaded.training, "data": report_of(dataset)}
    return publish(folder, loaded.model, loaded.tokenizer, training, extras)


def publish(
    folder: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    training: Mapping[str, Any],
    extras: CardExtras,
) -> str:
    """Write a model with its record and a card as a checkpoint folder; returns the weights' hash.

    Raises:
        InputError: if the evaluation is of other weights, or a text cannot be read.
    """
    record, texts = dict(training), dict[str, Any]()
    if extras.evaluation is not None:
        record["evaluation"] = _figures(extras.evaluation, hash_of(model))
    if extras.notices is not None:
        texts["notices"] = _notices(extras.notices, record["data"])
    if extras.remarks is not None:
        texts["remarks"] = _text(extras.remarks)
    parameters = sum(p.numel() for p in model.parameters())
    text = card(folder.name, model.config, parameters, {**record, **texts})
    return save_checkpoint(folder, model, tokenizer, record, text)


def report_of(dataset: Path) -> dict[str, Any]:
    """The report that `musenet prepare` wrote for a dataset.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        report: dict[str, Any] = json.loads((dataset / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the report of the dataset {dataset} cannot be read: {error}") from error
    return report


def data_facts(dataset: Path) -> dict[str, Any]:
    """The part of a dataset's report that belongs in a card, without names of pieces."""
    report = report_of(dataset)
    return {key: report[key] for key in ("corpora", "licences", "splits") if key in report}


def _figures(file: Path, weights_hash: str) -> dict[str, Any]:
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the results {file} cannot be read: {error}") from error
    if figures.get("weights_hash") != weights_hash:
        raise InputError(
            f"{file} contains results of other weights ({figures.get('weights_hash')}, not "
            f"{weights_hash}); evaluate these first"
        )
    dropped = ("refused", "per_composer", "per_instrument", "weights")
    return {key: value for key, value in figures.items() if key not in dropped}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"the remarks {file} cannot be read: {error}") from error


def _notices(folder: Path, data: dict[str, Any]) -> dict[str, str]:
    """The text of `FOLDER/<corpus>/ATTRIBUTION.txt` for every corpus that was trained on."""
    found = {}
    for corpus in data["corpora"]:
        file = folder / corpus / "ATTRIBUTION.txt"
        if not file.is_file():
            raise InputError(f"{file} is missing: every source needs its attribution")
        found[corpus] = file.read_text(encoding="utf-8")
    return found
