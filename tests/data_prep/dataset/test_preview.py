from __future__ import annotations

from pathlib import Path

import pytest

from data_prep.dataset.preview import piece_scores, window_scores
from tokenizer import InputError, read


def test_pieces_can_be_played_as_they_are(dataset: Path, corpus: Path) -> None:
    shown = list(piece_scores(dataset, "train", 3))
    assert len(shown) == 3
    for [name], score in shown:
        original = read(corpus / name.removeprefix("corpus/"))
        assert sorted(score.notes["pitch"]) == sorted(original.notes["pitch"])


def test_windows_can_be_played_with_what_was_done_to_them(dataset: Path) -> None:
    shown = list(window_scores(dataset, "train", 64, 4))
    assert len(shown) == 4
    assert all(len(score.notes) > 20 for _, score in shown)
    assert any("semitones" in line for lines, _ in shown for line in lines)
    with pytest.raises(InputError, match="ask for 1 or more"):
        list(window_scores(dataset, "train", 64, 0))
