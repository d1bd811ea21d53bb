"""MIDI files to records, one for each: read, clean, encode, fingerprint. What workers run.

A record says either what the piece is or why it is refused; nothing here raises for what a file
holds, and nothing here knows of the other files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tokenizer import InputError, Score, Tokenizer, read
from tokenizer.vocabulary import DURATION

from .clean import Thresholds, all_broken
from .find import LARGEST_FILE, MidiFile
from .fingerprint import sketches
from .together import NOTES_TOGETHER, Together


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
    return examine_batch(Batch(0, Path(), (file,)), recipe)[0]


def content_hash(tokens: bytes, time_signature: str, tempo: float | None) -> bytes:
    """The hash of a piece's music: its tokens, the meter they are counted in, and its tempo."""
    return hashlib.blake2b(tokens + f"{time_signature} {tempo}".encode(), digest_size=16).digest()


@dataclass(frozen=True)
class Batch:
    """A run of files that one worker takes at a time.

    Attributes:
        number: its place in the whole run.
        target: the file that `examine_batch` writes.
        files: what to read.
        refused: reasons for files that are not to be read again, by place: they hung or crashed.
        alone: whether each file is worked on by itself, to find the one at fault.
    """

    number: int
    target: Path
    files: tuple[MidiFile, ...]
    refused: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    alone: bool = False


TOGETHER = -2
"""In place of a file's: the work goes on with several files that have been read."""


def examine_batch(
    batch: Batch, recipe: Recipe, begun: Callable[[int], object] = int
) -> Sequence[Record]:
    """The records of a batch's files, in their order.

    Files are read one by one, and what was read is worked on together.

    Args:
        batch: the files.
        recipe: what is done to them.
        begun: hears the place of each file as it is begun, and `TOGETHER` when several are.
    """
    records: dict[int, Record] = {}
    waiting: dict[int, Score] = {}
    notes = 0
    for place, file in enumerate(batch.files):
        begun(place)
        if place in batch.refused:
            records[place] = Record(file.corpus, file.name, *batch.refused[place])
            continue
        found = _read(file, recipe)
        if isinstance(found, Record):
            records[place] = found
            continue
        waiting[place] = found
        notes += len(found.notes)
        if batch.alone or notes >= NOTES_TOGETHER:
            begun(place if batch.alone else TOGETHER)
            records |= _records(batch, waiting, recipe)
            waiting, notes = {}, 0
    begun(TOGETHER)
    records |= _records(batch, waiting, recipe)
    return [records[place] for place in range(len(batch.files))]


def _read(file: MidiFile, recipe: Recipe) -> Score | Record:
    """The score of a file, or why there is none: one file in a million must not end the run."""
    if file.size > LARGEST_FILE:
        return Record(file.corpus, file.name, "too_large", f"{file.size / 1e6:.0f} MB")
    try:
        score = read(file.read(), repair=recipe.repair)
    except InputError as error:
        return Record(file.corpus, file.name, "unreadable", getattr(error, "reason", str(error)))
    except OSError as error:
        return Record(file.corpus, file.name, "unreadable", error.strerror or str(error))
    except Exception as error:
        return _failed(file, error)
    if len(score.notes) == 0:
        return Record(file.corpus, file.name, "no_notes", "it has no notes")
    return score


def _records(batch: Batch, scores: Mapping[int, Score], recipe: Recipe) -> dict[int, Record]:
    """The records of scores by their files' places; where together fails, of each by itself."""
    if not scores:
        return {}
    files = [batch.files[place] for place in scores]
    try:
        found = _described(files, list(scores.values()), recipe)
    except Exception as error:
        if len(files) > 1:
            alone = [_records(batch, {place: scores[place]}, recipe) for place in scores]
            return {place: record for one in alone for place, record in one.items()}
        found = [_failed(files[0], error)]
    return dict(zip(scores, found, strict=True))


def _failed(file: MidiFile, error: Exception) -> Record:
    if isinstance(error, MemoryError):
        detail = "reading it takes too much memory"
        return Record(file.corpus, file.name, "memory_limit", detail)
    return Record(file.corpus, file.name, "failed", f"{type(error).__name__}: {error}")


def _described(
    files: Sequence[MidiFile], scores: Sequence[Score], recipe: Recipe
) -> Sequence[Record]:
    """The records of scores with notes: refused by a rule, or with all there is to know."""
    music = Together.of(scores)
    broken = all_broken(music, recipe.thresholds)
    found = {
        piece: Record(
            files[piece].corpus, files[piece].name, rule, detail, len(scores[piece].notes)
        )
        for piece, (rule, detail) in broken.items()
    }
    clean = [piece for piece in range(len(scores)) if piece not in broken]
    if broken and clean:
        music = Together.of([scores[piece] for piece in clean])
    if clean:
        kept = _kept([files[piece] for piece in clean], music, recipe.tokenizer)
        found |= zip(clean, kept, strict=True)
    return [found[piece] for piece in range(len(scores))]


def _kept(files: Sequence[MidiFile], music: Together, tokenizer: Tokenizer) -> Iterator[Record]:
    """The records of pieces that no rule refuses."""
    longest = tokenizer.vocabulary.sizes[DURATION] - 1
    end = music.sounded_until[music.first + music.count - 1]
    columns = zip(
        files,
        music.scores,
        music.count.tolist(),
        (end / music.resolution).tolist(),
        music.seconds(np.arange(len(files)), end).tolist(),
        sketches(music),
        strict=True,
    )
    for file, score, notes, quarters, seconds, hashes in columns:
        tokens = np.concatenate([tokenizer.body(score), tokenizer.end()]).astype("<i2", copy=False)
        labels = tokenizer.labels(score)
        fifths, minor = labels.key or (None, None)
        meter = "{}/{}".format(*labels.time_signature) if labels.time_signature else ""
        data = tokens.tobytes()
        yield Record(
            corpus=file.corpus,
            name=file.name,
            notes=notes,
            rows=len(tokens),
            clipped=int((tokens[:, DURATION] == longest).sum()),
            quarters=quarters,
            seconds=seconds,
            instruments=tuple(sorted(labels.instruments)),
            tempo=labels.tempo,
            time_signature=meter,
            fifths=fifths,
            minor=minor,
            content_hash=content_hash(data, meter, labels.tempo),
            sketch=hashes.astype("<u4", copy=False).tobytes(),
            tokens=data,
        )
