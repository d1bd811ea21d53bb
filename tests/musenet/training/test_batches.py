from __future__ import annotations

import contextlib
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from data_prep.dataset.windows import Window
from musenet.training.batches import AHEAD, Batches, training_windows
from musenet.training.settings import settings_of
from tokenizer.encoding.vocabulary import PITCH


class Counting:
    """Windows that hold their own numbers, and remember who asked."""

    def __init__(self, mark: int = 0) -> None:
        self.mark = mark
        self.asked: list[int] = []

    def batch(self, k: int, size: int) -> Window:
        self.asked.append(k)
        tokens = np.zeros((size, 3, 5), dtype=np.int16)
        tokens[:, :, 0] = np.arange(k * size, (k + 1) * size)[:, None]
        tokens[:, :, 1] = self.mark
        return Window(tokens, np.zeros((size, 3, 6), np.int16), np.ones((size, 3, 5), bool))


def first(batches: Batches, steps: int) -> list[list[int]]:
    return [next(batches).tokens[:, 0, 0].tolist() for _ in range(steps)]


def test_processes_share_the_windows_of_one() -> None:
    with contextlib.closing(Batches(Counting(), 4, first_step=3)) as alone:
        whole = first(alone, 3)
    parts = []
    for rank in range(2):
        with contextlib.closing(Batches(Counting(), 2, first_step=3, share=(rank, 2))) as half:
            parts.append(first(half, 3))
    assert whole == [a + b for a, b in zip(*parts, strict=True)]


def test_no_more_is_made_than_is_wanted() -> None:
    windows = Counting()
    with contextlib.closing(Batches(windows, 1)):
        time.sleep(0.3)
    assert len(windows.asked) <= AHEAD + 1


def test_other_windows_from_a_step_on() -> None:
    with contextlib.closing(Batches(Counting(), 1, final=(2, Counting(7)))) as batches:
        marks = [int(next(batches).tokens[0, 0, 1]) for _ in range(4)]
    assert marks == [0, 0, 7, 7]
    with contextlib.closing(Batches(Counting(), 1)) as batches:
        next(batches)
        batches.change(1 + AHEAD + 2, Counting(7))
        marks = [int(next(batches).tokens[0, 0, 1]) for _ in range(AHEAD + 4)]
    assert marks == [0] * (AHEAD + 2) + [7, 7]


def test_an_error_in_the_thread_reaches_the_reader() -> None:
    class Broken:
        def batch(self, k: int, size: int) -> Window:
            raise OSError("the disk is gone")

    with (
        contextlib.closing(Batches(Broken(), 1)) as batches,
        pytest.raises(OSError, match="the disk is gone"),
    ):
        next(batches)


def test_settings_reach_the_dataset(dataset: Path) -> None:
    still = settings_of({"context": 64, "volume": False, "timing": False, "label_dropout": 1.0})
    plain = training_windows(dataset, still, transpose=0)
    tokens = torch.from_numpy(plain.batch(0, 64).tokens)
    pitches = tokens[..., PITCH][tokens[..., PITCH] > 0]
    assert int(pitches.min()) >= 49
    assert int(pitches.max()) <= 72
    assert set(tokens[..., 4].flatten().tolist()) == {0, 17}
    moved = training_windows(dataset, still, transpose=6).batch(0, 64).tokens
    assert moved[..., PITCH].max() > 72
    only = training_windows(
        dataset, settings_of({"context": 64, "weights": {"up": 0.0}}), transpose=0
    )
    assert all(line.startswith("down/") for k in range(20) for line in only.describe(k))
