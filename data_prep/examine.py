"""One MIDI file to one record: read, clean, encode, fingerprint. What workers run.

A record says either what the piece is or why it is refused; nothing here raises for what a file
holds, and nothing here knows of the other files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tokenizer import InputError, Score, Tokenizer, read
from tokenizer.vocabulary import Tokens

from .clean import Thresholds, first_broken
from .find import LARGEST_FILE, MidiFile
from .fingerprint import sketch


@dataclass(frozen=True)
class Recipe:
    """What is done to every file, the same for all.

    Attributes:
        tokenizer: turns scores into tokens; its labels are added after all files are known.
        thresholds: of the cleaning rules.
        repair: whether truncated and header-damaged files are salvaged.
    """

    tokenizer: Tokenizer
    thresholds: Thresholds = field(default_factory=Thresholds)
    repair: bool = False


@dataclass(frozen=True)
class Record:
    """What became of one file.

    Attributes:
        corpus: where it came from.
        name: its path in there.
        refused: the rule or reason for which it is left out, or "".
        detail: how it broke the rule, for the report.
        notes: how many notes it has.
        rows: how many rows `tokens` has.
        clipped: how many notes are longer than the longest duration.
        quarters: its length in quarter notes.
        seconds: its length in seconds.
        instruments: its programs, ascending.
        tempo: quarters a minute, or None.
        time_signature: the first, such as "3/4", or "".
        fifths: its key's signature, −7 … 7, or None.
        minor: whether its key is minor, or None.
        content_hash: of its tokens, 16 bytes.
        sketch: its fingerprint, little-endian uint32 hashes.
        tokens: its body with the end row, little-endian int16 `(rows, 5)`.
    """

    corpus: str
    name: str
    refused: str = ""
    detail: str = ""
    notes: int = 0
    rows: int = 0
    clipped: int = 0
    quarters: float = 0.0
    seconds: float = 0.0
    instruments: tuple[int, ...] = ()
    tempo: float | None = None
    time_signature: str = ""
    fifths: int | None = None
    minor: bool | None = None
    content_hash: bytes = b""
    sketch: bytes = b""
    tokens: bytes = b""


def examine(file: MidiFile, recipe: Recipe) -> Record:
    """The record of one MIDI file."""
    if file.size > LARGEST_FILE:
        return Record(file.corpus, file.name, "too_large", f"{file.size / 1e6:.0f} MB")
    try:
        data = file.data if file.data is not None else Path(str(file.path)).read_bytes()
        score = read(data, repair=recipe.repair)
    except InputError as error:
        return Record(file.corpus, file.name, "unreadable", getattr(error, "reason", str(error)))
    except OSError as error:
        return Record(file.corpus, file.name, "unreadable", error.strerror or str(error))
    if len(score.notes) == 0:
        return Record(file.corpus, file.name, "no_notes", "it has no notes")
    broken = first_broken(score, recipe.thresholds)
    if broken is not None:
        notes = len(score.notes)
        return Record(file.corpus, file.name, broken.rule, broken.detail, notes=notes)
    return _record(file, score, recipe.tokenizer)


def _record(file: MidiFile, score: Score, tokenizer: Tokenizer) -> Record:
    tokens = np.concatenate([tokenizer.body(score), tokenizer.end()]).astype("<i2", copy=False)
    labels = tokenizer.labels(score)
    key = labels.key
    meter = "{}/{}".format(*labels.time_signature) if labels.time_signature else ""
    data = tokens.tobytes()
    return Record(
        corpus=file.corpus,
        name=file.name,
        notes=len(score.notes),
        rows=len(tokens),
        clipped=_clipped(tokens, tokenizer),
        quarters=score.end / score.ticks_per_quarter,
        seconds=float(score.seconds(np.array([score.end]))[0]),
        instruments=tuple(sorted(int(program) for program in labels.instruments)),
        tempo=labels.tempo,
        time_signature=meter,
        fifths=None if key is None else int(key[0]),
        minor=None if key is None else bool(key[1]),
        content_hash=content_hash(data, meter, labels.tempo),
        sketch=sketch(score).astype("<u4").tobytes(),
        tokens=data,
    )


def content_hash(tokens: bytes, time_signature: str, tempo: float | None) -> bytes:
    """The hash of a piece's music: its tokens, the meter they are counted in, and its tempo."""
    return hashlib.blake2b(tokens + f"{time_signature} {tempo}".encode(), digest_size=16).digest()


def _clipped(tokens: Tokens, tokenizer: Tokenizer) -> int:
    """Notes held at the longest duration there is."""
    return int((tokens[:, 3] == tokenizer.vocabulary.sizes[3] - 1).sum())


@dataclass(frozen=True)
class Batch:
    """A run of files that one worker takes at a time.

    Attributes:
        number: its place in the whole run.
        target: the file that `examine_batch` writes.
        files: what to read.
        refused: reasons for files that are not to be read again, by place: they hung or crashed.
    """

    number: int
    target: Path
    files: tuple[MidiFile, ...]
    refused: Mapping[int, tuple[str, str]] = field(default_factory=dict)


def examine_batch(
    batch: Batch, recipe: Recipe, begun: Callable[[int], object] = int
) -> Sequence[Record]:
    """The records of a batch's files, in their order; `begun` hears of each file as it is begun."""
    records = []
    for place, file in enumerate(batch.files):
        begun(place)
        if place in batch.refused:
            records.append(Record(file.corpus, file.name, *batch.refused[place]))
            continue
        records.append(_examined(file, recipe))
    return records


def _examined(file: MidiFile, recipe: Recipe) -> Record:
    """A record whatever happens: one file in a million must not end the run."""
    try:
        return examine(file, recipe)
    except MemoryError:
        detail = "reading it takes too much memory"
        return Record(file.corpus, file.name, "memory_limit", detail)
    except Exception as error:
        return Record(file.corpus, file.name, "failed", f"{type(error).__name__}: {error}")
