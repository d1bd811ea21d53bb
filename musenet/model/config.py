"""Model configuration: one plain dataclass, its presets and its JSON.

This module does not import torch: a configuration can be read and checked without building a model.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musenet.attention.patterns import PATTERNS, unreachable
from tokenizer import records
from tokenizer.encoding.structure import ROLE
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError, unknown

VERSION = 1
PRETRAINED = Path(__file__).parents[1] / "pretrained"
MOST = 2**20  # of layers, channels, positions, values

EPSILON = 1e-6
"""Added to mean squares before their root is taken, in all norms."""

HEADS = ("cascade", "parallel", "delay", "flatten")
ACTIVATIONS = ("squared_relu", "gelu")
NORMS = ("rms", "layer")
POSITIONS = ("rotary", "rotary_time", "learned")
INITIALISATIONS = ("zero", "gpt2")


@dataclass(frozen=True)
class ModelConfig:
    """A Transformer over rows of fields.

    Attributes:
        field_sizes: how many values each field of a row can take; value 0 is padding.
        structure_sizes: the same for each structural feature; value 0 is unknown.
        layers: blocks.
        heads: attention heads of a block; `width` is a multiple.
        width: channels of the residual stream.
        context: the maximum number of positions.
        patterns: attention patterns, cycled over the layers (see `musenet.attention.patterns`).
        row_length: positions per row, for the patterns with rows.
        kv_heads: key and value heads (grouped-query attention), or None for `heads`.
        mlp: hidden channels of the MLP, as a multiple of the width.
        activation: of the MLP: "squared_relu" or "gelu".
        norm: "rms" (no gain) or "layer" (gain and bias).
        qk_norm: normalise queries and keys per head.
        positions: "rotary" (by row), "rotary_time" (half of the heads by row, half by musical
            time) or "learned".
        steps_per_quarter: steps of the grid in a quarter note (or half a second), the unit of
            musical time; 0 where positions do not need it.
        end_value: the value of field 0 that ends a piece, later than every wait; 0 if no rows of
            training are given (`tokenizer.encoding.holes`).
        initialisation: "zero" output projections, or "gpt2" (normal 0.02, 1/√(2L) on residuals).
        head: how the fields of the next row are predicted.
        known_columns: number of leading structural features that field 0 determines.
        critic: whether there is a critic head that distinguishes real from generated music.
    """

    field_sizes: tuple[int, ...]
    structure_sizes: tuple[int, ...]
    layers: int = 6
    heads: int = 8
    width: int = 256
    context: int = 4096
    patterns: tuple[str, ...] = ("row", "column", "previous_row")
    row_length: int = 64
    kv_heads: int | None = None
    mlp: int = 4
    activation: str = "squared_relu"
    norm: str = "rms"
    qk_norm: bool = True
    positions: str = "rotary"
    steps_per_quarter: int = 0
    end_value: int = 0
    initialisation: str = "zero"
    head: str = "cascade"
    known_columns: int = 4
    critic: bool = False

    def __post_init__(self) -> None:
        for name in ("field_sizes", "structure_sizes", "patterns"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        _check(self)

    @property
    def head_width(self) -> int:
        """Channels of one attention head."""
        return self.width // self.heads

    @property
    def groups(self) -> int:
        """Key and value heads."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def layer_patterns(self) -> tuple[str, ...]:
        """The pattern of every layer."""
        return tuple(self.patterns[i % len(self.patterns)] for i in range(self.layers))

    def to_json(self) -> str:
        """One JSON object, with the version of its layout."""
        return records.to_json({"version": VERSION, **dataclasses.asdict(self)}, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """The inverse of `to_json`.

        Raises:
            InputError: if it is damaged, from another version or has unknown entries.
        """
        name = "the model's config.json"
        entries = records.from_json(dict[str, Any], text, name)
        if entries.pop("version", None) != VERSION:
            raise InputError(
                f"{name} is not of version {VERSION}; use the MuseNet release that wrote it"
            )
        return records.from_data(cls, entries, name)


def _check(config: ModelConfig) -> None:
    choices = (
        ("head", HEADS),
        ("activation", ACTIVATIONS),
        ("norm", NORMS),
        ("positions", POSITIONS),
        ("initialisation", INITIALISATIONS),
    )
    for name, known in choices:
        if getattr(config, name) not in known:
            raise unknown(name, getattr(config, name), known)
    for pattern in config.patterns:
        if pattern not in PATTERNS:
            raise unknown("attention pattern", pattern, PATTERNS)
    for name in ("layers", "heads", "width", "context", "row_length", "mlp"):
        if getattr(config, name) < 1:
            raise InputError(f"{name} is {getattr(config, name)}; it must be at least 1")
        if getattr(config, name) > MOST:
            raise InputError(f"{name} is {getattr(config, name)}; it must be at most {MOST}")
    if any(not 1 <= size <= MOST for size in (*config.field_sizes, *config.structure_sizes)):
        raise InputError(f"fields and structural features must have 1 to {MOST} values")
    if not config.patterns or not config.field_sizes:
        raise InputError("a model needs at least one attention pattern and one field")
    if config.width % config.heads or config.head_width % 2:
        raise InputError(
            f"width {config.width} with {config.heads} heads does not give each head an even "
            "number of channels; change one of them"
        )
    if config.heads % config.groups:
        raise InputError(f"{config.heads} heads cannot share {config.groups} key-value heads")
    if config.positions == "rotary_time" and config.groups % 2:
        raise InputError(
            f"{config.groups} key-value heads cannot be halved between rows and time; take an even "
            "number, or positions by row alone"
        )
    if config.positions == "rotary_time" and config.steps_per_quarter < 1:
        raise InputError("positions by time need steps_per_quarter, those of the tokenizer's grid")
    reason = unreachable(config.layer_patterns, config.row_length, config.context)
    if reason is not None:
        raise InputError(reason)


def preset(name: str, field_sizes: Sequence[int], structure_sizes: Sequence[int]) -> ModelConfig:
    """The named configuration for a vocabulary.

    Raises:
        InputError: if there is no such preset.
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    base = ModelConfig(tuple(field_sizes), tuple(structure_sizes))
    return dataclasses.replace(base, **PRESETS[name])


def vocabulary_entries(vocabulary: Vocabulary) -> dict[str, int]:
    """The entries of a configuration that say what values of a vocabulary mean."""
    return {"steps_per_quarter": vocabulary.grid.beat, "end_value": vocabulary.end}


def faithful(config: ModelConfig) -> ModelConfig:
    """The same size with the design of OpenAI's MuseNet: full attention, GPT-2 style blocks.

    Learned positions, LayerNorm, GELU, no QK-norm, weights of standard deviation 0.02 and those
    on the residual stream of 0.02/√(2L).
    """
    return dataclasses.replace(
        config,
        patterns=("dense",),
        kv_heads=None,
        positions="learned",
        norm="layer",
        activation="gelu",
        qk_norm=False,
        initialisation="gpt2",
    )


# With the default tokenizer's grid; training takes that of the dataset.
_TWO_CLOCKS: dict[str, Any] = {"positions": "rotary_time", "steps_per_quarter": 24}
_LOCAL_AND_DENSE: dict[str, Any] = {
    "patterns": ("local", "dense"),
    "row_length": 128,
    "context": 4096,
    **_TWO_CLOCKS,
}
_MUSENET: dict[str, Any] = {
    "layers": 72,
    "heads": 24,
    "width": 1536,
    "context": 4096,
    **_TWO_CLOCKS,
}

PRESETS: dict[str, dict[str, Any]] = {
    "mini": {"layers": 6, "heads": 8, "width": 256, "kv_heads": 2, **_LOCAL_AND_DENSE},
    "small": {"layers": 10, "heads": 8, "width": 512, "kv_heads": 4, **_LOCAL_AND_DENSE},
    "medium": {"layers": 12, "heads": 12, "width": 768, "kv_heads": 4, **_LOCAL_AND_DENSE},
    "musenet": {**_MUSENET, "patterns": ("dense",)},
    "musenet-sparse": {**_MUSENET, "row_length": 64},
}
"""The fields that each preset sets; the others have the defaults of `ModelConfig`."""


def knows_roles(config: ModelConfig, vocabulary: Vocabulary) -> bool:
    """Whether weights can tell given rows from written ones."""
    return len(config.structure_sizes) > ROLE and vocabulary.mark >= 0


def with_adapters(name: str | os.PathLike[str]) -> tuple[str, tuple[Path, ...]]:
    """The weights and the adapter folders that a name such as `mini+mine` stands for."""
    text = os.fspath(name)
    if "+" not in text or Path(text).exists():
        return text, ()
    weights, *adapters = text.split("+")
    return weights, tuple(Path(adapter) for adapter in adapters)


def checkpoint_folder(name_or_folder: str | os.PathLike[str]) -> Path:
    """The folder of a checkpoint given by path or by the name of a bundled model.

    With adapters (`mini+ADAPTER`) it is that of the weights that they change.

    Raises:
        InputError: if neither exists, or it is the folder of a training run.
    """
    name_or_folder, _ = with_adapters(name_or_folder)
    given = Path(name_or_folder)
    if (given / "settings.json").is_file():  # of a training run
        models = [str(given / name) for name in ("best", "last") if (given / name).is_dir()]
        which = f"give one of its models: {' or '.join(models)}" if models else "it has none yet"
        raise InputError(f"{given} is a training run and no model; {which}")
    for folder in (given, PRETRAINED / given):
        if (folder / "config.json").is_file():
            return folder
    if given.is_dir():
        raise InputError(f"{given} is not a checkpoint: it has no config.json")
    if given.exists():
        raise InputError(f"{given} is a file; give the checkpoint's folder")
    shipped = [folder.parent.name for folder in sorted(PRETRAINED.glob("*/config.json"))]
    raise unknown("checkpoint", str(name_or_folder), shipped)
