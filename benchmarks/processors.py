"""What each default of sampling does: every processor and limit off, one at a time, and all off.

    python benchmarks/processors.py DATASET --weights mini --pieces 20 --seeds 1

Eight bars of held-out pieces for bands (with `--any`, of any pieces) are continued by `--bars`
bars with each setting in turn, so that the speeds of all settings are measured side by side:

    parts kept     the score and some figures of `musenet.evaluation.parts_kept`
    inside         how many statistics of `musenet.evaluation.statistics` lie in the 95 % of the
                   means of the true continuations, of how many
    distance       median over the statistics of |distance| in standard deviations of real music
    notes/s        median over the continuations, and the median ratio to the default
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.parts_kept import Case, continued, parser_of, pieces_of
from musenet.evaluation.parts_kept import PartsKept, mean_figures, parts_kept
from musenet.evaluation.statistics import compare_statistics, statistics_of
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.keywords import Keywords
from musenet.sampling.constraints import MOST_NOTES
from tokenizer import Score

NO_PROCESSORS: Keywords = {
    "instrument_balance": 0.0,
    "entrance": 0.0,
    "style_penalty": 0.0,
    "loop_penalty": 1.0,
}
NO_LIMITS: Keywords = {"polyphony": MOST_NOTES, "density": MOST_NOTES}
SETTINGS: dict[str, Keywords] = {
    "default": {},
    "no instrument balance": {"instrument_balance": 0.0},
    "no entrance": {"entrance": 0.0},
    "no style penalty": {"style_penalty": 0.0},
    "no loop penalty": {"loop_penalty": 1.0},
    "no polyphony limit": {"polyphony": MOST_NOTES},
    "no density limit": {"density": MOST_NOTES},
    "no top-p": {"top_p": "1"},
    "any instruments": {"new_instruments": True},
    "with an ending": {"ending": True},
    **{f"temperature {value}": {"temperature": value} for value in ("0.85", "0.9", "0.95", "1")},
    "no processors": NO_PROCESSORS,
    "nothing": {**NO_PROCESSORS, **NO_LIMITS, "top_p": "1"},
}
SHOWN = (
    "score",
    "parts",
    "on_kit",
    "harmony",
    "in_place",
    "silent_parts",
    "silence",
    "texture",
    "copies",
)


@dataclass
class Found:
    """What the continuations with one setting are like."""

    kept: list[PartsKept] = field(default_factory=list)
    statistics: list[dict[str, float]] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)

    def add(self, case: Case, checkpoint: Checkpoint, options: GenerateOptions) -> None:
        """Continue a prompt, and measure."""
        began = time.perf_counter()
        result = continued(checkpoint, case, options)
        self.speeds.append(result.notes / (time.perf_counter() - began))
        self.kept.append(parts_kept(result.score, result.boundary, options.bars or 0))
        self.statistics.append(statistics_of(after(result.score, result.boundary)))


def after(score: Score, boundary: int) -> Score:
    """The music from a tick on."""
    return score.slice(boundary, max(boundary, score.end))


def measured(
    cases: Sequence[Case], checkpoint: Checkpoint, settings: Sequence[str], seeds: int, bars: int
) -> dict[str, Found]:
    """Every prompt with every setting, the settings in turn and each as often the first."""
    found = {name: Found() for name in settings}
    continued(checkpoint, cases[0], GenerateOptions(bars=1))  # the engine is made only once
    order = deque(settings)
    for number, case in enumerate(cases):
        print(f"piece {number + 1} of {len(cases)}", file=sys.stderr, flush=True)
        for seed in range(seeds):
            order.rotate()
            for name in order:
                given: Keywords = {**SETTINGS[name], "bars": bars, "seed": seed}
                found[name].add(case, checkpoint, GenerateOptions.from_keywords(**given))
    return found


def cell(value: float | None) -> str:
    """A figure in its column."""
    return f"{'–' if value is None else f'{value:.2f}':>13}"


def line(name: str, found: Found, real: Sequence[dict[str, float]], base: Found) -> str:
    """A row of the table."""
    figures = mean_figures(found.kept)
    cells = "".join(cell(figures[figure]) for figure in SHOWN)
    compared = compare_statistics(found.statistics, real)
    inside = sum(part["inside"] for part in compared.values())
    distance = np.nanmedian([abs(part["distance"]) for part in compared.values()])
    row = f"{name:22}{cells}{inside:5d}/{len(compared):<3d}{distance:9.2f}"
    if not found.speeds:
        return row
    ratio = np.median(np.divide(found.speeds, base.speeds))
    return f"{row}{np.median(found.speeds):9.0f}{ratio:6.2f}"


def main() -> None:
    """Print a table."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--any", action="store_true", help="not only pieces for bands")
    parser.add_argument("--settings", default=",".join(SETTINGS), help="some of the rows")
    asked = parser.parse_args()
    checkpoint = load_checkpoint(asked.weights)
    cases = pieces_of(
        asked.paths, checkpoint, asked.split, asked.pieces, asked.bars, bands=not asked.any
    )
    settings = asked.settings.split(",")
    found = measured(cases, checkpoint, settings, asked.seeds, asked.bars)
    true = Found()
    for case in cases:
        if case.real is not None:
            true.kept.append(parts_kept(case.real, case.prompt.boundary, asked.bars))
            true.statistics.append(statistics_of(after(case.real, case.prompt.boundary)))
    names = "".join(f"{name:>13}" for name in SHOWN)
    print(f"{len(cases)} pieces, {asked.seeds} continuations each, {checkpoint.folder.name}")
    print(f"{'':22}{names}   inside distance  notes/s ratio")
    for name in settings:
        print(line(name, found[name], true.statistics, found[settings[0]]))
    print(line("true continuation", true, true.statistics, true))


if __name__ == "__main__":
    main()
