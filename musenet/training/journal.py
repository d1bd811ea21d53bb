"""The journal of a run: `metrics.jsonl`, and TensorBoard's files where they are asked for.

When a run resumes from an earlier step, rows after that step are removed first, so that the file
tells one story.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from tokenizer.errors import InputError
from tokenizer.files import write_text

from .distributed import Group
from .metrics import Row, read
from .settings import Settings


class Journal:
    """Rows of metrics, written by the first process of a run."""

    def __init__(self, run: Path, step: int, settings: Settings, group: Group) -> None:
        """Open the journal of a run that has done `step` steps.

        Raises:
            InputError: if it cannot be written, or TensorBoard is asked for and not installed.
        """
        self._file: TextIO | None = None
        self._board: Any = None
        if not group.is_first:
            return
        file = run / "metrics.jsonl"
        try:
            run.mkdir(parents=True, exist_ok=True)
            if file.exists():
                rows = [row for row in read(file) if row["step"] <= step]
                write_text(file, "".join(json.dumps(row) + "\n" for row in rows))
            self._file = file.open("a", encoding="utf-8")
        except OSError as error:
            raise InputError(f"cannot write to {run}: {error.strerror}") from error
        if settings.tensorboard:
            self._board = _board(run / "tensorboard", step)

    def write(self, row: Row) -> None:
        """Append a row, and have it in the file before this returns."""
        if self._file is None:
            return
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in _scalars(row).items():
                self._board.add_scalar(f"{row['kind']}/{name}", value, row["step"])

    def close(self) -> None:
        """Close the files."""
        if self._file is not None:
            self._file.close()
        if self._board is not None:
            self._board.close()


def _scalars(row: Row) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            found |= {f"{name}/{inner}": number for inner, number in value.items()}
        elif isinstance(value, int | float) and name not in ("step", "part"):
            found[name] = value
    return found


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "tensorboard is not installed; pip install tensorboard, or set tensorboard=false"
        ) from error
    return SummaryWriter(folder, purge_step=step + 1)
