"""A model small enough to sample from in a test, with random weights that like short waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from musenet.checkpoint import Checkpoint, load, save
from musenet.transformer import Transformer
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


@pytest.fixture(scope="session")
def folder(model_for: Callable[..., Transformer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a checkpoint with a tokenizer that knows two composers and a style."""
    tokenizer = Tokenizer.default(composers=["bach", "chopin"], styles=["baroque"])
    path = tmp_path_factory.mktemp("checkpoint") / "tiny"
    save(path, model_for(tokenizer, noise=0.15, context=256), tokenizer, {})
    return path


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Checkpoint:
    """The checkpoint as loaded, with lively weights."""
    checkpoint = load(folder)
    enliven(checkpoint.model)
    return checkpoint
