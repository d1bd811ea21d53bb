"""A sweep finds the rate that learns, goes on after a stop, and says what to do next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.training.distributed import Group
from musenet.training.session import Session
from musenet.training.settings import Settings
from musenet.training.variants.sweep import factors, sweep, table
from tokenizer.errors import InputError

Small = Callable[..., Settings]


def test_the_rate_that_learns_is_found_and_stops_are_made_up_for(
    dataset: Path, tmp_path: Path, small: Small
) -> None:
    settings, trained = small(steps=30, warmup=2), []

    def train(session: Session) -> int:
        trained.append(session.settings.muon_rate)
        if len(trained) == 2:
            return 2
        return session.train()

    multiples = [1e-6, 1.0, 2.0]
    assert len(list(sweep(dataset, tmp_path, settings, multiples, Group(), train))) == 1
    runs = list(sweep(dataset, tmp_path, settings, multiples, Group(), train))
    assert [run[0] for run in runs] == multiples
    assert runs[1][2] < runs[0][2] - 5, "a rate of nothing learns nothing"
    rows = (tmp_path / "sweep" / "1e-06" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[0])["learning_rate"]["muon"] < 1e-8
    lines = table(runs)
    assert sum("the best" in line for line in lines[:4]) == 1
    assert lines[-1].startswith("Train with --set muon_rate=")


def test_the_edge_is_pointed_out(small: Small) -> None:
    runs = [(1.0, small(), 3.0), (2.0, small(), 2.0)]
    assert any("at the edge" in line for line in table(runs))
    assert not any("at the edge" in line for line in table([*runs, (4.0, small(), 5.0)]))


@pytest.mark.parametrize("text", ["", "1", "1,1", "a,b", "-1,2", "0,1"])
def test_factors_are_two_positive_numbers_at_least(text: str) -> None:
    with pytest.raises(InputError, match="no list of factors"):
        factors(text)


def test_the_command_prints_a_table(dataset: Path, tmp_path: Path) -> None:
    model = '{"layers": 3, "width": 32, "heads": 2, "row_length": 16}'
    shape = [f"--set=model={model}", "--context=64", "--batch=2", "--threads=1"]
    words = ["train", str(dataset), "--out", str(tmp_path / "run"), "--steps=2", *shape]
    result = CliRunner().invoke(app, [*words, "--sweep", "2,0.5"])
    assert result.exit_code == 0, result.output
    assert "factor  muon_rate  adam_rate  bits/note" in result.output
    assert sorted(p.name for p in (tmp_path / "run" / "sweep").iterdir()) == ["0.5", "2"]
    assert not (tmp_path / "run" / "settings.json").exists()
