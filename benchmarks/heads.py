"""Four heads on the same budget: bits per note of held-out music after as many trunk positions.

    python benchmarks/heads.py [DATASET] [--positions 400000] [--layers 2] [--width 96]

DATASET is a folder made by `musenet prepare`; without one, the prompts in examples/ are used, six
to train on (transposed) and two to test on: enough for the script to run, too little for
conclusions. A head that needs more positions per row (flatten) sees that many fewer rows, as its
cost is the same.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.dataset.augment import Augmentation, Dropout
from data_prep.dataset.windows import Dataset
from musenet.model.config import HEADS, ModelConfig
from musenet.model.likelihood import Batch, field_nats, note_mask
from musenet.model.transformer import Transformer
from musenet.training.batches import to_batch
from tokenizer import Tokenizer, read
from tokenizer.encoding.structure import STRUCTURE_SIZES, structure
from tokenizer.typing import Tokens

PROMPTS = Path(__file__).resolve().parents[1] / "examples" / "prompts"
BATCH = 1
Draw = Callable[[int, int], Batch]
"""draw(number, rows) gives a batch of windows of rows + 1 rows."""


@dataclass(frozen=True)
class Music:
    """Where batches come from."""

    train: Draw
    test: Draw
    sizes: tuple[int, ...]


def of_dataset(folder: Path) -> Music:
    """Batches of a dataset folder."""

    def draw(split: str) -> Draw:
        change, drop = Augmentation(), Dropout()
        return lambda k, rows: to_batch(
            Dataset(folder, split, rows, augmentation=change, dropout=drop).batch(k, BATCH)
        )

    sizes = Dataset(folder, "train", 64).tokenizer.vocabulary.sizes
    return Music(draw("train"), draw("validation"), sizes)


def of_examples() -> Music:
    """Batches of the prompts that come with the repository."""
    tokenizer = Tokenizer.default()
    vocabulary = tokenizer.vocabulary
    pieces = [tokenizer.encode(read(p)) for p in sorted(PROMPTS.glob("*.mid"))]

    def draw(chosen: list[Tokens]) -> Draw:
        def batch(k: int, rows: int) -> Batch:
            random = np.random.default_rng(k)
            windows = []
            for _ in range(BATCH):
                piece = chosen[random.integers(len(chosen))].astype(np.int64)
                known = structure(piece.astype(np.int16), vocabulary).astype(np.int64)
                start = random.integers(max(1, len(piece) - rows))
                here = np.pad(piece[start : start + rows + 1], ((0, rows + 1), (0, 0)))[: rows + 1]
                there = np.pad(known[start : start + rows + 1], ((0, rows + 1), (0, 0)))[: rows + 1]
                drums = here[:, 1] == 129
                moved = (here[:, 2] > 12) & (here[:, 2] < 116) & ~drums
                here[:, 2] += np.where(moved, random.integers(-5, 7), 0)
                counted = vocabulary.counted(here.astype(np.int16)) & (
                    here.sum(1, keepdims=True) > 0
                )
                windows.append((here, there, counted))
            columns = (torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True))
            return Batch(*columns)

        return batch

    return Music(draw(pieces[:-2]), draw(pieces[-2:]), vocabulary.sizes)


def bits(model: Transformer, draw: Draw, rows: int, batches: int) -> tuple[float, Tensor]:
    """Bits per note, in all and by field, of some batches."""
    nats, notes = torch.zeros(5), 0
    with torch.no_grad():
        for k in range(batches):
            batch = draw(k, rows)
            nats += field_nats(model, batch).sum((0, 1))
            notes += int(note_mask(batch).sum())
    each = nats / max(1, notes) / math.log(2)
    return float(each.sum()), each


def train(model: Transformer, music: Music, rows: int, steps: int) -> None:
    """AdamW with warm-up and cosine decay."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95), weight_decay=0.01)
    for step in range(steps):
        rate = min(1, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = 2e-3 * rate
        batch = music.train(step, rows)
        loss = field_nats(model, batch).sum() / max(1, batch.notes)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("--positions", type=int, default=400_000)
    parser.add_argument("--length", type=int, default=330)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--test-batches", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    music = of_dataset(options.dataset) if options.dataset else of_examples()
    table = Table(
        "head",
        "parameters",
        "rows seen",
        "bits/note",
        "wait",
        "instrument",
        "pitch",
        "duration",
        "velocity",
        title=f"{options.positions:,} positions, {options.layers} layers of width {options.width}",
    )
    for head in HEADS:
        torch.manual_seed(0)
        config = ModelConfig(
            music.sizes,
            STRUCTURE_SIZES,
            layers=options.layers,
            heads=4,
            width=options.width,
            context=options.length,
            patterns=("dense",),
            head=head,
        )
        model = Transformer(config, torch.bfloat16)
        rows = model.head.interleaving.rows_within(options.length) - 1
        steps = max(1, options.positions // (BATCH * options.length))
        train(model, music, rows, steps)
        # Every head is tested on the same windows, those that the longest head can hold.
        tested = options.length // len(music.sizes) - 1
        total, each = bits(model, music.test, tested, options.test_batches)
        parameters = sum(p.numel() for p in model.parameters())
        table.add_row(
            head,
            f"{parameters / 1e6:.2f} M",
            f"{steps * BATCH * rows:,}",
            f"{total:.2f}",
            *(f"{field:.2f}" for field in each.tolist()),
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
