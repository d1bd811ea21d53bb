from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.model.checkpoint import load_checkpoint, save_checkpoint
from musenet.model.config import checkpoint_folder
from musenet.model.transformer import Transformer
from musenet.training.average import average
from musenet.training.publish import export
from musenet.training.settings import settings_of
from musenet.training.start import start_run
from tokenizer.errors import InputError

TINY: dict[str, Any] = {
    "steps": 3,
    "context": 64,
    "batch": 2,
    "threads": 1,
    "validate_windows": 1,
    "device": "cpu",
    "model": {"layers": 3, "width": 32, "heads": 2, "row_length": 16},
}


@pytest.fixture(scope="module")
def first(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("first")
    start_run(dataset, work / "run", settings_of(TINY)).train()
    export(work / "run", work / "first", which="last")
    return work / "first"


@pytest.fixture(scope="module")
def branches(first: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models that began with the first one's weights."""
    work = tmp_path_factory.mktemp("branches")
    shape = {key: TINY[key] for key in TINY if key != "model"}
    for seed in (7, 8):
        settings = settings_of({**shape, "initial": str(first), "seed": seed})
        start_run(dataset, work / f"run-{seed}", settings).train()
        export(work / f"run-{seed}", work / f"{seed}", which="last")
    return [work / "7", work / "8"]


def test_every_parameter_is_the_mean(branches: list[Path], tmp_path: Path) -> None:
    hash_ = average(branches, tmp_path / "mean")
    a, b, mean = (
        load_file(folder / "model.safetensors") for folder in (*branches, tmp_path / "mean")
    )
    assert a.keys() == b.keys() == mean.keys()
    assert any(not torch.equal(a[name], b[name]) for name in a)
    for name in a:
        expected = ((a[name].double() + b[name].double()) / 2).to(torch.bfloat16)
        assert torch.equal(mean[name], expected), name
    assert load_checkpoint(tmp_path / "mean").hash == hash_


def test_the_record_and_the_card_say_what_was_averaged(
    branches: list[Path], first: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(
        app, ["average", *map(str, branches), "--out", str(tmp_path / "mean")]
    )
    assert result.exit_code == 0, result.output
    record = load_checkpoint(tmp_path / "mean").training
    records = [load_checkpoint(folder).training for folder in branches]
    assert record["steps"] == 6
    assert record["notes"] == records[0]["notes"] + records[1]["notes"]
    assert [run["seed"] for run in record["averaged"]] == [7, 8]
    assert [run["hash"] for run in record["averaged"]] == [
        load_checkpoint(folder).hash for folder in branches
    ]
    assert record["initial"]["hash"] == load_checkpoint(first).hash
    card = (tmp_path / "mean" / "README.md").read_text(encoding="utf-8")
    assert "the mean of 2 runs with different seeds (7, 8;" in card
    assert "## Quality" not in card, "nobody has measured the mean yet"


def test_a_run_that_begins_with_a_mean_says_so(
    branches: list[Path], dataset: Path, tmp_path: Path
) -> None:
    average(branches, tmp_path / "mean")
    shape = {key: TINY[key] for key in TINY if key != "model"}
    settings = settings_of({**shape, "initial": str(tmp_path / "mean")})
    start_run(dataset, tmp_path / "run", settings).train()
    export(tmp_path / "run", tmp_path / "out", which="last")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    hash_ = load_checkpoint(tmp_path / "mean").hash
    assert f"the weights mean ({hash_}, the mean of 2 runs)" in card


def test_a_mean_of_a_mean_names_all_of_its_runs(
    branches: list[Path], dataset: Path, tmp_path: Path
) -> None:
    average(branches, tmp_path / "mean")
    shape = {key: TINY[key] for key in TINY if key != "model"}
    settings = settings_of({**shape, "initial": str(tmp_path / "mean"), "seed": 9})
    start_run(dataset, tmp_path / "run", settings).train()
    export(tmp_path / "run", tmp_path / "9", which="last")
    average([tmp_path / "mean", tmp_path / "9"], tmp_path / "second")
    first, second = load_checkpoint(tmp_path / "second").training["averaged"]
    assert [run["seed"] for run in first["averaged"]] == [7, 8]
    assert "averaged" not in second
    card = (tmp_path / "second" / "README.md").read_text(encoding="utf-8")
    assert (
        "seeds (the mean of 7 and 8, 9; `musenet average`; that of seed 9 began with that mean)"
        in card
    )


def test_strangers_are_refused_and_relatives_are_not(
    branches: list[Path], first: Path, dataset: Path, tmp_path: Path
) -> None:
    settings = settings_of({**TINY, "seed": 5})
    start_run(dataset, tmp_path / "run", settings).train()
    export(tmp_path / "run", tmp_path / "stranger", which="last")
    for relative in (first, branches[0]):
        with pytest.raises(InputError, match="did not start from the same weights"):
            average([relative, tmp_path / "stranger"], tmp_path / "noise")
    assert not (tmp_path / "noise").exists()
    average([first, branches[0]], tmp_path / "mean")


def test_a_critic_is_left_out(branches: list[Path], tmp_path: Path) -> None:
    loaded = load_checkpoint(branches[0])
    judged = Transformer(replace(loaded.config, critic=True))
    judged.load_state_dict(loaded.model.state_dict(), strict=False)
    record = {**loaded.training, "critic": {"weights": loaded.hash}}
    save_checkpoint(tmp_path / "judged", judged, loaded.tokenizer, record)
    average([tmp_path / "judged", branches[1]], tmp_path / "mean")
    average(branches, tmp_path / "plain")
    means = [load_checkpoint(tmp_path / name) for name in ("mean", "plain")]
    assert means[0].hash == means[1].hash
    assert "critic" not in means[0].training
    # a child of the judged weights names their hash, which covers the critic
    child = {
        **load_checkpoint(branches[1]).training,
        "initial": {"name": "judged", "hash": loaded.hash},
    }
    save_checkpoint(tmp_path / "child", loaded.model, loaded.tokenizer, child)
    average([tmp_path / "judged", tmp_path / "child"], tmp_path / "family")


def test_a_run_with_a_longer_context_is_averaged_with_its_beginning(
    first: Path, dataset: Path, tmp_path: Path
) -> None:
    """The mean has the context of the one that is named first."""
    longer = {"initial": str(first), "context": 128, "steps": 2, "seed": 4, "device": "cpu"}
    settings = settings_of(longer)
    start_run(dataset, tmp_path / "run", settings).train()
    export(tmp_path / "run", tmp_path / "longer", which="last")
    for folders, context in (
        ([first, tmp_path / "longer"], 64),
        ([tmp_path / "longer", first], 128),
    ):
        average(folders, tmp_path / f"mean-{context}")
        assert load_checkpoint(tmp_path / f"mean-{context}").config.context == context
        card = (tmp_path / f"mean-{context}" / "README.md").read_text(encoding="utf-8")
        assert "`musenet average`; that of seed 4 began with that of seed 0)" in card
    means = [load_file(tmp_path / f"mean-{c}" / "model.safetensors") for c in (64, 128)]
    assert all(torch.equal(means[0][name], means[1][name]) for name in means[0])


def test_what_does_not_fit_is_refused(branches: list[Path], first: Path, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    with pytest.raises(InputError, match="at least two"):
        average(branches[:1], out)
    with pytest.raises(InputError, match="differ in shape"):
        average([branches[0], checkpoint_folder("mini")], out)
    loaded = load_checkpoint(first)
    labelled = loaded.tokenizer.extended(["composer:new"])
    save_checkpoint(tmp_path / "other", loaded.model, labelled, loaded.training)
    with pytest.raises(InputError, match="differ in shape or vocabulary"):
        average([branches[0], tmp_path / "other"], out)
    save_checkpoint(tmp_path / "bare", loaded.model, loaded.tokenizer, {})
    with pytest.raises(InputError, match="has no training record"):
        average([branches[0], tmp_path / "bare"], out)
    figures = tmp_path / "figures.json"
    figures.write_text(json.dumps({"weights_hash": loaded.hash}))
    result = CliRunner().invoke(
        app,
        ["average", *map(str, branches), "--out", str(out), "--figures", str(figures)],
    )
    assert isinstance(result.exception, InputError)
    assert "results of other weights" in str(result.exception)
    assert not out.exists()
