"""Fingerprints of music that transposition, tempo, volume and order of tracks do not change.

A piece becomes the sequence of its sounding harmonies: at each onset the set of pitch classes that
sound, repeats left out. Starting at every harmony, a run with at least `RUN_NOTES` notes (four
chords, or a dozen notes of a melody) is transposed so that the first is in its canonical rotation,
and hashed. The set of hashes is the piece, and the piece's *sketch* is the hashes below a threshold
(Broder 1997, "On the resemblance and containment of documents"; fixed thresholds as in sourmash's
scaled MinHash, Brown & Irber 2016). Two sketches show how much of the shorter piece the longer one
contains, so that a movement is found in a whole, and an arrangement in its original.

A piece for drums alone has no harmonies: there a dozen onsets, each the set of drums played
together, and roughly when in the run its middle comes, take their place.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tokenizer.instruments import DRUMS
from tokenizer.score.batch import ScoreBatch, score_of, ticks_of
from tokenizer.score.score import Score
from tokenizer.typing import Floats, Ints, Mask

Sketch = npt.NDArray[np.uint32]

Harmonies = Ints
"""Sets of pitch classes, one bit each."""

RUN_NOTES = 14
"""Harmonies are hashed together until they have this many notes."""

LONGEST_RUN = 12
"""Harmonies in a run, at most."""

DRUM_RUN = 12
"""Onsets of drums in a run."""

DRUM_SPREAD = 0.3
"""As `CHORD_SPREAD`, for drums, whose onsets spread wider than those of a score's chords."""

SKETCH_SIZE = 256
"""A sketch keeps at most about this many hashes: the threshold halves until it does."""

CHORD_SPREAD = 0.15
"""Onsets closer than this share of the mean time between notes are one onset."""

OVERLAP = 0.5
"""A note that ends within this share of the mean time between notes after an onset does not sound
there: overlapping legato makes no harmony."""

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
_OCTAVES = 1 << np.arange(33)
_PITCH_CLASS = np.arange(128) % 12
_BITS = (1 << np.arange(12)).astype(np.float32)
_SIZE = np.array([bin(mask).count("1") for mask in range(4096)])
_AMBIGUOUS = (_TURNED.min(axis=0) == _TURNED).sum(axis=0) > 1
"""Sets that a transposition maps to themselves (a tritone, an augmented triad) fix no rotation."""


def sketch(score: Score) -> Sketch:
    """The sketch of a piece: ascending hashes, few for a short piece, at most about 256."""
    if len(score.notes) == 0:
        return np.zeros(0, dtype=np.uint32)
    return sketches(ScoreBatch.of([score]))[0]


def sketches(music: ScoreBatch) -> list[Sketch]:
    """The sketch of each piece: see `sketch`."""
    drums = music.program == DRUMS
    pitched = music.note_counts - music.count(drums)
    only_drums = pitched == 0
    parts = []
    if pitched.any():
        chosen = (~drums).nonzero()[0] if drums.any() else slice(None)
        parts.append(_harmony_hashes(*_harmonies(music, chosen, pitched[~only_drums])))
    if only_drums.any():
        chosen = only_drums.repeat(music.note_counts).nonzero()[0]
        parts.append(_drum_hashes(music, chosen, music.note_counts[only_drums]))
    hashes, piece = map(np.concatenate, zip(*parts, strict=True))
    order = piece.argsort(kind="stable")
    return _sketches_of(hashes[order], piece[order], len(music.note_counts))


def _sketches_of(hashes: npt.NDArray[np.uint64], piece: Ints, count: int) -> list[Sketch]:
    """The distinct hashes of each piece below the largest 2^n that leaves at most `SKETCH_SIZE`.

    Args:
        hashes: of all pieces, one piece after another.
        piece: the number of each hash's piece.
        count: how many pieces there are; each has a hash.
    """
    short = (hashes >> np.uint64(32)).astype(np.uint32)
    edges = piece.searchsorted(np.arange(count + 1)).tolist()
    for begin, end in pairwise(edges):
        short[begin:end].sort()  # a call for each is faster than to sort all together
    new = np.append(True, (short[1:] != short[:-1]) | (piece[1:] != piece[:-1])).nonzero()[0]
    short, piece = short.take(new), piece.take(new)
    base = np.arange(count) << 32
    below = (short + (piece << 32)).searchsorted(base[:, None] + _OCTAVES)
    first = piece.searchsorted(np.arange(count))
    octave = (below - first[:, None] <= SKETCH_SIZE).sum(axis=1) - 1
    last = below[np.arange(count), octave]
    return [short[begin:end] for begin, end in zip(first.tolist(), last.tolist(), strict=True)]


def threshold(sketch: Sketch) -> int:
    """A power of two below which the sketch holds every hash of its piece."""
    return 1 << int(sketch[-1]).bit_length() if len(sketch) else 1


def _harmonies(music: ScoreBatch, chosen: Ints | slice, size: Ints) -> tuple[Harmonies, Ints]:
    """The pitch classes sounding at each onset of the chosen notes, as bits, repeats left out.

    A note sounds at every onset from its start to the last one before its end: a count that goes
    up and down for each pitch class, summed over onsets.

    Args:
        music: the pieces.
        chosen: the notes that have a pitch.
        size: how many they are in each piece that has any.

    Returns:
        The harmonies and the number of the piece that each belongs to.
    """
    start, stop, pitch = music.start[chosen], music.stop[chosen], music.pitch[chosen]
    gap = _mean_gaps(start, size)
    apart = np.floor(CHORD_SPREAD * gap).astype(np.int64).repeat(size)
    lead = np.append(True, start[1:] - start[:-1] > apart[1:])
    onset = lead.cumsum() - 1
    times = start[lead.nonzero()[0]]
    count = len(times)
    end = onset + 1  # most notes are over when the next onset comes
    held = (stop > np.append(times[1:], stop.max()).take(onset)).nonzero()[0]
    release = np.minimum((stop - start)[held] / 4, (OVERLAP * gap).repeat(size)[held])
    until = np.ceil(ticks_of(stop[held]) - release).astype(np.int64)
    until += start[held] - ticks_of(start[held])
    end[held] = np.maximum(times.searchsorted(until), end[held])
    # Pitch classes one after another; each has as many ends as beginnings, so one sum does for all.
    row = (_PITCH_CLASS * (count + 1)).take(pitch)
    change = np.bincount(row + onset, minlength=12 * (count + 1))
    change -= np.bincount(row + end, minlength=12 * (count + 1))
    sounding = (np.cumsum(change) > 0).reshape(12, count + 1)[:, :count]
    masks = (_BITS @ sounding.astype(np.float32)).astype(np.int64)
    piece = score_of(times)
    new = np.append(True, (masks[1:] != masks[:-1]) | (piece[1:] != piece[:-1])).nonzero()[0]
    return masks.take(new), piece.take(new)


def _mean_gaps(start: Ints, size: Ints) -> Floats:
    """The mean time between notes of each piece, given how many it has."""
    end = size.cumsum()
    gaps: Floats = (start[end - 1] - start[end - size]) / size
    return gaps


def _harmony_hashes(masks: Harmonies, piece: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """A hash for each run of harmonies whose first has one canonical rotation, and its piece.

    A run cut short by the end of the piece does not count, unless the whole piece is shorter than
    a run; nor does a scale, which occurs in all music.
    """
    count = len(masks)
    size = _SIZE[masks]
    notes_before = size.cumsum() - size
    # The harmony that the n-th note of all belongs to; after them, none.
    harmony = np.append(np.arange(count).repeat(size), np.full(RUN_NOTES, count))
    last = np.minimum(harmony[notes_before + (RUN_NOTES - 1)] + 1, np.arange(count) + LONGEST_RUN)
    lead = np.append(True, piece[1:] != piece[:-1]).nonzero()[0]
    length = np.diff(lead, append=count)
    end = (lead + length).repeat(length)
    leaps = np.append(0, (~_is_step(masks)).cumsum())
    tells = leaps[np.minimum(last, end) - 1] > leaps
    begin = (~_AMBIGUOUS[masks] & (last <= end) & tells).nonzero()[0]
    without = np.diff(begin.searchsorted(np.append(lead, count))) == 0
    begin = np.append(begin, lead[without])
    last[lead[without]] = end[lead[without]]
    return _run_hashes(masks, begin, last[begin] - begin), piece[begin]


def _run_hashes(masks: Harmonies, begin: Ints, length: Ints) -> npt.NDArray[np.uint64]:
    """The hash of each run of harmonies, turned as its first stands canonically."""
    longest = int(length.max())
    rank = (longest - length).astype(np.min_scalar_type(longest))
    order = rank.argsort(kind="stable")  # the runs that continue at each step then come first
    begin = begin[order]
    going = len(begin) - np.bincount(length).cumsum()
    rotation = _ROTATION[masks[begin]]
    hashes = np.full(len(begin), _SEED_HARMONY, dtype=np.uint64)
    for step, runs in enumerate(going[:-1].tolist()):
        hashes[:runs] *= _MULTIPLIER
        hashes[:runs] += _FLAT.take(rotation[:runs] + masks.take(begin[:runs] + step))
    found = np.empty_like(hashes)
    found[order] = _mixed(_mixed(hashes))
    return found


def _is_step(masks: Harmonies) -> Mask:
    """Where a single note goes to a single note a semitone or a tone away, `(N − 1,)`."""
    single = _SIZE[masks] == 1
    turned = _FLAT[_ROTATION[masks[:-1]] + masks[1:]]
    near = (turned == 2) | (turned == 4) | (turned == 1 << 10) | (turned == 1 << 11)
    found: Mask = single[:-1] & single[1:] & near
    return found


def _drum_hashes(
    music: ScoreBatch, chosen: Ints, size: Ints
) -> tuple[npt.NDArray[np.uint64], Ints]:
    """A hash for each run of onsets, and of the eighth of its time in which its middle comes.

    Args:
        music: the pieces.
        chosen: the notes of pieces of drums alone.
        size: how many they are in each of these pieces.

    Returns:
        The hashes and the number of the piece that each belongs to.
    """
    start = music.start[chosen]
    apart = np.floor(DRUM_SPREAD * _mean_gaps(start, size)).astype(np.int64).repeat(size)
    first = np.append(True, start[1:] - start[:-1] > apart[1:]).nonzero()[0]
    played = np.add.reduceat(_mixed(music.pitch[chosen].astype(np.uint64) + _SEED_DRUMS), first)
    times = start[first]
    piece, lead, onsets = np.unique(score_of(times), return_index=True, return_counts=True)
    run = np.minimum(DRUM_RUN, onsets)
    runs = onsets - run + 1
    begin = np.arange(runs.sum()) + (lead - runs.cumsum() + runs).repeat(runs)
    run = run.repeat(runs)
    hashes = _SEED_DRUMS + run.astype(np.uint64)
    for step in range(int(run.max())):
        going = (run > step).nonzero()[0]
        hashes[going] = _mixed(hashes[going] ^ played[begin[going] + step])
    whole = times[begin + run - 1] - times[begin]
    part = np.rint(8 * (times[begin + run // 2] - times[begin]) / np.maximum(whole, 1))
    return _mixed(hashes ^ part.astype(np.uint64)), piece.repeat(runs)


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Well-mixed 64-bit values: one round of multiply and shift, high bits best."""
    mixed: npt.NDArray[np.uint64] = values * _MULTIPLIER
    mixed ^= mixed >> np.uint64(29)
    return mixed
