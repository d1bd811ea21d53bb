"""Fingerprints of music that transposition, tempo, volume and order of tracks do not change.

A piece becomes the sequence of its sounding harmonies: at each onset the set of pitch classes that
sound, repeats left out. From every harmony on, as many as hold `RUN_NOTES` notes together (four
chords, or a dozen notes of a melody) are turned so that the first stands in its canonical rotation,
and hashed. The set of hashes is the piece, and the piece's *sketch* is the hashes below a threshold
(Broder 1997, "On the resemblance and containment of documents"; fixed thresholds as in sourmash's
scaled MinHash, Brown & Irber 2016). Two sketches tell how much of the shorter piece the longer one
contains, so that a movement is found in a whole, and an arrangement in its original.

A piece of drums alone has no harmonies: there the drums struck together, with the ratios of the
times between them, take their place.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS
from tokenizer.score import Score

Sketch = npt.NDArray[np.uint32]

RUN_NOTES = 14
"""Harmonies are hashed together until they hold so many notes."""

LONGEST_RUN = 12
"""Harmonies in a run, at most."""

DRUM_RUN = 8
"""Strokes in a run."""

SKETCH_SIZE = 256
"""A sketch keeps at most about this many hashes: the threshold halves until it does."""

CHORD_SPREAD = 0.15
"""Onsets closer than this share of the mean time between notes are one onset."""

OVERLAP = 0.5
"""A note that ends within this share of the mean time between notes after an onset is over by then:
a legato is no harmony."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SEED_HARMONY = np.uint64(0x8CB92BA72F3D8DD7)
_SEED_DRUMS = np.uint64(0xD1B54A32D192ED03)


def _rotations() -> npt.NDArray[np.uint16]:
    """`(12, 4096)`: each set of pitch classes turned down by each number of semitones."""
    sets = np.arange(4096, dtype=np.uint32)
    down = [((sets >> r) | (sets << (12 - r))) & 0xFFF for r in range(12)]
    return np.stack(down).astype(np.uint16)


_TURNED = _rotations()
_ROTATION = _TURNED.argmin(axis=0).astype(np.int64)
_SIZE = np.array([bin(mask).count("1") for mask in range(4096)])
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
    spread = CHORD_SPREAD * _mean_gap(start)
    return np.concatenate([[0], np.cumsum(np.diff(start) > spread)])


def _mean_gap(start: npt.NDArray[np.int64]) -> float:
    return float(start[-1] - start[0]) / len(start)


def _harmonies(notes: npt.NDArray[np.void]) -> tuple[npt.NDArray[np.uint16], int]:
    """The pitch classes sounding at each onset, and how many onsets there are.

    A note sounds at every onset from its own to the last one before its end: a count that goes up
    and down for each pitch class, summed over onsets.
    """
    start = notes["start"].astype(np.int64)
    onset = _onsets(start)
    count = int(onset[-1]) + 1
    first = np.flatnonzero(np.diff(onset, prepend=-1))
    duration = notes["duration"].astype(np.float64)
    sounds_until = start + duration - np.minimum(duration / 4, OVERLAP * _mean_gap(start))
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
    masks = masks[np.concatenate([[True], masks[1:] != masks[:-1]])][:count]
    begin = np.flatnonzero(~_AMBIGUOUS[masks])
    rotation = _ROTATION[masks[begin]] * 4096
    hashes = np.full(len(begin), _SEED_HARMONY, dtype=np.uint64)
    notes_before = np.concatenate([[0], np.cumsum(_SIZE[masks])])
    whole = np.searchsorted(notes_before, notes_before[begin] + RUN_NOTES) - begin
    length = np.minimum(np.minimum(whole, LONGEST_RUN), len(masks) - begin)
    flat = _TURNED.ravel()
    for step in range(int(length.max(initial=0))):
        going = np.flatnonzero(length > step)
        turned = flat[rotation[going] + masks[begin[going] + step]]
        hashes[going] = _mixed(hashes[going] ^ turned)
    # A run that the piece's end cuts short says nothing, unless the piece is no longer than that.
    cut = begin + np.minimum(whole, LONGEST_RUN) > len(masks)
    return hashes[~cut] if not cut.all() else hashes[:1]


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
