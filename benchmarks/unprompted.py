"""Pieces from nothing, each told of one held-out piece what its first page says.

    python benchmarks/unprompted.py DATASET OUT [--weights mini] [--pieces 200] [--bars 32]
    musenet evaluate DATASET --music OUT --library DATASET

Pieces of the test split are drawn at random. Of each, the model is told the instruments (nothing
keeps it to them), the tempo, the meter and the key, and makes as many bars as the piece has, 32 at
most. So the music that is made is of the kinds of the music beside which `evaluate` puts it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.dataset.pieces import Pieces
from musenet.api import load
from tokenizer.theory import Key


def main() -> None:
    """Make the pieces, a file each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int, default=200)
    parser.add_argument("--bars", type=int, default=32)
    asked = parser.parse_args()
    model, real = load(asked.weights), Pieces(asked.dataset, "test")
    asked.out.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(0).permutation(len(real.lengths))[: asked.pieces]
    for seed, piece in enumerate(numbers.tolist()):
        told = real.labels(piece)
        score = real.tokenizer.decode(real.tokens(piece))
        beats, unit = told.time_signature or (4, 4)
        bars = round(score.end / score.ticks_per_quarter * unit / (4 * beats))
        (song,) = model.generate(
            bars=min(max(bars, 2), asked.bars),
            instruments=tuple(told.instruments),
            new_instruments=True,
            tempo=told.tempo,
            meter=told.time_signature,
            key=told.key and Key(*told.key),
            seed=seed,
        )
        song.save(asked.out / f"{seed:04d}.mid")


if __name__ == "__main__":
    main()
