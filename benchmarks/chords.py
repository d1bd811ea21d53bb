"""Agreement of estimated chords with the chord symbols of lead sheets and of songs by rule.

    python benchmarks/chords.py FOLDER… [--pieces 200]

A folder is one of three kinds, told apart by what is in it:

- lead sheets in ABC in `abc/`, and each as a MIDI file (the Public Domain Song Anthology);
- MIDI files with tracks `Melody`, `Chords` and `Bass` (OpenEWLD): a symbol is what the last two
  play at once, as they hold nothing else;
- songs of `musenet bands`, whose manifest has the chords of each bar.

Printed is the share of beats whose chord has the same root, the same root and third, and the same
root and quality (reduced to those of `tokenizer.chords.chord`), estimated from all parts and from
the melody alone; beside it two baselines: the key's tonic triad throughout, and the triad or
seventh chord nearest to each bar's pitch classes (Fujishima, ICMC 1999). Every second piece is
counted, from the first on; `benchmarks/chord_weights.py` fits to the others.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # benchmarks/tokenizer.py would be found as the package

from data_prep.bands.harmony.chords import parse_symbol  # noqa: E402
from data_prep.bands.notation.pattern import TICKS  # noqa: E402
from data_prep.bands.tunes.abc import parse  # noqa: E402
from tokenizer import InputError, Score, read  # noqa: E402
from tokenizer.chords.beats import BAR_LINE, Beats  # noqa: E402
from tokenizer.chords.chord import CHORDS, NO_CHORD, QUALITIES, Chord  # noqa: E402
from tokenizer.chords.estimate import estimate_chords  # noqa: E402
from tokenizer.instruments import DRUMS  # noqa: E402
from tokenizer.score.bars import Bars  # noqa: E402
from tokenizer.score.chords import score_beats  # noqa: E402
from tokenizer.theory import estimate_key  # noqa: E402
from tokenizer.typing import Floats, Ints, Mask, Notes  # noqa: E402

UNKNOWN = -1
MELODIES = ("lead", "solo")  # roles of bands
TEMPLATES = np.array([[note in chord.pitch_classes for note in range(12)] for chord in CHORDS])
ROOTS = np.array([-1 if chord.root is None else chord.root for chord in CHORDS])
THIRDS = np.array([next((n for n in (4, 3, 5) if n in QUALITIES[c.quality]), 0) for c in CHORDS])


@dataclass(frozen=True)
class Piece:
    """Notes without drums, beats, and the chord that a symbol names on each beat.

    Attributes:
        notes: as in a score.
        melody: which of the notes are the melody's.
        beats: of the piece.
        symbols: numbers in `CHORDS`, one a beat; `UNKNOWN` where none is written.
    """

    notes: Notes
    melody: Mask
    beats: Beats
    symbols: Ints

    @classmethod
    def of(cls, score: Score, melody: int, symbols: Sequence[tuple[int, int]]) -> Piece:
        """A score whose track `melody` has the melody, with symbols at ticks."""
        beats = score_beats(score)
        notes = score.notes[score.notes["program"] != DRUMS]
        ticks, chords = np.array(symbols, dtype=np.int64).reshape(-1, 2).T
        # A symbol counts from the beat in whose first half it stands.
        middles = (beats.lines[1:] + beats.lines[:-1]) // 2
        last = np.searchsorted(ticks, middles) - 1
        on_beats = np.where(last >= 0, chords[np.maximum(last, 0)], UNKNOWN)
        return cls(notes, notes["track"] == melody, beats, on_beats)

    def chords(self, of: Mask | slice) -> Ints:
        """The chords estimated on each beat from some of the notes."""
        notes = self.notes[of]
        starts = notes["start"].astype(np.int64)
        ends = starts + notes["duration"]
        changes, chords = estimate_chords(starts, ends, notes["pitch"], self.beats)
        return np.repeat(chords, np.diff(np.append(changes, len(self.symbols))))

    def tonics(self, of: Mask | slice) -> Ints:
        """The tonic triad of the estimated key on every beat."""
        weights = self._held(of).sum(axis=0)
        key = estimate_key(weights)
        triad = NO_CHORD if key is None else Chord(key.tonic, "min" if key.minor else "maj")
        return np.full(len(self.symbols), triad.number)

    def templates(self, of: Mask | slice) -> Ints:
        """The chord nearest to each bar's pitch classes by the angle, on each of its beats."""
        bar = np.cumsum(self.beats.accents == BAR_LINE) - 1
        held = np.zeros((int(bar[-1]) + 1, 12))
        np.add.at(held, bar, self._held(of))
        lengths = np.sqrt(np.maximum(TEMPLATES.sum(axis=1), 1))
        return np.asarray((held @ TEMPLATES.T / lengths).argmax(axis=1)[bar])

    def _held(self, of: Mask | slice) -> Floats:
        """For how long each pitch class begins to sound on each beat, `(S, 12)`."""
        notes = self.notes[of]
        beat = np.searchsorted(self.beats.lines, notes["start"], side="right") - 1
        held = np.zeros((len(self.symbols), 12))
        np.add.at(held, (beat, notes["pitch"] % 12), notes["duration"])
        return held


def pieces(folder: Path) -> Iterator[Piece]:
    """The pieces of a folder that can be read and whose symbols fit their notes, in order of name.

    Raises:
        InputError: if it is of none of the three kinds.
    """
    manifest = folder / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    if not rows:
        raise InputError(f"{folder} has no manifest.jsonl with pieces")
    for row in sorted(rows, key=lambda row: row["file"]):
        path = folder / row["file"]
        with contextlib.suppress(InputError):
            if "chords" in row:
                yield _band(path, row)
            elif (folder / "abc").is_dir():
                yield _sheet(path, folder / "abc" / f"{path.stem}.abc")
            else:
                yield _realised(path)


def _band(path: Path, row: dict[str, Any]) -> Piece:
    score = read(path)
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    symbols = []
    for number, bar in enumerate(row["chords"]):
        begin, end = bars.tick(number), bars.tick(number + 1)
        words = bar.split()
        for share, word in enumerate(words):
            chord = parse_symbol(word).reduced
            symbols.append((begin + (end - begin) * share // len(words), chord.number))
    roles = [row["roles"].get(track.name) for track in score.tracks]
    melody = next((n for n, role in enumerate(roles) if role in MELODIES), len(roles))
    return Piece.of(score, melody, symbols)


def _sheet(path: Path, abc: Path) -> Piece:
    """A lead sheet that `abc2midi` played: symbols from the sheet, notes from the MIDI file.

    Raises:
        InputError: if the sheet cannot be read, or its melody is not the file's.
    """
    sheet = parse(abc.read_text(encoding="utf-8"), abc.name)
    score = read(path).resample(TICKS)
    played = score.notes[score.notes["track"] == 0]
    # abc2midi lets every note begin a tick late.
    begin = int(played["start"][0]) - 1 - sheet.notes[0][0]
    wanted = {(start + begin + 1, pitch) for start, _, pitch in sheet.notes}
    there = set(zip(played["start"].tolist(), played["pitch"].tolist(), strict=True))
    if len(wanted & there) < 0.9 * len(wanted):
        raise InputError(f"{abc.name} is not what {path.name} plays")
    upbeat = -begin % sheet.meter.bar  # bars begin with the first whole one
    symbols = [
        (begin + upbeat + int((number + place) * sheet.meter.bar), chord.number)
        for number, place, chord in sheet.chart
    ]
    return Piece.of(score.shift(upbeat), 0, symbols)


def _realised(path: Path) -> Piece:
    """A file whose tracks `Chords` and `Bass` are its symbols, played.

    Raises:
        InputError: if it lacks a track.
    """
    score = read(path)
    names = [track.name for track in score.tracks]
    if not {"Melody", "Chords", "Bass"} <= set(names):
        raise InputError(f"{path.name} lacks one of the tracks Melody, Chords and Bass")
    played = score.notes[score.notes["track"] == names.index("Chords")]
    bass = score.notes[score.notes["track"] == names.index("Bass")]
    roots = dict(zip(bass["start"].tolist(), (bass["pitch"] % 12).tolist(), strict=True))
    symbols: list[tuple[int, int]] = []
    end = 0
    for tick in np.unique(played["start"]).tolist():
        together = played[played["start"] == tick]
        if tick > end:
            symbols.append((end, NO_CHORD.number))
        tones = frozenset((together["pitch"] % 12).tolist())
        symbols.append((tick, _named(tones, roots.get(tick)).number))
        end = tick + int(together["duration"].max())
    return Piece.of(score, names.index("Melody"), symbols)


def _named(tones: frozenset[int], bass: int | None) -> Chord:
    """The chord that has most in common with pitch classes; on the bass note rather than not."""

    def alike(chord: Chord) -> float:
        common = len(chord.pitch_classes & tones) / len(chord.pitch_classes | tones)
        return common + (0.3 if chord.root == bass else 0)

    return max(CHORDS[1:], key=alike)


def agreement(estimated: Ints, symbols: Ints) -> Ints:
    """Beats with a symbol, and those of them with its root, its root and third, and itself."""
    written = symbols > NO_CHORD.number
    found, true = estimated[written], symbols[written]
    root = ROOTS[found] == ROOTS[true]
    third = root & (THIRDS[found] == THIRDS[true])
    return np.array([len(true), root.sum(), third.sum(), (found == true).sum()])


METHODS: dict[str, Callable[[Piece, Mask | slice], Ints]] = {
    "tonic triad": Piece.tonics,
    "template per bar": Piece.templates,
    "estimate_chords": Piece.chords,
}


def report(name: str, found: Sequence[Piece]) -> None:
    """Print the agreement of each method on pieces, from all parts and from the melody alone."""
    print(f"{name}: {len(found)} pieces, {sum(len(piece.symbols) for piece in found)} beats")
    for parts in ("all parts", "melody alone"):
        for method, chords in METHODS.items():
            counts = np.zeros(4, dtype=np.int64)
            for piece in found:
                heard = slice(None) if parts == "all parts" else piece.melody
                if len(piece.notes[heard]):
                    counts += agreement(chords(piece, heard), piece.symbols)
            shares = "".join(f"{share:8.1%}" for share in counts[1:] / max(counts[0], 1))
            print(f"  {parts:<14}{method:<18}{shares}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--pieces", type=int, default=200, help="at most so many of a folder")
    given = parser.parse_args(arguments)
    print(f"{'':<34}    root   third quality")
    for folder in given.folders:
        report(folder.name, list(islice(pieces(folder), 0, 2 * given.pieces, 2)))


if __name__ == "__main__":
    main()
