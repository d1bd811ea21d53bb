"""Windows of ids against the rows that they spell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_prep import prepare
from data_prep.corpus.learn import Learning
from data_prep.dataset.augment import NO_AUGMENTATION, Augmentation
from data_prep.dataset.spelled import SpelledDataset, open_windows
from data_prep.dataset.tasks import Tasks
from data_prep.dataset.windows import Dataset
from data_prep.pipeline import Run
from data_prep.worker.engines import Limits
from tokenizer import ChordwiseTokenizer, InputError, OnsetTokenizer, Tokenizer, row_times
from tokenizer.encoding.learned.learned import NOTES_BEGUN, LearnedTokenizer
from tokenizer.encoding.structure import TIME

COMPOUND = Tokenizer.default()
ENCODINGS: dict[str, LearnedTokenizer] = {
    "chordwise": ChordwiseTokenizer(COMPOUND, volumes=1),
    "onsets": OnsetTokenizer(COMPOUND),
}


def made(corpus: Path, out: Path, encoding: str, size: int) -> Path:
    learning = Learning(ENCODINGS[encoding], size)
    prepare([corpus], out, learning=learning, run=Run("threads", Limits(1)))
    return out


@pytest.mark.parametrize(("encoding", "size"), [("chordwise", 100), ("onsets", 0), ("onsets", 40)])
def test_a_window_is_a_passage_of_a_piece(
    corpus: Path, tmp_path: Path, encoding: str, size: int
) -> None:
    if size == 40:
        pytest.importorskip("tokenizers")
    folder = made(corpus, tmp_path / "set", encoding, size)
    windows = open_windows(folder, "train", 64, pack=False)
    assert isinstance(windows, SpelledDataset)
    pieces, vocabulary = windows.pieces, windows.tokenizer.vocabulary
    learned = pieces.encoding
    assert learned is not None
    bodies = [pieces.tokens(piece) for piece in range(len(pieces))]
    for k in range(12):
        tokens, columns, counted = windows[k]
        assert tokens.shape == (65, 1)
        assert windows.describe(k)[0].endswith("unchanged")
        music = tokens[counted[:, 0]]
        rows = learned.rows_of(music)
        note = vocabulary.is_note(rows)
        begun = int((columns[:, NOTES_BEGUN] * counted[:, 0]).sum())
        assert begun == note.sum() > 0
        # The pitches of its notes are a run of some piece, and their times that run's.
        line = rows[note, 1:3].tolist()
        told = columns[counted[:, 0], TIME][learned.notes_begun(music)[:, 0] > 0]
        assert any(
            body[at : at + len(line), 1:3].tolist() == line
            and set(told) <= set(row_times(body, vocabulary)[at : at + len(line)].tolist())
            for body in ([b[vocabulary.is_note(b)] for b in bodies])
            for at in range(len(body) - len(line) + 1)
        ) or (encoding == "onsets" and size == 40)


def test_music_is_transposed_before_it_is_spelled(corpus: Path, tmp_path: Path) -> None:
    folder = made(corpus, tmp_path / "set", "onsets", 0)
    change = Augmentation(transpose=6, transpose_rate=1.0, volume_rate=0.0, tempo_rate=0.0)
    plain, moved = (
        open_windows(folder, "train", 64, augmentation=one) for one in (NO_AUGMENTATION, change)
    )
    means = [[w.score(k).notes["pitch"].mean() for k in range(8)] for w in (plain, moved)]
    shifts = np.round(np.array(means[0]) - np.array(means[1])).astype(int)
    assert len({*shifts.tolist()}) > 2


def test_without_an_encoding_windows_are_rows(corpus: Path, tmp_path: Path) -> None:
    prepare([corpus], tmp_path / "set", run=Run("threads", Limits(1)))
    assert type(open_windows(tmp_path / "set", "train", 64)) is Dataset
    with pytest.raises(InputError, match="--encoding"):
        SpelledDataset(tmp_path / "set", "train", 64)


def test_tasks_with_given_rows_are_refused(corpus: Path, tmp_path: Path) -> None:
    folder = made(corpus, tmp_path / "set", "onsets", 0)
    with pytest.raises(InputError, match="no holes"):
        open_windows(folder, "train", 64, tasks=Tasks(fill=0.5))
