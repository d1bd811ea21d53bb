"""Fingerprints of music that transposition, tempo, volume and order of tracks do not change.

A piece becomes the sequence of its sounding harmonies: at each onset the set of pitch classes that
sound, repeats left out. From every harmony on, as many as hold `RUN_NOTES` notes together (four
chords, or a dozen notes of a melody) are turned so that the first stands in its canonical rotation,
and hashed. The set of hashes is the piece, and the piece's *sketch* is the hashes below a threshold
(Broder 1997, "On the resemblance and containment of documents"; fixed thresholds as in sourmash's
scaled MinHash, Brown & Irber 2016). Two sketches tell how much of the shorter piece the longer one
contains, so that a movement is found in a whole, and an arrangement in its original.

A piece of drums alone has no harmonies: there a dozen strokes, each the drums struck together, and
roughly when in the run its middle comes, take their place.
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

DRUM_RUN = 12
"""Strokes in a run."""

DRUM_SPREAD = 0.3
"""As `CHORD_SPREAD`: a drummer's hands fall less together than a score's notes."""

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
_FLAT = _TURNED.ravel().astype(np.uint64)
_ROTATION = _TURNED.argmin(axis=0) * 4096
_BITS = (1 << np.arange(12)).astype(np.float32)
_SIZE = np.array([bin(mask).count("1") for mask in range(4096)])
_AMBIGUOUS = (_TURNED.min(axis=0) == _TURNED).sum(axis=0) > 1
"""Sets that a transposition maps to themselves (a tritone, an augmented triad) fix no rotation."""


def sketch(score: Score) -> Sketch:
    """The sketch of a piece: ascending hashes, few for a short piece, at most about 256."""
    notes = score.notes
    if len(notes) == 0:
        return np.zeros(0, dtype=np.uint32)
    pitched = np.flatnonzero(notes["program"] != DRUMS)
    if len(pitched):
        melodic = notes if len(pitched) == len(notes) else notes.take(pitched)
        hashes = _harmony_hashes(_harmonies(melodic))
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


def _onsets(start: npt.NDArray[np.int64], spread: float) -> npt.NDArray[np.int64]:
    """The index of each note's onset, `(N,)`, for ascending starts."""
    return np.concatenate([[0], np.cumsum(np.diff(start) > spread * _mean_gap(start))])


def _mean_gap(start: npt.NDArray[np.int64]) -> float:
    return float(start[-1] - start[0]) / len(start)


def _harmonies(notes: npt.NDArray[np.void]) -> npt.NDArray[np.int64]:
    """The pitch classes sounding at each onset, as bits, repeats left out.

    A note sounds at every onset from its own to the last one before its end: a count that goes up
    and down for each pitch class, summed over onsets.
    """
    start = notes["start"].astype(np.int64)
    onset = _onsets(start, CHORD_SPREAD)
    count = int(onset[-1]) + 1
    times = start[np.flatnonzero(np.diff(onset, prepend=-1))]
    duration = notes["duration"].astype(np.float64)
    sounds_until = start + duration - np.minimum(duration / 4, OVERLAP * _mean_gap(start))
    end = np.maximum(np.searchsorted(times, sounds_until), onset + 1)
    # Pitch classes one after another; each has as many ends as beginnings, so one sum does for all.
    pitch_class = (notes["pitch"] % 12).astype(np.int64) * (count + 1)
    change = np.bincount(pitch_class + onset, minlength=12 * (count + 1))
    change -= np.bincount(pitch_class + end, minlength=12 * (count + 1))
    sounding = (np.cumsum(change) > 0).reshape(12, count + 1)[:, :count]
    masks = (_BITS @ sounding.astype(np.float32)).astype(np.int64)
    return masks[np.concatenate([[True], masks[1:] != masks[:-1]])]


def _harmony_hashes(masks: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """A hash for each run of harmonies whose first has one canonical rotation.

    A run that the piece's end cuts short is none, unless the whole piece is shorter than a run;
    nor is a scale, which is in everybody's music.
    """
    notes_before = np.concatenate([[0], np.cumsum(_SIZE[masks])])
    whole = np.searchsorted(notes_before, notes_before[:-1] + RUN_NOTES)
    last = np.minimum(whole, np.arange(len(masks)) + LONGEST_RUN)
    leaps = np.concatenate([[0], np.cumsum(~_is_step(masks))])
    tells = leaps[np.minimum(last, len(masks)) - 1] > leaps
    begin = np.flatnonzero(~_AMBIGUOUS[masks] & (last <= len(masks)) & tells)
    if len(begin) == 0:
        begin, last = np.arange(1), np.full(1, len(masks))
    length = last[begin] - begin
    rotation = _ROTATION[masks[begin]]
    hashes = np.full(len(begin), _SEED_HARMONY, dtype=np.uint64)
    shortest = int(length.min())
    for step in range(shortest):
        hashes *= _MULTIPLIER
        hashes += _FLAT[rotation + masks[begin + step]]
    for step in range(shortest, int(length.max())):
        going = np.flatnonzero(length > step)
        turned = _FLAT[rotation[going] + masks[begin[going] + step]]
        hashes[going] = hashes[going] * _MULTIPLIER + turned
    return _mixed(_mixed(hashes))


def _is_step(masks: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Where a single note goes to a single note a semitone or a tone away, `(N − 1,)`."""
    single = _SIZE[masks] == 1
    turned = _FLAT[_ROTATION[masks[:-1]] + masks[1:]]
    near = (turned == 2) | (turned == 4) | (turned == 1 << 10) | (turned == 1 << 11)
    found: npt.NDArray[np.bool_] = single[:-1] & single[1:] & near
    return found


def _drum_hashes(notes: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """A hash for each run of strokes, and of the eighth of its time in which its middle comes."""
    start = notes["start"].astype(np.int64)
    first = np.flatnonzero(np.diff(_onsets(start, DRUM_SPREAD), prepend=-1))
    struck = np.add.reduceat(_mixed(notes["pitch"].astype(np.uint64) + _SEED_DRUMS), first)
    run = min(DRUM_RUN, len(struck))
    windows = len(struck) - run + 1
    hashes = np.full(windows, _SEED_DRUMS + np.uint64(run), dtype=np.uint64)
    for step in range(run):
        hashes = _mixed(hashes ^ struck[step : step + windows])
    begin, middle, end = (start[first][i:][:windows] for i in (0, run // 2, run - 1))
    part = np.rint(8 * (middle - begin) / np.maximum(end - begin, 1))
    return _mixed(hashes ^ part.astype(np.uint64))


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Well-mixed 64-bit values: one round of multiply and shift, high bits best."""
    mixed: npt.NDArray[np.uint64] = values * _MULTIPLIER
    mixed ^= mixed >> np.uint64(29)
    return mixed
