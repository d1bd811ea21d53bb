"""How often does a continuation do what a part of its prompt never does? One table.

    python benchmarks/new_places.py DATASET|FOLDER… [--weights mini] [--pieces 20] [--any]

Eight bars of held-out pieces for bands (with `--any`, of any pieces) are continued by `--bars` bars
with the default options, and without the style penalty, beside their true continuations. Of the new
notes of instruments that the prompt has:

    sixteenths   share that start on a sixteenth of the bar on which their instrument starts no note
                 in the prompt
    registers    share of pitched notes in a half octave in which their instrument plays none there
    drums        share of drum hits on keys that the prompt has not
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.parts_kept import Case, continued, parser_of, pieces_of
from musenet.evaluation.bootstrap import bootstrap
from musenet.model.checkpoint import load_checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer import Score
from tokenizer.score.bars import Bars
from tokenizer.score.score import DRUMS
from tokenizer.typing import Floats, Ints, Notes

HALF_OCTAVE = 6
COLUMNS = ("sixteenths", "registers", "drums")


def shares(score: Score, boundary: int, stop: int) -> Floats:
    """The three shares `(3,)` of the notes from `boundary` to `stop` in ticks; NaN without any."""
    notes = score.notes
    old = notes[notes["start"] < boundary]
    new = notes[(notes["start"] >= boundary) & (notes["start"] < stop)]
    new = new[np.isin(new["program"], old["program"])]
    pitched = [part["program"] != DRUMS for part in (old, new)]
    cases = (
        (sixteenths(old, score), sixteenths(new, score)),
        tuple(
            part["pitch"][own] // HALF_OCTAVE + 128 * part["program"][own].astype(np.int64)
            for part, own in zip((old, new), pitched, strict=True)
        ),
        (old["pitch"][~pitched[0]], new["pitch"][~pitched[1]]),
    )
    return np.array([(~np.isin(now, then)).mean() if len(now) else np.nan for then, now in cases])


def sixteenths(notes: Notes, score: Score) -> Ints:
    """The nearest sixteenth since the bar line of each note, and its program, as one number."""
    lines = Bars(score.time_signatures, score.ticks_per_quarter).lines(0, max(score.end, 1))
    start = notes["start"].astype(np.int64)
    since = start - lines[np.searchsorted(lines, start, side="right") - 1]
    places = np.rint(since * 4 / score.ticks_per_quarter).astype(np.int64)
    return places * 256 + notes["program"]


def line(name: str, rows: list[Floats]) -> str:
    """A row of the table: the mean of each share, with its interval over the pieces."""
    cells = []
    for column in np.array(rows).T:
        known = column[~np.isnan(column)]
        low, high = bootstrap(known) if len(known) else (np.nan, np.nan)
        cells.append(f"{np.mean(known):.3f} ({low:.3f}–{high:.3f})" if len(known) else "–")
    return f"{name:20}" + "".join(f"{cell:>22}" for cell in cells)


def main() -> None:
    """Print the table."""
    parser = parser_of(__doc__, bars=16)
    parser.add_argument("--any", action="store_true", help="not only pieces for bands")
    asked = parser.parse_args()
    checkpoint = load_checkpoint(asked.weights)
    cases = pieces_of(
        asked.paths, checkpoint, asked.split, asked.pieces, asked.bars, bands=not asked.any
    )

    def end(case: Case) -> int:
        return int(case.prompt.bars.tick(case.whole_bars + asked.bars))

    print(f"{len(cases)} pieces\n{'':20}" + "".join(f"{name:>22}" for name in COLUMNS))
    real = [case.real for case in cases]
    print(
        line(
            "true continuation",
            [
                shares(score, case.prompt.boundary, end(case))
                for case, score in zip(cases, real, strict=True)
                if score is not None
            ],
        ),
        flush=True,
    )
    for name, penalty in (("default", 1.0), ("no style penalty", 0.0)):
        options = GenerateOptions(bars=asked.bars, seed=0, style_penalty=penalty)
        made = [(case, continued(checkpoint, case, options)) for case in cases]
        print(
            line(name, [shares(one.score, one.boundary, end(case)) for case, one in made]),
            flush=True,
        )


if __name__ == "__main__":
    main()
