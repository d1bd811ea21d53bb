"""LoRA: parts add up to the model, nothing else changes, the folder loads on its weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.model.adapter import load_adapter
from musenet.model.checkpoint import load_checkpoint, save_checkpoint
from musenet.model.transformer import Transformer
from musenet.training.checkpoints import read_snapshot, snapshot_steps
from musenet.training.optimizers import by_kind
from musenet.training.settings import Settings
from musenet.training.start import start_run
from musenet.training.variants import low_rank
from tests.musenet.model.test_transformer import build, config_of, rows
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError

FILES = sorted((Path(__file__).parents[3] / "fixtures" / "midi").glob("*.mid"))
FOLK = Path(__file__).parents[4] / "examples" / "prompts" / "folk.mid"


def test_parts_are_added_to_matrices_and_only_they_learn() -> None:
    model = build(config_of(("dense",), layers=2))
    tokens, structure = rows(9)
    before = model.nll(tokens, structure)
    low_rank.attach(model, 3)
    model.double()
    assert torch.equal(model.nll(tokens, structure), before), "a change begins with nothing"
    hidden, others = by_kind(model)
    assert not hidden
    assert len(others) == 2 * 2 * 6, "two parts of six matrices of two layers"
    with torch.no_grad():
        for name, parameter in others:
            parameter.add_(torch.randn_like(parameter) * 0.1)
            assert name.endswith((".0.a", ".0.b"))
    after = model.nll(tokens, structure)
    assert not torch.allclose(after, before)
    plain = build(config_of(("dense",), layers=2))
    plain.load_state_dict(low_rank.merged(model.state_dict()))
    torch.testing.assert_close(plain.nll(tokens, structure), after)
    after.sum().backward()  # type: ignore[no-untyped-call]
    learned = {name for name, p in model.named_parameters() if p.grad is not None}
    assert learned == {name for name, _ in others}


@pytest.fixture(scope="module")
def base(model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer.default(composers=["bach"], styles=["baroque"])
    folder = tmp_path_factory.mktemp("from") / "base"
    facts = {"steps": 10, "notes": 1000, "hours": 0.1}
    save_checkpoint(folder, model_for(tokenizer, noise=0.05, critic=True), tokenizer, facts)
    return folder


def tuned(music: Path, base: Path, out: Path, *more: str) -> str:
    words = ["finetune", str(music), "--from", str(base), "--out", str(out), "--threads", "1"]
    for setting in ("steps=20", "batch=2", "warmup=1", "validate_windows=2", "adam_rate=0.02"):
        words += ["--set", setting]
    result = CliRunner().invoke(app, [*words, "--lora", "4", *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_folder_becomes_an_adapter_that_loads_on_its_weights(base: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for file in FILES:
        shutil.copy(file, tmp_path / "music")
    out = tmp_path / "mine"
    output = tuned(tmp_path / "music", base, out, "--composer", "Jane Doe")
    assert f"--weights {base}+{out}" in output
    assert {file.name for file in out.iterdir()} == {
        "adapter.safetensors", "adapter.json", "training.json", "README.md"
    }  # fmt: skip
    assert f"--weights {base.name}+mine" in (out / "README.md").read_text(encoding="utf-8")
    plain, adapted = load_checkpoint(base), load_checkpoint(f"{base}+{out}")
    assert adapted.tokenizer == plain.tokenizer, "no labels are added"
    assert adapted.folder.name == f"{base.name}+mine"
    assert adapted.hash != plain.hash
    parts = load_adapter(out).parts
    before, after = plain.model.state_dict(), adapted.model.state_dict()
    assert not any(name.startswith("critic") for name in after)
    for name, tensor in after.items():
        if f"{name}.a" in parts:
            change = torch.from_numpy(parts[f"{name}.b"] @ parts[f"{name}.a"])
            torch.testing.assert_close(tensor, before[name] + change)
            assert torch.linalg.matrix_rank(change) <= 4
        else:
            assert torch.equal(tensor, before[name]), name
    result = CliRunner().invoke(
        app,
        ["generate", str(FOLK), "--bars", "1", "--weights", f"{base}+{out}", "--engine", "eager",
         "--out", str(tmp_path / "more.mid")],
    )  # fmt: skip
    assert result.exit_code == 0, result.output


def test_merged_it_is_a_model_like_any_other(base: Path, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    shutil.copy(FILES[0], tmp_path / "music")
    tuned(tmp_path / "music", base, tmp_path / "mine", "--merge")
    run = tmp_path / "mine-run"
    state = low_rank.merged(read_snapshot(run, snapshot_steps(run)[-1]).weights)
    for name, tensor in load_checkpoint(tmp_path / "mine").model.state_dict().items():
        assert torch.equal(tensor, state[name].bfloat16().float()), name


def test_what_does_not_fit_is_said(
    base: Path, tmp_path: Path, model_for: Callable[..., Transformer], dataset: Path
) -> None:
    (tmp_path / "music").mkdir()
    shutil.copy(FILES[0], tmp_path / "music")
    out = tmp_path / "mine"
    tuned(tmp_path / "music", base, out)
    loaded = load_checkpoint(base)
    other = model_for(loaded.tokenizer, noise=0.05, critic=True, seed=3)
    save_checkpoint(tmp_path / "other", other, loaded.tokenizer, {})
    with pytest.raises(InputError, match=r"mine was trained on base \(.*; give it its own"):
        load_checkpoint(f"{tmp_path / 'other'}+{out}")
    with pytest.raises(InputError, match=r"no LoRA adapter: it has no readable adapter\.json"):
        load_checkpoint(f"{base}+{base}")
    (out / "adapter.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(f"{base}+{out}")
    settings = Settings(initial=str(base), lora=4, steps=1, context=64, batch=2)
    with pytest.raises(InputError, match="adds no labels to base; prepare the dataset with"):
        start_run(dataset, tmp_path / "run", settings)
    with pytest.raises(InputError, match="lora changes initial weights as they are"):
        Settings(lora=4)
