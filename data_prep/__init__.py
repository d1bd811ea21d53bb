"""Corpora: find, label, clean, dedupe, split, encode, shard, report, load and augment.

from data_prep import Dataset, prepare

prepare(["corpus.tar.xz"], "dataset")
windows = Dataset("dataset", "train", context=1024).batch(0, size=8)
"""

from data_prep.dataset.augment import Augmentation
from data_prep.dataset.windows import Dataset, Dropout, Window

from .pipeline import prepare

__all__ = ["Augmentation", "Dataset", "Dropout", "Window", "prepare"]
