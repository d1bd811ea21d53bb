"""`musenet tokens` and `musenet detokenize` as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from musenet.cli.main import app, main
from tokenizer import Score, Track, read, write
from tokenizer.score.score import NOTES, TIME_SIGNATURES

RUNNER = CliRunner()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    notes = [(0, 480, 60, 66, 0, 0), (0, 240, 64, 66, 0, 0), (480, 960, 36, 102, 128, 1)]
    score = Score(
        ticks_per_quarter=480,
        tracks=(Track("Piano", 0, False), Track("Drums", 128, True)),
        notes=np.array(notes, dtype=NOTES),
        time_signatures=np.array([(0, 3, 4)], dtype=TIME_SIGNATURES),
    )
    write(score, tmp_path / "song.mid")
    return tmp_path / "song.mid"


def test_a_meter_that_the_vocabulary_lacks_is_named() -> None:
    odd = Path(__file__).parents[2] / "fixtures" / "reports" / "meter_3_64.mid"
    assert "not in the vocabulary: 3/64" in RUNNER.invoke(app, ["tokens", str(odd)]).output


def test_a_line_a_token_and_then_the_round_trip(song: Path) -> None:
    result = RUNNER.invoke(app, ["tokens", str(song)])
    assert result.exit_code == 0
    assert "time signature 3/4" in result.output
    assert "1:2      Drums" in result.output
    assert "3 tokens for 3 notes (1.00 per note)" in result.output
    assert "notes                 3 of 3" in result.output


@pytest.mark.parametrize("encoding", ["compound", "musenet", "chordwise", "onsets"])
def test_json_goes_back_to_the_same_notes(song: Path, tmp_path: Path, encoding: str) -> None:
    result = RUNNER.invoke(app, ["tokens", str(song), "--json", "--encoding", encoding])
    saved = tmp_path / "tokens.json"
    saved.write_text(result.output, encoding="utf-8")
    out = tmp_path / "again.mid"
    assert RUNNER.invoke(app, ["detokenize", str(saved), "--out", str(out)]).exit_code == 0
    before, after = read(song), read(out)
    out.write_bytes(b"of the user")
    assert RUNNER.invoke(app, ["detokenize", str(saved), "--out", str(out)]).exit_code == 0
    assert out.read_bytes() == b"of the user"
    assert read(tmp_path / "again-2.mid") == after
    for column in ("pitch", "program"):
        assert sorted(before.notes[column].tolist()) == sorted(after.notes[column].tolist())
    seconds = [s.seconds(s.notes["start"]).tolist() for s in (before, after)]
    np.testing.assert_allclose(sorted(seconds[0]), sorted(seconds[1]), atol=0.005)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("no json", "contains no tokens"),
        ('{"tokens": [[1]]}', "contains no tokens"),
        ('{"tokens": [[1]], "tokenizer": {}}', "is not a tokenizer"),
    ],
)
def test_what_is_no_tokens_is_one_sentence(
    tmp_path: Path, content: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        main(["detokenize", str(bad), "--out", str(tmp_path / "x.mid")])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert sentence in message
    assert len(message.splitlines()) == 1
    assert not (tmp_path / "x.mid").exists()


def test_a_row_out_of_range_is_named(song: Path, tmp_path: Path) -> None:
    data = json.loads(RUNNER.invoke(app, ["tokens", str(song), "--json"]).output)
    data["tokens"][2][1] = 4000
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(data), encoding="utf-8")
    result = RUNNER.invoke(app, ["detokenize", str(bad), "--out", str(tmp_path / "x.mid")])
    assert "row 2" in str(result.exception)


def test_an_unknown_encoding_is_answered_with_the_nearest(song: Path) -> None:
    result = RUNNER.invoke(app, ["tokens", str(song), "--encoding", "musnet"])
    assert "did you mean 'musenet'?" in str(result.exception)
