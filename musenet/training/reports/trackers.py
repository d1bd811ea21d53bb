"""Where metrics go beside `metrics.jsonl`: TensorBoard, Weights & Biases, or anything like them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tokenizer.errors import InputError

from ..settings import Settings


class Tracker(Protocol):
    """Takes the numbers of a run."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take numbers by name, such as `train/bits_per_note`, at an optimizer step."""

    def close(self) -> None:
        """Finish what is written."""


class TensorBoard:
    """Event files in `RUN/tensorboard`.

    Raises:
        InputError: if it is not installed.
    """

    def __init__(self, run: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "tensorboard is not installed; pip install 'musenet[tensorboard]', or set "
                "tensorboard=false"
            ) from error
        self._writer: Any = SummaryWriter(run / "tensorboard", purge_step=step + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take numbers by name at an optimizer step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases, in `RUN/wandb`; offline unless WANDB_MODE says otherwise.

    `wandb sync RUN/wandb/offline-run-…` sends it later. A resumed run keeps its id.

    Raises:
        InputError: if it is not installed, or refuses.
    """

    def __init__(self, run: Path, project: str, settings: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise InputError(
                "wandb is not installed; pip install 'musenet[wandb]', or set wandb=''"
            ) from error
        try:
            self._run: Any = wandb.init(
                project=project,
                dir=str(run),
                name=run.name,
                id=hashlib.sha256(str(run.resolve()).encode()).hexdigest()[:16],
                resume="allow",
                mode=os.environ.get("WANDB_MODE", "offline"),
                config=dict(settings),
                settings=wandb.Settings(silent=True),
            )
        except (wandb.Error, OSError) as error:
            raise InputError(f"Weights & Biases refuses: {error}; or set wandb=''") from error
        # A resumed run goes back some steps, which the service's own counter cannot.
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take numbers by name at an optimizer step."""
        self._run.log({**values, "step": step})

    def close(self) -> None:
        """Finish the run."""
        self._run.finish()


def trackers_of(
    run: Path, step: int, settings: Settings, plain: Mapping[str, Any]
) -> list[Tracker]:
    """The trackers that the settings ask for.

    Args:
        run: the folder of the run.
        step: from which it goes on.
        settings: of the run.
        plain: the same as plain data, for those that keep them.

    Raises:
        InputError: if one is not installed.
    """
    found: list[Tracker] = [TensorBoard(run, step)] if settings.tensorboard else []
    found += [WeightsAndBiases(run, settings.wandb, plain)] if settings.wandb else []
    return found


def numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row of metrics by name, those of inner tables with both names."""
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}/{inner}": number for inner, number in value.items()}
        elif isinstance(value, int | float) and name not in ("step", "fraction_done", "is_best"):
            found[name] = value
    return {f"{row['kind']}/{name}": value for name, value in found.items()}
