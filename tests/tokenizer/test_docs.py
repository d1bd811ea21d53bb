"""The examples of docs/tokenizer.md run, one after the other, as a reader would type them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tokenizer import ChordwiseTokenizer, Grid, Tokenizer, Vocabulary, read, write
from tokenizer.score.score import NOTES, Score, Track

PAGE = Path(__file__).parents[2] / "docs" / "tokenizer.md"


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def _song(seed: int) -> Score:
    random = np.random.default_rng(seed)
    notes = np.zeros(200, dtype=NOTES)
    notes["start"] = np.sort(random.integers(0, 200, 200) * 120)
    notes["duration"] = random.integers(1, 5, 200) * 120
    notes["pitch"] = 40 + np.arange(200) % 50  # no key is struck while it sounds
    notes["velocity"] = random.integers(1, 128, 200)
    return Score(480, (Track("Piano", 0),), notes)


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in range(3):
        write(_song(seed), f"music/{seed}.mid")
    names: dict[str, Any] = {}
    found = examples()
    assert len(found) >= 6
    exec(compile(found[0], str(PAGE), "exec"), names)
    pieces = [names["tokenizer"].encode(_song(seed)) for seed in range(3)]
    np.testing.assert_array_equal(names["tokens"], np.concatenate(pieces))
    assert len([line for line in found[0].splitlines() if line]) <= 5
    for source in found[1:]:
        exec(compile(source, str(PAGE), "exec"), names)
    assert len(read("first.mid").notes) == 200
    assert names["composer"] == "bach"
    assert names["inputs"].shape[1:] == names["targets"].shape[1:] == (64, 5)
    assert sum(len(part.notes) for part in names["midi"].instruments) == 200
    assert names["tokens"].shape[1] == 1


@pytest.mark.parametrize(
    ("grid", "longest", "exact", "share"),
    [(Grid.beats(), 64 * 24, 24, 0.021), (Grid.seconds(), 4096, 32, 0.016)],
    ids=["beat", "seconds"],
)
def test_the_tables_durations(grid: Grid, longest: int, exact: int, share: float) -> None:
    """The table of fates: longest duration, where it is exact, and the error beyond."""
    assert int(grid.durations[-1]) == longest
    steps = np.arange(1, longest + 1)
    kept = grid.durations[grid.duration_class(steps)]
    np.testing.assert_array_equal(kept[:exact], steps[:exact])
    assert 0.95 * share < (np.abs(kept - steps) / steps).max() <= share


def test_the_tables_velocities() -> None:
    notes = np.zeros(127, dtype=NOTES)
    notes["velocity"] = notes["pitch"] = np.arange(1, 128)
    notes["duration"] = 10
    tokenizer = Tokenizer(Vocabulary.create(Grid.beats()))
    after = tokenizer.decode(tokenizer.encode(Score(480, (Track("", 0),), notes))).notes
    assert np.abs(after["velocity"].astype(int) - np.arange(1, 128)).max() == 2


@pytest.mark.parametrize(
    ("volumes", "error"), [(32, 2), (16, 6), (8, 10), (4, 18), (2, 34), (1, 81)]
)
def test_the_tables_volumes(volumes: int, error: int) -> None:
    """The table of the learned encodings: how far a velocity is from its class's; 82 with one."""
    velocity = np.arange(1, 128)
    notes = np.zeros(127, dtype=NOTES)
    notes["start"], notes["duration"], notes["pitch"] = 480 * np.arange(127), 480, 60
    notes["velocity"] = velocity
    tokenizer = ChordwiseTokenizer(Tokenizer.default(), volumes)
    score = Score(480, (Track("Piano", 0),), notes)
    again = tokenizer.decode(tokenizer.encode(score)).notes["velocity"].astype(int)
    assert np.abs(again - velocity).max() == error
    if volumes == 1:
        assert set(again.tolist()) == {82}
