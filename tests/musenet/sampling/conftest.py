"""A model small enough to sample from in a test, with random weights that like short waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from musenet.checkpoint import Checkpoint, load, save
from musenet.config import ModelConfig
from musenet.transformer import Transformer
from tokenizer.structure import STRUCTURE_SIZES
from tokenizer.tokenizer import Tokenizer

Choose = Callable[[int, Tensor, Tensor], Tensor]
Peek = Callable[[Tensor], Tensor]


def enliven(model: Transformer) -> None:
    """Let waits be short: random weights alone would draw rests of many bars."""
    sample = model.head.sample

    def lively(hidden: Tensor, choose: Choose, peek: Peek) -> Tensor:
        def nudged(field: int, logits: Tensor, rows: Tensor) -> Tensor:
            if field == 0:
                logits = logits - 0.2 * torch.arange(logits.shape[1])
            return choose(field, logits, rows)

        return sample(hidden, nudged, peek)

    monkeypatched: Any = model.head
    monkeypatched.sample = lively


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
    """The checkpoint as loaded, with a lively head."""
    checkpoint = load(folder)
    enliven(checkpoint.model)
    return checkpoint
