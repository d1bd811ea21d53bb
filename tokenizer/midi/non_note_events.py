"""What a scanned file holds beside its notes: controls, bends, texts and signatures, with times.

A scan knows where every event is; here the times of those that a score keeps are worked out, for
all of them at once. What is kept does not hold on to the file's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenizer.typing import Array, Ints

from . import smf
from .fast_path import HIGH_BYTES, STATUS, Bytes, Scan, deltas, tempos_of, ticks_of
from .to_score import non_note_columns

ROWS = np.dtype([("time", "<i4"), ("status", "u1"), ("first", "u1"), ("second", "u1")])
Place = tuple[int, int, int]  # track of the file, channel, program

WITH_TEXT = (smf.TEXT, smf.LYRIC, smf.MARKER)
STATED = (smf.TEMPO, smf.TIME, smf.KEY)
# Whether a status is of a note-on; of a control or a pitch bend.
NOTES = np.array([status & 0xF0 == smf.NOTE_ON for status in range(256)])
KEPT = np.array([status & 0xF0 in (smf.CONTROL, smf.BEND) for status in range(256)])


@dataclass(frozen=True)
class NonNotes:
    """The events of each track of a file that are no notes, of the kinds that a score keeps.

    Attributes:
        rows: controls, bends and program changes of each track as `ROWS`, in order.
        metas: (time, kind, body) of each track.
        places: where notes are, in the order of the score's tracks.
    """

    rows: list[Array]
    metas: list[list[tuple[int, int, bytes]]]
    places: list[Place]

    def columns(self, notes: Array) -> dict[str, Array]:
        """The columns of a score beside its notes."""
        tracks = []
        for rows, metas in zip(self.rows, self.metas, strict=True):
            events = smf.Events()
            channels = smf.Channels(events)
            for time, status, first, second in rows.tolist():
                channels.event(status, first, second, time, 0)
            for time, kind, body in metas:
                smf.keep_meta(kind, body, time, events)
            tracks.append(events)
        return non_note_columns(tracks, self.places, notes)


def holds_text(scan: Scan) -> bool:
    """Whether a file has lyrics or markers."""
    for *_, kind, body, _ in scan.others:
        if kind in WITH_TEXT and body and (kind != smf.TEXT or body.startswith(smf.KARAOKE)):
            return True
    return False


def non_notes(scan: Scan, stated: bool) -> NonNotes:
    """All that is kept of a file beside its notes.

    Args:
        scan: the file.
        stated: whether tempos and signatures are kept.
    """
    low = np.frombuffer(scan.data.translate(None, HIGH_BYTES), np.uint8)
    clock = _Clock(scan, low)
    texts = (*WITH_TEXT, smf.PORT) + (STATED if stated else ())
    metas: list[list[tuple[int, int, bytes]]] = [[] for _ in range(scan.tracks)]
    changes: list[list[tuple[int, int, int, int]]] = [[] for _ in range(scan.tracks)]
    for other, time in zip(scan.others, clock.others.tolist(), strict=True):
        track, _, _, before, status, kind, body, tempos = other
        if kind in texts:
            metas[track].append((time, kind, body))
            for delta, tempo in tempos_of(tempos) if stated else ():
                time += delta
                metas[track].append((time, smf.TEMPO, tempo))
        elif status & 0xF0 == smf.PROGRAM:
            changes[track].append((before, time, status, body[0]))
    at, of_track, rows = _channel_events(scan, low, clock)
    joined = []
    for number in range(scan.tracks):
        mine = of_track == number
        programs = np.array(
            [(time, status, program, 0) for _, time, status, program in changes[number]], ROWS
        )
        places = at[mine].searchsorted([low for low, *_ in changes[number]])
        joined.append(np.insert(rows[mine], places, programs))
    return NonNotes(joined, metas, _places(scan, changes))


class _Clock:
    """The ticks at which events are, by how many low bytes of the file are before them."""

    def __init__(self, scan: Scan, low: Array) -> None:
        self._low = scan.low
        padded = np.zeros(len(low) + 3 + (-len(low)) % 3, np.int64)
        padded[3 : 3 + len(low)] = low
        # [k + 3]: the sum of low byte k, of the one three before it, and so on
        self._every_third = padded.reshape(-1, 3).cumsum(axis=0).ravel()
        self._high = np.append(0, deltas(scan).cumsum())
        columns = np.array([other[:4] for other in scan.others])
        self._track, self._run, self._run_high, self._end = columns.T
        self._begin = np.zeros(len(columns), np.int64)
        length = self._since(np.arange(len(columns)), self._end - 1)
        for index, other in enumerate(scan.others):
            if other[-1] and scan.others[index + 1][5] != smf.END:
                length[index] += ticks_of(other[-1])
        total = np.append(0, length.cumsum())
        first = self._track.searchsorted(np.arange(scan.tracks))
        self._begin = total[:-1] - total[first][self._track]
        self.others = self._begin + self._since(np.arange(len(columns)), self._end - 1)

    def run_of(self, low: Ints) -> Ints:
        """The number of the run that each low byte is in."""
        return self._end.searchsorted(low, side="right")

    def track_of(self, low: Ints) -> Ints:
        """The track of each low byte of a run."""
        return self._track[self.run_of(low)]

    def times(self, low: Ints) -> Ints:
        """The ticks of events of runs, by the low byte that ends their delta."""
        run = self.run_of(low)
        return self._begin[run] + self._since(run, low)

    def _since(self, run: Ints, low: Ints) -> Ints:
        """The ticks from the beginning of runs to low bytes that end a delta in them."""
        ticks = self._every_third[low + 3] - self._every_third[self._run[run]]
        high = self._low.searchsorted(low, side="right")
        found: Ints = ticks + self._high[high] - self._high[self._run_high[run]]
        return found


def changes_programs(scan: Scan) -> bool:
    """Whether a track sets a channel's program twice."""
    seen = [(other[0], other[4]) for other in scan.others if other[4] & 0xF0 == smf.PROGRAM]
    return len(set(seen)) < len(seen)


def count_kept(scan: Scan) -> tuple[int, int]:
    """How many controls and how many bends a file has, or more, but never fewer."""
    if not len(scan.statuses(KEPT)):
        return 0, 0
    phase = scan.phase()
    ends = np.flatnonzero(phase & 1)  # what is a status, or outside of the runs
    begin = scan.low.take(ends)
    value = scan.value.take(ends)[:-1]
    chosen = KEPT.take(value) & (phase.take(ends)[:-1] == STATUS)
    count = ((begin[1:] - begin[:-1]) // 3)[chosen]
    bends = int(count[value[chosen] >= smf.BEND].sum())
    return int(count.sum()) - bends, bends


def _kept_runs(scan: Scan) -> tuple[Ints, Bytes, Ints]:
    """Each status of controls or bends: the low bytes before it, itself, its number of events."""
    chosen = scan.statuses(KEPT)
    begin, value = scan.low.take(chosen), scan.value.take(chosen)
    if not len(chosen):
        return begin, value, begin
    statuses = scan.low[scan.phase() == STATUS]
    ends = np.sort(np.concatenate([statuses, [other[3] for other in scan.others]]))
    return begin, value, (ends[ends.searchsorted(begin, side="right")] - begin) // 3


def _channel_events(scan: Scan, low: Array, clock: _Clock) -> tuple[Ints, Ints, Array]:
    """Controls and bends: the low bytes before each, its track, and its row; in order."""
    begin, value, count = _kept_runs(scan)
    first = (count.cumsum() - count).repeat(count)
    delta = begin.repeat(count) - 1 + 3 * (np.arange(count.sum()) - first)
    rows = np.empty(len(delta), ROWS)
    rows["time"] = clock.times(delta)
    rows["status"] = value.repeat(count)
    rows["first"], rows["second"] = low[delta + 1], low[delta + 2]
    return delta, clock.track_of(delta), rows


def _places(scan: Scan, changes: list[list[tuple[int, int, int, int]]]) -> list[Place]:
    """Where notes may be: each track's channels that notes begin on, with the programs then."""
    begins = scan.statuses(NOTES)
    at, channel = scan.low.take(begins), scan.value.take(begins) & 0x0F
    ends = [0] * scan.tracks
    for track, _, _, before, *_ in scan.others:
        ends[track] = before
    bounds = [0, *at.searchsorted(ends).tolist()]
    found: list[Place] = []
    for track in range(scan.tracks):
        mine = slice(bounds[track], bounds[track + 1])
        for number in np.flatnonzero(np.bincount(channel[mine], minlength=16)).tolist():
            begins = at[mine][channel[mine] == number]
            set_at = [low for low, _, status, _ in changes[track] if status & 0x0F == number]
            programs = [p for _, _, status, p in changes[track] if status & 0x0F == number]
            used = np.unique(np.searchsorted(set_at, begins)).tolist()
            found += sorted({(track, number, [0, *programs][index]) for index in used})
    return found
