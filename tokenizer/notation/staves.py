"""How a track is laid out: one staff or two, which clef, and which hand plays which note."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from tokenizer.instruments import DRUMS

_MIDDLE_C = 60
_HAND = 12  # semitones that a hand spans with ease
_GUITARS, _BASSES = range(24, 32), (*range(32, 40), 43)
_TWO_STAVES = (*range(8), 46)
"""Pianos and the harp, which are written on two staves whatever they play."""
_KEYBOARDS = (*range(8, 24), *range(88, 96))
"""Other keyboards and pads, on two staves if they play in both clefs."""

TREBLE, BASS, TREBLE_8VB, BASS_8VB, PERCUSSION = "treble", "bass", "treble8vb", "bass8vb", "drums"


def on_two_staves(program: int, pitches: Sequence[int]) -> bool:
    """Whether an instrument is written on two staves."""
    low = sum(pitch < _MIDDLE_C - 4 for pitch in pitches)
    high = sum(pitch > _MIDDLE_C + 4 for pitch in pitches)
    both = min(low, high) * 10 > len(pitches)
    return program in _TWO_STAVES or (program in _KEYBOARDS and both)


def clef_of(program: int, pitches: Sequence[int]) -> str:
    """The clef of a staff."""
    if program == DRUMS:
        return PERCUSSION
    if program in _GUITARS:
        return TREBLE_8VB
    if program in _BASSES:
        return BASS_8VB
    middle = sorted(pitches)[len(pitches) // 2] if pitches else _MIDDLE_C
    return TREBLE if middle >= _MIDDLE_C - 2 else BASS


def hands(notes: Sequence[tuple[float, int]]) -> list[bool]:
    """Which notes the right hand plays, by onset and pitch.

    What begins together is split where both hands stay nearest to their side of middle C, within
    an octave or so, and near to where they were.

    Args:
        notes: onset in steps, and MIDI pitch.
    """
    order = sorted(range(len(notes)), key=lambda n: notes[n])
    right = [False] * len(notes)
    centre = [_MIDDLE_C - 10.0, _MIDDLE_C + 10.0]
    for _, group in groupby(order, key=lambda n: round(notes[n][0] / 3)):
        numbers = sorted(group, key=lambda n: notes[n][1])
        pitches = [notes[n][1] for n in numbers]

        def cost(split: int, pitches: list[int] = pitches) -> float:
            low, high = pitches[:split], pitches[split:]
            side = sum(max(0, p - _MIDDLE_C) for p in low)
            side += sum(max(0, _MIDDLE_C - p) for p in high)
            reach = sum(max(0, own[-1] - own[0] - _HAND) for own in (low, high) if own)
            moved = sum(
                abs(sum(own) / len(own) - at) for own, at in zip((low, high), centre, strict=True)
                if own
            )  # fmt: skip
            return side + 5 * reach + moved / 4

        split = min(range(len(pitches) + 1), key=cost)
        for place, own in enumerate((pitches[:split], pitches[split:])):
            if own:
                centre[place] = (centre[place] + sum(own) / len(own)) / 2
        for n in numbers[split:]:
            right[n] = True
    return right
