"""Checkpoints: what is saved is what is loaded; what is damaged is refused in one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from musenet.model import build, config
from musenet.model.checkpoint import load_checkpoint, save_checkpoint
from musenet.model.config import ModelConfig, checkpoint_folder
from musenet.model.transformer import Transformer
from tokenizer import Tokenizer
from tokenizer.errors import InputError

CONFIG = ModelConfig(
    (11, 7, 6),
    (5, 4, 6),
    layers=2,
    heads=2,
    width=16,
    context=32,
    patterns=("dense",),
    known_columns=2,
    critic=True,
)


def model_of(seed: int = 0) -> Transformer:
    torch.manual_seed(seed)
    model = Transformer(CONFIG)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(
        tmp_path / "model", model_of(), Tokenizer.default(), {"steps": 3, "é": [1.5]}, "# A card\n"
    )
    return tmp_path / "model"


def test_what_is_loaded_is_what_was_saved(folder: Path) -> None:
    loaded = load_checkpoint(folder)
    assert loaded.config == CONFIG
    assert loaded.training == {"steps": 3, "é": [1.5]}
    assert loaded.tokenizer.vocabulary.sizes == Tokenizer.default().vocabulary.sizes
    assert not loaded.model.training
    for name, tensor in model_of().state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], tensor.bfloat16().float()), name


def test_the_loaded_model_computes_in_fp32_what_its_weights_say(folder: Path) -> None:
    rounded = model_of().bfloat16().float()
    tokens = torch.stack([torch.randint(0, s, (1, 9)) for s in CONFIG.field_sizes], -1)
    structure = torch.stack([torch.randint(0, s, (1, 9)) for s in CONFIG.structure_sizes], -1)
    assert torch.equal(
        load_checkpoint(folder).model.nll(tokens, structure), rounded.nll(tokens, structure)
    )
    half = load_checkpoint(folder, compute=torch.bfloat16).model.trunk(tokens, structure)
    assert half.dtype == torch.bfloat16


def test_the_hash_is_of_the_weights_alone(folder: Path, tmp_path: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    assert load_checkpoint(folder).hash == hashlib.sha256(data).hexdigest()[:12]
    assert (
        save_checkpoint(tmp_path / "again", model_of(), Tokenizer.default(), {"steps": 9})
        == load_checkpoint(folder).hash
    )
    assert (
        save_checkpoint(tmp_path / "other", model_of(1), Tokenizer.default(), {})
        != load_checkpoint(folder).hash
    )


def test_a_checkpoint_needs_no_card(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "bare", model_of(), Tokenizer.default(), {})
    names = sorted(path.name for path in (tmp_path / "bare").iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "training.json"]
    assert load_checkpoint(tmp_path / "bare").training == {}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def of_other_format(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"musenet-1", b"musenet-9"))


def of_another_shape(path: Path) -> None:
    path.write_text(path.read_text().replace('"width": 16', '"width": 32'))


def of_another_version(path: Path) -> None:
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))


def deep_header(path: Path) -> None:
    header = b"[" * 100_000
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def other_weights(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "sizes",
    [
        {"layers": 10**6},
        {"layers": 10**18},
        {"width": 2**20},
        {"width": 2 * 10**12},
        {"mlp": 10**6},
        {"mlp": 2**62},
        {"context": 10**15},
        {"row_length": 10**15},
        {"positions": "learned", "context": 2**20},
        {"field_sizes": [2**20, 7, 6]},
        {"field_sizes": [2**40, 7, 6]},
        {"structure_sizes": [2**20, 4, 6]},
        {"field_sizes": [-1, 7, 6]},
    ],
)
def test_absurd_sizes_are_refused_before_anything_is_allocated(
    folder: Path, sizes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(*_: object) -> None:
        raise AssertionError("the model was built")

    monkeypatch.setattr(build, "Transformer", built)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **sizes}))
    with pytest.raises(InputError) as error:
        load_checkpoint(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("model.safetensors", cut, "is damaged; download the checkpoint again"),
        ("model.safetensors", lambda p: p.write_bytes(b""), "is damaged"),
        ("model.safetensors", lambda p: p.write_bytes(b"\xff" * 50), "is damaged"),
        ("model.safetensors", lambda p: p.write_bytes(pickle.dumps({"a": 1}) * 9), "is damaged"),
        ("model.safetensors", of_other_format, "does not have format musenet-1"),
        ("model.safetensors", Path.unlink, "incomplete: it has no model.safetensors"),
        ("tokenizer.json", Path.unlink, "incomplete: it has no tokenizer.json"),
        ("config.json", of_another_shape, "do not match its config.json"),
        ("config.json", of_another_version, "not of version 1"),
        ("config.json", lambda p: p.write_bytes(b"\xff\x00"), "config.json is damaged"),
        ("training.json", lambda p: p.write_text("{"), "training.json is damaged"),
        ("training.json", lambda p: p.write_text("[]"), "not a JSON object"),
        ("training.json", Path.unlink, "incomplete"),
        ("training.json", lambda p: p.write_text("[" * 100_000), "training.json is damaged"),
        ("config.json", lambda p: p.write_text('{"a":' * 100_000), "config.json is damaged"),
        ("tokenizer.json", lambda p: p.write_text("[" * 100_000), "not valid JSON"),
        ("model.safetensors", deep_header, "is damaged"),
        ("model.safetensors", other_weights, "are others than its training.json says"),
    ],
)
def test_damage_is_named_in_one_sentence(
    folder: Path, name: str, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(folder / name)
    with pytest.raises(InputError, match=sentence) as error:
        load_checkpoint(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", range(0, 2000, 97))
def test_weights_cut_anywhere_are_refused(folder: Path, size: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(folder)


class _Fails:
    def save(self, path: str | os.PathLike[str]) -> None:
        Path(path).write_text("half")
        raise InputError("no more room")


def test_a_failed_save_leaves_the_old_one_and_nothing_else(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(InputError, match="no more room"):
        save_checkpoint(folder, model_of(1), _Fails(), {})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]


def test_saving_again_replaces_the_whole_folder(folder: Path) -> None:
    new = save_checkpoint(folder, model_of(1), Tokenizer.default(), {})
    assert load_checkpoint(folder).hash == new
    assert not (folder / "README.md").exists()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_of_other_things_is_not_replaced(folder: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(folder)
    song = tmp_path / "songs" / "mine.mid"
    song.parent.mkdir()
    song.write_bytes(b"music")
    with pytest.raises(InputError, match="songs contains other files; choose a new folder"):
        save_checkpoint(song.parent, loaded.model, loaded.tokenizer, {})
    assert song.read_bytes() == b"music"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save_checkpoint(tmp_path / "file" / "model", model_of(), Tokenizer.default(), {})


def test_names_are_those_of_shipped_models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "PRETRAINED", folder.parent)
    assert checkpoint_folder("model") == folder
    with pytest.raises(InputError, match="did you mean 'model'"):
        load_checkpoint("modl")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        load_checkpoint(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        load_checkpoint(tmp_path / "file")


def test_config_is_readable_json(folder: Path) -> None:
    assert json.loads((folder / "config.json").read_text())["width"] == 16


def test_loading_leaves_the_compiler_alone() -> None:
    """PyTorch's compiler takes longer to import than weights take to read."""
    code = (
        "import sys; from musenet.model.checkpoint import load_checkpoint as load; "
        "load('mini').model; print('torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert result.stdout.split() == ["False", "False"]
