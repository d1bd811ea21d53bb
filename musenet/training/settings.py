"""The settings of a training run: one flat, typed table, from TOML, overrides and defaults.

Every key is a field of `Settings`; an unknown one is rejected with the nearest match. The resolved
table is saved with the run and read back by `--resume`.
"""

from __future__ import annotations

import json
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from tokenizer.errors import InputError, unknown

OPTIMIZERS = ("muon", "adamw", "half")
PRECISIONS = ("auto", "bf16", "fp32")
RECOMPUTE = ("none", "selective", "full")
LORA_RANKS = (4, 64)
"""The lowest and the highest rank of LoRA."""


@dataclass(frozen=True)
class Settings:
    """The settings of a run; lengths in tokens (one per note), times in minutes, rates per step.

    Attributes:
        preset: the model's shape, by name (`musenet.model.config`).
        initial: initial weights, a folder or a name such as `mini`, which also determine the
            shape. Empty starts from random weights.
        model: entries of the model configuration that override the preset; with initial weights,
            only those that any weights fit: patterns, positions, a longer context, more layers,
            fewer key-value heads.
        context: tokens in a window.
        batch: windows in a step, over all processes and all `accumulate` parts.
        accumulate: gradient accumulation: parts that a batch is divided into, to save memory.
        steps: length of the run in optimizer steps; None if `minutes` is given.
        minutes: length of the run in minutes of training, over all sessions.
        optimizer: `muon` (Muon for hidden matrices, AdamW for the rest), `adamw`, or `half`
            (AdamW with weights, gradients and moments in scaled half precision).
        muon_rate: Muon's learning rate, in AdamW's scale (matched root mean square).
        adam_rate: AdamW's learning rate.
        weight_decay: decoupled decay of hidden matrices, in units of the learning rate.
        clip: maximum norm of the gradient.
        warmup: steps of linear warm-up.
        decay: part of the run, at its end, in which the rates fall linearly to zero.
        precision: of matrix products: `bf16`, `fp32`, or `auto` (bf16 where it is fast).
        compile: whether to compile the model with `torch.compile`.
        recompute: activation checkpointing: `none`, `selective` or `full`.
        shard: whether the weights are sharded over the processes (FSDP2) or replicated (DDP).
        transpose: maximum transposition in semitones, up and down.
        final_transpose: the same for the final part of the run, as MuseNet did; None keeps
            `transpose`.
        final_share: the fraction of the run that is the final part, 0 to 1.
        volume: whether velocities are scaled at random.
        timing: whether the tempo is changed at random.
        mixup: parameter of the Beta distribution of mixup in embedding space; 0 turns it off.
        label_dropout: probability of leaving out each label of a window's prefix.
        all_labels_dropout: probability of leaving out all labels.
        length_dropout: probability of hiding the length of the piece from a window.
        ending_weight: weight of the last two bars of a piece in the gradient, in windows that
            know the length of the piece.
        disguise: share of windows with other instruments at other volumes.
        loops: share of windows in which figures of a few bars are repeated and return.
        missing: share of windows in which some instruments are left out.
        fill: share of windows with holes to fill: bars, instruments, or both.
        accompany: share of windows in which some parts are given throughout.
        chords: share of windows, of any task, in which the chords are given.
        labels: share of windows that are beginnings of pieces with all of their labels.
        weights: sampling weight of each corpus, relative to its size.
        seed: of all random choices.
        validate_minutes: minutes between validations.
        validate_windows: windows of each corpus that a validation scores.
        save_minutes: minutes between checkpoints.
        save_steps: steps between additional checkpoints; 0 turns them off.
        validate_steps: steps between additional validations; 0 turns them off.
        keep: number of latest checkpoints to keep, besides the best.
        sample_minutes: minutes between sampled pieces; 0 turns them off.
        threads: CPU threads; 0 means all.
        device: `cpu`, `cuda` or `auto`.
        lora: rank of the changes to learn in place of all weights (LoRA), 4 to 64; 0 trains all.
        ema: decay of a moving average of the weights, which is validated and exported in place of
            them, such as 0.999; 0 turns it off.
        tensorboard: whether to write TensorBoard files.
        wandb: name of a Weights & Biases project; empty turns it off.
    """

    preset: str = "mini"
    initial: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    context: int = 1024
    batch: int = 4
    accumulate: int = 1
    steps: int | None = None
    minutes: float | None = None
    optimizer: str = "muon"
    muon_rate: float = 4e-3
    adam_rate: float = 3e-3
    weight_decay: float = 0.05
    clip: float = 1.0
    warmup: int = 100
    decay: float = 0.8
    precision: str = "auto"
    compile: bool = False
    recompute: str = "none"
    shard: bool = False
    transpose: int = 6
    final_transpose: int | None = None
    final_share: float = 0.3
    volume: bool = True
    timing: bool = True
    mixup: float = 0.0
    label_dropout: float = 0.3
    all_labels_dropout: float = 0.2
    length_dropout: float = 0.5
    ending_weight: float = 1.0
    disguise: float = 0.0
    loops: float = 0.0
    missing: float = 0.0
    fill: float = 0.0
    accompany: float = 0.0
    chords: float = 0.0
    labels: float = 0.0
    weights: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    validate_minutes: float = 10.0
    validate_windows: int = 8
    save_minutes: float = 5.0
    save_steps: int = 0
    validate_steps: int = 0
    keep: int = 2
    sample_minutes: float = 0.0
    threads: int = 0
    device: str = "auto"
    lora: int = 0
    ema: float = 0.0
    tensorboard: bool = False
    wandb: str = ""

    def __post_init__(self) -> None:
        """Reject invalid values."""
        for name in ("context", "batch", "accumulate", "validate_windows", "keep"):
            _at_least(name, getattr(self, name), 1)
        for name in ("warmup", "transpose", "save_steps", "validate_steps", "threads"):
            _at_least(name, getattr(self, name), 0)
        for name in (
            "muon_rate",
            "adam_rate",
            "clip",
            "ending_weight",
            "save_minutes",
            "validate_minutes",
        ):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be more than 0, not {getattr(self, name)}")
        if not -(2**63) <= self.seed < 2**63:
            raise InputError(f"seed must fit into 63 bits, which {self.seed} does not")
        for name in ("weight_decay", "mixup", "sample_minutes"):
            _at_least(name, getattr(self, name), 0)
        for name in (
            "decay",
            "final_share",
            "label_dropout",
            "all_labels_dropout",
            "length_dropout",
            *("disguise", "loops", "missing", "fill", "accompany", "chords", "labels"),
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if self.fill + self.accompany + self.labels > 1:
            raise InputError(
                "fill, accompany and labels are shares of windows; their sum is over 1"
            )
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown(name, str(getattr(self, name)), known)
        for corpus, weight in self.weights.items():
            _at_least(f"the weight of corpus '{corpus}'", weight, 0)
        low, high = LORA_RANKS
        if self.lora and not low <= self.lora <= high:
            raise InputError(
                f"lora is {self.lora}; give a rank of {low} to {high}, or 0 to train all weights"
            )
        if self.lora and (not self.initial or self.model or self.shard or self.optimizer == "half"):
            raise InputError(
                "lora changes initial weights as they are: give initial, and neither model, shard "
                "nor the optimizer half"
            )
        if not 0 <= self.ema < 1:
            raise InputError(f"ema must be at least 0 and less than 1, not {self.ema}")
        if self.ema and self.optimizer == "half":
            raise InputError("the optimizer half has no moving average; leave out ema")
        if self.shard and self.optimizer == "half":
            raise InputError(
                "the optimizer half cannot be sharded; use another optimizer, or shard=false"
            )
        if self.initial and not self.model.keys() <= _ANY_WEIGHTS:
            raise InputError(
                "the initial weights determine the model's shape; of model, give only "
                f"{', '.join(sorted(_ANY_WEIGHTS))}"
            )
        if self.batch % self.accumulate:
            raise InputError(
                f"batch {self.batch} is not a multiple of accumulate {self.accumulate}"
            )
        for name in ("steps", "minutes"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise InputError(f"{name} must be more than 0, not {getattr(self, name)}")

    def check_length(self) -> None:
        """Reject a run whose length is given twice or not at all."""
        if self.steps is None and self.minutes is None:
            raise InputError("the run has no length; give minutes, such as --minutes 60, or steps")
        if self.steps is not None and self.minutes is not None:
            raise InputError(
                f"the run has two lengths, {self.steps} steps and {self.minutes:g} minutes; "
                "give one of them"
            )


_ANY_WEIGHTS = {"context", "patterns", "positions", "row_length", "layers", "kv_heads"}
"""Entries of the model configuration that any weights fit."""

_CHOICES = {
    "optimizer": OPTIMIZERS,
    "precision": PRECISIONS,
    "recompute": RECOMPUTE,
    "device": ("auto", "cpu", "cuda"),
}


def _at_least(name: str, value: float, least: float) -> None:
    if not value >= least:
        raise InputError(f"{name} must be at least {least}, not {value}")


_SHIPPED = {file.stem: file for file in (Path(__file__).parent / "configs").glob("*.toml")}


def from_toml(path: Path) -> dict[str, Any]:
    """The table in a TOML file, checked; `laptop`, `gpu` and `gpus` are bundled files.

    Raises:
        InputError: if the file cannot be read, is not TOML, or contains an unknown key or a value
            of the wrong type.
    """
    path = _SHIPPED.get(str(path), path)
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        with path.open("rb") as file:
            table: dict[str, Any] = tomllib.load(file)
    except OSError as error:
        raise InputError(f"cannot read the settings {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    return checked(table, where=str(path))


def from_override(text: str) -> dict[str, Any]:
    """The table given by `key=value`; a dotted key sets an entry of a table.

    The value is read as JSON where it is JSON (`true`, `3e-3`, `null`), else as text.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"'{text}' is not a setting; write key=value, such as batch=8")
    try:
        parsed = json.loads(value)
    except json.JSONDecodeError:
        parsed = value.strip()
    head, dot, rest = key.strip().partition(".")
    return checked({head: {rest: parsed} if dot else parsed}, where=f"'{text}'")


def checked(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The same table with every key known and every value of its field's type.

    `hours` stands for 60 times as many `minutes`.
    """
    hints = {**typing.get_type_hints(Settings), "hours": float}
    result = {}
    for key, value in table.items():
        if key not in hints:
            raise InputError(f"{where}: {unknown('setting', key, hints)}")
        try:
            converted = msgspec.convert(value, hints[key])
        except msgspec.ValidationError as error:
            raise InputError(f"{where}: wrong value for {key}: {error}") from error
        if key == "hours":
            key, converted = "minutes", 60 * converted
        result[key] = converted
    return result


def merged(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """One table of several, later ones over earlier ones, inner tables merged by key.

    A later `steps` replaces an earlier `minutes` and the other way round.
    """
    result: dict[str, Any] = {}
    for table in tables:
        for given, other in (("steps", "minutes"), ("minutes", "steps")):
            if table.get(given) is not None and table.get(other) is None:
                result[other] = None
        for key, value in table.items():
            old = result.get(key)
            result[key] = {**old, **value} if isinstance(old, dict) else value
    return result


def settings_of(*tables: Mapping[str, Any]) -> Settings:
    """The settings that checked tables give over the defaults, later ones over earlier ones."""
    return replace(Settings(), **merged(*tables))
