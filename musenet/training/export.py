"""The folder that is shipped: the best model of a run, with a card written from the facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from musenet import checkpoint
from tokenizer.errors import InputError

from .card import card


def export(
    run: Path,
    folder: Path,
    *,
    evaluation: Path | None = None,
    notices: Path | None = None,
    remarks: Path | None = None,
    which: str = "best",
) -> str:
    """Write a run's model as a checkpoint folder with a model card; gives the weights' hash.

    Args:
        run: the run's folder.
        folder: where to write.
        evaluation: figures that `musenet evaluate --json` wrote, for the card.
        notices: a folder with `<corpus>/ATTRIBUTION.txt`, for the card.
        remarks: a text in Markdown, for the card: what else was found out.
        which: `best` (on validation) or `last`.

    Raises:
        InputError: if the run has no model yet, or the figures are of other weights.
    """
    source = run / which
    if not (source / "config.json").is_file():
        raise InputError(f"{run} has no {which} model yet; train on, or use the other one")
    loaded = checkpoint.load(source)
    training = dict(loaded.training)
    dataset = Path(json.loads((run / "settings.json").read_text(encoding="utf-8"))["dataset"])
    training["data"] = report_of(dataset)
    if evaluation is not None:
        training["evaluation"] = _figures(evaluation, loaded.hash)
    if notices is not None:
        training["notices"] = _notices(notices, training["data"])
    if remarks is not None:
        training["remarks"] = _text(remarks)
    parameters = sum(p.numel() for p in loaded.model.parameters())
    text = card(folder.name, loaded.config, parameters, training)
    for words in ("notices", "remarks"):
        training.pop(words, None)
    return checkpoint.save(folder, loaded.model, loaded.tokenizer, training, text)


def report_of(dataset: Path) -> dict[str, Any]:
    """What `musenet prepare` reported of a dataset."""
    try:
        report: dict[str, Any] = json.loads((dataset / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the report of the dataset {dataset} cannot be read: {error}") from error
    return report


def data_facts(dataset: Path) -> dict[str, Any]:
    """What the dataset's report says that belongs in a card, without names of pieces."""
    report = report_of(dataset)
    return {key: report[key] for key in ("corpora", "licences", "splits") if key in report}


def _figures(file: Path, weights_hash: str) -> dict[str, Any]:
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"the figures {file} cannot be read: {error}") from error
    if figures.get("weights_hash") != weights_hash:
        raise InputError(
            f"{file} holds figures of other weights ({figures.get('weights_hash')}, not "
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
