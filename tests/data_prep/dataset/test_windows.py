from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import Augmentation, Dataset, Dropout, Tiles, prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.augment import NONE
from data_prep.dataset.pieces import Pieces
from data_prep.dataset.windows import NO_DROPOUT
from data_prep.pipeline import Run
from data_prep.worker.limits import Limits
from tokenizer import InputError, Labels, structure
from tokenizer.encoding.structure import length_of

PLAIN: dict[str, Any] = {"augmentation": NONE, "dropout": NO_DROPOUT}


@pytest.fixture
def dataset(corpus: Path, tmp_path: Path) -> Path:
    out = tmp_path / "dataset"
    prepare([corpus], out, run=Run("threads", Limits(1)), plan=Plan(Shares(0.2, 0.0)))
    return out


def test_windows_are_the_same_whenever_and_by_whomever_they_are_asked_for(dataset: Path) -> None:
    one, other = (Dataset(dataset, "train", 64, seed=5) for _ in range(2))
    batch = one.batch(3, 4)
    for place in reversed(range(4)):
        window = other[12 + place]
        for array, expected in zip(window, batch, strict=True):
            np.testing.assert_array_equal(array, expected[place])
    different = Dataset(dataset, "train", 64, seed=6).batch(3, 4)
    assert not np.array_equal(different.tokens, batch.tokens)


def test_a_window_is_a_prefix_and_rows_of_a_piece_with_its_structure(dataset: Path) -> None:
    data = Dataset(dataset, "train", 64, seed=0, pack=False, **PLAIN)
    vocabulary = data.tokenizer.vocabulary
    whole = {}
    for piece in range(len(data.pieces)):
        labels = data.pieces.labels(piece)
        body = np.asarray(data.pieces.tokens(piece))
        tokens = np.concatenate([data.tokenizer.prefix(labels), body])
        columns = structure(tokens, vocabulary, length_of(body, vocabulary))[-len(body) :]
        whole[piece] = (labels, body, columns)
    begun = 0
    for k in range(60):
        window = data[k]
        prefix = vocabulary.prefix_length(window.tokens)
        found = [
            (piece, start)
            for piece, (_, body, _) in whole.items()
            for start in range(len(body))
            if np.array_equal(body[start : start + 20], window.tokens[prefix : prefix + 20])
        ]
        [(piece, start)] = found
        labels, body, columns = whole[piece]
        begun += start == 0
        expected = data.tokenizer.prefix(labels, start=start == 0)
        np.testing.assert_array_equal(window.tokens[:prefix], expected)
        length = min(len(body) - start, 65 - prefix)
        rows = slice(prefix, prefix + length)
        np.testing.assert_array_equal(window.tokens[rows], body[start : start + length])
        np.testing.assert_array_equal(window.structure[rows], columns[start : start + length])
        assert not window.tokens[prefix + length :].any()
        assert not window.structure[:prefix].any()
        np.testing.assert_array_equal(window.counted[rows], vocabulary.counted(window.tokens)[rows])
        assert not window.counted[:prefix].any()
        assert not window.counted[prefix + length :].any()
    assert 5 < begun < 60


def test_packed_windows_are_full_and_begin_their_pieces(dataset: Path) -> None:
    data = Dataset(dataset, "train", 400, seed=0, **PLAIN)
    vocabulary = data.tokenizer.vocabulary
    for k in range(20):
        tokens, columns, counted = data[k]
        assert (tokens[:, 0] == 0).sum() < 33 + 8
        starts = np.flatnonzero(tokens[:, 0] == vocabulary.start)
        assert len(starts) >= 4
        for start in starts:
            prefix = vocabulary.prefix_length(tokens[start:])
            assert not counted[start : start + prefix].any()
            assert not columns[start : start + prefix].any()
            assert counted[start + prefix, 0]
            assert columns[start + prefix, 1] == 1  # the first bar


def test_tiles_count_every_row_once(dataset: Path) -> None:
    pieces = Pieces(dataset, "train")
    for overlap, labels in ((0, True), (20, True), (40, False)):
        tiles = Tiles(dataset, "train", 64, overlap=overlap, labels=labels)
        seen: list[np.ndarray] = []
        for k in range(tiles.batches(5)):
            batch = tiles.batch(k, 5)
            seen += list(batch.tokens[batch.counted[..., 0]])
        bodies = np.concatenate([pieces.tokens(piece) for piece in range(len(pieces))])
        np.testing.assert_array_equal(np.array(seen), bodies)


def test_tiles_give_each_counted_row_its_overlap(dataset: Path) -> None:
    tiles = Tiles(dataset, "train", 64, overlap=30)
    for k in range(len(tiles)):
        window = tiles[k]
        first = int(window.counted[:, 0].argmax())
        _, start, counted = tiles.index[k]
        assert start == 0 or counted - start == 30
        assert first == tiles.pieces.tokenizer.vocabulary.prefix_length(window.tokens) + (
            counted - start
        )


def test_an_overlap_that_leaves_no_room_is_refused(dataset: Path) -> None:
    with pytest.raises(InputError, match="leaves no room"):
        Tiles(dataset, "train", 64, overlap=64)


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


def test_labels_are_dropped_at_their_rates() -> None:
    labels = Labels("bach", ("baroque",), (0, 40), 120.0, (3, 4), None)
    dropout = Dropout(0.5, 0.25, 0.0, 1.0, 0.0, 0.0, everything=0.2)
    left = [dropout.labels(labels, np.random.default_rng(i)) for i in range(4000)]
    assert abs(np.mean([x.composer is None for x in left]) - (0.2 + 0.8 * 0.5)) < 0.03
    assert abs(np.mean([x.styles == () for x in left]) - (0.2 + 0.8 * 0.25)) < 0.03
    assert abs(np.mean([x.instruments == () for x in left]) - 0.2) < 0.03
    assert all(x.tempo is None for x in left)
    assert {x.composer for x in left} == {"bach", None}


def test_length_is_told_at_its_rate(dataset: Path) -> None:
    dropout = Dropout(length=0.5)
    data = Dataset(dataset, "train", 64, pack=False, dropout=dropout, augmentation=NONE)
    told = []
    for k in range(200):
        window = data[k]
        music = window.structure[:, 0] > 0
        hidden = window.structure[music][:, 4:] == 0
        assert hidden.all() or not hidden.any()
        assert (window.structure[music][:, :4] > 0).all()
        told.append(not hidden.any())
    assert 70 < sum(told) < 130


def test_what_was_done_to_a_window_is_listed(dataset: Path) -> None:
    data = Dataset(dataset, "train", 400, augmentation=Augmentation(1.0, 6, 1.0, tempo_rate=1.0))
    lines = data.describe(0)
    assert len(lines) >= 4
    assert lines[0].startswith("corpus/")
    assert any("semitones" in line for line in lines)
    assert all("velocity ×" in line and "tempo ×" in line for line in lines)


def test_a_wrong_dataset_is_refused(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a dataset"):
        Dataset(tmp_path, "train", 64)
    with pytest.raises(InputError, match="no pieces in its test split"):
        Dataset(dataset, "test", 64)
    with pytest.raises(InputError, match="did you mean 'train'"):
        Dataset(dataset, "tran", 64)
    with pytest.raises(InputError, match="too short"):
        Dataset(dataset, "train", 8)
    shard = dataset / "tokens/00000.bin"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(InputError, match="missing or cut short"):
        Dataset(dataset, "train", 64)
