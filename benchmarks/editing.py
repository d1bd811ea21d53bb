"""Fills and accompaniments beside real music, one table each.

    python benchmarks/editing.py fills CORPORA… --pieces 40
    python benchmarks/editing.py untouched CORPORA… --pieces 500
    python benchmarks/editing.py band MIDI…
    python benchmarks/editing.py time MIDI

Corpora are folders with the folders that `benchmarks/held_out.csv` names, of whose files the test
split is taken, or folders of MIDI. Of each piece twelve bars are taken, and the middle four are
written anew: all parts, or the one with most notes.

    fills      similarity of the hole's bars with those around (chroma: cosine of how long pitch
               classes are played; groove: one minus the Hamming distance of onsets), bits of the
               first notes of the hole and of those after it by the same model, and whether the
               critic tells the real music from the fill; *before* is the real music with the bars
               before the hole once more in it
    untouched  two bars of a random part anew; all else compared byte for byte as mido reads it
    band       a bass and drums under what else a file plays, beside the real ones if it has some
    time       four bars of one part: the whole command, and without starting Python and loading
"""

from __future__ import annotations

import argparse
import csv
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from benchmarks.editing_figures import BASSES, Band, band, outside_changed, similar  # noqa: E402
from musenet.editing.fill import Fill, Take  # noqa: E402
from musenet.editing.piece import Piece, piece_of, read_piece  # noqa: E402
from musenet.evaluation.bootstrap import bootstrap  # noqa: E402
from musenet.evaluation.critic import log_odds  # noqa: E402
from musenet.evaluation.likelihood import Conditions  # noqa: E402
from musenet.evaluation.note_bits import note_bits  # noqa: E402
from musenet.model.checkpoint import Checkpoint, load_checkpoint  # noqa: E402
from musenet.options.fill_options import AccompanyOptions, FillOptions  # noqa: E402
from tokenizer.errors import InputError  # noqa: E402
from tokenizer.instruments import DRUMS  # noqa: E402
from tokenizer.midi.read import read, to_bytes  # noqa: E402
from tokenizer.score.bars import Bars  # noqa: E402
from tokenizer.score.chords import file_chords, score_chords  # noqa: E402
from tokenizer.score.score import Score  # noqa: E402

BARS, HOLE = 12, (5, 8)  # bars of a passage, and the first and the last of its hole
BOUNDARY = 4  # notes at each edge of a hole whose bits are counted
FEWEST = 24  # notes in a passage


def files_in(folders: Sequence[Path], held_out: Path) -> list[Path]:
    """The MIDI files of folders; of the corpora that a list names, those of its test split."""
    with held_out.open(encoding="utf-8") as lines:
        named = [row for row in csv.DictReader(lines) if row["split"] == "test"]
    found: list[Path] = []
    for folder in folders:
        own = [folder / row["corpus"] / row["file"] for row in named]
        own = [path for path in own if path.is_file()]
        found += own or [p for p in folder.rglob("*") if p.suffix.lower() in (".mid", ".midi")]
    return sorted(found)


def passages(paths: Sequence[Path], count: int, seed: int) -> Iterator[tuple[Path, Score]]:
    """Twelve bars from the middle of files in random order, with music around and in the hole."""
    order = random.Random(seed).sample(paths, len(paths))
    found = 0
    for path in order:
        try:
            score = read(path)
        except InputError:
            continue
        bars = Bars(score.time_signatures, score.ticks_per_quarter)
        whole = bars.number(max(score.end - 1, 0)) + 1
        if whole < BARS + 2 or len(score.notes) < FEWEST:
            continue
        first = (whole - BARS) // 2
        part = score.slice(bars.tick(first), bars.tick(first + BARS))
        lines = _lines(part)
        inside = _in_hole(part, lines)
        if len(lines) == BARS + 1 and inside.sum() >= 8 and (~inside).sum() >= 16:
            yield path, part
            found += 1
        if found == count:
            return


def _lines(score: Score) -> np.ndarray:
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    return np.array([bars.tick(bar) for bar in range(BARS + 1)])


def _in_hole(score: Score, lines: np.ndarray) -> np.ndarray:
    start = score.notes["start"]
    return (start >= lines[HOLE[0] - 1]) & (start < lines[HOLE[1]])


def take(checkpoint: Checkpoint, piece: Piece, options: FillOptions) -> tuple[Fill, Take]:
    """A request with its first variation."""
    request = Fill(checkpoint, piece, options)
    for _ in request.steps():
        pass
    return request, request.results()[0]


def fills(checkpoint: Checkpoint, found: Sequence[tuple[Path, Score]]) -> None:
    """Print the tables of similarity, surprise and the critic."""
    figures: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    critic: dict[str, list[tuple[float, float]]] = {}
    for number, (_, score) in enumerate(found):
        lines = _lines(score)
        programs = score.notes["program"][_in_hole(score, lines)]
        most = int(np.bincount(programs).argmax())
        for kind, wanted in (("all parts", ()), ("one part", (most,))):
            options = FillOptions(bars=(HOLE,), instruments=wanted, seed=number)
            try:
                _, made = take(checkpoint, piece_of(to_bytes(score), "passage", "it"), options)
            except InputError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            variants = {
                "real": score,
                "fill": made.score,
                "before": before_again(score, lines, wanted),
            }
            for name, music in variants.items():
                chosen = music.notes
                if wanted:
                    chosen = chosen[chosen["program"] == most]
                likeness = similar(chosen, lines, slice(HOLE[0] - 1, HOLE[1]))
                bits = _boundary_bits(checkpoint, music, lines, wanted)
                figures.setdefault((kind, name), []).append((*likeness, *bits))
            if checkpoint.model.critic is not None:
                cut = [music.slice(0, int(lines[HOLE[1]])) for music in (score, made.score)]
                pieces = [checkpoint.tokenizer.encode(each) for each in cut]
                real, fill = log_odds(checkpoint, pieces)
                critic.setdefault(kind, []).append((real, fill))
        print(f"{number + 1} of {len(found)}", file=sys.stderr, flush=True)
    print(f"{'':18}{'n':>4}  {'chroma':18}{'groove':18}{'bits, first':20}{'bits, after':20}")
    for (kind, name), rows in figures.items():
        print(f"{kind + ', ' + name:18}{len(rows):4}  {_means(rows)}")
        if name == "real":
            low, high = np.nanquantile(np.array(rows), [0.25, 0.75], axis=0)
            spread = "".join(f"{f'{a:.2f}–{b:.2f}':20}" for a, b in zip(low, high, strict=True))
            print(f"{'  half of them':24}{spread}")
    for kind, scores in critic.items():
        print(f"critic, {kind}: {_auc(scores)}")


def before_again(score: Score, lines: np.ndarray, wanted: tuple[int, ...]) -> Score:
    """A passage in whose hole the parts play the four bars before it once more."""
    notes = score.notes
    mine = np.isin(notes["program"], wanted) if wanted else np.ones(len(notes), bool)
    old = notes[mine & (notes["start"] < lines[HOLE[0] - 1])].copy()
    old["start"] += np.int32(lines[HOLE[0] - 1])
    both = np.concatenate([notes[~(mine & _in_hole(score, lines))], old])
    order = np.lexsort((both["pitch"], both["program"], both["start"]))
    return replace(score, notes=both[order])


def _boundary_bits(
    checkpoint: Checkpoint, score: Score, lines: np.ndarray, wanted: tuple[int, ...]
) -> tuple[float, float]:
    """Bits of the first notes of the hole, of the parts that are written, and of those after it."""
    tokenizer = checkpoint.tokenizer
    found = note_bits(
        checkpoint.model, tokenizer, score, tokenizer.labels(score), Conditions()
    ).table
    tick, bits = found["tick"].to_numpy(), found["bits"].to_numpy()
    mine = np.isin(found["program"].to_numpy(), wanted) if wanted else np.ones(len(tick), bool)
    edges = []
    for begin, end, own in (
        (lines[HOLE[0] - 1], lines[HOLE[1]], mine),
        (lines[HOLE[1]], lines[-1], np.ones(len(tick), bool)),
    ):
        chosen = bits[own & (tick >= begin) & (tick < end)][:BOUNDARY]
        edges.append(float(chosen.mean()) if len(chosen) else float("nan"))
    return edges[0], edges[1]


def _means(rows: Sequence[tuple[float, ...]]) -> str:
    """Means with their intervals, a cell for each column."""
    cells = ""
    for column in np.array(rows).T:
        values = column[~np.isnan(column)]
        low, high = bootstrap(values)
        cells += f"{f'{values.mean():.2f} ({low:.2f}–{high:.2f})':20}"
    return cells


def _auc(scores: Sequence[tuple[float, float]]) -> str:
    """How often the critic prefers the real music: to any fill, and to the one in its place."""
    real, fill = np.array(scores).T
    any_ = float((real[:, None] > fill).mean())
    low, high = bootstrap((real > fill).astype(float))
    return f"AUC {any_:.2f}; in its place {(real > fill).mean():.2f} ({low:.2f}–{high:.2f})"


def untouched(checkpoint: Checkpoint, paths: Sequence[Path], count: int, seed: int) -> None:
    """Print how many files stayed the same outside of two bars of one part."""
    chosen = random.Random(seed)
    same, read_by_none = 0, 0
    changed: list[Path] = []
    for path in chosen.sample(paths, len(paths)):
        if same + len(changed) == count:
            break
        try:
            piece = read_piece(path)
            last = piece.bars.number(max(piece.end - 1, 0)) + 1
            bar = chosen.randint(1, max(1, last - 1))
            span = piece.bars.tick(bar - 1), piece.bars.tick(min(bar + 1, last))
            notes = piece.notes.notes
            inside = notes[(notes["start"] >= span[0]) & (notes["start"] < span[1])]
            if not len(inside):
                continue
            program = int(chosen.choice(sorted(set(inside["program"].tolist()))))
            options = FillOptions(bars=((bar, min(bar + 1, last)),), instruments=(program,))
            request, made = take(checkpoint, piece, options)
            parts = {int(note["channel"]) for note in request.holed.gone}
            parts |= {int(c) for c in notes["channel"][notes["program"] == program]}
            differing = outside_changed(piece.data, made.data, request.holes[0], parts)
        except (InputError, OSError, ValueError, EOFError, KeyError) as error:
            read_by_none += 1
            print(f"left out: {path.name}: {error}", file=sys.stderr)
            continue
        same += not differing
        if differing:
            changed.append(path)
            print(f"{path}: {'; '.join(differing)}", file=sys.stderr, flush=True)
    print(f"{same} of {same + len(changed)} files unchanged outside; {read_by_none} not readable")


def accompanied(
    checkpoint: Checkpoint, paths: Sequence[Path], seeds: int, drafts: int | None
) -> None:
    """Print what a bass and drums play under files, and the real ones of those that have them."""
    made: list[Band] = []
    real: list[Band] = []
    for path in paths:
        whole = read_piece(path).score
        chords = file_chords(whole) or score_chords(whole)
        rhythm = np.isin(whole.notes["program"], [*BASSES, DRUMS])
        if rhythm.any():
            real.append(band(whole, whole.notes, *chords))
        tune = replace(whole, notes=whole.notes[~rhythm])
        for seed in range(1, seeds + 1):
            options = AccompanyOptions(instruments=(33, DRUMS), seed=seed, drafts=drafts).as_fill()
            _, done = take(checkpoint, read_piece(tune), options)
            made.append(band(done.score, done.new, *chords))
            print(path.name, seed, *(f"{value:.2f}" for value in made[-1]), file=sys.stderr)
    print(f"{'':10}{'n':>4}  " + "".join(f"{name:20}" for name in Band._fields))
    for name, rows in (("written", made), ("real", real)):
        print(f"{name:10}{len(rows):4}  {_means(rows)}")


def timed(path: Path, weights: str, rounds: int) -> None:
    """Print how long four bars of one part take."""
    piece = read_piece(path)
    program = int(np.bincount(piece.score.notes["program"]).argmax())
    checkpoint = load_checkpoint(weights)
    print(f"{'':14}{'command':>10}{'loaded':>10}   seconds, the shortest of {rounds}")
    for count in (1, 4):
        options = FillOptions(bars=((5, 8),), instruments=(program,), seed=1)
        options = replace(options, variations=tuple(range(1, count + 1)))
        take(checkpoint, piece, options)
        loaded, command = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            take(checkpoint, read_piece(path), options)
            loaded.append(time.perf_counter() - began)
            with tempfile.TemporaryDirectory() as folder:
                words = f"fill {path} --bars 5-8 --instruments {program} --variations {count}"
                entry = "from musenet.cli.main import main; main()"
                began = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-c", entry, *words.split(), "--out", folder, "--seed", "1"],
                    check=True,
                    cwd=ROOT,
                    stdout=subprocess.DEVNULL,
                )
                command.append(time.perf_counter() - began)
        print(f"takes: {count:<7}{min(command):10.2f}{min(loaded):10.2f}", flush=True)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=("fills", "untouched", "band", "time"))
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--weights", default="mini")
    parser.add_argument("--pieces", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=4, help="accompaniments of each file")
    parser.add_argument("--drafts", type=int, help="of each accompaniment; the default if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--held-out", type=Path, default=ROOT / "benchmarks" / "held_out.csv")
    asked = parser.parse_args()
    if asked.table == "time":
        timed(asked.paths[0].resolve(), asked.weights, asked.rounds)
        return
    checkpoint = load_checkpoint(asked.weights)
    if asked.table == "band":
        accompanied(checkpoint, asked.paths, asked.seeds, asked.drafts)
        return
    if asked.table == "untouched":
        paths = [p for f in asked.paths for p in f.rglob("*") if p.suffix.lower() == ".mid"]
        untouched(checkpoint, sorted(paths), asked.pieces, asked.seed)
        return
    paths = files_in(asked.paths, asked.held_out)
    fills(checkpoint, list(passages(paths, asked.pieces, asked.seed)))


if __name__ == "__main__":
    main()
