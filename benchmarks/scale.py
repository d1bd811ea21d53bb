"""What training costs by arithmetic: presets, sizes of corpora, numbers of GPUs.

    python benchmarks/scale.py [--rate 989] [--utilisation 0.4] [--price 2.5]

Parameters, operations and bytes are counted from the configurations (`musenet params`); what a GPU
does in a second and costs in an hour is given by the options. A row is a note. Compute-optimal are
20 rows per parameter (Hoffmann et al. 2022, arXiv:2203.15556); four epochs of the same data are
worth nearly as much as new data (Muennighoff et al. 2023, arXiv:2305.16264).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.model.config import PRESETS, preset
from musenet.model.footprint import Footprint, footprint
from tokenizer import Tokenizer
from tokenizer.encoding.structure import STRUCTURE_SIZES

ROWS_PER_PARAMETER = 20
EPOCHS = 4
GPUS = (1, 8, 64)
MEMORY = 80e9  # bytes of a GPU
CORPORA = {"this project's": 20e6, "100,000 files": 100e6, "1 million files": 1.3e9}
"""Distinct notes: what the shipped weights were trained on without songs by rule, and at 1,000 to
1,300 per file."""


def days(operations: float, gpus: int, speed: float) -> str:
    """A time in days, or in hours where it is short."""
    hours = operations / (gpus * speed) / 3600
    return f"{hours / 24:,.1f} d" if hours >= 48 else f"{hours:,.1f} h"


def presets(prints: dict[str, Footprint], speed: float, price: float) -> None:
    """Each preset trained as long as is compute-optimal."""
    times = "".join(f"{gpus:>9d} GPU" for gpus in GPUS)
    print(f"{'preset':<16s}{'parameters':>11s}{'rows':>9s}{'FLOP':>9s}{times}{'price':>9s}")
    for name, each in prints.items():
        rows = ROWS_PER_PARAMETER * each.parameters
        operations = rows * each.training_flops
        hours = operations / speed / 3600
        columns = "".join(f"{days(operations, gpus, speed):>13s}" for gpus in GPUS)
        print(
            f"{name:<16s}{each.parameters / 1e6:>9,.0f} M{rows / 1e9:>7.2f} G{operations:>9.1e}"
            f"{columns}{'$':>3s}{hours * price:>6,.0f}"
        )


def corpora(prints: dict[str, Footprint], speed: float, price: float) -> None:
    """The largest model that a corpus is enough for, in four epochs."""
    print(
        f"\n{'corpus':<18s}{'notes':>9s}{'rows':>9s}{'best size':>11s}{'one GPU':>10s}{'price':>9s}"
    )
    for name, notes in CORPORA.items():
        rows = EPOCHS * notes
        size = rows / ROWS_PER_PARAMETER
        # Operations per parameter hardly depend on the size: those of the nearest preset.
        near = min(prints.values(), key=lambda each: abs(each.parameters - size))
        operations = rows * size * near.training_flops / near.parameters
        hours = operations / speed / 3600
        print(
            f"{name:<18s}{notes / 1e6:>7,.0f} M{rows / 1e9:>7.2f} G{size / 1e6:>9,.0f} M"
            f"{days(operations, 1, speed):>10s}{'$':>3s}{hours * price:>6,.2f}"
        )


def memory(prints: dict[str, Footprint]) -> None:
    """What a GPU has to hold, and the sequences of the full context that fit beside it."""
    print(f"\n{'preset':<16s}{'state':>9s}" + "".join(f"{mode:>16s}" for mode in _modes(prints)))
    for name, each in prints.items():
        columns = "".join(
            f"{each.activations[mode] / 1e9:>7.2f} GB {each.largest_batch(MEMORY, mode):>5d}"
            for mode in each.activations
        )
        print(f"{name:<16s}{each.training_state / 1e9:>6.2f} GB{columns}")


def _modes(prints: dict[str, Footprint]) -> list[str]:
    return list(next(iter(prints.values())).activations)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=989, help="bf16 TFLOP/s of the data sheet")
    parser.add_argument("--utilisation", type=float, default=0.4, help="share of it (MFU)")
    parser.add_argument("--price", type=float, default=2.5, help="dollars per GPU and hour")
    given = parser.parse_args()
    speed = given.rate * 1e12 * given.utilisation
    sizes = Tokenizer.default().vocabulary.sizes
    prints = {name: footprint(preset(name, sizes, STRUCTURE_SIZES)) for name in PRESETS}
    presets(prints, speed, given.price)
    corpora(prints, speed, given.price)
    memory(prints)


if __name__ == "__main__":
    main()
