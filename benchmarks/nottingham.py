"""Nottingham (Boulanger-Lewandowski et al. 2012): nats per frame beside published figures.

    python benchmarks/nottingham.py [Nottingham.json] [--minutes 15] [--seed 0]

Dances, mostly of repeated eight-bar phrases over chords. One small dense Transformer, trained on
the 694 pieces of the training split alone and chosen by the validation split; its echoes lie a bar,
a phrase and a repeat back. Minutes are CPU time on one thread. See `frames.py` for what it reads
and `frame_model.py` for what is scored. RNN-NADE: Boulanger-Lewandowski et al. 2012
(arXiv:1206.6392); TCN: Bai et al. 2018 (arXiv:1803.01271); DMM: Krishnan et al. 2017
(arXiv:1609.09869).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.frame_model import Recipe, run
from benchmarks.frames import Inputs

PUBLISHED = {"TCN": 3.07, "DMM": 2.77, "RNN-NADE": 2.31}
RECIPE = Recipe(
    Inputs(echoes=(1, 2, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128), periods=(6, 8, 16)),
    batch=2048,
    kept=0.6,
    steps=1500,
    checked=0.25,
)


if __name__ == "__main__":
    run(__doc__ or "", "Nottingham.json", RECIPE, PUBLISHED)
