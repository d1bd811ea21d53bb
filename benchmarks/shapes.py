"""Trials of attention patterns and positions: what each shape of a small net learns, and its speed.

    python benchmarks/shapes.py DATASET --runs FOLDER [--steps 700] [--only dense ...]

Trains one net per shape with equal steps, data and seed (a folder each; started again, it resumes),
then prints one Markdown table: bits per note of held-out windows; bits per note of a figure that is
played the first time and from the third time on, as it is and disguised (see
`musenet.evaluation.listening`); training notes/s at context 1,024 and notes/s of the engine int8
over a whole context of 2,048, both at the preset's width. Speeds are medians of shapes by turns, in
one process, on one thread, by processor time.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.decoding.decoder import Decoder
from musenet.decoding.engines import make_decoder
from musenet.evaluation.inputs import dataset_pieces, dataset_tokenizer
from musenet.evaluation.likelihood import Piece
from musenet.evaluation.listening import copy_gains
from musenet.model.checkpoint import load_checkpoint
from musenet.model.config import ModelConfig, preset
from musenet.model.precision import matmul_dtype
from musenet.model.transformer import Transformer
from musenet.training.checkpoints import snapshot_steps
from musenet.training.settings import Settings, from_toml, settings_of
from musenet.training.start import resume_run, start_run
from musenet.training.validation import choose_windows, validation_row
from tokenizer.encoding.structure import STRUCTURE_SIZES
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.malloc import keep_freed_memory
from tokenizer.typing import Ints, Logits

CPU = torch.device("cpu")
TRAINING_CONTEXT, DECODING_CONTEXT = 1024, 2048
_BLOCK = 64  # rows that a decoder writes before it is another's turn

_TRIAL = {"layers": 4, "heads": 4, "width": 128}
"""The nets that are trained: heads as wide as those of `mini`."""

_JUKEBOX = {"patterns": ["row", "column", "previous_row"]}
_DENSE = {"patterns": ["dense"]}
_LOCAL = {"patterns": ["local", "dense"], "row_length": 64}
_TWO_CLOCKS = {"positions": "rotary_time"}
SHAPES: dict[str, dict[str, Any]] = {
    "rcp-index": _JUKEBOX | {"positions": "rotary"},
    "dense-time": _DENSE | _TWO_CLOCKS,
    "local64-time": _LOCAL | _TWO_CLOCKS,
    "local64-time-kv2": _LOCAL | _TWO_CLOCKS | {"kv_heads": 2},
    "dense-index": _DENSE | {"positions": "rotary"},
    "rcp-time": _JUKEBOX | _TWO_CLOCKS,
    "local128-time": _LOCAL | _TWO_CLOCKS | {"row_length": 128},
}
"""Changes to the preset `mini`; the first shape is what the others are compared with."""


@dataclass(frozen=True)
class Learned:
    """What a trained net of a shape has learned, in bits per note.

    Attributes:
        held_out: of held-out windows.
        copied: for each kind of music, of a figure the first time and from the third time on.
    """

    held_out: float
    copied: Mapping[str, tuple[float, float]]


def trained(folder: Path, dataset: Path, settings: Settings) -> Path:
    """The weights of a finished run in a folder; trains what is missing."""
    if snapshot_steps(folder):
        session = resume_run(folder, dataset, {})
    else:
        session = start_run(dataset, folder, settings)
    if session.train():
        raise KeyboardInterrupt
    return folder / "last"


def settings(name: str, asked: argparse.Namespace) -> Settings:
    """The settings of a shape's run; those of `--config` win."""
    table: dict[str, Any] = {
        "preset": "mini",
        "model": {**_TRIAL, **SHAPES[name]},
        "steps": asked.steps,
        "context": asked.context,
        "warmup": 20,
        "adam_rate": 6e-3,
        "loops": 0.7,
        "disguise": 0.3,
        "threads": 1,
        "device": "cpu",
        "validate_minutes": 1000.0,
    }
    return settings_of(table, from_toml(asked.config) if asked.config else {})


def learned(
    folder: Path, pieces: list[Piece], tokenizer: Tokenizer, asked: argparse.Namespace
) -> Learned:
    """The bits per note that a net pays."""
    model = load_checkpoint(folder, compute=matmul_dtype("auto", CPU)).model.eval()
    held_out = choose_windows(pieces, tokenizer, context=asked.context, windows=asked.windows)
    bits = validation_row(held_out.scores(model))["bits_per_note"]
    gains = copy_gains(
        model, tokenizer, pieces, bars=asked.bars, count=asked.figures, rows=asked.context
    )
    kinds = dict.fromkeys(gain["music"] for gain in gains)
    copied = {
        kind: tuple(
            statistics.fmean(gain[time] for gain in gains if gain["music"] == kind)
            for time in ("first", "later")
        )
        for kind in kinds
    }
    return Learned(bits, copied)  # type: ignore[arg-type]


def shape_of(name: str, tokenizer: Tokenizer, context: int) -> ModelConfig:
    """A shape at the preset's width."""
    vocabulary = tokenizer.vocabulary
    base = preset("mini", vocabulary.sizes, STRUCTURE_SIZES)
    beat = vocabulary.grid.beat
    return replace(base, **{"context": context, "steps_per_quarter": beat, **SHAPES[name]})


def random_windows(config: ModelConfig, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and structure [B, T + 1, …], with a column for the time."""
    size = (batch, config.context + 1)
    tokens = torch.stack([torch.randint(0, s, size) for s in config.field_sizes], -1)
    columns = [torch.randint(0, s, size) for s in config.structure_sizes]
    return tokens, torch.stack([*columns, torch.randint(0, 24, size).cumsum(1)], -1)


def training_speeds(names: list[str], tokenizer: Tokenizer, rounds: int) -> dict[str, float]:
    """Notes/s of loss and gradients."""
    batch, compute = 2, matmul_dtype("auto", CPU)
    steps: dict[str, Callable[[], None]] = {}
    for name in names:
        config = shape_of(name, tokenizer, TRAINING_CONTEXT)
        steps[name] = partial(step, Transformer(config, compute), *random_windows(config, batch))
    took: dict[str, list[float]] = {name: [] for name in names}
    for turn in track(range(rounds + 1), "training", transient=True):
        for name, run in steps.items():
            used = seconds(run)
            if turn:  # the first is a warm-up
                took[name].append(used)
    return {n: batch * TRAINING_CONTEXT / statistics.median(used) for n, used in took.items()}


def step(model: Transformer, tokens: torch.Tensor, structure: torch.Tensor) -> None:
    """Loss and gradients of two windows."""
    torch.autograd.grad(model.nll(tokens, structure).mean(), list(model.parameters()))


@torch.inference_mode()
def decoding_speeds(names: list[str], tokenizer: Tokenizer, rounds: int) -> dict[str, float]:
    """Notes/s of one sequence from its first row to the end of the context, the likeliest rows."""
    made = {
        name: make_decoder(Transformer(shape_of(name, tokenizer, DECODING_CONTEXT)), 1, "int8")
        for name in names
    }
    columns = np.ones((1, len(STRUCTURE_SIZES) + 1), np.int64)
    first = np.ones((1, 1, len(tokenizer.vocabulary.sizes)), np.int64)
    blocks = DECODING_CONTEXT // _BLOCK - 1
    took: dict[str, list[list[float]]] = {name: [] for name in names}
    for _ in track(range(rounds), "int8 decoding", transient=True):
        for decoder in made.values():
            decoder.start(first, columns[None])
        turns = [{n: seconds(partial(write, d, columns)) for n, d in made.items()}
                 for _ in range(blocks)]  # fmt: skip
        for name in names:
            took[name].append([turn[name] for turn in turns])
    written = blocks * _BLOCK
    return {name: written / float(np.median(took[name], axis=0).sum()) for name in names}


def write(decoder: Decoder, columns: Ints) -> None:
    """Append a block of rows."""

    def likeliest(_field: int, logits: Logits, _rows: Ints) -> Ints:
        return logits.argmax(-1)

    for _ in range(_BLOCK):
        decoder.advance(decoder.sample(likeliest, lambda _: columns), columns)


def seconds(run: Callable[[], object]) -> float:
    """Processor time of a run."""
    begun = time.process_time()
    run()
    return time.process_time() - begun


def table(
    names: list[str],
    found: Mapping[str, Learned],
    training: Mapping[str, float],
    decoding: Mapping[str, float],
) -> str:
    """All figures in Markdown; speeds also against the first shape."""
    kinds = list(found[names[0]].copied)
    heads = ["shape", "held-out", *(f"{kind}: first → later" for kind in kinds)]
    heads += ["training notes/s", "int8 notes/s"]
    lines = [heads, ["---"] * len(heads)]
    for name in names:
        copied = [f"{first:.2f} → {later:.2f}" for first, later in found[name].copied.values()]
        speeds = [
            f"{speed[name]:,.0f} ({speed[name] / speed[names[0]]:.2f}×)"
            for speed in (training, decoding)
        ]
        lines.append([f"`{name}`", f"{found[name].held_out:.2f}", *copied, *speeds])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Train what is missing, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--only", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--config", type=Path, help="TOML of more settings, such as weights")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--windows", type=int, default=8, help="held-out windows of each corpus")
    parser.add_argument("--bars", type=int, nargs="+", default=[2, 4], help="lengths of figures")
    parser.add_argument("--figures", type=int, default=40, help="figures of each length")
    parser.add_argument("--rounds", type=int, default=3, help="of the speeds")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    folders = {
        name: trained(asked.runs / name, asked.dataset, settings(name, asked))
        for name in asked.only
    }
    tokenizer = dataset_tokenizer(asked.dataset)
    pieces = dataset_pieces(asked.dataset, "validation")
    found = {
        name: learned(folder, pieces, tokenizer, asked)
        for name, folder in track(folders.items(), "scores", transient=True)
    }
    training = training_speeds(asked.only, tokenizer, asked.rounds)
    decoding = decoding_speeds(asked.only, tokenizer, asked.rounds)
    print(table(asked.only, found, training, decoding))


if __name__ == "__main__":
    main()
