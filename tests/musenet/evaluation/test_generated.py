"""Generated music beside real music: known copies are found, and figures are plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data_prep import prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.split import Shares
from musenet.evaluation.generated import (
    decoded,
    originality_figures,
    read_scores,
    statistics_figures,
)
from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer
from tokenizer import write
from tokenizer.errors import InputError
from tokenizer.score.score import NOTES, Score, Track


def tune(seed: int, notes: int = 60) -> Score:
    random = np.random.default_rng(seed)
    rows = np.zeros(notes, dtype=NOTES)
    rows["start"] = np.cumsum(random.choice([12, 24, 48], notes))
    rows["duration"] = 12
    rows["pitch"] = random.integers(48, 84, notes)
    rows["velocity"] = 80
    return Score(48, (Track("piano", 0, False),), notes=rows)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("music")
    for i in range(20):
        write(tune(i), root / "tunes" / f"{i}.mid")
    prepare([root / "tunes"], root / "dataset", plan=Plan(shares=Shares(0.2, 0.2)))
    return root / "dataset"


def test_a_transposed_excerpt_of_a_training_piece_is_too_close(dataset: Path) -> None:
    training = dataset_pieces(dataset, "train")
    ((name, source),) = decoded(training[:1], dataset_tokenizer(dataset))
    excerpt = source.notes[5:45].copy()
    excerpt["pitch"] += 3
    copy = replace(source, notes=excerpt)
    held_out = dataset_pieces(dataset, "test")
    figures = originality_figures([("new", tune(500)), ("copy", copy)], held_out, dataset)
    (close,) = figures["too_close"]
    assert (close["name"], close["longest"], close["piece"]) == ("copy", 40, name)
    assert figures["library"] == len(training)
    assert figures["made"]["longest"] == 40
    assert figures["held_out"]["pieces"] == len(held_out)
    json.dumps(figures, allow_nan=False)


def test_decoded_pieces_are_the_music_of_the_files(dataset: Path) -> None:
    pieces = dataset_pieces(dataset, "train")
    for name, score in decoded(pieces, dataset_tokenizer(dataset)):
        original = tune(int(Path(name).stem))
        assert score.notes["pitch"].tolist() == original.notes["pitch"].tolist()
        ticks = original.notes["start"] * (score.ticks_per_quarter // 48)
        assert score.notes["start"].tolist() == ticks.tolist()


def test_statistics_are_those_of_each_side_and_plain(dataset: Path) -> None:
    same = [(str(i), tune(i)) for i in range(6)]
    figures = statistics_figures(same, same)
    assert (figures["made"], figures["real"]) == (6, 6)
    for name, part in figures["statistics"].items():
        assert part["ours"] == part["real"], name
        assert part["inside"], name
    json.dumps(figures, allow_nan=False)


def test_only_what_can_be_read_and_has_notes_is_taken(tmp_path: Path) -> None:
    write(tune(1), tmp_path / "tune.mid")
    write(replace(tune(1), notes=tune(1).notes[:0]), tmp_path / "silent.mid")
    (tmp_path / "broken.mid").write_bytes(b"this is no music")
    assert [name for name, _ in read_scores([tmp_path])] == ["tune.mid"]
    (tmp_path / "tune.mid").unlink()
    with pytest.raises(InputError, match="no MIDI file with notes found in"):
        read_scores([tmp_path])
