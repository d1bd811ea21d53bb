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
    from data_prep.dataset.augment import Augmentation
    from data_prep.dataset.windows import Dataset, Dropout, Window
    from data_prep.pipeline import prepare

_HOMES = {
    "Augmentation": "dataset.augment",
    "Dataset": "dataset.windows",
    "Dropout": "dataset.windows",
    "Window": "dataset.windows",
    "prepare": "pipeline",
}
__all__ = ["Augmentation", "Dataset", "Dropout", "Window", "prepare"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'data_prep' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
