"""What real music is like, and how much it changes: the figures of `musenet.sampling.ranking`.

    python benchmarks/ranges.py [FOLDER…] [--pieces 40]

From each folder (without any, the tests' few files) so many pieces are drawn; of each piece two
passages of 16 bars that follow one another are measured. Printed are the mean and the standard
deviation of every measure, the standard deviation of its change from the first passage to the
second, and the 99th percentile of every sign.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from musenet.sampling.bars import Bars  # noqa: E402
from musenet.sampling.ranking import measures, signs  # noqa: E402
from tokenizer import InputError, Score, read  # noqa: E402

BARS = 16
FEWEST_NOTES = 16


def passages(path: Path, generator: random.Random) -> tuple[Score, Score] | None:
    """Two passages that follow one another somewhere in a piece, or None if it is too short."""
    try:
        score = read(path)
    except InputError:
        return None
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    last = bars.number(score.end)
    if last < 2 * BARS:
        return None
    first = generator.randrange(last - 2 * BARS + 1)
    lines = [bars.tick(first + BARS * k) for k in range(3)]
    both = score.slice(lines[0], lines[1]), score.slice(lines[1], lines[2])
    return both if min(len(part.notes) for part in both) >= FEWEST_NOTES else None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", default=[ROOT / "tests" / "fixtures"])
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    found = []
    for folder in arguments.folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
        generator.shuffle(paths)
        own = (both for path in paths if (both := passages(path, generator)) is not None)
        found += [both for both, _ in zip(own, range(arguments.pieces), strict=False)]
    print(f"{len(found)} pieces, two passages of {BARS} bars of each\n")
    print(f"{'measure':12s} {'mean':>8s} {'spread':>8s} {'change':>8s}")
    first, second = ([measures(both[k]) for both in found] for k in (0, 1))
    for name in first[0]:
        a, b = (np.array([values[name] for values in part]) for part in (first, second))
        change = float(np.nanstd(b - a))
        print(f"{name:12s} {np.nanmean(a):8.3f} {np.nanstd(a):8.3f} {change:8.3f}")
    print(f"\n{'sign':12s} {'99 %':>8s}")
    seen = [signs(both[1], both[0]) for both in found]
    for name in seen[0]:
        print(f"{name:12s} {np.percentile([values[name] for values in seen], 99):8.2f}")


if __name__ == "__main__":
    main()
