"""A model small enough to sample from in a test, with random weights that like short waits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from musenet.checkpoint import Checkpoint, load, save
from musenet.config import ModelConfig
from musenet.transformer import Transformer
from tokenizer.structure import STRUCTURE_SIZES
from tokenizer.tokenizer import Tokenizer


def enliven(model: Transformer) -> None:
    """Let waits be short: random weights alone would draw rests of many bars.

    A channel of the state that is the same everywhere takes from each value of field 0 the more
    the larger it is. So it is in the weights, whatever engine computes with them.
    """
    with torch.no_grad():
        model.embedding.weight[:, 0] = 0.5
        for block in model.blocks:
            for name in ("out", "down"):
                block.get_parameter(name)[0] = 0
        first = model.head.out[0]
        first[:, 0] = -0.07 * torch.arange(len(first))


def random_model(tokenizer: Tokenizer, seed: int = 0) -> Transformer:
    """Two layers, random in every weight, also those that training starts at zero."""
    torch.manual_seed(seed)
    config = ModelConfig(
        field_sizes=tokenizer.vocabulary.sizes,
        structure_sizes=STRUCTURE_SIZES,
        layers=3,
        heads=2,
        width=32,
        context=256,
        row_length=16,
    )
    model = Transformer(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.15)
    return model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a checkpoint with a tokenizer that knows two composers and a style."""
    tokenizer = Tokenizer.default(composers=["bach", "chopin"], styles=["baroque"])
    path = tmp_path_factory.mktemp("checkpoint") / "tiny"
    save(path, random_model(tokenizer), tokenizer, {})
    return path


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Checkpoint:
    """The checkpoint as loaded, with lively weights."""
    checkpoint = load(folder)
    enliven(checkpoint.model)
    return checkpoint
