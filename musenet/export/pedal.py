"""The sustain pedal after a prompt that is pedalled: the model writes notes alone.

The habit of the prompt goes on by rule. The pedal changes as often as in the prompt: every two
bars, bar, half or quarter of a bar, and where the chord changes; it goes down and up as much before
or after these lines as there. It stays up where nothing is played, and is up at the end. A prompt
whose pedal does not keep to the bars of its file goes on with the time between its presses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.midi.events import Event, File
from tokenizer.midi.smf import CONTROL
from tokenizer.score.bars import Bars
from tokenizer.score.chords import score_chords
from tokenizer.score.columns import SUSTAIN
from tokenizer.score.score import Score
from tokenizer.typing import Floats, Ints, Notes

from . import merge
from .parts import Part

_DOWN = 64  # the least value of a pedal that is down
_PER_BAR = {0.5: "two bars", 1.0: "bar", 2.0: "half bar", 4.0: "quarter of a bar"}
_LOOSE = 0.15  # how far presses lie from their lines, as a share of their distance, at most
_RECENT = 2  # presses or bars before the boundary in which the pedal was still used


@dataclass(frozen=True)
class PedalHabit:
    """How a channel of a track is pedalled.

    Attributes:
        track: of the file.
        channel: 0–15.
        per_bar: changes in a bar; 0 where the pedal does not keep to the bars.
        period: ticks between two presses.
        down: ticks from a line to a press.
        up: ticks from a line to a release.
        value: of the control when it is down.
        last: the tick of the last press.
    """

    track: int
    channel: int
    per_bar: float
    period: int
    down: int
    up: int
    value: int
    last: int

    def __str__(self) -> str:
        if not self.per_bar:
            return "The pedal goes on at the pace of the prompt."
        return f"The pedal goes on: changed every {_PER_BAR[self.per_bar]}, and with the chords."


def pedal_habits(file: File, bars: Bars, span: tuple[int, int]) -> list[PedalHabit]:
    """The habit of each track and channel that is pedalled to the end of a prompt.

    Args:
        file: with the prompt.
        bars: its bar lines.
        span: the first tick of the prompt, and the first after it.
    """
    found = []
    for track, events in enumerate(file.tracks):
        pedals = [e for e in events if e.kind == CONTROL and e.data[1] == SUSTAIN]
        for channel in sorted({event.data[0] & 15 for event in pedals}):
            own = [e for e in pedals if e.data[0] & 15 == channel and span[0] <= e.tick < span[1]]
            habit = _habit(track, channel, own, bars, span[1])
            if habit is not None:
                found.append(habit)
    return found


def _habit(
    track: int, channel: int, events: Iterable[Event], bars: Bars, end: int
) -> PedalHabit | None:
    """The habit in pedal events of one channel; None if the pedal is not used to the end."""
    presses: list[int] = []
    releases: list[int] = []
    values = []
    for event in events:
        is_down = event.data[2] >= _DOWN
        if is_down and len(presses) == len(releases):
            presses.append(event.tick)
            values.append(event.data[2])
        elif not is_down and len(presses) > len(releases):
            releases.append(event.tick)
    if not presses:
        return None
    line = bars.tick(bars.number(presses[-1]))
    bar = max(bars.tick(bars.number(presses[-1]) + 1) - line, 1)
    period = int(np.median(np.diff(presses))) if len(presses) > 1 else bar
    held = (releases[-1] if len(releases) == len(presses) else end) - presses[-1]
    if len(presses) == 1 and held < bar:
        return None
    if end - presses[-1] > _RECENT * max(period, bar):
        return None
    per_bar = min(_PER_BAR, key=lambda often: abs(np.log(often * period / bar)))
    downs, ups = (_off_lines(np.array(ticks), bars, per_bar) for ticks in (presses, releases))
    lag = int(np.median(downs))
    if np.median(np.abs(downs - lag)) > _LOOSE * bar / per_bar:
        per_bar, lag = 0.0, 0
        ups = np.array([up - press - period for up, press in zip(releases, presses, strict=False)])
    up = int(np.median(ups)) if len(ups) else 0
    value = int(np.median(values))
    return PedalHabit(track, channel, per_bar, period, lag, min(up, lag), value, presses[-1])


def _off_lines(ticks: Ints, bars: Bars, per_bar: float) -> Floats:
    """How many ticks each tick lies after the nearest line where the pedal may change."""
    found = []
    for tick in ticks.tolist():
        bar = bars.number(tick)
        lines = np.array(_lines(bars, max(bar - 2, 0), bar + 3, per_bar))
        found.append(tick - lines[np.abs(lines - tick).argmin()])
    return np.array(found, dtype=np.float64)


def _lines(bars: Bars, first: int, stop: int, per_bar: float) -> list[int]:
    """The lines in some bars."""
    if per_bar < 1:
        step = round(1 / per_bar)
        return [bars.tick(bar) for bar in range(first - first % step, stop, step)]
    parts = round(per_bar)
    return [
        bars.tick(bar) + (bars.tick(bar + 1) - bars.tick(bar)) * part // parts
        for bar in range(first, stop)
        for part in range(parts)
    ]


def add_pedals(
    file: File,
    habits: Sequence[PedalHabit],
    new: Notes,
    parts: Sequence[Part],
    score: Score,
    span: tuple[int, int],
) -> None:
    """Pedal new music as its prompt.

    Args:
        file: with the new music.
        habits: of the prompt.
        new: the new notes in ticks of the file, with its tracks.
        parts: of the prompt.
        score: the prompt's, for its meters.
        span: the first tick of the new music, and the first after it.
    """
    bars = Bars(score.time_signatures, score.ticks_per_quarter)
    pitched = new[new["program"] != DRUMS]
    pitched["track"] = pitched["program"] = 0  # who plays is nothing to chords
    music = Score(score.ticks_per_quarter, notes=pitched, time_signatures=score.time_signatures)
    for habit in habits:
        tracks = {part.track for part in parts if part.track == habit.track}
        tracks = tracks or {part.track for part in parts if habit.channel in part.channels}
        notes = new[np.isin(new["track"], list(tracks))]
        merge.insert(file, habit.track, pedal_events(habit, notes, bars, span, music))


def pedal_events(
    habit: PedalHabit, notes: Notes, bars: Bars, span: tuple[int, int], score: Score
) -> list[Event]:
    """The pedal of new music, in order of time.

    Args:
        habit: of the prompt.
        notes: that sound on the habit's channel.
        bars: the bar lines.
        span: the first tick of the new music, and the first after it.
        score: the new music without drums, in the ticks of the file, to find its chords.
    """
    begin, end = span
    lines = _changes(habit, bars, span, score)
    starts = np.sort(notes["start"])
    found: list[Event] = []
    status = bytes((CONTROL | habit.channel, SUSTAIN))
    for line, following in zip(lines, [*lines[1:], end], strict=True):
        press = max(line + habit.down, begin)
        release = min(following + habit.up if following < end else end, end)
        playing = np.searchsorted(starts, following) > np.searchsorted(starts, line)
        if playing and press < release:
            found.append(Event(press, status + bytes((habit.value,))))
            found.append(Event(release, status + b"\x00"))
    return found


def _changes(habit: PedalHabit, bars: Bars, span: tuple[int, int], score: Score) -> list[int]:
    """The lines at which the pedal changes: by the habit, and with the chords."""
    begin, end = span
    if not habit.per_bar:
        first = habit.last + -(-(begin - habit.last) // habit.period) * habit.period
        return sorted({begin, *range(first, end, habit.period)})
    lines = _lines(bars, bars.number(begin), bars.number(end) + 1, habit.per_bar)
    lines = sorted({begin, *(line for line in lines if begin < line < end)})
    if not len(score.notes):
        return lines
    ticks, _ = score_chords(score)
    for tick in ticks.tolist():
        apart = min(abs(tick - line) for line in lines)
        if begin < tick < end and apart >= bars.beat(tick):
            lines.append(tick)
    return sorted(lines)
