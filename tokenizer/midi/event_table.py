"""The events of sound files as columns, every byte checked, for many files at once.

With two zeros in place of each of the other events, without its delta, a track is events of three
low bytes each: the last of the delta and two of data. A byte above 127 with rest 0 by three among
the low ones is then a part of a delta, with rest 1 a status, with rest 2 an error. What passes is
what `tokenizer.midi.smf` reads: by induction from the beginning of a track each event begins where
the one before it ends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tokenizer.score.columns import LAST_TICK
from tokenizer.typing import Array, Ints

from .other_events import FEW, HIGH_BYTES, Others
from .sound_files import Bytes, Joined

NO_STATUS = 0xFF  # before the first status of a track; also that of a meta


class EventTable(NamedTuple):
    """R events of joined files, track after track.

    Attributes:
        time: ticks since the beginning of the track, `(R,)` int32.
        status: running status filled in, `(R,)` uint8; 0xFF for all events of a wrong file.
        first: the first data byte, `(R,)` uint8.
        second: the second, `(R,)` uint8.
        row: the first event of each track, and R, `(T + 1,)`.
        others: the events that are not of two data bytes, with their place in the table.
        wrong: the numbers of the files that break the format, or have too many ticks.
    """

    time: Array
    status: Bytes
    first: Bytes
    second: Bytes
    row: Ints
    others: Others
    wrong: set[int]


def event_table(joined: Joined, others: Others) -> EventTable:
    """The events of files, given those that are not of two data bytes."""
    wrong_rows: list[Array] = []
    delta, own_status, first, second = _columns(_events_of_three(joined, others), wrong_rows)
    ends = others.row[others.at == joined.end.take(others.track) - 3]
    begin = np.zeros(len(ends) + 1, np.int64)
    begin[1:] = ends + 1
    status = _statuses(own_status, others, ends, wrong_rows)
    # Each track's time begins at 0: what the track before lasted is taken from its first delta.
    length = np.add.reduceat(delta, begin[:-1], dtype=np.int64)
    delta[begin[1:-1]] -= length[:-1].astype(np.int32)
    if (length > LAST_TICK).any():
        wrong_rows.append(begin[:-1][length > LAST_TICK])
    wrong: set[int] = set()
    if wrong_rows:
        tracks = begin.searchsorted(np.concatenate(wrong_rows), side="right") - 1
        wrong.update(joined.file.take(tracks).tolist())
        for number in wrong:
            status[slice(*begin[joined.first_track[number : number + 2]])] = NO_STATUS
    return EventTable(delta.cumsum(dtype=np.int32), status, first, second, begin, others, wrong)


def _events_of_three(joined: Joined, others: Others) -> bytes:
    """The bytes of the events, with three low ones for each, and no chunk headers."""
    if len(others.at) <= FEW:
        begins = [int(joined.begin[0]), *others.stop.tolist()]
        pieces = [joined.data[a:b] for a, b in zip(begins, others.at.tolist(), strict=False)]
        return b"\0\0".join([*pieces, b""])
    skipped = others.stop - others.at
    skipped -= 2  # the status and the byte after it stay, as low bytes
    last = skipped.cumsum()
    index = np.arange(last[-1])
    index += (others.at + 2 - last + skipped).repeat(skipped)
    kept = np.ones(len(joined.array), bool)
    kept[index] = False
    kept[: joined.begin[0]] = False
    array = joined.array.copy()
    array[others.at] = array[others.at + 1] = 0
    return array[kept].tobytes()


def _columns(data: bytes, wrong: list[Array]) -> tuple[Array, Bytes, Bytes, Bytes]:
    """The columns of events of three low bytes.

    Args:
        data: the events.
        wrong: takes the rows where a high byte stands before the second data byte, or where a delta
            is amiss.

    Returns:
        The delta of each event, `(R,)` int32, its own status or 0, and its data bytes.
    """
    array = np.frombuffer(data, np.uint8)
    high = (array.view(np.int8) < 0).nonzero()[0]
    value = array.take(high)
    high -= np.arange(len(high))  # becomes how many low bytes stand before each
    low = np.frombuffer(data.translate(None, HIGH_BYTES), np.uint8)
    before = np.zeros(len(low), np.uint8)  # the high byte right before each low one, or 0
    before[high] = value
    delta_low, first, second = low.reshape(-1, 3).T
    high_part, status, wrong_high = before.reshape(-1, 3).T
    if wrong_high.any():
        wrong.append(wrong_high.nonzero()[0])
    delta = high_part.astype(np.int32)
    delta &= 127
    delta <<= 7
    delta += delta_low
    _add_more_parts(delta, high, value, wrong)
    return delta, status, first, second


def _statuses(own: Bytes, others: Others, ends: Ints, wrong: list[Array]) -> Bytes:
    """The status of each event, `(R,)`, with that of the one before where it has none.

    Args:
        own: the status that each event has, `(R,)`; 0 for none, and for the others.
        others: the events that are not of two data bytes.
        ends: the rows of those that end a track.
        wrong: takes the rows where a status is amiss.
    """
    status = own.copy()
    if status.take(others.row).any():  # a status right before that of another event
        wrong.append(others.row[status.take(others.row) > 0])
    has = status != 0
    if np.count_nonzero(has) + len(others.row) < len(status):
        channel = others.status < 0xE0
        status[others.row[channel]] = others.status[channel]
        status[ends] = NO_STATUS
        has = status != 0
        has[0] = True
        index = has.nonzero()[0]
        until = np.append(index[1:], len(status))
        until -= index
        status = status.take(index).repeat(until)
    status[others.row] = others.status
    odd = (status < 0x80) | (status & 0xE0 == 0xC0) | (status >= 0xF0)  # no two data bytes
    if np.count_nonzero(odd) > len(others.row):
        odd[others.row] = False
        wrong.append(odd.nonzero()[0])
    return status


def _add_more_parts(delta: Array, low: Ints, value: Bytes, wrong: list[Array]) -> None:
    """Add what deltas of more than two bytes have before the last two.

    Args:
        delta: of each event, so far.
        low: how many low bytes stand before each byte above 127.
        value: these bytes.
        wrong: takes the rows with more than four bytes in a delta, or two for a status.
    """
    index = (low[1:] == low[:-1]).nonzero()[0]  # followed by one of the same delta
    if not len(index):
        return
    at = low.take(index)
    row = at // 3
    part = (value.take(index) & 127).astype(np.int32) << 14
    # How many more of the same delta follow: the next of these is then the next byte, too.
    again = at[1:] == at[:-1]
    part[:-1][again] <<= 7
    twice = again[1:] & again[:-1]
    if twice.any() or (at % 3).any():
        wrong += [row[at % 3 > 0], row[:-2][twice]]
    last = np.append(~again, True)
    delta[row[last]] += part[last]
    delta[row[~last]] += part[~last]
