"""Does a model listen to its prompt? Bits per note of a figure that is played again and again.

    python benchmarks/listening.py DATASET --weights mini

A figure of 1, 2, 4, 8 or 16 bars of a held-out piece is played three to eight times, as it is and
disguised (other instruments and loudness). A model that looks back pays almost nothing from the
third time: see `musenet.evaluation.listening`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.evaluation.inputs import find_pieces
from musenet.evaluation.listening import BARS, MOST_ROWS, copy_gain_table, copy_gains
from musenet.model.checkpoint import load_checkpoint
from musenet.model.precision import matmul_dtype


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--split", default="test")
    parser.add_argument("--figures", type=int, default=60)
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="tokens of a repeated figure")
    parser.add_argument("--bars", default=",".join(map(str, BARS)))
    asked = parser.parse_args()
    loaded = load_checkpoint(asked.weights, compute=matmul_dtype("auto", torch.device("cpu")))
    gains = copy_gains(
        loaded.model,
        loaded.tokenizer,
        find_pieces([asked.dataset], loaded.tokenizer, asked.split).pieces,
        bars=[int(bars) for bars in asked.bars.split(",")],
        count=asked.figures,
        rows=min(asked.rows, loaded.config.context),
    )
    print("\n".join(copy_gain_table(gains)))


if __name__ == "__main__":
    main()
