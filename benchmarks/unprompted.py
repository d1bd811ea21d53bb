"""Pieces without a prompt, each given the labels of one held-out piece; or bands.

    python benchmarks/unprompted.py DATASET OUT [--weights mini] [--pieces 200] [--bars 32]
    musenet evaluate DATASET --music OUT --library DATASET

    python benchmarks/unprompted.py OUT --bands [--weights mini] [--pieces 24]
    musenet evaluate FOLDER --music OUT

Pieces of the test split are drawn at random. From each, the model is given the instruments
(without a constraint), the tempo, the meter and the key, and it generates as many bars as the piece
has, at most 32. So the generated music covers the same kinds as the music that `evaluate` compares
it with. With `--bands` eight requests for a band take turns, 16 bars each, to be compared with real
bands. `--temperature` is for trials of others than the default.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.dataset.pieces import Pieces
from musenet.api import Model, load
from tokenizer.theory import Key

BANDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("rock",), "electric guitar,electric bass,drums"),
    (("jazz",), "piano,acoustic bass,drums"),
    (("pop",), "piano,electric bass,drums,strings"),
    (("funk",), "clavinet,electric bass,drums,brass section"),
    ((), "electric piano,synth bass,drums"),
    (("blues",), "guitar,harmonica,bass,drums"),
    (("rock",), "overdriven guitar,organ,bass,drums"),
    ((), "guitar,bass,drums,flute"),
)


def main() -> None:
    """Generate the pieces, one file each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?")
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int)
    parser.add_argument("--bars", type=int, default=32)
    parser.add_argument("--bands", action="store_true")
    parser.add_argument("--temperature", type=float, help="the default if not given")
    arguments = parser.parse_args()
    if arguments.bands == (arguments.dataset is not None):
        parser.error("give either a dataset or --bands")
    model, out = load(arguments.weights), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if arguments.bands:
        bands(model, out, arguments.pieces or 24, arguments.temperature)
    else:
        pieces = arguments.pieces or 200
        like_held_out(model, arguments.dataset, out, pieces, arguments.bars, arguments.temperature)


def bands(model: Model, out: Path, pieces: int, temperature: float | None) -> None:
    """Generate pieces for bands."""
    for number in range(pieces):
        styles, instruments = BANDS[number % len(BANDS)]
        (song,) = model.generate(
            bars=16,
            styles=styles,
            instruments=instruments,
            temperature=temperature,
            seed=number // len(BANDS),
        )
        song.save(out / f"{number:04d}.mid")


def like_held_out(
    model: Model,
    dataset: Path,
    out: Path,
    pieces: int,
    most_bars: int,
    temperature: float | None,
) -> None:
    """Generate pieces with the labels of held-out ones."""
    real = Pieces(dataset, "test")
    numbers = np.random.default_rng(0).permutation(len(real.lengths))[:pieces]
    for seed, piece in enumerate(numbers.tolist()):
        labels = real.labels(piece)
        score = real.tokenizer.decode(real.tokens(piece))
        beats, unit = labels.time_signature or (4, 4)
        bars = round(score.end / score.ticks_per_quarter * unit / (4 * beats))
        (song,) = model.generate(
            bars=min(max(bars, 2), most_bars),
            instruments=tuple(labels.instruments),
            new_instruments=True,
            tempo=labels.tempo,
            meter=labels.time_signature,
            key=labels.key and Key(*labels.key),
            temperature=temperature,
            seed=seed,
        )
        song.save(out / f"{seed:04d}.mid")


if __name__ == "__main__":
    main()
