"""Plain operations, ONNX and torch.export against the network; an example that needs no PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from typer.testing import CliRunner

from musenet.cli.main import app
from musenet.model.checkpoint import Checkpoint
from musenet.model.config import ModelConfig
from musenet.model.portable import Portable, PortableHead, export_onnx, export_program
from tests.musenet.model.test_transformer import VARIANTS, build, config_of, rows, variant
from tokenizer import Tokenizer, read, structure
from tokenizer.errors import InputError

ROOT = Path(__file__).parents[3]
FOLK = ROOT / "examples" / "prompts" / "folk.mid"
EXAMPLE = ROOT / "examples" / "onnx_sampling.py"


@pytest.mark.parametrize("config", VARIANTS, ids=variant)
@pytest.mark.parametrize("head", ["cascade", "parallel"])
def test_plain_operations_are_the_network(config: ModelConfig, head: str) -> None:
    model = build(replace(config, head=head))
    tokens, columns = rows(41)
    with torch.no_grad():
        for one, other in zip(
            model(tokens, columns), Portable(model)(tokens, columns), strict=True
        ):
            torch.testing.assert_close(one, other)


def test_other_heads_are_refused() -> None:
    with pytest.raises(InputError, match="only cascade and parallel heads"):
        PortableHead(build(replace(config_of(("dense",)), head="delay")))


def test_a_program_of_torch_export_takes_any_batch_and_length() -> None:
    model = build(
        replace(config_of(("local", "dense")), positions="rotary_time", steps_per_quarter=24)
    )
    program = export_program(model.float()).module()
    for batch, length in ((1, 3), (3, 17), (2, 48)):
        tokens, columns = rows(length, batch)
        with torch.no_grad():
            found, expected = program(tokens, columns), model(tokens, columns)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def exported(tiny: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx") / "tiny"
    export_onnx(tiny, folder)
    return folder


def test_the_graphs_keep_the_contract(tiny: Checkpoint, exported: Path) -> None:
    contract = json.loads((exported / "contract.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.load(exported / "tokenizer.json")
    assert contract["field_sizes"] == list(tokenizer.vocabulary.sizes)
    trunk, head = (ort.InferenceSession(exported / f"{n}.onnx") for n in ("trunk", "head"))
    tokens = tokenizer.encode(read(FOLK))[:100]
    columns = structure(tokens, tokenizer.vocabulary)
    assert contract["structure"][-1] == "time"
    assert len(contract["structure"]) == columns.shape[1]
    wide = {"tokens": tokens.astype(np.int64)[None], "structure": columns.astype(np.int64)[None]}
    (state,) = trunk.run(["state"], wide)
    assert state.shape == (1, 100, contract["width"])
    given = {
        "state": state[0, :-1],
        "row": wide["tokens"][0, 1:],
        "known": wide["structure"][0, 1:, : contract["known_columns"]],
    }
    logits = head.run(None, given)
    with torch.no_grad():
        expected = tiny.model(*(torch.from_numpy(array) for array in wide.values()))
    for one, other in zip(logits, expected, strict=True):
        np.testing.assert_allclose(one, other[0].numpy(), atol=2e-4)
    # a field's logits read the fields before it and no other
    changed = head.run(["logits_2"], {**given, "row": given["row"] * [1, 1, 0, 0, 0]})[0]
    np.testing.assert_array_equal(changed, logits[2])


def test_the_example_samples_without_pytorch(exported: Path, tmp_path: Path) -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 62
    code = (
        "import sys, runpy; sys.modules['torch'] = sys.modules['musenet'] = None; "
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    words = [str(exported), str(FOLK), str(tmp_path / "more.mid")]
    code = f"import sys; sys.argv = {[str(EXAMPLE), *words]!r}; {code}"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    more, prompt = read(tmp_path / "more.mid"), read(FOLK)
    assert len(more.notes) > len(prompt.notes)


def test_the_command_writes_a_folder_and_replaces_none(
    folder: Path, exported: Path, tmp_path: Path
) -> None:
    words = ["onnx", "--weights", str(folder), "--out"]
    result = CliRunner().invoke(app, [*words, str(tmp_path / "onnx")])
    assert result.exit_code == 0, result.output
    names = {file.name for file in (tmp_path / "onnx").iterdir()}
    assert names == {"trunk.onnx", "head.onnx", "contract.json", "tokenizer.json"}
    result = CliRunner().invoke(app, [*words, str(exported)])
    assert isinstance(result.exception, InputError)
    assert "already exists" in str(result.exception)
