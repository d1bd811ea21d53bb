"""LoRA adapters: a small change of weights, in a folder of its own that is loaded on top of them.

    ADAPTER/adapter.safetensors   of every changed matrix A (r × in) and B (out × r), bf16
            adapter.json          the rank, and the hash of the weights that it belongs to
            training.json         how it was trained
            README.md             what it is

`mini+ADAPTER` names the weights W + B·A (Hu et al. 2022, arXiv:2106.09685), which run as fast as W.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizer.errors import InputError
from tokenizer.files import replacing_folder
from tokenizer.records import from_json, to_json
from tokenizer.typing import Float32s

from .stored import parse_parameters

FORMAT = "musenet-lora-1"
_WEIGHTS, _RECORD, _TRAINING = "adapter.safetensors", "adapter.json", "training.json"


@dataclass(frozen=True)
class AdapterRecord:
    """The content of adapter.json.

    Attributes:
        base: the name of the weights that it changes.
        base_hash: their hash.
        rank: r.
        format: of this kind of folder.
    """

    base: str
    base_hash: str
    rank: int
    format: str = FORMAT


@dataclass(frozen=True)
class Adapter:
    """An adapter as it is stored.

    Attributes:
        record: what it belongs to.
        parts: A and B of every matrix, as `MATRIX.a` and `MATRIX.b`.
        hash: the SHA-256 of its file, in hexadecimal.
        training: how it was trained.
    """

    record: AdapterRecord
    parts: dict[str, Float32s]
    hash: str
    training: dict[str, Any]

    def added_to(
        self, parameters: Mapping[str, Float32s], base_hash: str, display_name: str
    ) -> dict[str, Float32s]:
        """Parameters with the changes added.

        Args:
            parameters: those that it belongs to.
            base_hash: their hash.
            display_name: the adapter's name in messages.

        Raises:
            InputError: if it belongs to others, or does not fit.
        """
        if self.record.base_hash != base_hash:
            raise InputError(
                f"{display_name} was trained on {self.record.base} ({self.record.base_hash}), "
                f"and these weights are {base_hash}; give it its own"
            )
        result = dict(parameters)
        for name in {key.rpartition(".")[0] for key in self.parts}:
            try:
                result[name] = result[name] + self.parts[f"{name}.b"] @ self.parts[f"{name}.a"]
            except (KeyError, ValueError) as error:
                raise InputError(
                    f"{display_name} does not fit its weights; train it again"
                ) from error
        return result


def save_adapter(
    folder: Path,
    data: bytes,
    record: AdapterRecord,
    training: Mapping[str, Any],
    card: str = "",
) -> None:
    """Write an adapter folder, replacing an existing one.

    Args:
        folder: to write.
        data: A and B as a safetensors file.
        record: what it belongs to.
        training: the training record.
        card: text of README.md; none is written if empty.

    Raises:
        InputError: if it cannot be written.
    """
    with replacing_folder(folder) as fresh:
        (fresh / _WEIGHTS).write_bytes(data)
        (fresh / _RECORD).write_text(to_json(record, indent=1) + "\n", encoding="utf-8")
        facts = json.dumps(training, indent=2, ensure_ascii=False) + "\n"
        (fresh / _TRAINING).write_text(facts, encoding="utf-8")
        if card:
            (fresh / "README.md").write_text(card, encoding="utf-8")


def load_adapter(folder: Path) -> Adapter:
    """Read an adapter folder.

    Raises:
        InputError: if it is none, damaged, or of another version.
    """
    try:
        record = from_json(AdapterRecord, (folder / _RECORD).read_bytes(), str(folder / _RECORD))
        data, training = ((folder / name).read_bytes() for name in (_WEIGHTS, _TRAINING))
        parts, facts = parse_parameters(data)[0], json.loads(training)
    except OSError as error:
        missing = Path(str(error.filename)).name
        raise InputError(f"{folder} is no LoRA adapter: it has no readable {missing}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the adapter {folder} is damaged ({error}); train it again") from error
    if record.format != FORMAT:
        raise InputError(f"{folder} does not have format {FORMAT}; use the release that wrote it")
    return Adapter(record, parts, hashlib.sha256(data).hexdigest(), facts)


def copy_adapter(source: Path, target: Path, training: Mapping[str, Any], card: str) -> None:
    """Write an adapter folder once more, with another record and a card.

    Raises:
        InputError: if one cannot be read, or the other not written.
    """
    adapter = load_adapter(source)
    save_adapter(target, (source / _WEIGHTS).read_bytes(), adapter.record, training, card)
