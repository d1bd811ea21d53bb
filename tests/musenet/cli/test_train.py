"""What `musenet params` says, against counting on real modules and PyTorch's own counter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from musenet.attention.patterns import PATTERNS, mask
from musenet.cli.main import main
from musenet.model.config import ModelConfig, preset
from musenet.model.footprint import footprint, keys_seen
from musenet.model.transformer import Transformer

FIELDS, STRUCTURE = (600, 130, 129, 169, 33), (64, 17, 385, 17, 129, 129)


def small(head: str = "cascade") -> ModelConfig:
    return replace(
        preset("mini", FIELDS, STRUCTURE), layers=3, width=64, context=64, row_length=16, head=head
    )


@pytest.mark.parametrize("head", ["cascade", "parallel", "delay", "flatten"])
def test_parameters_are_those_of_the_module(head: str) -> None:
    model = Transformer(small(head))
    needs = footprint(small(head))
    assert needs.parameters == sum(p.numel() for p in model.parameters())
    assert needs.hidden == sum(p.numel() for p in model.hidden_matrices())


def test_musenet_has_the_parameters_of_its_formula() -> None:
    """12·width² a layer, and the tables and the head beside (0.3 %)."""
    needs = footprint(preset("musenet", FIELDS, STRUCTURE))
    layers = 72 * 12 * 1536**2
    assert layers < needs.parameters < 1.02 * layers


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("length", "row"), [(64, 16), (64, 4), (16, 16)])
def test_keys_are_counted_as_the_specification_says(pattern: str, length: int, row: int) -> None:
    assert keys_seen(pattern, length, row) == mask(pattern, length, row).sum() / length


def test_matmul_operations_are_those_that_pytorch_counts() -> None:
    config = small()
    with torch.device("meta"):
        model = Transformer(config)
    tokens = torch.empty((1, 65, 5), dtype=torch.long, device="meta")
    structure = torch.empty((1, 65, 7), dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter:
        model.nll(tokens, structure)
    counts = counter.get_flop_counts()["Global"]
    matmuls = sum(n for operator, n in counts.items() if "bmm" not in str(operator)) / 64
    needs = footprint(config)
    attention = 4 * config.width * needs.keys
    assert needs.forward_flops - attention == pytest.approx(matmuls, rel=1e-12)
    assert needs.training_flops == 3 * needs.forward_flops


def test_activations_shrink_with_recompute_and_the_musenet_layer_keeps_what_is_known() -> None:
    """33 bytes a token, layer and channel (fp32 stream twice, bf16 between), or 4 of the input."""
    config = preset("musenet", FIELDS, STRUCTURE)
    kept = footprint(config).activations
    each = {mode: n / (4096 * 72 * 1536) for mode, n in kept.items()}
    assert each["full"] < 5.5 < each["selective"] < each["none"] < 36
    assert each["full"] > 4


def test_what_fits() -> None:
    needs = footprint(preset("musenet", FIELDS, STRUCTURE))
    for mode, activations in needs.activations.items():
        batch = needs.largest_batch(80e9, mode)
        assert needs.training_state + batch * activations <= 80e9
        assert needs.training_state + (batch + 1) * activations > 80e9
    assert needs.largest_batch(8e9, "full") == 0
    assert needs.largest_generation(1e9) == 0


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["params", "--preset", "musenet", "--memory", "8"])
    assert not stop.value.code
    printed = capsys.readouterr().out
    assert "72 layers of width 1536, 24 heads, context 4096" in printed
    assert "recompute full: does not fit" in printed


def test_the_command_refuses_an_unknown_preset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["params", "--preset", "mino"])
    assert stop.value.code == 2
    assert "did you mean 'mini'" in capsys.readouterr().err
