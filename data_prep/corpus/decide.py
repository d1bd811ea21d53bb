"""Decisions that need all files: duplicates, groups, splits and labels.

Files are examined one by one; which of them repeat each other, which belong together and which
composers are common enough for a label can only be decided once all have been read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from data_prep.sources.label import Metadata, PathPattern, metadata_of
from data_prep.sources.manifest import SPLITS, ManifestStore
from data_prep.worker.chunks import read_chunk
from data_prep.worker.worker import FileRecord
from tokenizer.typing import Ints

from .near_duplicates import groups, near_duplicates
from .sketch_store import SketchStore
from .split import LEAKS, TRAIN, Shares, SplitBy, joined, split

EXACT_DUPLICATE = "exact_duplicate"
EXCLUDED = "near_duplicate_of_excluded"
LEAK = "near_duplicate_of_held_out"


@dataclass(frozen=True)
class Plan:
    """How splits and labels are decided, once all files are known.

    Attributes:
        shares: of the groups that go to validation and test if no manifest says.
        split_by: whether a composer's pieces stay together too.
        stated_splits: whether the splits given in manifests are kept.
        label_pieces: a composer or style needs this many training pieces to become a label.
        path_labels: a pattern that reads labels from paths, or None.
        composer: id of the composer of files without a composer label.
        splits: the split of each file, by corpus and name, that comes before what manifests state.
    """

    shares: Shares = field(default_factory=Shares)
    split_by: SplitBy = "piece"
    stated_splits: bool = True
    label_pieces: int = 4
    path_labels: PathPattern | None = None
    composer: str | None = None
    splits: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def metadata(self, store: ManifestStore, record: FileRecord) -> Metadata:
        """The labels of a record from its manifest row and its path."""
        path = self._path_labels(record)
        found = metadata_of(store.get(record.corpus, record.name), path)
        composer = found.composer or self.composer
        split = self.splits.get((record.corpus, record.name), found.split)
        if (composer, split) == (found.composer, found.split):  # as for nearly all files
            return found
        return replace(found, composer=composer, split=split)

    def has_path_labels(self, record: FileRecord) -> bool:
        """Whether the pattern reads labels from a record's path."""
        return bool(self._path_labels(record))

    def _path_labels(self, record: FileRecord) -> dict[str, str]:
        return self.path_labels.labels(record.name) if self.path_labels else {}


@dataclass
class Survey:
    """What the decisions depend on: a list entry for every accepted file, in order.

    The sketches of the accepted files are followed by those of music to be excluded.
    """

    sketches: SketchStore
    contents: list[bytes] = field(default_factory=list)
    stated: list[str | None] = field(default_factory=list)
    composers: list[str | None] = field(default_factory=list)
    styles: list[tuple[str, ...]] = field(default_factory=list)
    _same: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def add(self, record: FileRecord, metadata: Metadata, *, stated_splits: bool) -> None:
        """Add an accepted file."""
        self.contents.append(record.content_hash)
        self.sketches.append(np.frombuffer(record.sketch, dtype="<u4"))
        self.stated.append(metadata.split if stated_splits else None)
        self.composers.append(metadata.composer)
        self.styles.append(self._same.setdefault(metadata.styles, metadata.styles))

    def exclude(self, record: FileRecord) -> None:
        """Add a piece to be excluded, after all accepted files."""
        self.sketches.append(np.frombuffer(record.sketch, dtype="<u4"))


def accepted(chunks: Sequence[Path]) -> Iterator[FileRecord]:
    """The records of chunks that no rule refused, without tokens."""
    for chunk in chunks:
        yield from (r for r in read_chunk(chunk, tokens=False) if not r.refused)


@dataclass(frozen=True)
class Decisions:
    """The decision on each accepted file, `(N,)`, and the labels to learn.

    Attributes:
        refused: "" or the reason why a file is left out.
        original: for an exact duplicate the index of the file it repeats, else its own index.
        group: the index of the first of its near-duplicates.
        split: 0 train, 1 validation, 2 test; meaningless where refused.
        labels: controls such as `composer:bach` to add to the vocabulary, in order.
    """

    refused: list[str]
    original: Ints
    group: Ints
    split: npt.NDArray[np.int8]
    labels: tuple[str, ...]


def decide(survey: Survey, plan: Plan, scratch: Path | None = None) -> Decisions:
    """Duplicates, groups, splits and labels of a survey.

    Args:
        survey: the accepted files, and the music to be excluded.
        plan: how to decide.
        scratch: a folder for temporary files.
    """
    count = len(survey.contents)
    original = _originals(survey.contents)
    links = near_duplicates(survey.sketches, scratch=scratch)
    linked = groups(len(survey.sketches), links)
    touched = np.zeros(len(linked), dtype=bool)
    touched[linked[count:]] = True
    group = joined(linked[:count], original)
    if plan.split_by == "composer":
        names = {name: i for i, name in enumerate(sorted(filter(None, set(survey.composers))))}
        composer = np.array([names.get(c or "", -1) for c in survey.composers], dtype=np.int64)
        together = joined(group, composer)
    else:
        together = group
    content = np.array([int.from_bytes(c[:8], "little") for c in survey.contents], dtype=np.uint64)
    place = split(together, content, _stated(survey, original), plan.shares)
    barred = np.zeros(count, dtype=bool)
    np.logical_or.at(barred, group, touched[linked[:count]])
    refused = [
        EXACT_DUPLICATE if original[i] != i else EXCLUDED if out else LEAK if s == LEAKS else ""
        for i, (s, out) in enumerate(zip(place.tolist(), barred[group].tolist(), strict=True))
    ]
    return Decisions(refused, original, group, place, _labels(survey, refused, place, plan))


def _originals(contents: Sequence[bytes]) -> Ints:
    """For each file the place of the first with the same content."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(c, i) for i, c in enumerate(contents)], dtype=np.int64)


def _stated(survey: Survey, original: Ints) -> list[str | None]:
    """The stated split of each file; a file repeated elsewhere is held out if any of them is."""
    order = (None, *SPLITS)
    stated = list(survey.stated)
    for place, first in enumerate(original.tolist()):
        stated[first] = max(stated[first], stated[place], key=order.index)
    return stated


def _labels(
    survey: Survey, refused: Sequence[str], place: npt.NDArray[np.int8], plan: Plan
) -> tuple[str, ...]:
    """Styles, then composers, of enough training pieces, by name."""
    composers: Counter[str] = Counter()
    styles: Counter[str] = Counter()
    for i in np.flatnonzero(place == TRAIN).tolist():
        if not refused[i]:
            composers.update(filter(None, [survey.composers[i]]))
            styles.update(survey.styles[i])
    enough = plan.label_pieces
    return (
        *(f"style:{name}" for name in sorted(styles) if styles[name] >= enough),
        *(f"composer:{name}" for name in sorted(composers) if composers[name] >= enough),
    )
