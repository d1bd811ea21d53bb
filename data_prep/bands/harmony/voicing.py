"""Voicings: which pitches sound for a chord, so that every voice moves as little as it can."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

from .chords import QUALITIES, Chord

VOICINGS = ("close", "open", "power", "guitar", "shell", "rootless", "octaves")


@lru_cache(maxsize=65536)
def voiced(
    chord: Chord,
    kind: str,
    voices: int,
    low: int,
    high: int,
    before: tuple[int, ...] = (),
) -> tuple[int, ...]:
    """The pitches of a chord, ascending, within `low` to `high`.

    Args:
        chord: what sounds.
        kind: one of `VOICINGS`.
        voices: how many pitches at most.
        low: the lowest pitch allowed.
        high: the highest pitch allowed.
        before: the voicing of the chord before; the new one is the nearest to it.
    """
    if kind == "power":
        return _power(chord, low, high, before)
    if kind == "octaves":
        root = _nearest(chord.root, (low + high) // 2 - 6, low, high)
        return (root, root + 12) if root + 12 <= high else (root,)
    if kind == "guitar":
        return _guitar(chord, voices, low, high)
    candidates = _stacks(chord, kind, voices, low, high)
    centre = (low + high) // 2
    return min(candidates, key=lambda pitches: _cost(pitches, before, centre))


def _cost(
    pitches: tuple[int, ...], before: tuple[int, ...], centre: int
) -> tuple[int, tuple[int, ...]]:
    """Twelve times how far the voices move, and how far the middle is off; then the pitches."""
    off = abs(sum(pitches) - centre * len(pitches))
    if not before:
        return off, pitches
    moved = sum(min(abs(new - old) for old in before) for new in pitches)
    moved += sum(min(abs(new - old) for new in pitches) for old in before)
    top = abs(pitches[-1] - before[-1])
    return 12 * moved + 8 * top + 2 * off, pitches


def _classes(chord: Chord, kind: str, voices: int) -> tuple[int, ...]:
    """The pitch classes that stand for the chord, the least needed left out."""
    intervals = list(QUALITIES[chord.quality])
    if kind == "shell" and len(intervals) > 2:
        intervals = [0, intervals[1], intervals[3] if len(intervals) > 3 else 7]
    if kind == "rootless" and len(intervals) > 3:
        intervals = [*intervals[1:], *((14,) if len(intervals) == 4 and voices > 3 else ())]
        if intervals[-1] == 14 and chord.quality in ("m7b5", "dim7", "7b5", "7#5"):
            intervals[-1] = 0
    while len(intervals) > voices:
        # the fifth says least, then the root; colours above the seventh stay
        for least in (7, 0, 14, 10):
            if least in intervals and len(intervals) > voices:
                intervals.remove(least)
                break
        else:
            intervals.pop()
    return tuple(sorted({(chord.root + interval) % 12 for interval in intervals}))


@lru_cache(maxsize=16384)
def _stacks(
    chord: Chord, kind: str, voices: int, low: int, high: int
) -> tuple[tuple[int, ...], ...]:
    """Every inversion within the range, close or with the second voice from above dropped."""
    classes = _classes(chord, kind, voices)
    found = []
    for bottom in range(low, high + 1):
        if bottom % 12 not in classes:
            continue
        stack = [bottom]
        while len(stack) < max(voices if kind == "open" else len(classes), len(classes)):
            stack.append(min(stack[-1] + (c - stack[-1] - 1) % 12 + 1 for c in classes))
        if kind == "open" and len(stack) > 2:
            stack[-2] -= 12
            stack.sort()
        if stack[0] >= low and stack[-1] <= high:
            found.append(tuple(stack))
    return tuple(found) or (tuple(_nearest(c, (low + high) // 2, low, high) for c in classes[:1]),)


def _power(chord: Chord, low: int, high: int, before: tuple[int, ...]) -> tuple[int, ...]:
    """Root, fifth and octave, the root near the one before and low."""
    near = before[0] if before else low + 4
    root = _nearest(chord.root, min(near, low + 9), low, high - 7)
    fifth = 6 if 6 in QUALITIES[chord.quality] else 7
    return tuple(p for p in (root, root + fifth, root + 12) if p <= high)


def _guitar(chord: Chord, voices: int, low: int, high: int) -> tuple[int, ...]:
    """As on the open strings: the bass note low, then root, fifth and third upwards in turn."""
    classes = chord.classes
    bottom = _nearest(chord.bass, low + 4, low, high)
    pitches = [bottom]
    for octave, place in product((0, 1, 2), range(12)):
        candidate = bottom + 1 + 12 * octave + place
        gap = candidate - pitches[-1]
        if (
            candidate % 12 in classes
            and candidate <= high
            and gap >= (5 if len(pitches) < 2 else 3)
        ):
            pitches.append(candidate)
        if len(pitches) >= voices:
            break
    return tuple(pitches)


def _nearest(pitch_class: int, target: int, low: int, high: int) -> int:
    """The pitch of a class nearest to a target within a range (outside it, if it is too small)."""
    options = [p for p in range(low, high + 1) if p % 12 == pitch_class % 12]
    if not options:
        return low + (pitch_class - low) % 12
    return min(options, key=lambda p: (abs(p - target), p))
