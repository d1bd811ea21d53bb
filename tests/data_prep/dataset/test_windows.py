from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_prep import Augmentation, Dataset, Dropout
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from data_prep.dataset.augment import NO_AUGMENTATION, NO_DROPOUT, Change, stretched
from data_prep.dataset.disguise import Disguise
from data_prep.dataset.loops import Loops
from data_prep.dataset.tasks import Tasks
from data_prep.dataset.window_order import EpochOrder
from data_prep.dataset.windows import Window
from data_prep.worker.worker import Preprocessing
from tokenizer import Grid, InputError, Labels, Tokenizer, Vocabulary, structure
from tokenizer.encoding.structure import PART, ROLE, TIME, length_of

MakeDataset = Callable[..., Path]
PLAIN: dict[str, Any] = {"augmentation": NO_AUGMENTATION, "dropout": NO_DROPOUT}
ALL: dict[str, Any] = {"augmentation": Augmentation(), "dropout": Dropout()}


@pytest.fixture
def dataset(corpus: Path, tmp_path: Path, make_dataset: MakeDataset) -> Path:
    return make_dataset(corpus, tmp_path / "dataset", plan=Plan(Shares(0.2, 0.0)))


def test_windows_are_the_same_whenever_and_by_whomever_they_are_asked_for(dataset: Path) -> None:
    one, other = (Dataset(dataset, "train", 64, seed=5, **ALL) for _ in range(2))
    batch = one.batch(3, 4)
    for place in reversed(range(4)):
        window = other[12 + place]
        for name in Window._fields:
            np.testing.assert_array_equal(getattr(window, name), getattr(batch, name)[place])
    different = Dataset(dataset, "train", 64, seed=6, **ALL).batch(3, 4)
    assert not np.array_equal(different.tokens, batch.tokens)


def test_without_anything_said_a_window_is_what_is_there(dataset: Path) -> None:
    plain = Dataset(dataset, "train", 64, seed=5)
    told = Dataset(dataset, "train", 64, seed=5, **PLAIN)
    for k in range(8):
        np.testing.assert_array_equal(plain[k].tokens, told[k].tokens)
        assert all("unchanged" in line for line in plain.describe(k))


def test_a_dataset_travels_to_another_process_by_its_folder(dataset: Path) -> None:
    one = Dataset(dataset, "train", 64, seed=5)
    sent = pickle.dumps(one)
    assert len(sent) < 20_000 + 200 * len(one.pieces)
    np.testing.assert_array_equal(pickle.loads(sent)[3].tokens, one[3].tokens)


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
        names = [vocabulary.name(value) for value in window.tokens[:prefix, 0].tolist()]
        texture = ("density:", "polyphony:")
        assert [name.startswith(texture) for name in names[-2:]] == [True, True]
        np.testing.assert_array_equal(window.tokens[: prefix - 2], expected)
        length = min(len(body) - start, 65 - prefix)
        rows = slice(prefix, prefix + length)
        np.testing.assert_array_equal(window.tokens[rows], body[start : start + length])
        np.testing.assert_array_equal(window.structure[rows], columns[start : start + length])
        assert not window.tokens[prefix + length :].any()
        assert not window.structure[:prefix, :TIME].any()
        reached = columns[start, TIME] - vocabulary.steps[body[start, 0]]
        assert (window.structure[:prefix, TIME] == reached).all()
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
    data = Dataset(dataset, "train", 64, pack=False, dropout=dropout, augmentation=NO_AUGMENTATION)
    told = []
    for k in range(200):
        window = data[k]
        music = window.structure[:, 0] > 0
        hidden = window.structure[music][:, PART:ROLE] == 0
        assert hidden.all() or not hidden.any()
        assert (window.structure[music][:, :PART] > 0).all()
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
    with pytest.raises(InputError, match="too long"):
        Dataset(dataset, "train", 10**12)
    shard = dataset / "tokens/00000.bin"
    shard.write_bytes(shard.read_bytes()[:-10])
    with pytest.raises(InputError, match="missing or cut short"):
        Dataset(dataset, "train", 64)


@pytest.fixture
def in_seconds(corpus: Path, tmp_path: Path, make_dataset: MakeDataset) -> Path:
    preprocessing = Preprocessing(Tokenizer(Vocabulary.create(Grid.seconds())))
    plan = Plan(Shares(0.0, 0.0))
    return make_dataset(corpus, tmp_path / "seconds", preprocessing=preprocessing, plan=plan)


@pytest.mark.parametrize("tempo", [1.2, 1 / 1.2])
def test_timing_on_the_seconds_clock_keeps_to_the_passage(
    in_seconds: Path, tempo: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data_prep.dataset.windows.draw_change", lambda *_: Change(tempo=tempo))
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


def test_disguise_and_loops_come_at_their_rates_and_are_described(dataset: Path) -> None:
    plain = Dataset(dataset, "train", 128, seed=0, **PLAIN)
    changed = Dataset(
        dataset, "train", 128, seed=0, **PLAIN, disguise=Disguise(rate=0.5), loops=Loops(rate=0.3)
    )
    described = [line for k in range(200) for line in changed.describe(k)]
    disguised = np.mean(["disguised" in line for line in described])
    loops = np.mean(["rows of a loop" in line for line in described])
    assert abs(disguised - 0.5) < 0.08
    assert 0.1 < loops < 0.38  # a passage without a figure of whole bars stays as it is
    assert not any("disguised" in line or "loop" in line for line in plain.describe(3))
    for k in range(20):
        for window in (changed[k], changed.batch(k, 1)):
            assert window.tokens.shape[-2:] == (129, 5)
        np.testing.assert_array_equal(changed[k].tokens, changed.batch(k, 1).tokens[0])


def test_tasks_need_a_vocabulary_with_marks(dataset: Path) -> None:
    vocabulary = Tokenizer.load(dataset / "tokenizer.json").vocabulary
    kept = tuple(name for name in vocabulary.controls if name not in ("mark", "return"))
    (dataset / "tokenizer.json").unlink()
    Tokenizer(Vocabulary(vocabulary.grid, kept)).save(dataset / "tokenizer.json")
    Dataset(dataset, "train", 64)
    with pytest.raises(InputError, match="without holes and chords; prepare it anew"):
        Dataset(dataset, "train", 64, tasks=Tasks(fill=0.1))
