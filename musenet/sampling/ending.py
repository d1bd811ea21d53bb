"""How real pieces close: with the tonic in the bass, its triad and nothing else, and held.

What sounds when a piece's last note begins is compared with what sounds when any of its notes
begins: evidence that a chord is a last one, in nats. `benchmarks/ranges.py` gives the figures.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.theory import Key, estimate_key, pitch_class_weights
from tokenizer.typing import Notes


class Chord(NamedTuple):
    """What sounds at a time.

    Attributes:
        home: whether its lowest note is the tonic.
        pure: whether all its notes are of the tonic's triads, major and minor.
        held: by how many octaves (doublings) longer than the middle note lasts it sounds on, until
            something else begins or all is over.
    """

    home: bool
    pure: bool
    held: float


class Share(NamedTuple):
    """Of how many pieces the last chord is such a chord, and how many of all chords are."""

    last: float
    any: float


CLOSING: dict[tuple[bool, bool], Share] = {
    (True, True): Share(0.70, 0.13),
    (True, False): Share(0.03, 0.10),
    (False, True): Share(0.07, 0.11),
    (False, False): Share(0.19, 0.66),
}
"""By `home` and `pure`."""

HELD_LAST, HELD_ANY, HELD_SPREAD = 1.5, -0.4, 1.2
"""Means of `held` in last chords and in all, and the standard deviation in either."""

_MOST_HELD = 3.0
_BAR_OFF, _BARS_OFF = 1.5, 3.0
_TRIADS = (0, 3, 4, 7)


def chord_at(notes: Notes, tick: int, key: Key) -> Chord | None:
    """The chord that sounds at a tick, or None where no pitched note does.

    Args:
        notes: `tokenizer.score.score.NOTES`, of the whole piece.
        tick: when.
        key: in which.
    """
    pitched = notes[notes["program"] != DRUMS]
    stops = pitched["start"].astype(np.int64) + pitched["duration"]
    sounding = (pitched["start"] <= tick) & (stops > tick)
    if not sounding.any():
        return None
    degrees = (pitched["pitch"][sounding].astype(np.int64) - key.tonic) % 12
    lowest = pitched["pitch"][sounding].argmin()
    later = pitched["start"][pitched["start"] > tick]
    over = min([int(stops[sounding].max()), *later[:1].tolist()])
    held = (over - tick) / max(1.0, float(np.median(pitched["duration"])))
    return Chord(
        home=bool(degrees[lowest] == 0),
        pure=bool(np.isin(degrees, _TRIADS).all()),
        held=math.log2(held),
    )


def last_chord(notes: Notes, key: Key | None) -> Chord | None:
    """The chord at the last beginning of a pitched note; None if there is none, or no key.

    Args:
        notes: `tokenizer.score.score.NOTES`, of the whole piece.
        key: in which; by default as the notes themselves say.
    """
    pitched = notes[notes["program"] != DRUMS]
    key = key or estimate_key(pitch_class_weights(pitched))
    if key is None or not len(pitched):
        return None
    return chord_at(pitched, int(pitched["start"].max()), key)


def judged(notes: Notes, key: Key | None, late: float) -> list[tuple[float, str]]:
    """How well a piece ends, in nats, with words for where it does not.

    Args:
        notes: `tokenizer.score.score.NOTES`.
        key: in which it is to end; by default as the notes themselves say.
        late: how many bars after the bar line asked for it ends, before it: negative.
    """
    side = "late" if late > 0 else "early"
    found = [(-_BAR_OFF * min(abs(late), _BARS_OFF), f"ends {abs(late):.1f} bars {side}")]
    chord = last_chord(notes, key)
    return found if chord is None else [*found, *evidence(chord)]


def evidence(chord: Chord) -> list[tuple[float, str]]:
    """How much likelier a chord is as a piece's last than anywhere, in nats, and what if it is not.

    Where it closes and how long it is held are taken for independent.
    """
    share = CLOSING[chord.home, chord.pure]
    held = min(max(chord.held, -_MOST_HELD), _MOST_HELD)
    middle = (HELD_LAST + HELD_ANY) / 2
    return [
        (math.log(share.last / share.any), "its last chord is not the tonic's"),
        ((HELD_LAST - HELD_ANY) / HELD_SPREAD**2 * (held - middle), "its last chord is short"),
    ]
