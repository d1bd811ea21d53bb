"""Corpora: find, label, clean, dedupe, split, encode, shard, report, load and augment.

from data_prep import Dataset, prepare

prepare(["corpus.tar.xz"], "dataset")
windows = Dataset("dataset", "train", context=1024).batch(0, size=8)

A name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_prep.corpus.decide import Plan
    from data_prep.corpus.split import Shares
    from data_prep.dataset.augment import Augmentation, Dropout
    from data_prep.dataset.disguise import Disguise
    from data_prep.dataset.export import export
    from data_prep.dataset.loops import Loops
    from data_prep.dataset.pieces import Pieces
    from data_prep.dataset.tasks import Tasks
    from data_prep.dataset.verify import verify
    from data_prep.dataset.windows import Dataset, Window
    from data_prep.pipeline import Run, prepare
    from data_prep.worker.engines import Limits
    from data_prep.worker.worker import Preprocessing

_HOMES = {
    "Augmentation": "dataset.augment",
    "Dataset": "dataset.windows",
    "Disguise": "dataset.disguise",
    "Dropout": "dataset.augment",
    "Limits": "worker.engines",
    "Loops": "dataset.loops",
    "Pieces": "dataset.pieces",
    "Plan": "corpus.decide",
    "Preprocessing": "worker.worker",
    "Run": "pipeline",
    "Shares": "corpus.split",
    "Tasks": "dataset.tasks",
    "Window": "dataset.windows",
    "export": "dataset.export",
    "prepare": "pipeline",
    "verify": "dataset.verify",
}
__all__ = [
    "Augmentation",
    "Dataset",
    "Disguise",
    "Dropout",
    "Limits",
    "Loops",
    "Pieces",
    "Plan",
    "Preprocessing",
    "Run",
    "Shares",
    "Tasks",
    "Window",
    "export",
    "prepare",
    "verify",
]
PART_OF = "musenet"
"""Whose package this is: another distribution may have one of the same name."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'data_prep' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
