"""Training windows for PyTorch's `DataLoader`.

    from torch.utils.data import DataLoader

    windows = WindowDataset(Dataset("dataset", "train", 1024), 10_000)
    for tokens, structure, counted in DataLoader(windows, batch_size=8, num_workers=2): …

    stream = WindowStream(Dataset("dataset", "train", 1024), 8, rank=0, processes=2, first=step)
    for batch in DataLoader(stream, batch_size=None, num_workers=2): …

Windows follow from the dataset's seed and their number, so the order does not depend on the
workers, and the number of the next batch is all that resuming needs.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.utils.data
from torch import Tensor

from data_prep.dataset.window_order import EpochOrder
from data_prep.dataset.windows import Dataset, Window
from tokenizer.errors import InputError

TensorWindow = tuple[Tensor, Tensor, Tensor]
"""`tokens` (T + 1, 5) and `structure` (T + 1, 8), int64, and `counted` (T + 1, 5), bool."""


class WindowDataset(torch.utils.data.Dataset[TensorWindow]):
    """The first windows of a dataset, map-style: `len`, and any of them by its number.

    Args:
        windows: the source; with `epochs=True` everything is there once before it repeats.
        count: how many windows there are; by default those of the first epoch.
    """

    def __init__(self, windows: Dataset, count: int | None = None) -> None:
        if count is None:
            if not isinstance(windows.order, EpochOrder):
                raise InputError(
                    "windows drawn at random have no end; give a count, or epochs=True"
                )
            count = windows.order.first_window(1)
        self._windows = windows
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> TensorWindow:
        """Window `number`, from 0; negative numbers count from the end."""
        if not -self._count <= number < self._count:
            raise IndexError(f"there are {self._count} windows, and no number {number}")
        return tensors(self._windows[number % self._count])


class WindowStream(torch.utils.data.IterableDataset[TensorWindow]):
    """Endless batches for one of several processes, the same for any number of workers.

    Batch i of rank r of P is `windows.batch(i · P + r, size)`, as in `musenet train`: together the
    processes see every window once, and a run that goes on with `first=i` sees what it would have
    seen. Give it to `DataLoader` with `batch_size=None`.

    Args:
        windows: the source.
        size: windows per batch.
        rank: of this process, from 0; that of `torch.distributed` if None.
        processes: how many there are; those of `torch.distributed` if None.
        first: the number of the first batch, that is of the batches that were already used.
        count: stop after this many batches; None for no end.
    """

    def __init__(
        self,
        windows: Dataset,
        size: int,
        *,
        rank: int | None = None,
        processes: int | None = None,
        first: int = 0,
        count: int | None = None,
    ) -> None:
        joined = torch.distributed.is_available() and torch.distributed.is_initialized()
        of_group = torch.distributed.get_rank, torch.distributed.get_world_size
        default = [ask() for ask in of_group] if joined else [0, 1]
        self._windows = windows
        self._size = size
        self._rank = default[0] if rank is None else rank
        self._processes = default[1] if processes is None else processes
        self._first = first
        self._count = count
        if not 0 <= self._rank < self._processes:
            raise InputError(f"rank {rank} is none of {self._processes} processes, from 0")

    def __iter__(self) -> Iterator[TensorWindow]:
        """This worker's batches: DataLoader asks its workers in turn."""
        worker = torch.utils.data.get_worker_info()
        begin, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        number = begin
        while self._count is None or number < self._count:
            place = (self._first + number) * self._processes + self._rank
            yield tensors(self._windows.batch(place, self._size))
            number += step


def tensors(window: Window) -> TensorWindow:
    """A window, or a batch of them, as tensors."""
    tokens, structure = (
        torch.from_numpy(array.astype(np.int64)) for array in (window.tokens, window.structure)
    )
    return tokens, structure, torch.from_numpy(window.counted)
