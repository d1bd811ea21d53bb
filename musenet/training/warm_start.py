"""Start a run from existing weights, also with another vocabulary, more layers, fewer key heads.

Controls are found by name. A new one starts as the average of the known composers and styles; a
label that the new vocabulary lacks is left out. A new column of structure and a new layer start
without effect. Where key and value heads become fewer, each is the mean of those that it stands for
(Ainslie et al. 2023). A critic is not copied: it was trained on music by the old weights, not by
those to come.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from musenet.model.checkpoint import Checkpoint
from musenet.model.config import ModelConfig, vocabulary_entries
from musenet.model.transformer import Transformer
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.records import from_data

_LABELS = ("composer:", "style:")

_FIELD_0_TABLES = {"embedding.weight", "head.values.weight", "head.out.0"}
"""The tables that start with one row per value of field 0."""


def grown_config(
    initial: Checkpoint,
    tokenizer: Tokenizer,
    context: int,
    changes: Mapping[str, Any] | None = None,
) -> ModelConfig:
    """The checkpoint's shape, for a tokenizer's vocabulary and a context length in tokens.

    `changes` are entries that any weights fit: attention patterns and positions, a longer context
    than that of training windows, more layers, a divisor of the key-value heads.

    Raises:
        InputError: if the vocabulary has another grid, or lacks a control that is no label; for
            fewer layers, or key-value heads that the checkpoint's do not divide into.
    """
    known, given = initial.tokenizer.vocabulary, tokenizer.vocabulary
    missing = set(known.controls) - set(given.controls)
    if known.grid != given.grid or not all(name.startswith(_LABELS) for name in missing):
        raise InputError(
            f"the dataset does not have the vocabulary of {initial.folder.name}; prepare it with "
            f"--tokenizer {initial.folder / 'tokenizer.json'}"
        )
    sizes = initial.config.structure_sizes
    if sizes == STRUCTURE_SIZES[: len(sizes)]:
        sizes = STRUCTURE_SIZES
    grown = dataclasses.replace(
        initial.config,
        field_sizes=given.sizes,
        structure_sizes=sizes,
        critic=False,
        **{"context": context, **vocabulary_entries(given), **(changes or {})},
    )
    if grown.layers < initial.config.layers or initial.config.groups % grown.groups:
        raise InputError(
            f"{initial.folder.name} has {initial.config.layers} layers and {initial.config.groups} "
            "key-value heads; layers can only be added, and key-value heads only be divided"
        )
    return grown


def load_grown(model: Transformer, initial: Checkpoint, vocabulary: Vocabulary) -> None:
    """Load the checkpoint's weights into a model of `grown_config` for a vocabulary."""
    state = model.state_dict()
    state.update(_placed(initial.model.state_dict(), initial.config, model.config))
    known = initial.tokenizer.vocabulary
    for name in state.keys() & _FIELD_0_TABLES:
        state[name] = _grown(state[name], known, vocabulary)
    missing = len(model.embedding.weight) - len(state["embedding.weight"])
    state["embedding.weight"] = F.pad(state["embedding.weight"], (0, 0, 0, missing))
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


def _placed(
    known: Mapping[str, Tensor], before: ModelConfig, after: ModelConfig
) -> dict[str, Tensor]:
    """The known weights under the names that they have among more layers, without the critic."""
    placed = {}
    for name, tensor in known.items():
        room, _, rest = name.partition(".")
        if room == "critic":
            continue
        if room != "blocks":
            placed[name] = tensor
            continue
        number, _, part = rest.partition(".")
        place = int(number) * after.layers // before.layers
        if part in ("key", "value"):
            heads = tensor.view(after.groups, -1, before.head_width, tensor.shape[1])
            tensor = heads.mean(dim=1).flatten(0, 1)
        placed[f"blocks.{place}.{part}"] = tensor
    return placed


def _grown(table: Tensor, known: Vocabulary, given: Vocabulary) -> Tensor:
    """A table with a row for each value of the given vocabulary's field 0, found by name."""
    names = {name: known.first_control + number for number, name in enumerate(known.controls)}
    labels = [row for name, row in names.items() if name.startswith(_LABELS)]
    first, last = known.first_control, known.sizes[0]
    new = table[labels or slice(last)].mean(dim=0)
    rows = [table[names[name]] if name in names else new for name in given.controls]
    return torch.cat((table[:first], torch.stack(rows), table[last:]))
