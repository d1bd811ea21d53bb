"""Checkpoints: a trained model as a folder of plain files, written atomically.

    model.safetensors   parameters, bf16         config.json     the configuration
    tokenizer.json      the tokenizer            training.json   how it was trained
    README.md           the model card

Loading never unpickles.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tokenizer import Tokenizer
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.load import load as load_tokenizer
from tokenizer.errors import InputError
from tokenizer.files import check_replaceable, replacing_folder
from tokenizer.typing import Float32s

from .adapter import load_adapter
from .config import ModelConfig, checkpoint_folder, with_adapters
from .stored import FORMAT, AnyModel, StoredModel, parameter_shapes, parse_parameters

if TYPE_CHECKING:
    import torch

    from .transformer import Transformer

_HASH_LENGTH = 12
_WEIGHTS = "weights_hash"
_PARTS = ("config.json", "model.safetensors", "tokenizer.json", "training.json")


class Saves(Protocol):
    """Anything that can be saved to a file, such as a Tokenizer."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to `path`."""


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """A model, its tokenizer and how it was trained.

    Attributes:
        source: the model as it is stored, or as a Transformer in evaluation mode.
        tokenizer: the tokenizer of its rows.
        config: its configuration.
        training: the training record.
        hash: the first 12 hexadecimal digits of the SHA-256 of model.safetensors.
        folder: its location.
        encoding: the learned encoding that it writes, whose rows are the tokenizer's; None if it
            writes rows.
    """

    source: AnyModel
    tokenizer: Tokenizer
    config: ModelConfig
    training: dict[str, Any]
    hash: str
    folder: Path
    encoding: LearnedTokenizer | None = None

    def __repr__(self) -> str:
        parameters = sum(math.prod(shape) for shape in parameter_shapes(self.config).values())
        return f"<Checkpoint {self.folder.name} ({self.hash}): {parameters / 1e6:.2f} M parameters>"

    def need_rows(self) -> None:
        """Refuse weights of a learned encoding, for what needs those of compound rows.

        Raises:
            InputError: if these are such.
        """
        if self.encoding is not None:
            raise _writes_ids(self.folder, self.encoding)

    @cached_property
    def model(self) -> Transformer:
        """The model in PyTorch, which this imports."""
        if not isinstance(self.source, StoredModel):
            return self.source
        from .build import build

        return build(self.source)

    @property
    def network(self) -> AnyModel:
        """The model in PyTorch if that is loaded: its weights may have changed. Else the source."""
        return self.model if "model" in self.__dict__ else self.source


def save_checkpoint(
    folder: str | os.PathLike[str],
    model: Transformer,
    tokenizer: Saves,
    training: Mapping[str, Any],
    card: str = "",
) -> str:
    """Write a checkpoint folder, replacing an existing checkpoint.

    Args:
        folder: the target; it appears only when all its files are written.
        model: the model; its parameters are stored in bf16.
        tokenizer: written as tokenizer.json.
        training: the training record, any JSON data.
        card: text of README.md; none is written if empty.

    Returns:
        The checkpoint's hash.

    Raises:
        InputError: if the folder cannot be written, or holds other things than a checkpoint.
    """
    target = Path(folder)
    check_replaceable(target, "model.safetensors")
    from .build import stored_bytes

    data = stored_bytes(model)
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
    from .build import stored_bytes

    return _hash(stored_bytes(model))


def load_checkpoint(
    name_or_folder: str | os.PathLike[str],
    *,
    device: str | torch.device = "cpu",
    compute: torch.dtype | None = None,
    learned: bool = False,
) -> Checkpoint:
    """Load a checkpoint folder, or a bundled model by its name.

    Args:
        name_or_folder: a folder, or a name such as "mini"; with LoRA adapters on top, which leave
            out a critic, `mini+FOLDER`.
        device: where the parameters go.
        compute: dtype of the matmuls; None computes in fp32.
        learned: whether weights of a learned encoding will do, which write ids instead of rows.

    Raises:
        InputError: if there is none, or it is damaged or from another version.
    """
    folder = checkpoint_folder(name_or_folder)
    _check_whole(folder)
    config = ModelConfig.from_json(_read(folder, "config.json").decode(errors="replace"))
    data = _read(folder, "model.safetensors")
    parameters, training = _parameters(folder, data), _training(folder)
    if training.pop(_WEIGHTS, _hash(data)) != _hash(data):
        raise InputError(
            f"the weights in {folder} are others than its training.json says; "
            "download the checkpoint again"
        )
    # Before the shapes of a million layers are listed.
    fits = config.layers <= len(parameters)
    if not fits or {n: a.shape for n, a in parameters.items()} != parameter_shapes(config):
        raise InputError(
            f"the weights in {folder} do not match its config.json; download the checkpoint again"
        )
    hash_ = _hash(data)
    adapters = with_adapters(name_or_folder)[1]
    if adapters:
        config, parameters, training, hash_ = _adapted(
            adapters, config, parameters, training, hash_
        )
        folder = folder.with_name("+".join([folder.name, *(path.name for path in adapters)]))
    tokenizer, encoding = tokenizers_of(checkpoint_folder(name_or_folder), learned=learned)
    network: AnyModel = (stored := StoredModel(config, parameters))
    if device != "cpu" or compute is not None:
        from .build import build

        network = build(stored, device, compute)
    return Checkpoint(
        source=network,
        tokenizer=tokenizer,
        config=config,
        training=training,
        hash=hash_,
        folder=folder,
        encoding=encoding,
    )


def tokenizers_of(folder: Path, *, learned: bool) -> tuple[Tokenizer, LearnedTokenizer | None]:
    """The tokenizer of a checkpoint's rows, and the encoding that it writes if that is another.

    Raises:
        InputError: if it is a learned one where none will do.
    """
    file = folder / "tokenizer.json"
    found = load_tokenizer(file)
    if isinstance(found, LearnedTokenizer) and learned:
        return found.compound, found
    if isinstance(found, LearnedTokenizer):
        raise _writes_ids(folder, found)
    return Tokenizer.load(file), None


def _writes_ids(folder: Path, encoding: LearnedTokenizer) -> InputError:
    return InputError(
        f"the weights in {folder} write the {encoding.encoding} encoding, which can only be "
        "generated from and evaluated; take weights of compound rows"
    )


def _adapted(
    folders: Sequence[Path],
    config: ModelConfig,
    parameters: dict[str, Float32s],
    training: dict[str, Any],
    base_hash: str,
) -> tuple[ModelConfig, dict[str, Float32s], dict[str, Any], str]:
    """Weights with adapters on top; the record is that of the last, the hash depends on all."""
    hash_ = base_hash
    for folder in folders:
        adapter = load_adapter(folder)
        parameters = adapter.added_to(parameters, base_hash, folder.name)
        training, hash_ = adapter.training, _hash((hash_ + adapter.hash).encode())
    kept = {name: array for name, array in parameters.items() if not name.startswith("critic.")}
    return replace(config, critic=False), kept, training, hash_


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


def _parameters(folder: Path, data: bytes) -> dict[str, Float32s]:
    file = folder / "model.safetensors"
    try:
        parameters, metadata = parse_parameters(data)
    except ValueError as error:
        raise InputError(f"{file} is damaged; download the checkpoint again") from error
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{file} does not have format {FORMAT}; use the musenet release that wrote it"
        )
    return parameters


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
