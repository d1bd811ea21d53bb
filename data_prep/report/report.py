"""The report of a run: what came in, what was kept, and why the rest was not."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from data_prep.sources.label import Metadata
from data_prep.worker.worker import FileRecord

EXAMPLES = 5
"""Files named for each reason."""

_DOUBLINGS = (0, *(15 << i for i in range(9)))


@dataclass
class Totals:
    """Pieces, notes, tokens and seconds of one corpus or split."""

    pieces: int = 0
    notes: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, record: FileRecord) -> None:
        """Count a piece."""
        self.pieces += 1
        self.notes += record.notes
        self.tokens += record.rows
        self.seconds += record.seconds

    def to_json(self) -> dict[str, Any]:
        """The totals as plain data."""
        return {
            "pieces": self.pieces,
            "notes": self.notes,
            "tokens": self.tokens,
            "hours": round(self.seconds / 3600, 3),
        }


@dataclass
class DatasetReport:
    """Counts, updated by one call of `refuse` or `keep` per file."""

    files: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    total: Totals = field(default_factory=Totals)
    splits: dict[str, Totals] = field(default_factory=dict)
    corpora: dict[str, dict[str, Totals]] = field(default_factory=dict)
    refused_by_corpus: dict[str, Counter[str]] = field(default_factory=dict)
    composers: Counter[str] = field(default_factory=Counter)
    styles: Counter[str] = field(default_factory=Counter)
    instruments: Counter[int] = field(default_factory=Counter)
    keys: Counter[str] = field(default_factory=Counter)
    time_signatures: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    tempos: Counter[int] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    clipped: int = 0
    labels: tuple[str, ...] = ()
    known_meters: frozenset[str] = frozenset()
    """The time signatures of the vocabulary."""
    groups: Counter[str] = field(default_factory=Counter)
    unmatched_rows: dict[str, list[str]] = field(default_factory=dict)
    """Files that rows of manifests name and that are not there, by corpus."""
    unread_excluded: list[str] = field(default_factory=list)
    """Files of music to exclude that cannot be read, so that copies of them may be kept."""

    def refuse(self, record: FileRecord, reason: str, detail: str) -> None:
        """Count a file that is left out."""
        self.files += 1
        self.refused[reason] += 1
        self.refused_by_corpus.setdefault(record.corpus, Counter())[reason] += 1
        named = self.examples.setdefault(reason, [])
        if len(named) < EXAMPLES:
            named.append({"file": f"{record.corpus}/{record.name}", "detail": detail})

    def keep(self, record: FileRecord, metadata: Metadata, split: str, group: str) -> None:
        """Count a piece that is kept."""
        self.files += 1
        self.groups[group] += 1
        self.total.add(record)
        self.splits.setdefault(split, Totals()).add(record)
        self.corpora.setdefault(record.corpus, {}).setdefault(split, Totals()).add(record)
        self.composers[metadata.composer or "unknown"] += 1
        self.styles.update(metadata.styles)
        self.instruments.update(record.instruments)
        self.licences[metadata.licence or "unknown"] += 1
        self.time_signatures[record.time_signature] += 1
        if record.fifths is not None:
            self.keys[f"{record.fifths:+d} {'minor' if record.minor else 'major'}"] += 1
        if record.tempo is not None:
            self.tempos[min(int(record.tempo // 20) * 20, 300)] += 1
        self.lengths[_doubling(record.seconds)] += 1
        self.clipped += record.clipped

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, summed up for reading; every table in a fixed order."""
        return {
            "files": self.files,
            "kept": self.total.to_json(),
            "splits": {name: self.splits[name].to_json() for name in sorted(self.splits)},
            "corpora": {
                corpus: {name: by[name].to_json() for name in sorted(by)}
                for corpus, by in sorted(self.corpora.items())
            },
            "refused": _ranked(self.refused),
            "refused_by_corpus": {
                corpus: _ranked(count) for corpus, count in sorted(self.refused_by_corpus.items())
            },
            "examples": {reason: self.examples[reason] for reason in sorted(self.examples)},
            "manifest_rows_without_file": {
                corpus: {"rows": len(names), "for_example": names[:EXAMPLES]}
                for corpus, names in sorted(self.unmatched_rows.items())
            },
            **(
                {
                    "music_to_exclude_not_read": {
                        "files": len(self.unread_excluded),
                        "for_example": self.unread_excluded[:EXAMPLES],
                    }
                }
                if self.unread_excluded
                else {}
            ),
            "near_duplicate_groups": sum(count > 1 for count in self.groups.values()),
            "pieces_in_groups": sum(count for count in self.groups.values() if count > 1),
            "largest_groups": dict(self.groups.most_common(EXAMPLES)),
            "labels": list(self.labels),
            "clipped_notes": self.clipped,
            "composers": _ranked(self.composers),
            "styles": _ranked(self.styles),
            "instruments": {str(k): v for k, v in _ranked(self.instruments).items()},
            "keys": _ranked(self.keys),
            "time_signatures": _ranked(self.time_signatures),
            "time_signatures_not_in_vocabulary": [
                meter
                for meter in sorted(self.time_signatures)
                if meter and meter not in self.known_meters
            ],
            "licences": _ranked(self.licences),
            "tempos": {str(k): v for k, v in sorted(self.tempos.items())},
            "lengths_seconds": {str(k): v for k, v in sorted(self.lengths.items())},
        }


def _doubling(seconds: float) -> int:
    """The longest of 0, 15, 30, 60, 120, … 3840 seconds that is not longer than a piece."""
    return _DOUBLINGS[bisect(_DOUBLINGS, seconds) - 1]


def _ranked(counts: Counter[Any]) -> dict[Any, int]:
    """Most first, then by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
