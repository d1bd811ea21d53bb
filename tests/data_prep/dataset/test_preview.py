from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.dataset.augment import Augmentation
from data_prep.dataset.preview import piece_scores, window_scores
from data_prep.dataset.tasks import Tasks
from data_prep.dataset.windows import Dataset
from tokenizer import InputError, read
from tokenizer.chords.symbols import is_chord


def test_pieces_can_be_played_as_they_are(dataset: Path, corpus: Path) -> None:
    shown = list(piece_scores(dataset, "train", 3))
    assert len(shown) == 3
    for [name], score in shown:
        original = read(corpus / name.removeprefix("corpus/"))
        assert sorted(score.notes["pitch"]) == sorted(original.notes["pitch"])


def test_windows_can_be_played_with_what_was_done_to_them(dataset: Path) -> None:
    tasks = Tasks(fill=0.5, accompany=0.5, chords=0.5)
    changed = Augmentation()
    windows = Dataset(dataset, "train", 64, augmentation=changed, tasks=tasks, pack=False)
    shown = list(window_scores(windows, 4))
    assert len(shown) == 4
    assert all(len(score.notes) > 10 for _, score in shown)
    assert any("semitones" in line for lines, _ in shown for line in lines)
    assert any("fill" in line or "accompany" in line for lines, _ in shown for line in lines)
    chords = [text for _, score in shown for text in score.markers["text"]]
    assert chords
    assert all(is_chord(text) for text in chords)
    with pytest.raises(InputError, match="ask for 1 or more"):
        list(window_scores(windows, 0))
