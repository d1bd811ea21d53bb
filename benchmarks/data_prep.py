"""Data preparation against its targets, compared with MidiTok on the same files.

    python benchmarks/data_prep.py FOLDER [--files 600] [--parts speed memory windows near]
    python benchmarks/data_prep.py FOLDER --files 6000 --parts workers

FOLDER holds MIDI files, at any depth; the files are drawn from it with a fixed seed. MidiTok joins
where it is installed (`pip install miditok`). Speed is notes per second of CPU time, from path to
a finished dataset folder for us, and from path to saved JSON for MidiTok.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}

import argparse
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep import Augmentation, Dataset, Dropout, prepare
from data_prep.corpus.decide import Plan
from data_prep.corpus.near_duplicates import groups, near_duplicates
from data_prep.corpus.split import Shares
from data_prep.pipeline import Run
from data_prep.sources.archives import is_midi
from data_prep.sources.label import metadata_of
from data_prep.sources.manifest import file_of, read_manifest
from data_prep.worker.engines import Limits
from data_prep.worker.fingerprint import sketch
from tokenizer import InputError, Score, Track, read
from tokenizer.instruments import DRUMS
from tokenizer.malloc import keep_freed_memory
from tokenizer.midi.read import read_all

ROOT = Path(__file__).resolve().parents[1]

Row = tuple[str, str, str]
"""What was measured, the figure, and the target."""

TRAIN_ONLY = Plan(Shares(0.0, 0.0))

ROUNDS = 3


def chosen(folder: Path, count: int) -> list[Path]:
    """Some files of a folder, always the same."""
    files = sorted(path for path in folder.rglob("*") if is_midi(path.name) and path.is_file())
    random.Random(0).shuffle(files)
    return files[:count]


def listed(files: list[Path], folder: Path) -> Path:
    """A manifest that names files; its own folder holds links to them."""
    folder.mkdir()
    lines = ["file"]
    for number, path in enumerate(files):
        (folder / f"{number}.mid").symlink_to(path.resolve())
        lines.append(f"{number}.mid")
    manifest = folder / "files.csv"
    manifest.write_text("\n".join(lines) + "\n")
    return manifest


def speed(files: list[Path], folder: Path) -> Iterator[Row]:
    """End to end against MidiTok in notes per second of CPU time: medians of rounds in turn."""
    manifest = listed(files, folder / "speed")
    few = listed(files[:8], folder / "few")  # what is imported at the first use is not counted
    prepare([few], folder / "first", plan=TRAIN_ONLY, run=Run("threads", Limits(1)))
    tokenizers = miditok_tokenizers()
    rates: dict[str, list[float]] = {"": [], **{name: [] for name in tokenizers}}
    for turn in range(ROUNDS):
        for part in range(3):  # ours takes a fraction of the others' time
            out = folder / f"dataset{turn}-{part}"
            begun = time.process_time()
            report = prepare([manifest], out, plan=TRAIN_ONLY, run=Run("threads", Limits(1)))
            rates[""].append(report.total.notes / (time.process_time() - begun))
        for name, tokenizer in tokenizers.items():
            target = folder / f"{name}{turn}"
            rates[name].append(notes_in(files) / miditok_seconds(tokenizer, name, files, target))
    ours, *theirs = (statistics.median(rates[name]) for name in rates)
    yield "notes/s per core, end to end", f"{ours:,.0f}", ""
    if not tokenizers:
        yield "  MidiTok", "not installed, not compared", "pip install miditok"
    for name, rate in zip(tokenizers, theirs, strict=True):
        yield f"  MidiTok {name}, to JSON", f"{rate:,.0f}", ""
        yield "  times as fast", f"{ours / rate:.1f}×", "≥ 50×"


def miditok_tokenizers() -> dict[str, Any]:
    """MidiTok's tokenizers that keep what ours keeps, by name."""
    try:
        import miditok
    except ImportError:
        return {}
    config = {
        "use_programs": True,
        "use_tempos": True,
        "use_time_signatures": True,
        "beat_res": {(0, 64): 24},
        "num_velocities": 32,
    }
    return {
        name: getattr(miditok, name)(miditok.TokenizerConfig(**config))
        for name in ("TSD", "REMI", "Octuple")
    }


def miditok_seconds(tokenizer: Any, name: str, files: list[Path], target: Path) -> float:
    """CPU seconds of a MidiTok tokenizer from paths to saved JSON."""
    target.mkdir()
    begun = time.process_time()
    for number, path in enumerate(files):
        try:
            tokenizer.save_tokens(tokenizer.encode(path), target / f"{number}.json")
        except Exception as error:
            print(f"MidiTok {name} refuses {path.name}: {error!r}"[:160], file=sys.stderr)
    return time.process_time() - begun


def notes_in(files: list[Path]) -> int:
    """How many notes files have; those that cannot be read have none."""
    found = read_all(files, errors="return")
    return sum(len(score.notes) for score in found if isinstance(score, Score))


def children_time() -> float:
    """CPU seconds of all processes that this one has started and that have ended."""
    used = os.times()
    return used.children_user + used.children_system


def workers(files: list[Path], folder: Path) -> Iterator[Row]:
    """Two processes against one, by the clock on the wall: of few files, mostly their start.

    And by CPU time, which other work on the machine leaves as it is: what the first process does
    alone, whatever the workers, against what these do.
    """
    manifest = listed(files, folder / "workers")
    took: dict[int, list[tuple[float, ...]]] = {1: [], 2: []}
    for turn in range(4):
        for count, seconds in took.items():
            out = folder / f"of{count}-{turn}"
            begun = time.perf_counter(), time.process_time(), children_time()
            prepare([manifest], out, plan=TRAIN_ONLY, run=Run("processes", Limits(count)))
            ended = time.perf_counter(), time.process_time(), children_time()
            if turn:  # the first reads the disk and imports for those that follow
                seconds.append(tuple(b - a for a, b in zip(begun, ended, strict=True)))
    one, two = (np.median(seconds, axis=0).tolist() for seconds in took.values())
    yield "two workers against one", f"{one[0] / two[0]:.2f}×", "≥ 1.6×"
    yield "  CPU seconds, first process and workers", _sums(one, two), ""


def _sums(one: list[float], two: list[float]) -> str:
    return f"{one[1]:.2f} + {one[2]:.2f}; {two[1]:.2f} + {two[2]:.2f}"


_PEAK = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from data_prep import prepare
from data_prep.worker.engines import Limits
from data_prep.pipeline import Run
prepare([sys.argv[2]], sys.argv[3], run=Run("threads", Limits(1)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def memory(files: list[Path], folder: Path) -> Iterator[Row]:
    """Peak memory of a tenth of the files and of all, each in a separate process."""
    peaks = []
    for name, some in (("tenth", files[::10]), ("all", files)):
        manifest = listed(some, folder / name)
        command = [sys.executable, "-c", _PEAK, str(ROOT), str(manifest), str(folder / f"{name}-d")]
        peaks.append(float(subprocess.check_output(command, text=True)))
    figures = f"{peaks[0]:.0f} → {peaks[1]:.0f} MB ({peaks[1] / peaks[0]:.2f}×)"
    yield f"peak memory, {len(files) // 10} → {len(files)} files", figures, "≤ 1.2×"


def windows(files: list[Path], folder: Path) -> Iterator[Row]:
    """Tokens per second of random windows with all augmentations."""
    manifest = listed(files, folder / "listed")
    prepare([manifest], folder / "windows", plan=TRAIN_ONLY, run=Run("threads", Limits(1)))
    dataset = Dataset(
        folder / "windows", "train", 1024, augmentation=Augmentation(), dropout=Dropout()
    )
    for name in ("first", "later"):
        begun = time.process_time()
        for k in range(60):
            dataset.batch(k, 16)
        tokens = 60 * 16 * 1024 / (time.process_time() - begun)
        yield f"windows, tokens/s per core, {name} pass", f"{tokens / 1e6:.2f} M", "≥ 2 M"


def arranged(score: Score, chance: np.random.Generator) -> Score:
    """Another arrangement: key, tempo, volume, instruments, order of tracks, one part's octave."""
    notes = score.notes.copy()
    drums = notes["program"] == DRUMS
    # At 960 ticks per quarter note at least: a grid of sixteenths could not hold another tempo.
    finer = -(-960 // score.ticks_per_quarter)
    stretch = chance.uniform(0.6, 1.7) * finer
    notes["start"] = np.rint(notes["start"] * stretch)
    notes["duration"] = np.maximum(1, np.rint(notes["duration"] * stretch))
    octave = np.zeros(len(notes), dtype=np.int64)
    parts = np.unique(notes["track"][~drums])
    if len(parts):
        octave[notes["track"] == chance.choice(parts)] = 12 * chance.choice([-1, 1])
    shift = np.where(drums, 0, int(chance.integers(-7, 8)) + octave)
    notes["pitch"] = np.clip(notes["pitch"].astype(np.int64) + shift, 0, 127)
    louder = notes["velocity"] * chance.uniform(0.6, 1.3) + chance.normal(0, 8, len(notes))
    notes["velocity"] = np.clip(louder, 1, 127)
    programs = chance.integers(0, DRUMS, len(score.tracks))
    order = chance.permutation(len(score.tracks))
    tracks = [Track("", 0)] * len(score.tracks)
    for old, new in enumerate(order.tolist()):
        is_drum = score.tracks[old].is_drum
        tracks[new] = Track("", DRUMS if is_drum else int(programs[old]), is_drum)
    notes["program"] = np.where(drums, DRUMS, programs[notes["track"]])
    notes["track"] = order[notes["track"]]
    return Score(score.ticks_per_quarter * finer, tuple(tracks), notes)


def composers(files: list[Path]) -> dict[Path, str | None]:
    """The composer of each file, as far as a manifest in one of its folders says."""
    known: dict[Path, str | None] = {}
    for folder in {parent for path in files for parent in path.parents}:
        if (folder / "manifest.jsonl").is_file():
            for row in read_manifest(folder / "manifest.jsonl"):
                known[folder / file_of(row)] = metadata_of(row, {}).composer
    return known


def near(files: list[Path], folder: Path) -> Iterator[Row]:
    """How many arrangements are found, and how many different pieces are taken for the same.

    Pieces are known to be different where manifests name different composers. Some of these are
    arrangements nevertheless (Liszt's of Paganini, a parody mass), so that the second figure is
    an upper bound.
    """
    del folder
    chance = np.random.default_rng(0)
    composer_of = composers(files)
    originals, arrangements, names = [], [], []
    for path in files:
        try:
            score = read(path)
        except InputError:
            continue
        if len(score.notes) >= 8:
            originals.append(sketch(score))
            arrangements.append(sketch(arranged(score, chance)))
            names.append(composer_of.get(path))
    count = len(originals)
    links = near_duplicates([*originals, *arrangements])
    pairs = list(zip(links.first.tolist(), links.second.tolist(), strict=True))
    first = groups(2 * count, links)
    found = sum(first[i] == first[i + count] for i in range(count))
    merged = {
        piece
        for one, other in pairs
        if other < count and names[one] and names[other] and names[one] != names[other]
        for piece in (one, other)
    }
    yield f"arrangements found, of {count:,}", f"{found / count:.2%}", "≥ 98 %"
    yield "pieces linked to another composer's", f"{len(merged) / count:.3%}", "≤ 0.1 %"


PARTS: dict[str, Callable[[list[Path], Path], Iterator[Row]]] = {
    "speed": speed,
    "workers": workers,
    "memory": memory,
    "windows": windows,
    "near": near,
}


def main() -> None:
    """Measure the parts asked for and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=600)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    files = chosen(options.folder, options.files)
    if not files:
        parser.error(f"{options.folder} holds no MIDI files")
    warnings.filterwarnings("ignore")
    keep_freed_memory()
    table = Table("measured", "figure", "target", title=f"data_prep on {len(files):,} files")
    for part in options.parts:
        with tempfile.TemporaryDirectory() as folder:
            for row in PARTS[part](files, Path(folder)):
                table.add_row(*row)
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
