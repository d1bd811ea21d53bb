"""Fingerprints of music that transposition, tempo, volume and order of tracks do not change.

A piece becomes the sequence of its sounding harmonies: at each onset the set of pitch classes that
sound, repeats left out. Every run of `RUN` harmonies, turned so that its first harmony stands in
its canonical rotation, is hashed; the set of hashes is the piece, and the piece's *sketch* is the
hashes below a threshold (Broder 1997, "On the resemblance and containment of documents"; fixed
thresholds as in sourmash's scaled MinHash, Brown & Irber 2016). Two sketches tell how much of the
shorter piece the longer one contains, so that a movement is found in a whole, and an arrangement
in its original.

A piece of drums alone has no harmonies: there the drums struck together, with the ratios of the
times between them, take their place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS
from tokenizer.score import Score

Sketch = npt.NDArray[np.uint32]

RUN = 6
"""Harmonies in a row that are hashed together."""

DRUM_RUN = 8

SKETCH_SIZE = 256
"""A sketch keeps at most about this many hashes: the threshold halves until it does."""

CHORD_SPREAD = 0.15
"""Onsets closer than this share of the mean time between notes are one onset."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SEED_DRUMS = np.uint64(0xD1B54A32D192ED03)


def _rotations() -> npt.NDArray[np.uint16]:
    """`(12, 4096)`: each set of pitch classes turned down by each number of semitones."""
    sets = np.arange(4096, dtype=np.uint32)
    down = [((sets >> r) | (sets << (12 - r))) & 0xFFF for r in range(12)]
    return np.stack(down).astype(np.uint16)


_TURNED = _rotations()
_ROTATION = _TURNED.argmin(axis=0).astype(np.int64)
_AMBIGUOUS = (_TURNED.min(axis=0) == _TURNED).sum(axis=0) > 1
"""Sets that a transposition maps to themselves (a tritone, an augmented triad) fix no rotation."""


def sketch(score: Score) -> Sketch:
    """The sketch of a piece: ascending hashes, few for a short piece, at most about 256."""
    notes = score.notes
    if len(notes) == 0:
        return np.zeros(0, dtype=np.uint32)
    pitched = notes["program"] != DRUMS
    if pitched.any():
        melodic = notes if pitched.all() else notes[pitched]
        hashes = _harmony_hashes(*_harmonies(melodic))
    else:
        hashes = _drum_hashes(notes)
    return _sketch_of(hashes)


def _sketch_of(hashes: npt.NDArray[np.uint64]) -> Sketch:
    """The distinct hashes below the largest 2^(32 − n) that leaves about `SKETCH_SIZE`."""
    short = np.sort((hashes >> np.uint64(32)).astype(np.uint32))
    distinct = short[np.concatenate([[True], short[1:] != short[:-1]])] if len(short) else short
    while len(distinct) > SKETCH_SIZE:
        halvings = 32 - int(distinct[-1]).bit_length()
        distinct = distinct[: np.searchsorted(distinct, 1 << (31 - halvings))]
    return distinct


def threshold(sketch: Sketch) -> int:
    """A power of two below which the sketch holds every hash of its piece."""
    return 1 << int(sketch[-1]).bit_length() if len(sketch) else 1


def _onsets(start: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The index of each note's onset, `(N,)`, for ascending starts."""
    spread = CHORD_SPREAD * (start[-1] - start[0]) / len(start)
    return np.concatenate([[0], np.cumsum(np.diff(start) > spread)])


def _harmonies(notes: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.uint16], int]:
    """The pitch classes sounding at each onset, and how many onsets there are.

    A note sounds at every onset from its own to the last one before its end: a count that goes up
    and down for each pitch class, summed over onsets.
    """
    start = notes["start"].astype(np.int64)
    onset = _onsets(start)
    count = int(onset[-1]) + 1
    first = np.flatnonzero(np.diff(onset, prepend=-1))
    # A legato overlap is no harmony: a note's last quarter does not count.
    sounds_until = start + notes["duration"] * 3 // 4
    end = np.searchsorted(start[first], sounds_until, side="left")
    end = np.maximum(end, onset + 1)
    pitch_class = notes["pitch"].astype(np.int64) % 12
    size = 12 * (count + 1)
    change = np.bincount(onset * 12 + pitch_class, minlength=size)
    change = change - np.bincount(end * 12 + pitch_class, minlength=size)
    sounding = np.cumsum(change.reshape(count + 1, 12)[:count], axis=0) > 0
    return (sounding @ (1 << np.arange(12))).astype(np.uint16), count


def _harmony_hashes(masks: npt.NDArray[np.uint16], count: int) -> npt.NDArray[np.uint64]:
    """A hash for each run of harmonies whose first has one canonical rotation."""
    changed = np.concatenate([[True], masks[1:] != masks[:-1]]) if count else masks > 0
    masks = masks[changed]
    run = min(RUN, len(masks))
    windows = len(masks) - run + 1
    begin = np.flatnonzero(~_AMBIGUOUS[masks[:windows]])
    rotation = _ROTATION[masks[begin]] * 4096
    flat = _TURNED.ravel()
    hashes = np.full(len(begin), len(masks[:RUN]), dtype=np.uint64)
    for step in range(run):
        hashes = _mixed(hashes ^ flat[rotation + masks[begin + step]])
    return hashes


def _drum_hashes(notes: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """A hash for each run of drum strokes and of the ratios of the times between them."""
    start = notes["start"].astype(np.int64)
    onset = _onsets(start)
    first = np.flatnonzero(np.diff(onset, prepend=-1))
    one = _mixed(notes["pitch"].astype(np.uint64) + _SEED_DRUMS)
    struck = np.add.reduceat(one, first)
    gaps = np.diff(start[first]).astype(np.float64)
    ratio = np.rint(6 * np.log2(gaps[1:] / gaps[:-1])).astype(np.int64).astype(np.uint64)
    run = min(DRUM_RUN, len(struck))
    windows = len(struck) - run + 1
    hashes = np.full(windows, _SEED_DRUMS + np.uint64(run), dtype=np.uint64)
    for step in range(run):
        hashes = _mixed(hashes ^ struck[step : step + windows])
        if step < run - 2:
            hashes = _mixed(hashes + ratio[step : step + windows])
    return hashes


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Well-mixed 64-bit values: one round of multiply and shift, high bits best."""
    mixed: npt.NDArray[np.uint64] = values * _MULTIPLIER
    mixed ^= mixed >> np.uint64(29)
    return mixed
