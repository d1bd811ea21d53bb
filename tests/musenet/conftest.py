"""What many tests begin with: small models and a SoundFont.

The SoundFont has some hundred bytes, written by hand after the SoundFont 2.04 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from musenet.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from musenet.model.config import ModelConfig
from musenet.model.transformer import Transformer
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.tokenizer import Tokenizer

PERIOD = 100


def _model_for(
    tokenizer: Tokenizer, *, noise: float = 0.0, seed: int = 0, **changes: Any
) -> Transformer:
    """Three narrow layers; noise goes into every weight, also where training begins with zeros."""
    torch.manual_seed(seed)
    sizes = {"layers": 3, "heads": 2, "width": 32, "context": 128, "row_length": 16}
    model = Transformer(
        ModelConfig(tokenizer.vocabulary.sizes, STRUCTURE_SIZES, **{**sizes, **changes})
    )
    with torch.no_grad():
        for parameter in model.parameters() if noise else ():
            parameter.add_(torch.randn(parameter.shape) * noise)
    return model


@pytest.fixture(scope="session")
def model_for() -> Callable[..., Transformer]:
    """A function that makes a small model for a tokenizer: see `_model_for`."""
    return _model_for


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread of PyTorch, as when music is made and when little is trained."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _opened(config: ModelConfig) -> Transformer:
    """A new model in which what training begins with as zeros is random."""
    torch.manual_seed(0)
    model = Transformer(config)
    for parameter in model.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.fixture(scope="session")
def opened() -> Callable[[ModelConfig], Transformer]:
    """A function that makes a model of a configuration: see `_opened`."""
    return _opened


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listing(name: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", name + b"".join(chunks))


def square_wave() -> bytes:
    """A SoundFont of one preset: a looped square wave of 441 Hz on key 69."""
    half = np.full(PERIOD // 2, 12_000, np.int16)
    samples = np.tile(np.concatenate([half, -half]), 4)
    end = len(samples)
    smpl = samples.tobytes() + bytes(2 * 46)
    header = struct.Struct("<20sHHHIII")
    sample = struct.Struct("<20sIIIIIBbHH")
    generators = [(54, 1), (53, 0)]  # sampleModes: loop; sampleID: 0
    pdta = listing(
        b"pdta",
        chunk(b"phdr", header.pack(b"square", *[0] * 6) + header.pack(b"EOP", 0, 0, 1, 0, 0, 0)),
        chunk(b"pbag", struct.pack("<4H", 0, 0, 1, 0)),
        chunk(b"pmod", bytes(10)),
        chunk(b"pgen", struct.pack("<4H", 41, 0, 0, 0)),
        chunk(b"inst", struct.pack("<20sH20sH", b"square", 0, b"EOI", 1)),
        chunk(b"ibag", struct.pack("<4H", 0, 0, 2, 0)),
        chunk(b"imod", bytes(10)),
        chunk(b"igen", b"".join(struct.pack("<2H", *g) for g in generators) + bytes(4)),
        chunk(
            b"shdr",
            sample.pack(b"square", 0, end, PERIOD, end - PERIOD, 44_100, 69, 0, 0, 1)
            + sample.pack(b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0),
        ),
    )
    info = listing(
        b"INFO",
        chunk(b"ifil", struct.pack("<2H", 2, 4)),
        chunk(b"isng", b"EMU8000\0"),
        chunk(b"INAM", b"square\0\0"),
    )
    return chunk(b"RIFF", b"sfbk" + info + listing(b"sdta", chunk(b"smpl", smpl)) + pdta)


@pytest.fixture
def soundfont(tmp_path: Path) -> Path:
    pytest.importorskip(
        "fluidsynth", reason="pyfluidsynth or FluidSynth is not installed", exc_type=ImportError
    )
    path = tmp_path / "square.sf2"
    path.write_bytes(square_wave())
    return path


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
    save_checkpoint(path, model_for(tokenizer, noise=0.15, context=256), tokenizer, {})
    return path


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Checkpoint:
    """The checkpoint as loaded, with lively weights."""
    checkpoint = load_checkpoint(folder)
    enliven(checkpoint.model)
    return checkpoint


@pytest.fixture(scope="module")
def lively(tiny: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny model, so that another process can load it."""
    path = tmp_path_factory.mktemp("lively") / "tiny"
    save_checkpoint(path, tiny.model, tiny.tokenizer, {})
    return path
