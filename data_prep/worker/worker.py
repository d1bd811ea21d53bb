"""MIDI files to records, one for each: read, clean, encode, fingerprint. What workers run.

A record describes the piece, or says why it is left out. Nothing here raises for the content of a
file, and nothing depends on other files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.sources.find import MidiFile
from tokenizer import InputError, Score, Tokenizer
from tokenizer.encoding.vocabulary import DURATION
from tokenizer.midi.read import LARGEST_FILE, read_all
from tokenizer.score.batch import ScoreBatch, ticks_of

from .clean import Thresholds, violations
from .fingerprint import sketches


@dataclass(frozen=True)
class Preprocessing:
    """What is done to every file, the same for all.

    Attributes:
        tokenizer: turns scores into tokens; its labels are added after all files are known.
        thresholds: of the cleaning rules.
        repair: whether truncated and header-damaged files are salvaged.
    """

    tokenizer: Tokenizer
    thresholds: Thresholds = field(default_factory=Thresholds)
    repair: bool = False


class FileRecord(NamedTuple):
    """The result of one file.

    Attributes:
        corpus: its corpus.
        name: its path in the corpus.
        refused: the rule or reason for which it is left out, or "".
        detail: how it broke the rule, for the report.
        notes: its number of notes.
        rows: the number of rows of `tokens`.
        clipped: the number of notes longer than the longest duration.
        quarters: its length in quarter notes.
        seconds: its length in seconds.
        instruments: its programs, ascending.
        tempo: in quarter notes per minute, or None.
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


def examine(file: MidiFile, preprocessing: Preprocessing) -> FileRecord:
    """The record of one MIDI file."""
    return examine_batch(FileBatch(0, Path(), (file,)), preprocessing)[0]


def content_hash(tokens: bytes, time_signature: str, tempo: float | None) -> bytes:
    """The hash of a piece's music: its tokens, the meter they are counted in, and its tempo."""
    digest = hashlib.blake2b(tokens, digest_size=16)
    digest.update(f"{time_signature} {tempo}".encode())
    return digest.digest()


@dataclass(frozen=True)
class FileBatch:
    """A run of files that one worker takes at a time.

    Attributes:
        number: its index in the run.
        target: the chunk to write.
        files: what to read.
        refused: why files that hung or crashed are not to be read again, by index.
        alone: whether each file is worked on by itself, to find the one at fault.
    """

    number: int
    target: Path
    files: tuple[MidiFile, ...]
    refused: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    alone: bool = False


NOTES_PER_BATCH = 1 << 17
"""About how many notes are worked on together: more are no faster, and take memory."""

TOGETHER = -2
"""Instead of a file's index: several files that have been read are worked on."""


def examine_batch(
    batch: FileBatch, preprocessing: Preprocessing, begun: Callable[[int], object] = int
) -> Sequence[FileRecord]:
    """The records of a batch's files, in their order.

    Files are read one by one, and what was read is worked on together. Where that fails, each file
    is worked on alone: one bad file in a million must not end the run.

    Args:
        batch: the files.
        preprocessing: what is done to them.
        begun: called with the index of each file as it is begun, and with `TOGETHER` when work
            on several begins.
    """
    if not batch.alone:
        try:
            return _examined(batch, preprocessing, begun)
        except Exception as error:
            if len(batch.files) == 1:
                return [_failed(batch.files[0], error)]
    records: list[FileRecord] = []
    for place, file in enumerate(batch.files):
        refused = {0: batch.refused[place]} if place in batch.refused else {}
        one = FileBatch(batch.number, batch.target, (file,), refused)
        records += examine_batch(one, preprocessing, _always(begun, place))
    return records


def _always(begun: Callable[[int], object], place: int) -> Callable[[int], object]:
    return lambda _: begun(place)


def _failed(file: MidiFile, error: Exception) -> FileRecord:
    if isinstance(error, MemoryError):
        detail = "reading it takes too much memory"
        return FileRecord(file.corpus, file.name, "memory_limit", detail)
    return FileRecord(file.corpus, file.name, "failed", f"{type(error).__name__}: {error}")


def _examined(
    batch: FileBatch, preprocessing: Preprocessing, begun: Callable[[int], object]
) -> Sequence[FileRecord]:
    records: list[FileRecord | None] = [None] * len(batch.files)
    opened: list[int] = []

    def contents() -> Iterator[bytes]:
        """The bytes of one file after another; what went before is read when the next is begun."""
        for place, file in enumerate(batch.files):
            begun(place)
            found = batch.refused.get(place) or _opened(file)
            if isinstance(found, bytes):
                opened.append(place)
                yield found
            else:
                records[place] = FileRecord(file.corpus, file.name, *found)

    scores = read_all(contents(), repair=preprocessing.repair, errors="return")
    places = iter(opened)
    for some in _groups(scores):
        begun(TOGETHER)
        some_places = list(islice(places, len(some)))
        files = [batch.files[place] for place in some_places]
        for place, record in zip(some_places, _records(files, some, preprocessing), strict=True):
            records[place] = record
    return [record for record in records if record is not None]


def _opened(file: MidiFile) -> bytes | tuple[str, str]:
    """The bytes of a file, or why there are none."""
    if file.refused is not None:
        return file.refused
    if file.size > LARGEST_FILE:
        return "too_large", f"{file.size / 1e6:.0f} MB"
    try:
        return file.read()
    except OSError as error:
        return "unreadable", error.strerror or str(error)


def _groups(found: Iterable[Score | InputError]) -> Iterator[list[Score | InputError]]:
    """What was read, in runs of about `NOTES_PER_BATCH` notes."""
    group: list[Score | InputError] = []
    notes = 0
    for score in found:
        group.append(score)
        notes += len(score.notes) if isinstance(score, Score) else 0
        if notes >= NOTES_PER_BATCH:
            yield group
            group, notes = [], 0
    if group:
        yield group


def _records(
    files: Sequence[MidiFile], found: Sequence[Score | InputError], preprocessing: Preprocessing
) -> list[FileRecord]:
    """The records of files by what was read in them."""
    refused: dict[int, tuple[str, str, int]] = {}
    scores: dict[int, Score] = {}
    for place, score in enumerate(found):
        if isinstance(score, InputError):
            refused[place] = "unreadable", getattr(score, "reason", str(score)), 0
        elif len(score.notes) == 0:
            refused[place] = "no_notes", "it has no notes", 0
        else:
            scores[place] = score
    places = list(scores)
    if scores:
        music = ScoreBatch.of(list(scores.values()))
        broken = violations(music, preprocessing.thresholds)
        for piece, (rule, detail) in broken.items():
            refused[places[piece]] = rule, detail, len(scores.pop(places[piece]).notes)
        if broken and scores:
            music = ScoreBatch.of(list(scores.values()))
    records = {
        place: FileRecord(files[place].corpus, files[place].name, *reason)
        for place, reason in refused.items()
    }
    if scores:
        records |= zip(
            scores, _kept([files[p] for p in scores], music, preprocessing.tokenizer), strict=True
        )
    return [records[place] for place in range(len(files))]


def _kept(
    files: Sequence[MidiFile], music: ScoreBatch, tokenizer: Tokenizer
) -> Iterator[FileRecord]:
    """The records of pieces that no rule refuses."""
    longest = tokenizer.vocabulary.sizes[DURATION] - 1
    closing = tokenizer.end().astype("<i2").tobytes()
    columns = zip(
        files,
        music.note_counts.tolist(),
        (ticks_of(music.end) / music.resolution).tolist(),
        music.tempo_maps.seconds(music.end).tolist(),
        tokenizer.bodies(music),
        tokenizer.labels_of_batch(music),
        sketches(music),
        strict=True,
    )
    for file, notes, quarters, seconds, body, labels, hashes in columns:
        tokens = b"".join((body.astype("<i2", copy=False).data, closing))
        fifths, minor = labels.key or (None, None)
        meter = "{}/{}".format(*labels.time_signature) if labels.time_signature else ""
        yield FileRecord(
            corpus=file.corpus,
            name=file.name,
            notes=notes,
            rows=len(body) + 1,
            clipped=int(np.count_nonzero(body[:, DURATION] == longest)),
            quarters=quarters,
            seconds=seconds,
            instruments=tuple(sorted(labels.instruments)),
            tempo=labels.tempo,
            time_signature=meter,
            fifths=fifths,
            minor=minor,
            content_hash=content_hash(tokens, meter, labels.tempo),
            sketch=hashes.astype("<u4", copy=False).tobytes(),
            tokens=tokens,
        )
