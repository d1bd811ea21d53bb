"""Checkpoints: a trained model as a folder of plain files, written atomically.

    model.safetensors   parameters, bf16         config.json     the configuration
    tokenizer.json      the tokenizer            training.json   how it was trained
    README.md           the model card

Loading never unpickles.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as tensors_to_bytes
from torch.overrides import TorchFunctionMode

from tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.files import replacing_folder

from .config import ModelConfig, checkpoint_folder
from .transformer import Transformer

_FORMAT = "musenet-1"
_HASH_LENGTH = 12
_WEIGHTS = "weights_hash"
_PARTS = ("config.json", "model.safetensors", "tokenizer.json", "training.json")


class _Undrawn(TorchFunctionMode):
    """Skips random initialisation, because the checkpoint's values replace it.

    The meta device would work too, but loads PyTorch's compiler, which takes over a second.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return args[0] if func is torch.Tensor.normal_ else func(*args, **(kwargs or {}))


class Saves(Protocol):
    """Anything that can be saved to a file, such as a Tokenizer."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to `path`."""


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """A model, its tokenizer and how it was trained.

    Attributes:
        model: in evaluation mode.
        tokenizer: the tokenizer of its rows.
        config: its configuration.
        training: the training record.
        hash: the first 12 hexadecimal digits of the SHA-256 of model.safetensors.
        folder: its location.
    """

    model: Transformer
    tokenizer: Tokenizer
    config: ModelConfig
    training: dict[str, Any]
    hash: str
    folder: Path

    def __repr__(self) -> str:
        parameters = sum(p.numel() for p in self.model.parameters())
        return f"<Checkpoint {self.folder.name} ({self.hash}): {parameters / 1e6:.2f} M parameters>"


def save_checkpoint(
    folder: str | os.PathLike[str],
    model: Transformer,
    tokenizer: Saves,
    training: Mapping[str, Any],
    card: str = "",
) -> str:
    """Write a checkpoint folder, replacing an existing one.

    Args:
        folder: the target; it appears only when all its files are written.
        model: the model; its parameters are stored in bf16.
        tokenizer: written as tokenizer.json.
        training: the training record, any JSON data.
        card: text of README.md; none is written if empty.

    Returns:
        The checkpoint's hash.

    Raises:
        InputError: if the folder cannot be written.
    """
    target = Path(folder)
    data = _stored(model)
    facts = {**training, _WEIGHTS: _hash(data)}
    with replacing_folder(target) as temporary:
        (temporary / "model.safetensors").write_bytes(data)
        (temporary / "config.json").write_bytes(model.config.to_json().encode())
        record = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        (temporary / "training.json").write_bytes(record.encode())
        tokenizer.save(temporary / "tokenizer.json")
        if card:
            (temporary / "README.md").write_bytes(card.encode())
    return _hash(data)


def hash_of(model: Transformer) -> str:
    """The hash that a checkpoint of this model would have."""
    return _hash(_stored(model))


def load_checkpoint(
    name_or_folder: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    compute: torch.dtype | None = None,
) -> Checkpoint:
    """Load a checkpoint folder, or a bundled model by its name.

    Args:
        name_or_folder: a folder, or a name such as "mini".
        device: where the parameters go.
        compute: dtype of the matmuls; None computes in fp32.

    Raises:
        InputError: if there is none, or it is damaged or from another version.
    """
    folder = checkpoint_folder(name_or_folder)
    _check_whole(folder)
    config = ModelConfig.from_json(_read(folder, "config.json").decode(errors="replace"))
    data = _read(folder, "model.safetensors")
    tensors, training = _tensors(folder, data), _training(folder)
    if training.pop(_WEIGHTS, _hash(data)) != _hash(data):
        raise InputError(
            f"the weights in {folder} are others than its training.json says; "
            "download the checkpoint again"
        )
    _check_size(folder, config, sum(tensor.numel() for tensor in tensors.values()))
    with torch.device(device), _Undrawn():
        model = Transformer(config, compute)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"the weights in {folder} do not match its config.json; download the checkpoint again"
        ) from error
    return Checkpoint(
        model=model.eval(),
        tokenizer=Tokenizer.load(folder / "tokenizer.json"),
        config=config,
        training=training,
        hash=_hash(data),
        folder=folder,
    )


def _stored(model: Transformer) -> bytes:
    """A model's parameters as safetensors in bf16."""
    tensors = {
        name: tensor.detach().to("cpu", torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
    }
    return tensors_to_bytes(tensors, metadata={"format": _FORMAT})


def _check_whole(folder: Path) -> None:
    for name in _PARTS:
        if not (folder / name).is_file():
            raise InputError(
                f"the checkpoint {folder} is incomplete: it has no {name}; download it again"
            )


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {folder / name}: {error.strerror}") from error


def _check_size(folder: Path, config: ModelConfig, stored: int) -> None:
    """Refuse a configuration of more parameters than the file holds, before they are allocated.

    Counted from below: queries and projections of each block, its MLP, and the embeddings.
    """
    block = (2 + 2 * config.mlp) * config.width**2
    embeddings = (sum(config.field_sizes) + sum(config.structure_sizes)) * config.width
    learned = config.context * config.width if config.positions == "learned" else 0
    if config.layers * block + embeddings + learned > stored:
        raise InputError(
            f"the weights in {folder} do not match its config.json, which is of a larger model; "
            "download the checkpoint again"
        )


def _tensors(folder: Path, data: bytes) -> dict[str, torch.Tensor]:
    damaged = f"{folder / 'model.safetensors'} is damaged; download the checkpoint again"
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, MemoryError, OverflowError, RecursionError) as error:
        raise InputError(damaged) from error
    if header.get("__metadata__", {}).get("format") != _FORMAT:
        raise InputError(
            f"{folder / 'model.safetensors'} does not have format {_FORMAT}; "
            "use the musenet release that wrote it"
        )
    return {name: tensor.float() for name, tensor in tensors.items()}


def _training(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads(_read(folder, "training.json"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder / 'training.json'} is damaged ({error})") from error
    if not isinstance(record, dict):
        raise InputError(f"{folder / 'training.json'} is damaged: it is not a JSON object")
    return record


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_HASH_LENGTH]
