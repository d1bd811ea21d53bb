"""Parts of music: which notes of a stretch are given and which are written, chosen at random.

What a composer has may be some of the instruments, the melody, one hand of a piano, the drums, or
everything but the drums.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tokenizer.encoding.compound import encode_events, row_times
from tokenizer.encoding.holes import events_of
from tokenizer.encoding.vocabulary import INSTRUMENT, PITCH, Vocabulary
from tokenizer.instruments import DRUMS
from tokenizer.labels import Labels
from tokenizer.typing import Mask, Steps, Tokens

KINDS = ("some instruments", "drums", "all but drums", "all but the melody", "a hand")
"""What may be written."""
_DRUM_VALUE = DRUMS + 1


def written_part(
    notes: Tokens, times: Steps, random: np.random.Generator
) -> tuple[str, Mask] | None:
    """One of `KINDS`, and which notes are written, not given; None where nothing can be divided.

    Args:
        notes: rows `(N, 5)`, all of them notes, in the order of tokens.
        times: of each, in steps.
        random: everything is drawn from it.
    """
    kinds = [KINDS[i] for i in random.permutation(len(KINDS))]
    for kind in kinds:
        written = _chosen(kind, notes, times, random)
        if 0 < written.sum() < len(notes):
            return kind, written
    return None


def _chosen(kind: str, notes: Tokens, times: Steps, random: np.random.Generator) -> Mask:
    """Which notes are written; all or none where the music cannot be divided like this."""
    instrument = notes[:, INSTRUMENT]
    drums: Mask = instrument == _DRUM_VALUE
    if kind == "drums":
        return drums
    if kind == "all but drums":
        return ~drums
    if kind == "all but the melody":
        return ~skyline(notes, times)
    if kind == "a hand":
        return _hand(notes, random)
    present = np.unique(instrument)
    count = int(random.integers(1, max(2, len(present))))
    return np.isin(instrument, random.permutation(present)[:count])


def skyline(notes: Tokens, times: Steps) -> Mask:
    """The melody by the skyline rule (Uitdenbogerd and Zobel 1998): the highest note at each time.

    Drums have no melody.
    """
    pitch = np.where(notes[:, INSTRUMENT] == _DRUM_VALUE, -1, notes[:, PITCH])
    order = np.lexsort((pitch, times))
    last = np.append(times[order][1:] != times[order][:-1], [True])
    top = np.zeros(len(notes), dtype=bool)
    top[order[last]] = True
    return top & (pitch > 0)


def _hand(notes: Tokens, random: np.random.Generator) -> Mask:
    """The notes of one instrument that lie above, or below, a pitch near its middle."""
    instrument = notes[:, INSTRUMENT]
    pitched = instrument[instrument != _DRUM_VALUE]
    if not len(pitched):
        return np.zeros(len(notes), dtype=bool)
    most = np.bincount(pitched).argmax()
    mine = instrument == most
    low, high = np.quantile(notes[mine, PITCH], [0.3, 0.7])
    split = random.uniform(low, high)
    upper = mine & (notes[:, PITCH] > split)
    return upper if random.random() < 0.5 else mine & ~upper


@dataclass(frozen=True)
class Missing:
    """How often windows lack some of their instruments.

    Attributes:
        rate: share of windows.
        instruments: chance with which each instrument is left out; one always stays.
    """

    rate: float = 0.0
    instruments: float = 0.4


def draw_missing(missing: Missing, tokens: Tokens, random: np.random.Generator) -> frozenset[int]:
    """The programs that are left out of rows `(T, 5)`; empty where all stay."""
    present = np.unique(tokens[tokens[:, INSTRUMENT] > 0, INSTRUMENT]).astype(int) - 1
    drawn = random.random(len(present)) < missing.instruments
    if drawn.all() and len(drawn):
        drawn[int(random.integers(len(drawn)))] = False
    return frozenset(present[drawn].tolist())


def without(tokens: Tokens, programs: frozenset[int], vocabulary: Vocabulary) -> Tokens:
    """The rows `(T, 5)` without the notes of some instruments; all else keeps its time."""
    events = events_of(tokens, row_times(tokens, vocabulary), vocabulary)
    left = ~np.isin(events.notes[:, INSTRUMENT] - 1, [*programs])
    kept = replace(events, times=events.times[left], notes=events.notes[left])
    return encode_events(kept, vocabulary)


def labels_without(labels: Labels, programs: frozenset[int]) -> Labels:
    """The labels of music that lacks some instruments."""
    return replace(labels, instruments=tuple(p for p in labels.instruments if p not in programs))
