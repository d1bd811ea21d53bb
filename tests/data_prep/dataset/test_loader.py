from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import Dataset, Loader, prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.augment import NONE
from data_prep.dataset.window_order import EpochOrder
from data_prep.dataset.windows import NO_DROPOUT
from data_prep.pipeline import Run
from data_prep.worker.limits import Limits
from tokenizer import Grid, InputError, Tokenizer, Vocabulary
from tokenizer.encoding.structure import structure

PLAIN: dict[str, Any] = {"augmentation": NONE, "dropout": NO_DROPOUT}


@pytest.fixture
def dataset(corpus: Path, tmp_path: Path) -> Path:
    out = tmp_path / "dataset"
    prepare([corpus], out, run=Run("threads", Limits(1)), plan=Plan(Shares(0.0, 0.0)))
    return out


@pytest.mark.parametrize("pack", [True, False])
def test_an_epoch_visits_every_row_once(dataset: Path, pack: bool) -> None:
    data = Dataset(dataset, "train", 100, epochs=True, pack=pack, **PLAIN)
    assert isinstance(data.order, EpochOrder)
    pieces = data.pieces
    everything = Counter(
        row.tobytes() for piece in range(len(pieces)) for row in pieces.tokens(piece)
    )
    orders = []
    for epoch in range(3):
        first, last = data.order.first_window(epoch), data.order.first_window(epoch + 1)
        seen: Counter[bytes] = Counter()
        for k in range(first, last):
            assert data.order.epoch_of(k) == epoch
            window = data[k]
            prefix_or_empty = ~window.counted[:, 0]
            assert prefix_or_empty[0]
            seen.update(row.tobytes() for row in window.tokens[~prefix_or_empty])
        assert seen == everything
        orders.append([data.describe(k)[0] for k in range(first, last)])
    assert orders[0] != orders[1]


def test_windows_of_an_epoch_can_be_asked_for_in_any_order(dataset: Path) -> None:
    one = Dataset(dataset, "train", 100, epochs=True)
    other = Dataset(dataset, "train", 100, epochs=True)
    late = one[60].tokens
    early = one[2].tokens
    np.testing.assert_array_equal(other[2].tokens, early)
    np.testing.assert_array_equal(other[60].tokens, late)


def test_a_loader_goes_on_with_the_very_next_window(dataset: Path) -> None:
    data = Dataset(dataset, "train", 64)
    loader = Loader(data, 3)
    batches = [next(loader).tokens for _ in range(6)]
    resumed = Loader(Dataset(dataset, "train", 64), 3, step=4)
    np.testing.assert_array_equal(next(resumed).tokens, batches[4])
    np.testing.assert_array_equal(next(resumed).tokens, batches[5])
    assert resumed.step == loader.step == 6


def test_processes_share_the_windows_of_a_step(dataset: Path) -> None:
    data = Dataset(dataset, "train", 64)
    whole = Loader(data, 6)
    shares = [Loader(data, 2, rank, 3) for rank in range(3)]
    for _ in range(4):
        together = np.concatenate([next(share).tokens for share in shares])
        np.testing.assert_array_equal(next(whole).tokens, together)


def test_numbers_that_make_no_share_are_refused(dataset: Path) -> None:
    data = Dataset(dataset, "train", 64)
    with pytest.raises(InputError, match="no process 3 of 3"):
        Loader(data, 2, 3, 3)
    with pytest.raises(InputError, match="is none"):
        Loader(data, 0)
    with pytest.raises(InputError, match="leave out the weights"):
        Dataset(dataset, "train", 64, epochs=True, weights={"corpus": 2.0})


@pytest.fixture
def in_seconds(corpus: Path, tmp_path: Path) -> Path:
    from data_prep.worker.worker import Recipe

    out = tmp_path / "seconds"
    recipe = Recipe(Tokenizer(Vocabulary.create(Grid.seconds())))
    run = Run("threads", Limits(1))
    prepare([corpus], out, recipe=recipe, run=run, plan=Plan(Shares(0.0, 0.0)))
    return out


@pytest.mark.parametrize("tempo", [1.2, 1 / 1.2])
def test_timing_on_the_seconds_clock_keeps_to_the_passage(
    in_seconds: Path, tempo: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from data_prep import Augmentation
    from data_prep.dataset.augment import Change, stretched

    monkeypatch.setattr("data_prep.dataset.windows.draw", lambda *_: Change(tempo=tempo))
    data = Dataset(in_seconds, "train", 64, augmentation=Augmentation(), epochs=True, pack=False)
    original = Dataset(in_seconds, "train", 64, epochs=True, pack=False)
    vocabulary = data.tokenizer.vocabulary
    assert isinstance(data.order, EpochOrder)
    for k in range(data.order.first_window(1)):
        [passage] = original.order.passages(k, np.random.default_rng())
        body = data.pieces.tokens(passage.piece)
        moved = stretched(body, tempo, vocabulary)
        window = data[k].tokens
        prefix = vocabulary.prefix_length(window)
        used = int((window[:, 0] > 0).sum())
        begin = passage.start * len(moved) // len(body)
        np.testing.assert_array_equal(window[prefix:used], moved[begin : begin + used - prefix])
        assert begin + used - prefix == min(
            passage.stop * len(moved) // len(body), begin + 65 - prefix
        )


def test_timing_on_the_seconds_clock_moves_tokens_and_structure(in_seconds: Path) -> None:
    from data_prep import Augmentation

    timing = Augmentation(0.0, volume_rate=0.0, tempo_rate=1.0, tempo=1.2)
    data = Dataset(in_seconds, "train", 400, augmentation=timing, dropout=NO_DROPOUT, pack=False)
    vocabulary = data.tokenizer.vocabulary
    for k in range(12):
        window = data[k]
        used = int((window.tokens[:, 0] > 0).sum())
        prefix = vocabulary.prefix_length(window.tokens)
        tokens = window.tokens[:used]
        columns = structure(tokens, vocabulary)
        # A whole piece fits: elapsed time and chords must be those of the tokens as they are now.
        assert tokens[0, 0] == vocabulary.start
        np.testing.assert_array_equal(window.structure[prefix:used, 0], columns[prefix:, 0])
        np.testing.assert_array_equal(window.structure[prefix:used, 3], columns[prefix:, 3])
        assert window.structure[used - 2, 4] > 100  # close to the end
