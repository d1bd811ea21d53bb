"""Start a run from existing weights, also with a vocabulary that has more labels.

A new composer or style starts as the average of the known ones. A critic is not copied: it was
trained on music by the old weights, not by those to come.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from musenet.model.checkpoint import Checkpoint
from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import closed_controls
from tokenizer.errors import InputError
from tokenizer.records import from_data

_FIELD_0_TABLES = {"embedding.weight", "head.values.weight", "head.out.0"}
"""The tables that start with one row per value of field 0."""


def grown_config(initial: Checkpoint, tokenizer: Tokenizer, context: int) -> ModelConfig:
    """The checkpoint's shape, for a tokenizer's vocabulary and a context length in tokens.

    Raises:
        InputError: if the vocabulary is not the checkpoint's, with or without further labels.
    """
    known, given = initial.tokenizer.vocabulary, tokenizer.vocabulary
    if known.grid != given.grid or given.controls[: len(known.controls)] != known.controls:
        raise InputError(
            f"the dataset does not have the vocabulary of {initial.folder.name}; prepare it with "
            f"--tokenizer {initial.folder / 'tokenizer.json'}"
        )
    return dataclasses.replace(
        initial.config, context=context, field_sizes=given.sizes, critic=False
    )


def load_grown(model: Transformer, initial: Checkpoint) -> None:
    """Load the checkpoint's weights into a model of `grown_config`."""
    before, after = (m.config.field_sizes[0] for m in (initial.model, model))
    state = {
        name: tensor
        for name, tensor in initial.model.state_dict().items()
        if not name.startswith("critic.")
    }
    if after > before:
        labels = initial.tokenizer.vocabulary.first_control + len(closed_controls())
        for name in state.keys() & _FIELD_0_TABLES:
            state[name] = _grown(state[name], labels, before, after)
    model.load_state_dict(state)


@dataclass(frozen=True)
class InitialWeights:
    """The initial weights of a run, for its record.

    Attributes:
        name: of their folder.
        hash: of their file.
        steps: optimizer steps of their training; None, like the rest, if not recorded.
        notes: notes seen.
        hours: hours of training.
        settings: of that training.
        initial: the initial weights of that training, in the same form.
        processes: number of processes of that training.
        averaged: the runs that were averaged, if any.
    """

    name: str
    hash: str
    steps: int | None = None
    notes: int | None = None
    hours: float | None = None
    settings: dict[str, Any] | None = None
    initial: dict[str, Any] | None = None
    processes: int = 1
    averaged: list[dict[str, Any]] | None = None

    @classmethod
    def of(cls, initial: Checkpoint) -> InitialWeights:
        """What the record of a checkpoint says."""
        names = {field.name for field in dataclasses.fields(cls)}
        known = {key: value for key, value in initial.training.items() if key in names}
        data = {**known, "name": initial.folder.name, "hash": initial.hash}
        return from_data(cls, data, str(initial.folder / "training.json"))


def _grown(table: Tensor, labels: int, before: int, after: int) -> Tensor:
    """A table with `after` rows for field 0 instead of `before`; labels begin at `labels`."""
    known = table[labels:before] if labels < before else table[:before]
    new = known.mean(dim=0, keepdim=True).expand(after - before, -1)
    return torch.cat((table[:before], new, table[before:]))
