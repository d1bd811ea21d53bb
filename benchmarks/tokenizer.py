"""Tokenizers side by side on the same files: speed, tokens per note, and what survives.

    python benchmarks/tokenizer.py FOLDER [--files 60] [--rounds 5] [--reading]

FOLDER holds MIDI files, at any depth. Peers (MidiTok's TSD, REMI and Octuple) join where MidiTok
is installed (`pip install miditok`). One thread; CPU time; in each round every method takes its
turn on all files, in a new random order; its time is the median of the rounds. Our compound tokens
and our reader run twice: file by file, as the peers do, and in bulk (`read_all`, `encode_all`,
`decode_all`). Files that any method refuses are left out for all and counted. With `--reading`,
only reading into scores is timed, beside symusic and beside parts of the work.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}

import argparse
import gc
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import symusic
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenizer import Grid, MuseNetTokenizer, Score, Tokenizer, Track, Vocabulary, read, read_all
from tokenizer.encoding.musenet import longest_notes
from tokenizer.encoding.musenet_vocabulary import INSTRUMENT_OF_PROGRAM, PROGRAMS
from tokenizer.encoding.roundtrip import exact_notes
from tokenizer.midi.event_table import event_table
from tokenizer.midi.other_events import others_of
from tokenizer.midi.sound_files import Joined, sound_file
from tokenizer.score.score import NOTES

STEPS = 24  # a quarter, for everybody
LONGEST = 64  # quarters, for the peers as for us
SAME = np.arange(129)


@dataclass
class Method:
    """A way from paths to tokens and back, with the seconds of CPU time of each round."""

    name: str
    grid: Grid
    encode: Callable[[list[Path]], list[Any]]
    decode: Callable[[list[Any]], list[Any]]
    count: Callable[[Any], int]
    score: Callable[[Any], Score]
    programs: np.ndarray  # the program that plays each program 0–128
    longest: np.ndarray  # steps that a note of each program can last
    encoding: list[float] = field(default_factory=list)
    decoding: list[float] = field(default_factory=list)


@dataclass
class Reader:
    """A way from paths to notes, with the seconds of CPU time of each round."""

    name: str
    encode: Callable[[list[Path]], list[Any]]
    encoding: list[float] = field(default_factory=list)


def each(call: Callable[[Any], Any]) -> Callable[[list[Any]], list[Any]]:
    """The call for one thing after another."""
    return lambda things: [call(thing) for thing in things]


def ours() -> Iterator[Method]:
    """Our two encodings, on both clocks."""
    for grid in (Grid.beats(), Grid.seconds()):
        compound = Tokenizer(Vocabulary.create(grid))
        yield _ours(f"compound, {grid.clock}", grid, compound)
    for grid in (Grid.beats(), Grid.seconds()):
        yield _ours(f"musenet, {grid.clock}", grid, MuseNetTokenizer(grid))


def _ours(name: str, grid: Grid, tokenizer: Tokenizer | MuseNetTokenizer) -> Method:
    compound = isinstance(tokenizer, Tokenizer)
    served = np.append(longest_notes(grid)[:-1], 0)  # drums have no durations there
    return Method(
        name,
        grid,
        encode=each(lambda path: tokenizer.encode(read(path))),
        decode=each(tokenizer.decode),
        count=lambda tokens: len(tokenizer.body(tokenizer.decode(tokens))),
        score=lambda score: score,
        programs=SAME if compound else PROGRAMS[INSTRUMENT_OF_PROGRAM],
        longest=0 * SAME + grid.durations[-1] if compound else served[INSTRUMENT_OF_PROGRAM],
    )


def in_bulk() -> Iterator[Method]:
    """Our compound tokens again, by the doors that take many files at a time."""
    for grid in (Grid.beats(), Grid.seconds()):
        yield _in_bulk(f"compound, {grid.clock}, in bulk", Tokenizer(Vocabulary.create(grid)))


def _in_bulk(name: str, tokenizer: Tokenizer) -> Method:
    return replace(
        _ours(name, tokenizer.vocabulary.grid, tokenizer),
        encode=lambda paths: list(tokenizer.encode_all(read_all(paths))),
        decode=lambda tokens: list(tokenizer.decode_all(tokens)),
    )


def peers() -> Iterator[Method]:
    """MidiTok's tokenizers with programs, 24 positions per beat and 32 velocities, as ours."""
    import miditok

    config = {
        "beat_res": {(0, 4): STEPS, (4, LONGEST): 4},
        "num_velocities": 32,
        "use_programs": True,
        "use_tempos": False,
        "use_time_signatures": True,
        "pitch_range": (0, 127),
    }
    for name in ("TSD", "REMI", "Octuple"):
        # Octuple drops what comes after its last bar, by default the 60th.
        more = {"max_bar_embedding": 3000} if name == "Octuple" else {}
        tokenizer = getattr(miditok, name)(miditok.TokenizerConfig(**config, **more))
        yield Method(
            f"MidiTok {name}",
            Grid.beats(),
            encode=each(tokenizer.encode),
            decode=each(tokenizer.decode),
            count=lambda tokens: len(tokens.ids),
            score=_of_symusic,
            programs=SAME,
            longest=0 * SAME + LONGEST * STEPS,
        )


def _of_symusic(theirs: Any) -> Score:
    """A symusic score's notes as our Score, with the same tracks."""
    tracks, notes = [], []
    for number, part in enumerate(theirs.tracks):
        program = 128 if part.is_drum else part.program
        tracks.append(Track(part.name, program, part.is_drum))
        columns = part.notes.numpy()
        rows = np.zeros(len(columns["time"]), dtype=NOTES)
        rows["start"], rows["duration"] = columns["time"], columns["duration"]
        rows["pitch"], rows["velocity"] = columns["pitch"], np.maximum(columns["velocity"], 1)
        rows["program"], rows["track"] = program, number
        notes.append(rows)
    empty = np.empty(0, dtype=NOTES)
    return Score(theirs.ticks_per_quarter, tuple(tracks), np.concatenate([empty, *notes]))


def symusic_alone(path: Path) -> int:
    """What reading costs in symusic itself: parse, and every track's notes as NumPy columns."""
    score = symusic.Score.from_midi(path.read_bytes())
    return sum(len(track.notes.numpy()["time"]) for track in score.tracks)


def symusic_sorted(path: Path) -> np.ndarray:
    """The same as one column of NOTES in the order of a Score, unchecked, and nothing else."""
    columns = [np.empty(0, NOTES)]
    for number, part in enumerate(symusic.Score.from_midi(path.read_bytes()).tracks):
        found = part.notes.numpy()
        rows = np.empty(len(found["time"]), NOTES)
        rows["start"], rows["duration"] = found["time"], found["duration"]
        rows["pitch"], rows["velocity"] = found["pitch"], found["velocity"]
        rows["program"], rows["track"] = 128 if part.is_drum else part.program, number
        columns.append(rows)
    notes = np.concatenate(columns)
    rank = notes["start"].astype(np.int64) << 15 | notes["program"].astype(np.int64) << 7
    return notes.take((rank | notes["pitch"]).argsort(kind="stable"))


def checked(path: Path) -> int:
    """What our reader needs until every byte of a file is proven sound, before it has a note."""
    sound = sound_file(path.read_bytes())
    if sound is None:
        return 0
    joined = Joined([sound])
    others, odd = others_of(joined)
    return 0 if odd else len(event_table(joined, others).time)


def timed(call: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    """CPU seconds of a call, and what it gave."""
    begin = time.process_time()
    result = call(given)
    return time.process_time() - begin, result


@dataclass
class Kept:
    """What came back of all files' notes."""

    tokens: int = 0
    notes: int = 0
    lost: int = 0
    velocity: int = 0
    duration: float = 0.0
    clipped: int = 0


def compare(method: Method, before: Score, after: Score, kept: Kept) -> None:
    """Match notes by program, pitch and the grid step of their start, and add up the errors.

    A note is lost when nothing came back at its place. Its duration's error counts, as a share of
    the duration, where it is more than half a step and the note not longer than any can be.
    """
    left, right = (_placed(method, score) for score in (before, after))
    place = np.searchsorted(right["place"], left["place"])
    place = np.minimum(place, max(len(right) - 1, 0))
    found = right["place"][place] == left["place"] if len(right) else np.zeros(len(left), bool)
    kept.notes += len(left)
    kept.lost += int((~found).sum())
    if not found.any():
        return
    pairs, others = left[found], right[place[found]]
    kept.velocity = max(kept.velocity, int(np.abs(pairs["velocity"] - others["velocity"]).max()))
    error = np.abs(pairs["duration"] - others["duration"])
    clipped = pairs["duration"] > pairs["longest"]
    kept.clipped += int(clipped.sum())
    wrong = (error > 0.5 + 1e-6) & (pairs["duration"] > 0) & ~clipped
    share = (error[wrong] / pairs["duration"][wrong]).max(initial=0)
    kept.duration = max(kept.duration, float(share))


def _placed(method: Method, score: Score) -> np.ndarray:
    """Notes in the order of their place: (start step, program, pitch, how many before it there).

    Of unisons nobody can say which is which once they are rounded: their durations and their
    velocities are each in an order of their own.
    """
    grid = method.grid
    exact = exact_notes(grid, score, score.notes)
    start = grid.from_ticks(score.notes["start"], score.ticks_per_quarter)
    if not grid.is_beat:
        start = grid.from_seconds(score.seconds(score.notes["start"]))
    program = method.programs[score.notes["program"]].astype(int)
    place = (start << 16 | program << 8 | score.notes["pitch"]) << 8
    order = np.lexsort((exact["duration"], place))
    louder = np.lexsort((exact["velocity"], place))
    fields = [("place", "i8"), ("duration", "f8"), ("velocity", "i8"), ("longest", "i8")]
    placed = np.empty(len(order), fields)
    placed["longest"] = method.longest[score.notes["program"]][order]
    group = place[order]
    first = np.searchsorted(group, group)
    placed["place"] = group + np.minimum(np.arange(len(group)) - first, 255)
    placed["duration"], placed["velocity"] = exact["duration"][order], exact["velocity"][louder]
    return placed


def usable(paths: list[Path], methods: list[Method]) -> tuple[dict[Path, Score], list[str]]:
    """The scores of the files that no method refuses, and a line for each of the others."""
    scores: dict[Path, Score] = {}
    refused: list[str] = []
    for path in paths:
        try:
            score = read(path)
            for method in methods:
                method.decode(method.encode([path]))
        except Exception as error:
            refused.append(f"{path.name}: {type(error).__name__}: {error}")
        else:
            scores[path] = score
    return scores, refused


def run(paths: list[Path], rounds: int, methods: list[Method], readers: list[Reader]) -> None:
    """Time every method and every reader on all files, round after round."""
    for number in range(rounds):
        turns: list[Method | Reader] = [*methods, *readers]
        for turn in random.Random(number).sample(turns, len(turns)):
            gc.collect()
            spent, given = timed(turn.encode, paths)
            turn.encoding.append(spent)
            if isinstance(turn, Method):
                turn.decoding.append(timed(turn.decode, given)[0])


def show(
    scores: dict[Path, Score],
    methods: list[Method],
    bulk: list[Method],
    readers: list[Reader],
    refused: list[str],
) -> None:
    """Print the two tables."""
    console = Console(width=110)
    notes = sum(len(score.notes) for score in scores.values())
    console.print(f"{len(scores)} files, {notes} notes; {len(refused)} refused by one or another")
    for line in refused:
        console.print(f"  {line}", style="dim", markup=False)
    base = next((method for method in methods if method.name == "MidiTok TSD"), None)
    table = Table("method", "path → tokens", "× TSD", "tokens → Score", "× TSD")
    for method in [*methods, *bulk]:
        there, back = median(method.encoding), median(method.decoding)
        table.add_row(
            method.name,
            f"{notes / there:,.0f} notes/s",
            f"{median(base.encoding) / there:.1f}" if base else "",
            f"{notes / back:,.0f} notes/s",
            f"{median(base.decoding) / back:.1f}" if base else "",
        )
    for reader in readers:
        spent = median(reader.encoding)
        share = f"{spent / median(readers[0].encoding):.2f}× symusic"
        table.add_row(reader.name, f"{notes / spent:,.0f} notes/s", "", share)
    console.print(table)
    table = Table(
        "method", "tokens per note", "notes lost", "velocity error", "duration error", "too long"
    )
    for method in methods:
        kept = Kept()
        for path, score in scores.items():
            tokens = method.encode([path])[0]
            kept.tokens += method.count(tokens)
            compare(method, score, method.score(method.decode([tokens])[0]), kept)
        table.add_row(
            method.name,
            f"{kept.tokens / max(kept.notes, 1):.2f}",
            f"{kept.lost} ({100 * kept.lost / max(kept.notes, 1):.2f} %)",
            f"≤ {kept.velocity}",
            f"≤ {100 * kept.duration:.1f} %",
            f"{kept.clipped}",
        )
    console.print(table)


def compared() -> tuple[list[Method], list[Method]]:
    """Our tokenizers and their peers, file by file, and ours in bulk."""
    methods = list(ours())
    warnings.simplefilter("ignore")
    try:
        methods += peers()
    except ImportError:
        print("MidiTok is not installed, so it is left out: pip install miditok")
    return methods, list(in_bulk())


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("examples"))
    parser.add_argument("--files", type=int, default=60, help="how many, drawn at random")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reading", action="store_true", help="time the readers only")
    chosen = parser.parse_args()
    paths = sorted(p for p in chosen.folder.rglob("*") if p.suffix.lower() in (".mid", ".midi"))
    if not paths:
        sys.exit(f"there are no MIDI files in {chosen.folder}")
    paths = random.Random(chosen.seed).sample(paths, min(chosen.files, len(paths)))
    methods, bulk = ([], []) if chosen.reading else compared()
    readers = [
        Reader("symusic, .numpy()", each(symusic_alone)),
        Reader("symusic, notes sorted in one column", each(symusic_sorted)),
        Reader("every byte checked, no notes yet", each(checked)),
        Reader("read into a Score", each(read)),
        Reader("read into a Score, in bulk", lambda paths: list(read_all(paths))),
    ]
    scores, refused = usable(paths, methods)
    run(list(scores), chosen.rounds, [*methods, *bulk], readers)
    show(scores, methods, bulk, readers, refused)


if __name__ == "__main__":
    main()
