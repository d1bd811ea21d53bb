"""Files whose chunks are sound, and their bytes one after another."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from struct import unpack_from
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

END_OF_TRACK = b"\xff\x2f\x00"
MOST_TRACKS = 4096  # of a file that is read with others; the next has no music


class SoundFile(NamedTuple):
    """A file with nothing odd about its chunks.

    Attributes:
        data: its bytes.
        ticks_per_quarter: its resolution.
        tracks: where the events of each track begin and end.
    """

    data: bytes
    ticks_per_quarter: int
    tracks: list[tuple[int, int]]


def sound_file(data: bytes) -> SoundFile | None:
    """The chunks of a file, or None if `tokenizer.midi.smf` has to look at them."""
    if data[:9] != b"MThd\x00\x00\x00\x06\x00" or len(data) < 14 or data[9] > 1:
        return None
    count, division = unpack_from(">HH", data, 10)
    if not 0 < division < 0x8000 or not 0 < count <= MOST_TRACKS:
        return None
    tracks = []
    at, last = 14, len(data) - 8
    for _ in range(count):
        if at > last:
            return None
        kind, size = unpack_from(">4sI", data, at)
        start = at + 8
        at = start + size
        if kind != b"MTrk" or size < 4 or data[at - 3 : at] != END_OF_TRACK:
            return None
        tracks.append((start, at))
    return SoundFile(data, division, tracks) if at == len(data) else None


class Joined:
    """The bytes of F files, one after another, with T tracks in all.

    Attributes:
        files: the files.
        data: their bytes, N.
        array: the same, `(N,)` uint8.
        begin: where the events of each track begin, `(T,)`.
        end: where they end, `(T,)`.
        first_track: the number of each file's first track, and T, `(F + 1,)`.
        file: the number of each track's file, `(T,)`.
    """

    def __init__(self, files: Sequence[SoundFile]) -> None:
        self.files = files
        self.data = files[0].data if len(files) == 1 else b"".join([file.data for file in files])
        self.array = np.frombuffer(self.data, np.uint8)
        bases = accumulate([0, *(len(file.data) for file in files[:-1])])
        tracks = [
            (begin + base, end + base)
            for base, file in zip(bases, files, strict=True)
            for begin, end in file.tracks
        ]
        self.begin, self.end = np.array(tracks).T
        counts = [len(file.tracks) for file in files]
        self.first_track = np.array([0, *accumulate(counts)])
        self.file = np.arange(len(files)).repeat(counts)


def with_statuses(file: SoundFile, added: list[tuple[int, int]]) -> SoundFile:
    """A file with statuses put in at some offsets, in ascending order."""
    bounds = [0, *(at for at, _ in added)]
    ends = [*bounds[1:], len(file.data)]
    statuses = [b"", *(bytes((status,)) for _, status in added)]
    data = b"".join(
        status + file.data[begin:end]
        for status, begin, end in zip(statuses, bounds, ends, strict=True)
    )
    tracks = [
        (begin + bisect_left(bounds, begin) - 1, end + bisect_left(bounds, end) - 1)
        for begin, end in file.tracks
    ]
    return SoundFile(data, file.ticks_per_quarter, tracks)
