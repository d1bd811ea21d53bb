"""From what is written to what people play: dynamics, phrasing, small differences of time.

Random numbers are whole: the same seed gives the same ticks on every machine.
"""

from __future__ import annotations

from bisect import bisect_right
from random import Random

from data_prep.bands.form.form import Form

from .playing import Note

_LEVELS = (0, 58, 72, 86, 100, 110)
"""Percent of the written velocity, by energy."""


def humanised(
    notes: list[Note],
    form: Form,
    random: Random,
    *,
    human: int,
    lag: int,
    volume: int,
    steady: bool = False,
) -> list[Note]:
    """Notes with the dynamics of the form and a player's small irregularities.

    Args:
        notes: as written, in any order.
        form: gives the energy of each bar and the crescendos into louder sections.
        random: the player's.
        human: percent; 0 is a sequencer, 100 a band.
        lag: ticks by which the player is late (negative: early).
        volume: added to every velocity.
        steady: whether notes at one tick keep together, as a drummer's strokes nearly do.
    """
    starts = [bar.start for bar in form.bars]
    levels = _levels(form)
    bar_ticks = form.meter.bar
    beat = form.meter.beat
    found = []
    drift = 0
    last = -1
    for note in sorted(notes):
        number = max(0, bisect_right(starts, note.start) - 1)
        level = levels[number]
        after = levels[min(number + 1, len(levels) - 1)]
        place = note.start - starts[number]
        if after > level:
            level += (after - level) * place // (2 * bar_ticks)
        if note.start != last or not steady:
            # the sum of three dice: mostly near the beat, seldom far
            drift = sum(random.randint(-5, 5) for _ in range(3)) * human // 130
        last = note.start
        accent = 4 if place == 0 else 2 if place % beat == 0 else 0
        touch = sum(random.randint(-4, 4) for _ in range(2)) * human // 100
        velocity = note.velocity * level // 100 + accent + touch + volume
        start = max(0, note.start + lag * human // 100 + drift)
        length = note.duration + (random.randint(-6, 6) * human // 100 if note.duration > 90 else 0)
        found.append(Note(start, max(20, length), note.pitch, max(8, min(127, velocity))))
    return found


def _levels(form: Form) -> list[int]:
    """The dynamic level of each bar in percent; phrases swell a little towards their third bar."""
    swell = (0, 1, 3, 1)
    return [_LEVELS[bar.section.energy] + swell[bar.number % 4] for bar in form.bars]
