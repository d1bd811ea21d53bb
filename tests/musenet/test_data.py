"""Datasets for `DataLoader`: the numbered windows, whatever the workers, processes and restarts."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from data_prep import Dataset
from data_prep.dataset.augment import Augmentation
from musenet.data import TensorWindow, WindowDataset, WindowStream
from tests.musenet.training.conftest import write_dataset
from tokenizer import InputError


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = write_dataset(tmp_path_factory.mktemp("data") / "dataset")
    return Dataset(folder, "train", 64, seed=3, augmentation=Augmentation())


def same(one: TensorWindow, other: TensorWindow) -> None:
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)


def test_a_map_style_dataset_has_the_numbered_windows(windows: Dataset) -> None:
    few = WindowDataset(windows, 5)
    assert len(few) == 5
    for number in range(5):
        for tensor, array in zip(few[number], windows[number], strict=True):
            np.testing.assert_array_equal(tensor.numpy(), array)
    same(few[-1], few[4])
    with pytest.raises(IndexError):
        few[5]
    with pytest.raises(InputError, match="give a count, or epochs=True"):
        WindowDataset(windows)


def test_an_epoch_has_an_end(windows: Dataset, tmp_path: Path) -> None:
    folder = write_dataset(tmp_path / "dataset")
    every = WindowDataset(Dataset(folder, "train", 64, epochs=True, pack=False))
    notes = sum(int((every[k][0][:, 1] > 0).sum()) for k in range(len(every)))
    assert notes == int(Dataset(folder, "train", 64).pieces.notes.sum())


@pytest.mark.parametrize(("workers", "start"), [(0, None), (2, "fork"), (2, "spawn")])
def test_workers_change_nothing(windows: Dataset, workers: int, start: str | None) -> None:
    expected = [windows.batch(k, 3) for k in range(4)]
    stream = WindowStream(windows, 3, count=4)
    mapped = WindowDataset(windows, 12)
    for loader in (
        DataLoader(stream, batch_size=None, num_workers=workers, multiprocessing_context=start),
        DataLoader(mapped, batch_size=3, num_workers=workers, multiprocessing_context=start),
    ):
        found = list(loader)
        assert len(found) == 4
        for tensors, arrays in zip(found, expected, strict=True):
            for tensor, array in zip(tensors, arrays, strict=True):
                np.testing.assert_array_equal(tensor.numpy(), array)


def test_processes_share_what_one_would_see_and_resume_exactly(windows: Dataset) -> None:
    alone = list(islice(WindowStream(windows, 2), 12))
    shares = [WindowStream(windows, 2, rank=rank, processes=3, count=4) for rank in range(3)]
    together = [batch for step in zip(*shares, strict=True) for batch in step]
    for one, other in zip(alone, together, strict=True):
        same(one, other)
    resumed = WindowStream(windows, 2, rank=1, processes=3, first=2, count=2)
    for one, other in zip(list(shares[1])[2:], resumed, strict=True):
        same(one, other)
    with pytest.raises(InputError, match="rank 3 is none of 3"):
        WindowStream(windows, 2, rank=3, processes=3)
