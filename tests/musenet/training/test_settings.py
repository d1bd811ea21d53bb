from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.model.config import PRESETS
from musenet.training import settings as tables
from tokenizer.errors import InputError


def test_later_tables_win_and_inner_tables_merge() -> None:
    settings = tables.settings_of(
        {"batch": 8, "weights": {"groove": 2.0}, "minutes": 3.0},
        tables.from_override("weights.polish=0.5"),
        tables.from_override("steps=7"),
    )
    assert settings.batch == 8
    assert settings.weights == {"groove": 2.0, "polish": 0.5}
    assert (settings.steps, settings.minutes) == (7, None)


def test_toml_is_read(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        "batch = 6\nhours = 1.5\ndecay = 1\n[weights]\ngroove = 3.5\n[model]\nlayers = 2\n"
    )
    settings = tables.settings_of(tables.from_toml(file))
    assert (settings.batch, settings.decay) == (6, 1.0)
    assert settings.minutes == 90.0
    assert (settings.weights, settings.model) == ({"groove": 3.5}, {"layers": 2})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bacth=3", "did you mean 'batch'"),
        ("batch=many", "wrong value for batch: Expected `int`"),
        ("batch=2.5", "wrong value for batch: Expected `int`"),
        ("volume=1", "wrong value for volume: Expected `bool`"),
        ("batch", "key=value"),
        ("weights.groove=much", r"wrong value for weights: Expected `float`"),
        ("steps=true", r"wrong value for steps: Expected `int \| null`"),
    ],
)
def test_bad_overrides_are_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        tables.from_override(text)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"batch": 0}, "batch must be at least 1"),
        ({"batch": 3, "accumulate": 2}, "not a multiple"),
        ({"decay": 1.5}, "between 0 and 1"),
        ({"optimizer": "moun"}, "did you mean 'muon'"),
        ({"clip": 0.0}, "clip must be more than 0"),
        ({"ending_weight": 0.0}, "ending_weight must be more than 0"),
        ({"muon_rate": float("nan")}, "muon_rate must be more than 0"),
        ({"weights": {"groove": -1.0}}, "corpus 'groove'"),
        ({"seed": 10**20}, "63 bits"),
    ],
)
def test_bad_values_are_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        tables.settings_of(table)


def test_length_is_said_once() -> None:
    with pytest.raises(InputError, match="has no length; give minutes"):
        tables.settings_of({}).check_length()
    with pytest.raises(InputError, match="two lengths, 5 steps and 2 minutes; give one"):
        tables.settings_of({"steps": 5, "minutes": 2}).check_length()
    tables.settings_of({"steps": 5}).check_length()


def test_bad_toml_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("batch = ")
    with pytest.raises(InputError, match=r"run\.toml is not valid TOML"):
        tables.from_toml(file)
    with pytest.raises(InputError, match="cannot read the settings"):
        tables.from_toml(tmp_path / "none.toml")


def test_table_round_trip() -> None:
    settings = tables.settings_of({"steps": 5, "model": {"layers": 2}, "weights": {"a": 1.5}})
    table = dataclasses.asdict(settings)
    assert tables.settings_of(tables.checked(table, "here")) == settings


@pytest.mark.parametrize("name", ["laptop", "gpu", "gpus"])
def test_what_comes_along_is_a_run_of_a_known_shape(name: str) -> None:
    settings = tables.settings_of(tables.from_toml(Path(name)))
    settings.check_length()
    shape = PRESETS[settings.preset]
    assert settings.context <= shape["context"]
    assert settings.context % shape["row_length"] == 0
    assert settings.shard == (name == "gpus")


def test_a_file_of_the_same_name_elsewhere_is_not_meant(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the settings"):
        tables.from_toml(tmp_path / "laptop")


@pytest.mark.parametrize("rank", [-1, 1, 3, 65])
def test_a_rank_outside_of_what_the_help_says_is_refused(rank: int) -> None:
    with pytest.raises(InputError, match=f"lora is {rank}; give a rank of 4 to 64, or 0 to"):
        tables.Settings(initial="mini", lora=rank)
    shown = CliRunner().invoke(app, ["finetune", "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert "(LoRA, 4 to 64)" in shown.output
    assert "4 to 64" in (tables.Settings.__doc__ or "")
    assert [tables.Settings(initial="mini", lora=good).lora for good in (0, 4, 64)] == [0, 4, 64]
