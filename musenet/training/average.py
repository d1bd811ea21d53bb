"""Averaging the parameters of models that were trained from the same weights.

Runs that differ only in their seed end close to each other, and the mean of their parameters is
better than each of them, because it has learned from the music of all ("model soups",
Wortsman et al. 2022; with further runs from the mean, local SGD, Stich 2019). So is often the mean
of a run and the weights that it began with (Wortsman et al. 2021, arXiv:2109.01903).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from tokenizer.errors import InputError

from .publish import NO_EXTRAS, CardExtras, publish

_SUMS = ("steps", "notes", "tokens", "hours", "sessions")


def average(folders: Sequence[Path], out: Path, extras: CardExtras = NO_EXTRAS) -> str:
    """Write the mean of checkpoints as a checkpoint with its card; returns the weights' hash.

    Args:
        folders: at least two exported checkpoints with the same shape and vocabulary, and with
            weights that both come from. The mean has the context of the first. Their critics are
            left out: they judged other weights.
        out: the folder to write.
        extras: for the card.

    Raises:
        InputError: if there are fewer than two, or they do not fit together.
    """
    if len(folders) < 2:
        raise InputError("name at least two checkpoints to average")
    models = [load_checkpoint(folder) for folder in folders]
    first = models[0]
    for other in models[1:]:
        _check(first, other)
    states = [m.model.state_dict() for m in models]
    model = Transformer(replace(first.config, critic=False)).eval()
    names = model.state_dict()
    model.load_state_dict({n: torch.stack([s[n] for s in states]).mean(dim=0) for n in names})
    return publish(out, model, first.tokenizer, _record(models), extras)


def _check(first: Checkpoint, other: Checkpoint) -> None:
    """Reject checkpoints with another shape, vocabulary or origin, or without a record."""
    for one in (first, other):
        if "settings" not in one.training:
            raise InputError(f"{one.folder} has no training record; export it from a run")
    words = [one.tokenizer.vocabulary for one in (first, other)]
    if _shape(first.config) != _shape(other.config) or words[0] != words[1]:
        raise InputError(
            f"{other.folder} and {first.folder} differ in shape or vocabulary; only models that "
            "started from the same weights can be averaged"
        )
    if not _origins(first) & _origins(other):
        raise InputError(
            f"{other.folder} and {first.folder} did not start from the same weights, and the mean "
            "of unrelated weights is noise; train both with the same --set initial=…"
        )


def _shape(config: ModelConfig) -> dict[str, Any]:
    """All that decides about the parameters: the context does for learned positions alone."""
    context = config.context if config.positions == "learned" else None
    return {**asdict(config), "critic": False, "context": context}


def _origins(model: Checkpoint) -> set[str]:
    """The hashes of the weights and of all that they were trained from, back to a random start."""
    found, record = {model.hash}, model.training
    while initial := record.get("initial"):
        found.add(initial["hash"])
        record = initial
    critic = model.training.get("critic") or {}
    found |= {critic["weights"]} if "weights" in critic else set()
    settings = record.get("settings") or {}
    return found | ({f"random weights of seed {settings['seed']}"} if "seed" in settings else set())


def _record(models: Sequence[Checkpoint]) -> dict[str, Any]:
    """The record of the first with sums over all, and the facts of each run or earlier mean."""
    records = [model.training for model in models]
    left = ("evaluation", "validation_step", "critic")
    kept = {k: v for k, v in records[0].items() if k not in left}
    sums = {key: sum(record[key] for record in records) for key in _SUMS}
    runs = [
        {
            "hash": model.hash,
            "initial": (model.training.get("initial") or {}).get("hash"),
            "seed": model.training["settings"]["seed"],
            **{key: model.training[key] for key in (*_SUMS, "validation_bits_per_note")},
            **{key: model.training[key] for key in ("averaged",) if key in model.training},
        }
        for model in models
    ]
    return {**kept, **sums, "validation_bits_per_note": None, "averaged": runs}
