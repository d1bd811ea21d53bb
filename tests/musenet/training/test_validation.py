"""The held-out windows: equally many of every corpus, and always the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer
from musenet.evaluation.likelihood import Scores
from musenet.training.settings import Settings
from musenet.training.validation import choose_windows, task_windows, validation_row
from tokenizer.encoding.structure import GIVEN, ROLE


def test_every_corpus_gives_equally_many_windows(dataset: Path) -> None:
    pieces = dataset_pieces(dataset, "train")
    tokenizer = dataset_tokenizer(dataset)
    one, other = (
        choose_windows(pieces, tokenizer, context=32, windows=5).windows for _ in range(2)
    )
    assert {corpus: len(found) for corpus, found in one.items()} == {"down": 5, "up": 5}
    for corpus, windows in one.items():
        for window, again in zip(windows, other[corpus], strict=True):
            np.testing.assert_array_equal(window[0], again[0])
            assert len(window[0]) <= 33
    # No two windows are the same: pieces differ, and so do the places in a piece.
    assert len({window[0].tobytes() for found in one.values() for window in found}) == 10


def test_a_corpus_with_little_music_gives_all_it_has(dataset: Path) -> None:
    piece = dataset_pieces(dataset, "train")[0]
    found = choose_windows([piece], dataset_tokenizer(dataset), context=4096, windows=5)
    assert [len(windows) for windows in found.windows.values()] == [1]


def test_the_total_weighs_windows_by_their_notes() -> None:
    one = Scores(np.full((1, 5), np.log(2)), np.array([1]))
    other = Scores(np.full((1, 5), 3 * np.log(2)), np.array([3]))
    row = validation_row({"a": one, "b": other})
    assert row["bits_per_note"] == 5.0
    assert row["per_source"] == {"a": 5.0, "b": 5.0}
    assert set(row["per_field"].values()) == {1.0}


def test_every_task_of_the_mix_has_windows_that_ask_for_what_it_writes(
    dataset: Path, small: Callable[..., Settings]
) -> None:
    settings = small(fill=0.2, accompany=0.1, chords=0.1, loops=0.1, validate_windows=4)
    found = task_windows(dataset, settings, split="train")
    assert set(found) == {"fill", "accompany", "chords", "loops"}
    for task, batches in found.items():
        roles = torch.cat([batch.structure[..., ROLE].flatten() for batch in batches])
        assert sum(batch.notes for batch in batches) > 0
        assert (GIVEN in roles.tolist()) == (task != "loops")
    again = task_windows(dataset, settings, split="train")
    assert all(
        torch.equal(a.tokens, b.tokens) for a, b in zip(found["fill"], again["fill"], strict=True)
    )
    assert task_windows(dataset, small(), split="train") == {}
