"""Starting and resuming a training run."""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch

from data_prep.dataset.pieces import dataset_encoding, splits_of
from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.model.codebook_patterns import positions
from musenet.model.config import ModelConfig, preset, vocabulary_entries
from musenet.model.precision import device_of, matmul_dtype
from musenet.model.transformer import Transformer
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError, unknown
from tokenizer.files import write_text
from tokenizer.records import from_json, to_json

from . import warm_start
from .checkpoints import GENERATOR, Snapshot, TrainingState, read_snapshot, snapshot_steps
from .distributed import Cost, Group, load_weights, shard, share_of
from .half_adam import store_in_half
from .objective import NoteCost
from .optimizers import create_optimizers
from .reports import memory
from .session import Session
from .settings import Settings, checked, settings_of
from .validation import choose_windows, task_windows
from .variants import low_rank
from .variants.moving_average import PREFIX, MovingAverage


def start_run(
    dataset: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    settings: Settings,
    group: Group | None = None,
) -> Session:
    """A new run in an empty folder; `train` of what it gives begins.

    Raises:
        InputError: if the folder already contains a run or is a dataset, or the dataset or a
            setting is invalid.
    """
    settings.check_length()
    dataset, folder = Path(dataset), Path(folder)
    if (folder / "dataset.json").exists():
        raise InputError(f"{folder} is a dataset; choose another folder for the run")
    if snapshot_steps(folder) or (folder / "settings.json").exists():
        raise InputError(
            f"{folder} already contains a run; continue it with --resume, or choose another folder"
        )
    group = group or Group()
    share_of(settings, group)
    tokenizer, encoding = dataset_tokenizer(dataset), dataset_encoding(dataset)
    first = load_checkpoint(settings.initial) if settings.initial else None
    if first is not None and encoding is not None:
        raise InputError(
            f"{dataset} is for models of the {encoding.encoding} encoding, which cannot begin with "
            "weights of compound rows; leave out `initial`, or prepare the data as compound"
        )
    if first is not None:
        if settings.lora and tokenizer.vocabulary != first.tokenizer.vocabulary:
            raise InputError(
                f"lora adds no labels to {first.folder.name}; prepare the dataset with its "
                "tokenizer.json and without new labels (--label-pieces 1000000)"
            )
        entries = model_entries(settings.model)
        config = warm_start.grown_config(first, tokenizer, settings.context, entries)
    else:
        config = model_config(settings, tokenizer, encoding)
    group.wait()
    session = _session(dataset, folder, settings, config, tokenizer, group, None, first)
    if group.is_first:
        _write_run(settings, dataset, folder)
        write_text(folder / "config.json", config.to_json())
        if first is not None:
            record = to_json(warm_start.InitialWeights.of(first), indent=1)
            write_text(folder / "initial.json", record + "\n")
    group.wait()
    return session


def resume_run(
    folder: str | os.PathLike[str],
    dataset: str | os.PathLike[str] | None = None,
    overrides: Mapping[str, Any] | None = None,
    group: Group | None = None,
) -> Session:
    """Resume a run from its last complete checkpoint, or if it has none, from its beginning.

    Changed settings are saved.

    Args:
        folder: of the run.
        dataset: the new path of the dataset, if it was moved.
        overrides: settings to change, except the model's shape.
        group: the processes; their number may differ from before.

    Raises:
        InputError: if there is no run, or its last checkpoint is damaged.
    """
    folder = Path(folder)
    before, known = _read_run(folder / "settings.json")
    data = Path(dataset or known)
    settings = settings_of(asdict(before), overrides or {})
    shape = (settings.model, settings.preset, settings.initial)
    if shape != (before.model, before.preset, before.initial):
        raise InputError("a run cannot change its model; leave out the change, or start a new run")
    config = ModelConfig.from_json((folder / "config.json").read_text(encoding="utf-8"))
    found = snapshot_steps(folder)
    snapshot = read_snapshot(folder, found[-1]) if found else None
    first = load_checkpoint(settings.initial) if settings.initial and snapshot is None else None
    tokenizer = dataset_tokenizer(data)
    group = group or Group()
    session = _session(data, folder, settings, config, tokenizer, group, snapshot, first)
    if group.is_first:
        _write_run(settings, data, folder)
    group.wait()
    return session


@dataclass(frozen=True)
class _RunRecord:
    """The content of `settings.json`: the path of the dataset, and every setting."""

    dataset: str
    settings: dict[str, Any]


def _write_run(settings: Settings, dataset: Path, folder: Path) -> None:
    """Write the record that `resume_run` reads."""
    record = _RunRecord(str(dataset.resolve()), asdict(settings))
    write_text(folder / "settings.json", to_json(record, indent=1) + "\n")


def _read_run(file: Path) -> tuple[Settings, str]:
    """The settings of a run, and the path of its dataset."""
    try:
        text = file.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no run in {file.parent} to resume") from error
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from error
    record = from_json(_RunRecord, text, str(file))
    return settings_of(checked(record.settings, str(file))), record.dataset


def model_config(
    settings: Settings, tokenizer: Tokenizer, encoding: LearnedTokenizer | None = None
) -> ModelConfig:
    """The preset for the tokenizer's vocabulary, or the encoding's, with the settings' changes.

    The model's context is what its training windows take (with the heads `delay` and `flatten`
    several positions a row), so that nobody uses a longer one than it was trained for, unless
    `model.context` is given.

    Raises:
        InputError: for an unknown entry or a wrong value, or a context longer than the model's.
    """
    sizes = tokenizer.sizes if encoding is None else encoding.sizes
    config = preset(settings.preset, sizes, STRUCTURE_SIZES)
    entries = model_entries(settings.model)
    needed = positions(entries.get("head", config.head), len(sizes), settings.context)
    given = {
        "context": needed,
        **vocabulary_entries(tokenizer.vocabulary),
        **({} if encoding is None else {"end_value": 0}),  # ids are not in order of time
        **entries,
    }
    changed = dataclasses.replace(config, **given)
    if needed > changed.context:
        taken = "" if needed == settings.context else f" takes {needed} positions and"
        raise InputError(
            f"context {settings.context}{taken} is longer than the model's {changed.context}; "
            f"give a shorter one, or model.context={needed} as well"
        )
    return changed


def model_entries(given: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of the model's configuration, as the settings give them.

    Raises:
        InputError: for one that does not exist, or a value of another type.
    """
    hints = typing.get_type_hints(ModelConfig)
    entries = {}
    for name, value in given.items():
        if name not in hints:
            raise unknown("model setting", name, hints)
        try:
            entries[name] = msgspec.convert(value, hints[name])
        except msgspec.ValidationError as error:
            raise InputError(f"wrong value for model.{name}: {error}") from error
    return entries


def _session(
    dataset: Path,
    folder: Path,
    settings: Settings,
    config: ModelConfig,
    tokenizer: Tokenizer,
    group: Group,
    snapshot: Snapshot | None,
    first: Checkpoint | None = None,
) -> Session:
    """A session with random weights, from a checkpoint, or from another model's weights."""
    memory.check_enough(config, settings, device_of(settings.device), group.size)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    has_some, encoding = "validation" in splits_of(dataset), dataset_encoding(dataset)
    held_out = choose_windows(
        dataset_pieces(dataset, "validation") if has_some else (),
        tokenizer,
        context=settings.context,
        windows=settings.validate_windows,
        tasks=task_windows(dataset, settings) if has_some else {},
        encoding=encoding,
    )
    torch.manual_seed(settings.seed)
    model = _model(config, settings, group, tokenizer.vocabulary, first)
    cost = Cost(NoteCost(model, settings.ending_weight), settings, group)
    if snapshot is not None:
        load_weights(model, snapshot.weights)
    found = create_optimizers(model, settings)
    average = MovingAverage(model, settings.ema) if settings.ema else None
    state = TrainingState()
    if snapshot is not None:
        state, tensors = snapshot.state, dict(snapshot.optimizer)
        torch.set_rng_state(tensors.pop(GENERATOR))
        averaged = {name: tensors.pop(name) for name in list(tensors) if name.startswith(PREFIX)}
        if average is not None:
            average.load(averaged)
        found.load(tensors)
    state.sessions += 1
    return Session(
        folder=folder,
        dataset=dataset,
        settings=settings,
        group=group,
        model=model,
        cost=cost,
        tokenizer=tokenizer,
        optimizers=found,
        state=state,
        held_out=held_out,
        average=average,
        encoding=encoding,
    )


def _model(
    config: ModelConfig,
    settings: Settings,
    group: Group,
    vocabulary: Vocabulary,
    first: Checkpoint | None,
) -> Transformer:
    """The model with its initial weights, on its device, sharded if the settings say so."""
    model = Transformer(config, matmul_dtype(settings.precision, device_of(settings.device)))
    if first is not None:
        warm_start.load_grown(model, first, vocabulary)
    if settings.lora:
        low_rank.attach(model, settings.lora)
    model.recompute = settings.recompute
    if settings.optimizer == "half":
        store_in_half(model)
    model.to(device_of(settings.device))
    if settings.shard:
        shard(model, group)
    return model
