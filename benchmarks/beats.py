"""Beats found in performances, against known ones.

    python benchmarks/beats.py FOLDER… --files 60

Files whose beats are known, performed or with a performer's tempo curve, are timed anew, as if
they had been played without a click into a file that says 120 beats a minute. For each folder:

    F              F-measure of the beats found in the first minute (70 ms)
    F, any level   the best with half and double the true beats, those between them, and thirds
    found          share of these files in whose found beats the music goes on
    F there        F-measure of those
    kept           share of the files as they are whose own beats are kept without a word
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from musenet.export.retiming import found_beats
from tokenizer import InputError, Score, read
from tokenizer.score.beat_tracking import f_measure, track_beats
from tokenizer.score.chords import score_beats
from tokenizer.typing import Floats

SECONDS = 60.0
TICKS = 480


def without_a_click(score: Score) -> tuple[Score, Floats]:
    """The first minute of a score in a file that says 120, and the seconds of its beats."""
    seconds = score.seconds(score.notes["start"])
    notes = score.notes[seconds < SECONDS].copy()
    ends = score.seconds(notes["start"].astype(np.int64) + notes["duration"])
    begins = score.seconds(notes["start"])
    notes["start"] = np.rint(begins * 2 * TICKS)
    notes["duration"] = np.maximum(np.rint((ends - begins) * 2 * TICKS), 1)
    beats = score.seconds(score_beats(score).lines)
    beats = beats[(beats >= begins.min() - 0.07) & (beats <= begins.max() + 0.07)]
    return replace(Score(TICKS, tracks=score.tracks), notes=notes), beats


def levels(beats: Floats) -> list[Floats]:
    """Beats at other levels of the meter."""
    gaps = np.diff(beats)
    between = beats[:-1] + gaps / 2
    thirds = [beats, beats[:-1] + gaps / 3, beats[:-1] + 2 * gaps / 3]
    twice = np.sort(np.concatenate([beats, between]))
    return [beats, beats[::2], beats[1::2], between, twice, np.sort(np.concatenate(thirds))]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--files", type=int, default=60)
    arguments = parser.parse_args()
    head = ("files", "F", "F, any level", "found", "F there", "kept")
    print(f"{'folder':24}" + "".join(f"{name:>14}" for name in head))
    for folder in arguments.folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() == ".mid")
        random.Random(0).shuffle(paths)
        rows: list[tuple[float, ...]] = []
        for path in paths:
            try:
                score = read(path)
            except InputError:
                continue
            if len(score.notes) < 40 or len(rows) == arguments.files:
                continue
            free, beats = without_a_click(score)
            timing, found = tracked(free)
            own = not found_beats(score)[1]
            best = max(f_measure(found, level) for level in levels(beats))
            rows.append((f_measure(found, beats), best, timing, own))
        table = np.array(rows)
        there = table[table[:, 2] > 0, 0]
        figures = (
            *table[:, :3].mean(axis=0),
            there.mean() if len(there) else 0,
            table[:, 3].mean(),
        )
        print(f"{folder.name:24}{len(rows):>14}" + "".join(f"{value:>14.2f}" for value in figures))


def tracked(score: Score) -> tuple[bool, Floats]:
    """Whether the music goes on in found beats, and those that are found in any case."""
    notes = score.notes
    begins = score.seconds(notes["start"])
    ends = score.seconds(notes["start"].astype(np.int64) + notes["duration"])
    pitches, velocities = (notes[name].astype(np.float64) for name in ("pitch", "velocity"))
    return found_beats(score)[0] is not None, track_beats(
        begins, ends - begins, pitches, velocities
    )


if __name__ == "__main__":
    main()
