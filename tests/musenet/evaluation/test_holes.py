"""Bits of holes: the same notes whatever is known, and each costs what a network says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from musenet.evaluation.holes import TASKS, _passages, _windows, hole_costs, holes_table
from musenet.evaluation.likelihood import Piece
from musenet.model.transformer import Transformer
from tokenizer import Grid, Labels, Tokenizer, Vocabulary
from tokenizer.encoding.vocabulary import INSTRUMENT
from tokenizer.score.score import NOTES, Score, Track


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.default()


@pytest.fixture(scope="module")
def pieces(tokenizer: Tokenizer) -> list[Piece]:
    """Two instruments in 3/4, some two hundred notes each."""
    found = []
    for seed in range(6):
        random = np.random.default_rng(seed)
        rows = np.zeros(240, dtype=NOTES)
        rows["start"] = np.sort(random.integers(0, 60 * 12, 240)) * 3
        rows["duration"] = 6
        rows["track"] = random.integers(0, 2, 240)
        rows["program"] = np.where(rows["track"] == 0, 0, 33)
        rows["pitch"] = random.integers(40, 70, 240)
        rows["velocity"] = 80
        tracks = (Track("piano", 0, False), Track("bass", 33, False))
        score = Score(12, tracks, notes=rows)
        prefix = tokenizer.prefix(Labels(time_signature=(3, 4), composer="bach"))
        found.append(Piece(str(seed), "here", prefix, tokenizer.body(score)))
    return found


@pytest.mark.parametrize("task", TASKS.values())
def test_the_same_notes_are_asked_for_whatever_is_known(
    tokenizer: Tokenizer, pieces: list[Piece], task: str
) -> None:
    passages = 0
    for number, (piece, span) in enumerate(_passages(pieces, task, 6, 300, 0)):
        asked = set()
        windows = _windows(piece, span, task, number, 300, tokenizer.vocabulary)
        passages += bool(windows)
        for variant, (tokens, columns, counted) in windows.items():
            assert len(tokens) == len(columns) == len(counted) <= 300
            written = counted[:, INSTRUMENT] & (tokens[:, INSTRUMENT] > 0)
            notes = np.column_stack([columns[written, -1], tokens[written, 1:]])
            asked.add(notes.tobytes())
            given = counted[:, 0] & ~counted[:, INSTRUMENT]
            assert given.any() or variant == "past alone" or task == "fill"
            assert len(notes)
        assert len(asked) == bool(windows)
    assert passages > 3


def test_an_untrained_network_pays_the_same_for_all(
    tokenizer: Tokenizer, pieces: list[Piece], model_for: Callable[..., Transformer]
) -> None:
    """With equal chances a written note costs the logarithms of the sizes of its fields."""
    model = model_for(tokenizer)  # no noise: all output tables are zero
    found = hole_costs(model, tokenizer, pieces, count=6, rows=128)
    assert found is not None
    note = sum(np.log2(size) for size in tokenizer.vocabulary.sizes)
    for kind in TASKS:
        assert found[kind]["passages"] > 3
        row = found[kind]["past alone"]
        # Rests cost besides: some bits more than a note alone.
        assert note <= row["bits_per_note"] <= note * 1.5
        assert row["interval"][0] <= row["bits_per_note"] <= row["interval"][1]
    lines = holes_table(found)
    assert [line.split()[0] for line in lines[2:]] == list(TASKS)


def test_a_vocabulary_without_marks_has_no_holes(
    pieces: list[Piece], model_for: Callable[..., Transformer]
) -> None:
    whole = Vocabulary.create(Grid.beats())
    old = Tokenizer(Vocabulary(whole.grid, tuple(c for c in whole.controls if c != "mark")))
    assert hole_costs(model_for(old), old, pieces, count=1, rows=128) is None
