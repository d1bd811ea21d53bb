"""The commands `prepare` and `dataset`, as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from musenet.cli.dataset import dataset
from musenet.cli.prepare import prepare
from tokenizer import InputError, write
from tokenizer.score.score import NOTES, Score

ROOT = Path(__file__).resolve().parents[3]
app = typer.Typer()
app.command()(prepare)
app.add_typer(dataset, name="dataset")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pieces and one that is none."""
    music = tmp_path / "music"
    for seed in range(12):
        random = np.random.default_rng(seed)
        notes = np.zeros(60, dtype=NOTES)
        notes["start"] = np.sort(random.integers(0, 200, 60)) * 120
        notes["duration"] = 240
        notes["pitch"] = random.integers(50, 80, 60)
        notes["velocity"] = 70
        write(Score(480, (), notes), music / "Bach" / f"piece{seed}.mid")
    (music / "broken.mid").write_bytes(b"MThd")
    return music


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("encoding", ["chordwise", "onsets"])
def test_an_encoding_is_learned_and_told(folder: Path, tmp_path: Path, encoding: str) -> None:
    options = ["--engine", "threads", "--workers", 1, "--encoding", encoding, "--volumes", 1]
    size = 40 if encoding == "chordwise" else 0  # merges need a library
    said = run("prepare", folder, "--out", tmp_path / "data", "--vocabulary", size, *options)
    assert f"{encoding}: 24 steps a quarter" in said
    assert f"{encoding}: 24 steps a quarter" in run("dataset", "info", tmp_path / "data")
    assert "no damage found" in run("dataset", "verify", tmp_path / "data")
    run("dataset", "sample", tmp_path / "data", "--out", tmp_path / "heard", "--count", 2)
    assert len(list((tmp_path / "heard").glob("*.mid"))) == 2


def test_an_encoding_that_no_dataset_has_is_answered_with_the_known(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="chordwise, onsets"):
        run("prepare", folder, "--out", tmp_path / "data", "--encoding", "musenet")
    assert not (tmp_path / "data").exists()


def test_from_a_folder_to_music_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    options = ["--engine", "threads", "--workers", 2, "--label-pieces", 1]
    said = run("prepare", folder, "--out", out, "--path-labels", "{composer}/{title}.mid", *options)
    assert "13 files read, 12 kept" in said
    assert "1  unreadable" in said
    assert "12 pieces in 1 shard; labels for 1 composer and" in run("dataset", "info", out)
    assert '"files": 13' in run("dataset", "info", out, "--json")
    assert "no damage found" in run("dataset", "verify", out)
    heard = run("dataset", "sample", out, "--out", tmp_path / "heard", "--count", 2, "--plain")
    assert heard.count("music/Bach/piece") == 2
    assert len(list((tmp_path / "heard").glob("*.mid"))) == 2
    said = run("dataset", "merge", out, out, "--out", tmp_path / "twice")
    assert "12 pieces of 24" in said
    assert "12 left out: exact duplicate" in said


def test_verify_fails_on_damage(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "data"
    run("prepare", folder, "--out", out, "--engine", "threads")
    tokens = out / "tokens/00000.bin"
    tokens.write_bytes(b"\x7f" + tokens.read_bytes()[1:])
    result = CliRunner().invoke(app, ["dataset", "verify", str(out)])
    assert result.exit_code == 1
    assert "00000.bin is damaged" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--clock", "beats"], "did you mean 'beat'"),
        (["--pedal", "event"], "did you mean 'events'"),
        (["--split-by", "composers"], "did you mean 'composer'"),
        (["--workers", "-1"], "--workers is -1"),
        (["--engine", "thread"], "did you mean 'threads'"),
        (["--path-labels", "{artist}/*"], "'{artist}' in --path-labels"),
        (["--validation", "0.6", "--test", "0.6"], "together"),
    ],
)
def test_wrong_options_are_one_sentence(
    folder: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        run("prepare", folder, "--out", tmp_path / "data", *arguments)


def test_the_command_line_exits_with_2(tmp_path: Path) -> None:
    script = "import sys; from musenet.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "prepare", "nowhere", "--out", str(tmp_path / "d")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("musenet: nowhere does not exist")
    assert done.stderr.count("\n") == 1
