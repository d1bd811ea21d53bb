"""Batches made ahead of time: a thread collates windows while the model is at work.

Windows are numbered. Step s of a run over all processes takes the windows s·G … s·G + G − 1,
where G is the windows of a step over all processes, and process r the r-th equal share of
them; so that a run that resumes, or runs on another number of processes with the same G, sees
the same windows.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from .objective import Batch


class Window(Protocol):
    """Arrays of one window, as `data_prep.windows` gives them."""

    tokens: npt.NDArray[np.int16]
    structure: npt.NDArray[np.int16]
    counted: npt.NDArray[np.bool_]


class Windows(Protocol):
    """Numbered windows: the same number gives the same window, whenever it is asked for."""

    def __getitem__(self, index: int) -> Window:
        """Window `index`, counting from 0 without end."""
        ...


def collate(windows: Sequence[Window]) -> Batch:
    """One batch of windows of equal length."""
    return Batch(
        tokens=torch.from_numpy(np.stack([w.tokens for w in windows]).astype(np.int64)),
        structure=torch.from_numpy(np.stack([w.structure for w in windows]).astype(np.int64)),
        counted=torch.from_numpy(np.stack([w.counted for w in windows])),
    )


class Batches:
    """An endless iterator over batches from a given step on, `ahead` of them made in advance.

    Attributes:
        waited: seconds that the reader has waited for a batch.
    """

    def __init__(
        self, windows: Windows, size: int, *, first_step: int = 0, share: tuple[int, int] = (0, 1)
    ) -> None:
        """`share` is (rank, number of processes); `size` is the windows a step and process."""
        self.waited = 0.0
        self._windows = windows
        self._size = size
        self._rank, self._processes = share
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=4)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(first_step,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """The next batch; an exception of the thread that makes them is raised here."""
        start = time.perf_counter()
        batch = self._queue.get()
        self.waited += time.perf_counter() - start
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        while self._thread.is_alive():
            with_room = not self._queue.empty()
            if with_room:
                self._queue.get_nowait()
            self._thread.join(timeout=0.05)

    def _fill(self, step: int) -> None:
        try:
            while not self._stopped.is_set():
                first = (step * self._processes + self._rank) * self._size
                batch = collate([self._windows[first + i] for i in range(self._size)])
                self._put(batch)
                step += 1
        except BaseException as error:
            self._put(error)

    def _put(self, item: Batch | BaseException) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return
