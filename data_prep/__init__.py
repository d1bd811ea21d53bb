"""Corpora: find, label, clean, dedupe, split, encode, shard, report, load and augment.

from data_prep import Dataset, prepare

prepare(["corpus.tar.xz"], "dataset")
windows = Dataset("dataset", "train", context=1024).batch(0, size=8)
"""

from .augment import Augmentation
from .loader import Loader
from .pipeline import prepare
from .tiles import Tiles
from .windows import Dataset, Dropout, Window

__all__ = ["Augmentation", "Dataset", "Dropout", "Loader", "Tiles", "Window", "prepare"]
