"""Pieces without a prompt, each given the labels of one held-out piece.

    python benchmarks/unprompted.py DATASET OUT [--weights mini] [--pieces 200] [--bars 32]
    musenet evaluate DATASET --music OUT --library DATASET

Pieces of the test split are drawn at random. From each, the model is given the instruments
(without a constraint), the tempo, the meter and the key, and it generates as many bars as the piece
has, at most 32. So the generated music covers the same kinds as the music that `evaluate` compares
it with.
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
    """Generate the pieces, one file each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int, default=200)
    parser.add_argument("--bars", type=int, default=32)
    arguments = parser.parse_args()
    model, real = load(arguments.weights), Pieces(arguments.dataset, "test")
    arguments.out.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(0).permutation(len(real.lengths))[: arguments.pieces]
    for seed, piece in enumerate(numbers.tolist()):
        labels = real.labels(piece)
        score = real.tokenizer.decode(real.tokens(piece))
        beats, unit = labels.time_signature or (4, 4)
        bars = round(score.end / score.ticks_per_quarter * unit / (4 * beats))
        (song,) = model.generate(
            bars=min(max(bars, 2), arguments.bars),
            instruments=tuple(labels.instruments),
            new_instruments=True,
            tempo=labels.tempo,
            meter=labels.time_signature,
            key=labels.key and Key(*labels.key),
            seed=seed,
        )
        song.save(arguments.out / f"{seed:04d}.mid")


if __name__ == "__main__":
    main()
