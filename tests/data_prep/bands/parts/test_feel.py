"""The feel of drummers: their timing and dynamics arrive in the song, which then says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from data_prep.bands.notation.style import load
from data_prep.bands.parts.feel import read_feels
from data_prep.bands.song import compose
from tokenizer import Score, Track, write
from tokenizer.errors import InputError
from tokenizer.score.columns import NOTES

LATE, SOFT = 20, 40


def performance(folder: Path) -> Path:
    """Eight bars of eighths, each stroke 20 of 480 ticks late and soft."""
    folder.mkdir()
    rows = [(240 * n + LATE, 40, 36 + 2 * (n % 4), SOFT, 128, 0) for n in range(64)]
    score = Score(480, (Track("", 128, True),), notes=np.array(rows, NOTES))
    write(score, folder / "rock.mid")
    rows_of = [{"file": "rock.mid", "genre": "rock", "beat_type": "beat"}]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows_of)))
    return folder


def test_a_performance_gives_its_timing_and_dynamics(tmp_path: Path) -> None:
    (feel,) = read_feels(performance(tmp_path / "groove"))
    assert feel.suits(load("rock"))
    assert not feel.suits(load("bossa_nova"))
    assert set(feel.strokes["kick", -1]) == {(LATE, SOFT)}
    found = 0
    for number in range(12):
        song = compose(load("rock"), f"feel/{number}", (), (feel,))
        if "groove" not in song.row:
            assert song.row["licence"] == "CC0-1.0"
            continue
        found += 1
        assert (song.row["groove"], song.row["licence"]) == ("rock.mid", "CC-BY-4.0")
        drums = song.score.notes[song.score.notes["program"] == 128]
        kicks = drums[drums["pitch"] == 36]["start"] % 120
        assert np.mean(kicks == LATE) > 0.9
    assert found >= 5


def test_a_folder_without_performances_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.jsonl"):
        read_feels(tmp_path)
