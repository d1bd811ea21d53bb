"""Prefetched batches: a thread prepares windows while the model trains.

Windows are numbered. Step s of a run with P processes takes P·B windows from s·P·B on, B per
process in order. So a run that resumes, or changes the number of processes but not P·B, sees the
same windows.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from data_prep.dataset.augment import Augmentation, Dropout
from data_prep.dataset.disguise import Disguise
from data_prep.dataset.loops import Loops
from data_prep.dataset.parts import Missing
from data_prep.dataset.spelled import open_windows
from data_prep.dataset.tasks import Tasks
from data_prep.dataset.windows import Dataset, Window
from musenet.data import tensors
from musenet.model.likelihood import Batch

from .settings import Settings


class WindowSource(Protocol):
    """Numbered windows: the same number always gives the same window."""

    def batch(self, k: int, size: int) -> Window:
        """Windows k·size … (k + 1)·size − 1."""
        ...


def training_windows(
    dataset: Path, settings: Settings, *, transpose: int, split: str = "train", pack: bool = True
) -> Dataset:
    """The windows that a run trains on: from all corpora by weight, augmented."""
    each = settings.label_dropout
    return open_windows(
        dataset,
        split,
        settings.context,
        seed=settings.seed,
        weights=settings.weights,
        augmentation=Augmentation(
            transpose=transpose,
            volume_rate=Augmentation.volume_rate if settings.volume else 0.0,
            tempo_rate=Augmentation.tempo_rate if settings.timing else 0.0,
        ),
        dropout=Dropout(
            composer=each,
            styles=each,
            instruments=each,
            tempo=each,
            key=each,
            density=max(each, 0.6),
            polyphony=max(each, 0.6),
            everything=settings.all_labels_dropout,
            length=settings.length_dropout,
        ),
        disguise=Disguise(rate=settings.disguise),
        loops=Loops(rate=settings.loops),
        missing=Missing(rate=settings.missing),
        tasks=Tasks(
            fill=settings.fill,
            accompany=settings.accompany,
            chords=settings.chords,
            labels=settings.labels,
        ),
        pack=pack,
    )


def to_batch(windows: Window) -> Batch:
    """Windows as tensors."""
    return Batch(*tensors(windows))


AHEAD = 4
"""Maximum number of batches in the queue; one more is in preparation."""


class Batches:
    """An endless iterator over batches from a given step on, with prefetching.

    Attributes:
        waited: seconds spent waiting for a batch.
    """

    def __init__(
        self,
        windows: WindowSource,
        size: int,
        *,
        first_step: int = 0,
        share: tuple[int, int] = (0, 1),
        final: tuple[int, WindowSource] | None = None,
    ) -> None:
        """Start prefetching.

        Args:
            windows: the source of windows.
            size: windows per step and process.
            first_step: the step of the first batch.
            share: rank and number of processes.
            final: a step, and the source of windows from that step on.
        """
        self.waited = 0.0
        self._windows = windows
        self._final = final
        self._size = size
        self._rank, self._processes = share
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._fill, args=(first_step,), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        """The next batch; exceptions of the thread are raised here."""
        start = time.perf_counter()
        batch = self._queue.get()
        self.waited += time.perf_counter() - start
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def change(self, step: int, windows: WindowSource) -> None:
        """Switch to another source at a step that is more than `AHEAD` + 1 steps ahead."""
        self._final = (step, windows)

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join()

    def _fill(self, step: int) -> None:
        try:
            while not self._stopped.is_set():
                final = self._final
                windows = final[1] if final and step >= final[0] else self._windows
                number = step * self._processes + self._rank
                self._put(to_batch(windows.batch(number, self._size)))
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
