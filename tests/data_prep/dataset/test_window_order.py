from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import Dataset, prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.augment import NO_AUGMENTATION, NO_DROPOUT
from data_prep.dataset.window_order import EpochOrder, WindowRandom
from data_prep.pipeline import Run
from data_prep.worker.engines import Limits
from tokenizer import InputError

MakeDataset = Callable[..., Path]
PLAIN: dict[str, Any] = {"augmentation": NO_AUGMENTATION, "dropout": NO_DROPOUT}


@pytest.fixture
def dataset(corpus: Path, tmp_path: Path, make_dataset: MakeDataset) -> Path:
    return make_dataset(corpus, tmp_path / "dataset", plan=Plan(Shares(0.0, 0.0)))


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


def test_epochs_take_no_weights(dataset: Path) -> None:
    with pytest.raises(InputError, match="leave out the weights"):
        Dataset(dataset, "train", 64, epochs=True, weights={"corpus": 2.0})


def test_every_row_is_drawn_about_as_often(dataset: Path) -> None:
    data = Dataset(dataset, "train", 64, seed=0, pack=False, **PLAIN)
    drawn: Counter[str] = Counter()
    drawn.update(data.describe(k)[0].split()[0].partition("/")[2] for k in range(1500))
    rows = data.pieces.lengths / data.pieces.lengths.sum()
    shares = np.array([drawn[source] for source in data.pieces.sources]) / 1500
    assert np.abs(shares - rows).max() < 4 * np.sqrt(rows.max() / 1500)


def test_weights_multiply_the_chance_of_a_corpus(corpus: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted((corpus / "b").iterdir()):
        path.rename(other / path.name)
    out = tmp_path / "two"
    prepare([corpus, other], out, run=Run("threads", Limits(1)), plan=Plan(Shares(0, 0)))
    data = Dataset(out, "train", 64, weights={"other": 3.0}, pack=False, **PLAIN)
    names = [data.describe(k)[0].partition("/")[0] for k in range(600)]
    lengths = {
        name: sum(
            n for n, c in zip(data.pieces.lengths, data.pieces.corpora, strict=True) if c == name
        )
        for name in ("corpus", "other")
    }
    expected = 3 * lengths["other"] / (3 * lengths["other"] + lengths["corpus"])
    assert abs(names.count("other") / 600 - expected) < 0.07
    none = Dataset(out, "train", 64, weights={"other": 0.0})
    assert all("other/" not in line for k in range(50) for line in none.describe(k))
    with pytest.raises(InputError, match="did you mean 'other'"):
        Dataset(out, "train", 64, weights={"othr": 1.0})
    with pytest.raises(InputError, match="must not be negative"):
        Dataset(out, "train", 64, weights={"other": -1.0})
    with pytest.raises(InputError, match="weight 0"):
        Dataset(out, "train", 64, weights={"other": 0.0, "corpus": 0.0})


def test_the_random_numbers_of_a_window_are_those_of_a_generator_of_its_own() -> None:
    numbers = WindowRandom(2**40 + 3)
    for k in (0, 7, 7, 2**33, 1):
        one, other = numbers.of(k), np.random.Generator(np.random.Philox(key=[2**40 + 3, k]))
        # Halves of a draw wait in the bit generator: none may be left to the next window.
        for draw in (np.random.Generator.random, lambda r: r.integers(9, dtype=np.uint32)):
            assert draw(one) == draw(other)
