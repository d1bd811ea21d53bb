"""What `encodings.py` compares: music on one grid, its encodings, and what each loses of it."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tokenizer import (
    ChordwiseTokenizer,
    InputError,
    MuseNetTokenizer,
    OnsetTokenizer,
    Score,
    Tokenizer,
    read,
)
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.musenet_vocabulary import INSTRUMENT_OF_PROGRAM, PROGRAMS
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, VELOCITY
from tokenizer.interop import from_symusic, to_symusic
from tokenizer.typing import Mask, Tokens

COMPOUND = Tokenizer.default()
LOUDNESS = 21  # field value of velocity 82


@dataclass
class Encoding:
    """A way from scores on the grid to tokens `(N, F)` and back."""

    name: str
    encode: Callable[[Score], Tokens]
    decode: Callable[[Tokens], Score]
    sizes: tuple[int, ...]
    counted: Callable[[Tokens], Mask]
    programs: np.ndarray = field(default_factory=lambda: np.arange(129))


@dataclass
class Corpus:
    """Compound rows `(T, 5)` of the pieces of a folder."""

    name: str
    train: list[Tokens]
    test: list[Tokens]


@dataclass
class Figures:
    """A row of the table."""

    corpus: str
    encoding: str
    ids: int
    tokens_per_note: float
    lost: float
    durations_changed: float
    encoded_per_second: float
    decoded_per_second: float
    parameters: int = 0
    tokens_seen: int = 0
    bits_per_note: float = math.nan
    interval: tuple[float, float] = (math.nan, math.nan)


def corpus(folder: Path, most: int, held_out: int) -> Corpus:
    """The pieces of a folder on the grid, every note of one loudness; at most so many of each."""
    train, test = folder / "train", folder / "test"
    if train.is_dir() and test.is_dir():
        paths = [sorted(train.rglob("*.mid")), sorted(test.rglob("*.mid"))]
    else:
        found = sorted(folder.rglob("*.mid"))
        paths = [[p for i, p in enumerate(found) if i % 10], found[::10]]
    if not all(paths):
        raise InputError(f"{folder} has no MIDI files to train on and to hold out")
    name = folder.parent.name if folder.name in ("midi", "MIDI") else folder.name
    return Corpus(name, [*_rows(paths[0][:most])], [*_rows(paths[1][:held_out])])


def _rows(paths: Sequence[Path]) -> Iterator[Tokens]:
    for path in paths:
        try:
            rows = COMPOUND.encode(read(path))
        except InputError as error:
            print(error, file=sys.stderr)
            continue
        rows[COMPOUND.vocabulary.is_note(rows), VELOCITY] = LOUDNESS
        kept = COMPOUND.vocabulary.is_control(rows) & COMPOUND.vocabulary.opens[rows[:, 0]]
        meter = [COMPOUND.vocabulary.name(v).startswith("time_sig") for v in rows[kept, 0]]
        yield np.concatenate([rows[kept][np.array(meter, dtype=bool)][:1], rows[~kept]])


def in_key(rows: Tokens, semitones: int) -> Tokens:
    """A piece transposed, but for drums; what would leave the range of pitches stays."""
    rows = rows.copy()
    moved = rows[:, PITCH] + semitones
    pitched = COMPOUND.vocabulary.is_note(rows) & (rows[:, INSTRUMENT] < 129)
    rows[:, PITCH] = np.where(pitched & (moved > 0) & (moved <= 128), moved, rows[:, PITCH])
    return rows


def encodings(bodies: Sequence[Tokens], merges: Sequence[int], chords: int) -> Iterator[Encoding]:
    """All of them; those that learn do so from compound rows."""
    vocabulary = COMPOUND.vocabulary
    yield Encoding("compound", COMPOUND.body, COMPOUND.decode, COMPOUND.sizes, vocabulary.counted)
    served = MuseNetTokenizer(Grid.beats())
    yield Encoding(
        "musenet", served.body, served.decode, served.sizes, _all, PROGRAMS[INSTRUMENT_OF_PROGRAM]
    )
    learned: list[tuple[str, ChordwiseTokenizer | OnsetTokenizer]] = [
        (f"chordwise, {chords:,} chords", ChordwiseTokenizer(COMPOUND, 1).learned(bodies, chords))
    ]
    for count in merges:
        name = f"onsets, {count:,} merges"
        try:
            learned.append((name, OnsetTokenizer(COMPOUND, 1).learned(bodies, count)))
        except InputError as error:
            print(f"{name}: {error}", file=sys.stderr)
    for name, one in learned:
        yield Encoding(name, one.body, one.decode, one.sizes, _all)
    yield from peers()


def peers() -> Iterator[Encoding]:
    """MidiTok's, with the grid of the compound encoding; nothing where it is not installed."""
    try:
        import miditok
    except ImportError:
        print("MidiTok is not installed: REMI and TSD are left out", file=sys.stderr)
        return
    config = {
        "beat_res": {(0, 8): 24, (8, 64): 3},  # has every duration of the compound grid
        "use_programs": True,
        "use_velocities": False,
        "use_time_signatures": True,
        "pitch_range": (0, 127),
    }
    for name in ("REMI", "TSD"):
        peer = getattr(miditok, name)(miditok.TokenizerConfig(**config))
        meters = [i for token, i in peer.vocab.items() if token.startswith("TimeSig")]

        def encode(score: Score, peer: Any = peer) -> Tokens:
            return np.array(peer.encode(to_symusic(score)).ids, dtype=np.int16)[:, None]

        def decode(tokens: Tokens, peer: Any = peer) -> Score:
            return from_symusic(peer.decode(tokens[:, 0].tolist()))

        def counted(tokens: Tokens, meters: Any = meters) -> Mask:
            return ~np.isin(tokens, meters)

        yield Encoding(f"MidiTok {name}", encode, decode, (len(peer),), counted)


def _all(tokens: Tokens) -> Mask:
    return np.ones(tokens.shape, dtype=bool)


def measured(encoding: Encoding, corpus_: Corpus) -> Figures:
    """Tokens, losses and speed on the held-out pieces."""
    scores = [COMPOUND.decode(rows) for rows in corpus_.test]
    notes = sum(len(score.notes) for score in scores)
    took, tokens = timed(lambda: [encoding.encode(score) for score in scores])
    back, again = timed(lambda: [encoding.decode(each) for each in tokens])
    lost = changed = 0
    for before, after in zip(scores, again, strict=True):
        gone, other = differences(before, after, encoding.programs)
        lost, changed = lost + gone, changed + other
    return Figures(
        corpus_.name,
        encoding.name,
        max(encoding.sizes),
        sum(map(len, tokens)) / notes,
        lost / notes,
        changed / notes,
        notes / took,
        notes / back,
    )


def differences(before: Score, after: Score, programs: np.ndarray) -> tuple[int, int]:
    """How many notes did not come back at their place, and how many others with other lengths."""
    placed = [_placed(before, programs), _placed(after, np.arange(129))]
    starts = [Counter(note[:3] for note in notes) for notes in placed]
    whole = [Counter(notes) for notes in placed]
    lost = sum((starts[0] - starts[1]).values())
    return lost, sum((whole[0] - whole[1]).values()) - lost


def _placed(score: Score, programs: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Start, instrument, pitch and duration of the notes in steps."""
    grid, notes = COMPOUND.vocabulary.grid, score.notes
    start = grid.steps(score, notes["start"])
    end = grid.steps(score, notes["start"].astype(np.int64) + notes["duration"])
    columns = (start, programs[notes["program"]], notes["pitch"], end - start)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and what it gave."""
    begin = time.process_time()
    result = call()
    return max(time.process_time() - begin, 1e-9), result
