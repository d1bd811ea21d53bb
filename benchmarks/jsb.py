"""JSB chorales (Boulanger-Lewandowski et al. 2012): nats per frame beside published figures.

    python benchmarks/jsb.py [JSB_Chorales.json] [--minutes 6] [--seed 0]

One small dense Transformer, trained on the 229 pieces of the training split alone and chosen by the
validation split. Minutes are CPU time on one thread. See `frames.py` for what it reads and
`frame_model.py` for what is scored. RNN and RNN-NADE: Boulanger-Lewandowski et al. 2012
(arXiv:1206.6392); TCN: Bai et al. 2018 (arXiv:1803.01271); DMM: Krishnan et al. 2017
(arXiv:1609.09869).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.frame_model import Recipe, run
from benchmarks.frames import Inputs

PUBLISHED = {"RNN": 8.71, "TCN": 8.10, "DMM": 6.39, "RNN-NADE": 5.19}
RECIPE = Recipe(Inputs(echoes=(1,), periods=(4, 16)), steps=3000)


if __name__ == "__main__":
    run(__doc__ or "", "JSB_Chorales.json", RECIPE, PUBLISHED)
