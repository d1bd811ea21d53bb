"""The benchmark of encodings: what it counts, on music small enough to count by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoding_tokens import (
    COMPOUND,
    Corpus,
    corpus,
    differences,
    encodings,
    in_key,
    measured,
)
from benchmarks.encodings import KEYS, Net
from tokenizer import Score, Track, write
from tokenizer.score.score import NOTES

ALL = np.arange(129)


def score(*notes: tuple[int, int, int]) -> Score:
    """A score of (start, duration, pitch) in quarters."""
    rows = [(480 * start, 480 * length, pitch, 60, 0, 0) for start, length, pitch in notes]
    return Score(480, (Track("", 0),), np.array(rows, NOTES))


@pytest.fixture
def music(tmp_path: Path) -> Corpus:
    for split, count in (("train", 3), ("test", 2)):
        for number in range(count):
            notes = [(i, 1 + i % 2, 60 + (i * (number + 2)) % 12) for i in range(20)]
            write(score(*notes), tmp_path / "tunes" / split / f"{number}.mid")
    return corpus(tmp_path / "tunes", 10, 10)


def test_pieces_are_on_the_grid_and_of_one_loudness(music: Corpus) -> None:
    assert music.name == "tunes"
    assert [len(music.train), len(music.test)] == [3, 2]
    for rows in music.test:
        again = COMPOUND.decode(rows)
        assert len(again.notes) == 20
        assert set(again.notes["velocity"].tolist()) == {82}
        moved = COMPOUND.decode(in_key(rows, 5))
        assert (moved.notes["pitch"] == again.notes["pitch"] + 5).all()


def test_differences_by_hand() -> None:
    before = score((0, 1, 60), (0, 1, 64), (1, 2, 60), (1, 2, 60))
    assert differences(before, before, ALL) == (0, 0)
    assert differences(before, score((0, 1, 60), (0, 2, 64), (1, 2, 60)), ALL) == (1, 1)
    assert differences(before, score(), ALL) == (4, 0)


def test_an_untrained_net_pays_the_logarithm_of_its_vocabulary(music: Corpus) -> None:
    """All logits are 0 at first; each held-out token is counted once, and one that ends a piece."""
    bodies = [in_key(rows, key) for key in KEYS for rows in music.train]
    for encoding in encodings(bodies, [0], 50):
        if encoding.name.startswith("MidiTok"):
            continue
        figures = measured(encoding, music)
        if encoding.name != "musenet":
            assert (figures.lost, figures.durations_changed) == (0, 0)
        net = Net(encoding, music, figures, 0, 1, 16)
        net.score()
        sizes = [encoding.sizes[0] + 1, *encoding.sizes[1:]]
        bits = 0.0
        for rows in music.test:
            counted = encoding.counted(encoding.encode(COMPOUND.decode(rows)))
            bits += float(counted.sum(axis=0) @ np.log2(sizes)) + math.log2(sizes[0])
        assert figures.bits_per_note == pytest.approx(bits / 40, rel=1e-5)
        net.train(1e-6, 1.0)
        assert figures.tokens_seen > 0
