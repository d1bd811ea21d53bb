"""Statistics of real music and how much they change: figures for `musenet.generation.reranking`.

    python benchmarks/ranges.py [FOLDER…] [--pieces 40]

From each folder (without any, the tests' few files) so many pieces are drawn; of each piece two
passages of 16 bars that follow one another are measured. Printed are the mean and the standard
deviation of every measure, the standard deviation of its change from the first passage to the
second, the 99th percentile of every sign, how many notes of whole pieces lie in loops that
`musenet.sampling.processors.loop_penalty` would penalise, how many repeat a pitch
(`musenet.sampling.processors.repeated_pitches`), and by number of instruments how many notes start
within a quarter and sound at once where a piece is fullest (`musenet.sampling.constraints`). By
family, in pieces with three instruments or more: how many notes per quarter a part plays, how long
they are, and how often it plays on downbeats (`musenet.editing.usual_parts`). Last come the chords
with which whole pieces close, beside four others of each (`musenet.sampling.ending`).
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from musenet.editing.usual_parts import PartMeasures, part_measures  # noqa: E402
from musenet.generation.reranking import measures, signs  # noqa: E402
from musenet.sampling.constraints import max_polyphony, starts_within  # noqa: E402
from musenet.sampling.ending import Chord, chord_at, last_chord  # noqa: E402
from musenet.sampling.processors.loop_penalty import LoopPenalty  # noqa: E402
from musenet.sampling.processors.processor import RowState  # noqa: E402
from musenet.sampling.processors.repeated_pitches import RepeatedPitches  # noqa: E402
from tokenizer import InputError, Score, Tokenizer, read  # noqa: E402
from tokenizer.encoding.compound import row_times  # noqa: E402
from tokenizer.instruments import DRUMS, family_of  # noqa: E402
from tokenizer.score.bars import Bars  # noqa: E402
from tokenizer.theory import estimate_key, pitch_class_weights  # noqa: E402
from tokenizer.typing import Floats, Ints  # noqa: E402

BARS = 16
FEWEST_NOTES = 16
FEWEST_INSTRUMENTS = 3
FEWEST_PARTS = 30


def pieces(folder: Path, generator: random.Random) -> Iterator[Score]:
    """The pieces of a folder that can be read, in any order."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    generator.shuffle(paths)
    for path in paths:
        with contextlib.suppress(InputError):
            yield read(path)


def passages(score: Score, generator: random.Random) -> tuple[Score, Score] | None:
    """Two passages that follow one another somewhere in a piece, or None if it is too short."""
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    last = bars.number(score.end)
    if last < 2 * BARS:
        return None
    first = generator.randrange(last - 2 * BARS + 1)
    lines = [bars.tick(first + BARS * k) for k in range(3)]
    both = score.slice(lines[0], lines[1]), score.slice(lines[1], lines[2])
    return both if min(len(part.notes) for part in both) >= FEWEST_NOTES else None


def looping(score: Score, tokenizer: Tokenizer) -> tuple[int, int]:
    """How many rows of a piece would have been made less likely, and how many it has."""
    rows = tokenizer.body(score).astype(np.int64)
    keys = (rows[:, 0] * 256 + rows[:, 1]) * 256 + rows[:, 2]
    over = np.zeros(len(keys), dtype=bool)
    penalty = LoopPenalty()
    for period in range(1, min(penalty.longest, len(keys) - 1) + 1):
        place = np.arange(len(keys) - period)
        same = keys[period:] == keys[:-period]
        run = place - np.maximum.accumulate(np.where(same, -1, place))
        over[period:] |= run > max(penalty.repeats * period, penalty.rows)
    return int(over.sum()), len(keys)


def repeated(score: Score, tokenizer: Tokenizer) -> Ints:
    """How many notes of pitched instruments do not repeat a pitch of the onset before, and do."""
    rows, vocabulary = tokenizer.body(score), tokenizer.vocabulary
    note = vocabulary.is_note(rows)
    music = RowState.of(rows[note], row_times(rows, vocabulary)[note], vocabulary)
    return RepeatedPitches(music, vocabulary, 1, (0, 0)).prompt[1:]


def fullest(score: Score) -> tuple[int, int, int]:
    """How many instruments play; the most notes that begin within a quarter, and sound at once."""
    starts = score.notes["start"].astype(np.int64)
    in_a_quarter = int(starts_within(starts, score.ticks_per_quarter).max())
    return len(np.unique(score.notes["program"])), in_a_quarter, max_polyphony(score.notes)


def parts(both: tuple[Score, Score]) -> Iterator[tuple[str, Floats]]:
    """Of each part of the first passage its family, and its measures in both passages `(2, 3)`."""
    programs = np.unique(both[0].notes["program"])
    for number in programs.tolist() if len(programs) >= FEWEST_INSTRUMENTS else ():
        measured = []
        for passage in both:
            own = passage.notes[passage.notes["program"] == number]
            quarter = passage.ticks_per_quarter
            lines = Bars(passage.time_signatures, quarter).lines(0, passage.end - 1)
            starts, held = (own[name].astype(np.int64) for name in ("start", "duration"))
            played = part_measures(starts, held, lines, passage.end / quarter, quarter)
            measured.append(played if len(own) else (np.nan,) * len(played))
        yield family_of(number), np.array(measured)


def print_parts(found: list[tuple[str, Floats]]) -> None:
    """Mean, spread and change of what parts play, by family and of all parts."""
    names = "".join(f"{name:>25s}" for name in PartMeasures._fields)
    print(f"\n{'family':22s} {'parts':>6s}{names}")
    families = {"all": np.array([one for _, one in found])}
    families |= {f: np.array([one for own, one in found if own == f]) for f, _ in found}
    for family, both in families.items():
        if len(both) >= FEWEST_PARTS:
            mean, spread = np.nanmean(both[:, 0], axis=0), np.nanstd(both[:, 0], axis=0)
            change = np.nanstd(both[:, 1] - both[:, 0], axis=0)
            rows = zip(mean, spread, change, strict=True)
            figures = "".join(f"{a:10.2f}{b:8.2f}{c:7.2f}" for a, b, c in rows)
            print(f"{family:22s} {len(both):6d}{figures}")


def closing(score: Score, generator: random.Random) -> tuple[Chord, list[Chord]] | None:
    """The last chord of a piece and four others, or None where it has no key."""
    key, notes = estimate_key(pitch_class_weights(score.notes)), score.notes
    last = last_chord(notes, key)
    if key is None or last is None:
        return None
    times = np.unique(notes["start"][notes["program"] != DRUMS]).tolist()
    others = [chord_at(notes, generator.choice(times), key) for _ in range(4)]
    return last, [chord for chord in others if chord is not None]


def print_closing(chords: list[tuple[Chord, list[Chord]]]) -> None:
    """The shares of chords by what they are, and how long they are held."""
    last = [one for one, _ in chords]
    others = [one for _, some in chords for one in some]
    print(f"\n{'chord':24s} {'last':>8s} {'any':>8s}   of {len(chords)} pieces")
    for kind in product((True, False), repeat=2):
        bass, notes = "tonic" if kind[0] else "other", "triad alone" if kind[1] else "others too"
        shares = [
            np.mean([(one.tonic_in_bass, one.tonic_triad) == kind for one in some])
            for some in (last, others)
        ]
        print(f"{f'{bass} in bass, {notes}':24s} {shares[0]:8.2f} {shares[1]:8.2f}")
    held = [np.array([one.held for one in some]) for some in (last, others)]
    print(f"{'held, octaves':24s} {held[0].mean():8.2f} {held[1].mean():8.2f}")
    print(f"{'its deviation':24s} {held[0].std():8.2f} {held[1].std():8.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", default=[ROOT / "tests" / "fixtures"])
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = random.Random(arguments.seed)
    found, full, chords, tokenizer = [], [], [], Tokenizer.default()
    loops, repeats = np.zeros((2, 2), dtype=np.int64)
    for folder in arguments.folders:
        taken = 0
        for score in pieces(folder, generator):
            both = passages(score, generator)
            if both is not None:
                found.append(both)
                full.append(fullest(score))
                loops += looping(score, tokenizer)
                repeats += repeated(score, tokenizer)
                chords += [closing(score, generator)]
                taken += 1
            if taken == arguments.pieces:
                break
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
    print(f"\n{loops[0] / max(1, loops[1]):.2%} of {loops[1]:,} notes continue too long a loop")
    share = repeats[1] / max(1, repeats.sum())
    print(f"{share:.0%} of {repeats.sum():,} notes repeat a pitch of the onset before")
    print(
        f"\n{'instruments':12s} {'pieces':>8s} {'in a quarter, 50 %':>20s} {'at once, 90 %':>16s}"
    )
    instruments, quarter, at_once = np.array(full).T
    for fewest, most in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (7, 9), (10, 99)):
        of = (instruments >= fewest) & (instruments <= most)
        if of.any():
            name = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            figures = np.median(quarter[of]), np.percentile(at_once[of], 90)
            print(f"{name:12s} {of.sum():8d} {figures[0]:20.0f} {figures[1]:16.0f}")
    print_parts([part for both in found for part in parts(both)])
    print_closing([both for both in chords if both is not None])


if __name__ == "__main__":
    main()
