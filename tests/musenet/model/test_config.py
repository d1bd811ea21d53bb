"""Configurations: presets of the promised sizes, JSON both ways, one sentence for what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from musenet.model.config import PRESETS, VERSION, ModelConfig, faithful, preset
from tokenizer.errors import InputError

FIELDS, STRUCTURE = (600, 130, 129, 169, 33), (64, 17, 385, 17, 129, 129)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name: str) -> None:
    config = preset(name, FIELDS, STRUCTURE)
    assert ModelConfig.from_json(config.to_json()) == config
    assert ModelConfig.from_json(faithful(config).to_json()) == faithful(config)
    assert json.loads(config.to_json())["version"] == VERSION


def test_musenet_is_as_published() -> None:
    """72 layers, 24 heads, full attention over 4096 tokens (openai.com/blog/musenet)."""
    config = preset("musenet", FIELDS, STRUCTURE)
    assert (config.layers, config.heads, config.context) == (72, 24, 4096)
    assert config.layer_patterns == ("dense",) * 72


def test_layers_take_the_patterns_in_turn() -> None:
    config = replace(preset("musenet-sparse", FIELDS, STRUCTURE), layers=4)
    assert config.layer_patterns == ("row", "column", "previous_row", "row")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_have_two_clocks(name: str) -> None:
    assert preset(name, FIELDS, STRUCTURE).positions == "rotary_time"


def test_faithful_is_the_recipe_of_gpt2() -> None:
    config = faithful(preset("mini", FIELDS, STRUCTURE))
    assert config.patterns == ("dense",)
    assert config.groups == config.heads
    assert (config.positions, config.norm, config.activation) == ("learned", "layer", "gelu")
    assert config.initialisation == "gpt2"
    assert not config.qk_norm
    assert config.width == 256


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"head": "cascad"}, "did you mean 'cascade'"),
        ({"patterns": ("colum",)}, "did you mean 'column'"),
        ({"norm": "batch"}, "no norm called 'batch'"),
        ({"activation": "relu"}, "activation"),
        ({"positions": "alibi"}, "positions"),
        ({"initialisation": "ones"}, "initialisation"),
        ({"layers": 0}, "layers is 0"),
        ({"heads": 3}, "3 heads"),
        ({"kv_heads": 3}, "8 heads cannot share 3"),
        ({"patterns": ()}, "at least one attention pattern"),
        ({"patterns": ("row", "column")}, "out of reach"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        replace(preset("mini", FIELDS, STRUCTURE), **change)


def test_an_unknown_preset_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'musenet'"):
        preset("musnet", FIELDS, STRUCTURE)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"version": 99}', "version"),
        (json.dumps({"version": VERSION, "layer": 3}), "did you mean 'layers'"),
        (json.dumps({"version": VERSION, "layers": 3}), "damaged"),
    ],
)
def test_a_damaged_or_foreign_json_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ModelConfig.from_json(text)


def test_the_package_and_its_configurations_load_no_torch() -> None:
    code = "import sys, musenet, musenet.model.config; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_package_offers_its_names_when_asked() -> None:
    import musenet

    assert musenet.ModelConfig is ModelConfig
    assert set(musenet.__all__) <= set(dir(musenet))
    with pytest.raises(AttributeError, match="no attribute 'Transfomer'"):
        _ = musenet.Transfomer
