"""The fast path: symusic's notes, tempos and signatures as columns of a score.

symusic gives a column either as one NumPy array per field or pickled, as one run of bytes; the
pickle is four times as fast. Its layout is checked once, on import; if it is not the expected one,
the arrays are used.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
import symusic.core

from tokenizer.instruments import DRUMS
from tokenizer.score import columns
from tokenizer.score.columns import NOTES
from tokenizer.score.score import Score, Track
from tokenizer.typing import Array, Ints

from .fast_path import scan
from .non_note_events import NonNotes, changes_programs, count_kept, holds_text, non_notes
from .smf import DRUM_CHANNEL
from .to_score import pedals_of

# The fields of symusic's columns, in the order in which they fill a row of 32-bit words.
NOTE_FIELDS = ("time", "duration", "pitch", "velocity")
TEMPO_FIELDS = ("time", "mspq")
TIME_FIELDS = ("time", "numerator", "denominator")
KEY_FIELDS = ("time", "key", "tonality")
CONTROL_FIELDS = ("time", "number", "value")
BEND_FIELDS = ("time", "value")
# A note as symusic pickles it: two bytes of no meaning come last.
STATE = np.dtype(
    [("start", "<i4"), ("duration", "<i4"), ("pitch", "u1"), ("velocity", "u1"), ("", "V2")]
)
CONTROL = np.dtype([("time", "<i4"), ("number", "u1"), ("value", "u1"), ("", "V2")])
# Signatures as symusic pickles them.
TIME_SIGNATURE, KEY_SIGNATURE = struct.Struct("<iBB2x"), struct.Struct("<ibB2x")
# What notes are sorted by, as the bytes of one number, the lowest first.
KEY = np.dtype([("duration", "<u2"), ("pitch", "u1"), ("program", "u1"), ("start", "<i4")])
SHORT = 2**16 - 1  # ticks: durations from here on have the same sorting key
EMPTY = {kind: columns.prepared(kind, []) for kind in columns.DTYPES}


class Controls(NamedTuple):
    """The controls and pitch bends of each track, as symusic pickles them."""

    controls: tuple[bytes, ...]
    pitch_bends: tuple[bytes, ...]

    def columns(self, notes: Array) -> dict[str, Array]:
        """The columns of a score beside its notes."""
        controls = _joined("controls", self.controls, CONTROL)
        bends = _joined("pitch_bends", self.pitch_bends, columns.TEMPOS)
        pedals = pedals_of(controls, columns.end(notes))
        return {**EMPTY, "controls": controls, "pitch_bends": bends, "pedals": pedals}


class Parsed(NamedTuple):
    """A file as symusic has read it, before its notes are sorted.

    Attributes:
        ticks_per_quarter: its resolution.
        tracks: those that have notes.
        states: each of these tracks' notes, as rows of `STATE`.
        size: how many notes there are.
        stated: its tempos, time and key signatures, if symusic has them right.
        more: its other events, if there are any.
    """

    ticks_per_quarter: int
    tracks: tuple[Track, ...]
    states: tuple[bytes, ...]
    size: int
    stated: dict[str, Array]
    more: Controls | NonNotes | None


def parse(data: bytes) -> Parsed | None:
    """Read a file through symusic, or give None where that might not be exact."""
    if sys.byteorder == "big":
        return None  # rows are put together as they lie in memory, lowest byte first
    structure = scan(data)
    if structure is None:
        return None
    try:
        found = symusic.core.ScoreTick.from_midi(data)
    except (RuntimeError, ValueError):
        return None
    tracks, states = [], []
    for part in found.tracks:
        state = _state(part.notes, NOTE_FIELDS)
        if not state:
            continue
        name, program = part.name, part.program
        if "\ufffd" in name:
            return None  # symusic puts this for bytes that are not UTF-8
        tracks.append(Track(name, DRUMS, True, program) if part.is_drum else Track(name, program))
        states.append(state)
    stated = {
        "tempos": _tempos(_state(found.tempos, TEMPO_FIELDS)),
        "time_signatures": _time_signatures(_state(found.time_signatures, TIME_FIELDS)),
        "key_signatures": _keys(_state(found.key_signatures, KEY_FIELDS)),
    }
    known = {kind: column for kind, column in stated.items() if column is not None}
    more: Controls | NonNotes | None = None
    if len(known) < len(stated) or holds_text(structure):
        known = known if len(known) == len(stated) else {}
        more = non_notes(structure, stated=not known)
    elif any(counts := count_kept(structure)):
        alone = not changes_programs(structure)
        more = (alone and _controls(found.tracks, counts)) or non_notes(structure, stated=False)
    if isinstance(more, NonNotes) and not _are_at(tracks, more):
        return None
    size = sum(map(len, states)) // STATE.itemsize
    return Parsed(found.ticks_per_quarter, tuple(tracks), tuple(states), size, known, more)


def _controls(parts: Any, counts: tuple[int, int]) -> Controls | None:
    """The controls and bends of the tracks with notes, if all that the file has are there.

    Else some are on channels that their own track plays no notes on, or symusic has put them on
    several tracks.
    """
    parts = [part for part in parts if len(part.notes)]
    controls = tuple(_state(part.controls, CONTROL_FIELDS) for part in parts)
    bends = tuple(_state(part.pitch_bends, BEND_FIELDS) for part in parts)
    if (sum(map(len, controls)) // 8, sum(map(len, bends)) // 8) != counts:
        return None
    return Controls(controls, bends)


def _are_at(tracks: Sequence[Track], more: NonNotes) -> bool:
    """Whether the tracks that symusic found are those where notes may be."""
    return [(track.is_drum, track.kit if track.is_drum else track.program) for track in tracks] == [
        (channel == DRUM_CHANNEL, program) for _, channel, program in more.places
    ]


def scores_of(files: Sequence[Parsed]) -> list[Score]:
    """The scores of parsed files, their notes sorted together."""
    played = [file for file in files if file.tracks]
    notes = iter(_sorted(played) if played else ())
    scores = []
    for file in files:
        column = next(notes) if file.tracks else EMPTY["notes"]
        known = {**EMPTY, "notes": column, **file.stated}
        rest = None
        if file.more is not None:
            known = {"notes": column, **file.stated}
            rest = partial(_rest, file.more, column)
        scores.append(Score.trusted(file.ticks_per_quarter, file.tracks, known, rest))
    return scores


def _rest(more: Controls | NonNotes, notes: Array, _kind: str) -> Mapping[str, Array]:
    """The columns beside the notes, when one of them is first asked for."""
    return more.columns(notes)


def _sorted(files: Sequence[Parsed]) -> list[Array]:
    """The notes of each file as a sorted column of NOTES.

    The tracks are runs of keys that are nearly in order, which a stable sort only has to merge.
    """
    states = [state for file in files for state in file.states]
    given = np.frombuffer(b"".join(states), STATE)
    tracks = [(number, t.program) for file in files for number, t in enumerate(file.tracks)]
    number: Any
    number, program = tracks[0]
    if len(tracks) > 1:
        sizes = [len(state) // STATE.itemsize for state in states]
        number, program = np.array(tracks, np.uint16).T.repeat(sizes, axis=1)
    notes, keys = np.empty(len(given), NOTES), np.empty(len(given), KEY)
    notes["start"] = keys["start"] = given["start"]
    notes["duration"] = duration = given["duration"]
    keys["duration"] = np.minimum(duration, SHORT)
    notes["pitch"] = keys["pitch"] = given["pitch"]
    notes["velocity"] = given["velocity"]
    notes["program"] = keys["program"] = program
    notes["track"] = number
    bounds = [0, *accumulate(file.size for file in files)]
    key = keys.view(np.int64)
    order = _order_within(key, bounds)
    key, notes = key.take(order), notes.take(order)
    _settle(notes, key, bounds)
    notes.flags.writeable = False
    return [notes[a:b] for a, b in pairwise(bounds)]


def _order_within(key: Ints, bounds: list[int]) -> Ints:
    """What sorts the keys between each bound and the next."""
    if len(bounds) == 2:
        return key.argsort(kind="stable")
    order = np.empty(len(key), np.int64)
    for begin, end in pairwise(bounds):
        np.add(key[begin:end].argsort(kind="stable"), begin, out=order[begin:end])
    return order


def _settle(notes: Array, key: Ints, bounds: list[int]) -> None:
    """Put notes that have the same key in order of duration and velocity."""
    same = key[1:] == key[:-1]
    for bound in bounds[1:-1]:
        same[bound - 1] = False  # the next is another file's
    tied = same.nonzero()[0]
    if not len(tied):
        return
    first, second = notes.take(tied), notes.take(tied + 1)
    longer = first["duration"] > second["duration"]
    louder = (first["duration"] == second["duration"]) & (first["velocity"] > second["velocity"])
    if not (longer | louder).any():
        return
    member = np.zeros(len(notes), bool)
    member[tied] = member[tied + 1] = True
    members = member.nonzero()[0]
    chosen = notes.take(members)
    rank = np.cumsum(~same.take(members - 1)) << 39  # a number for each key, whatever the first's
    rank |= chosen["duration"].astype(np.int64) << 8
    rank |= chosen["velocity"]
    notes[members] = chosen.take(rank.argsort(kind="stable"))


@lru_cache(maxsize=512)  # most files state one tempo and one meter, and many the same
def _tempos(state: bytes) -> Array | None:
    """The tempos; None where two differ at a tick: which is the last, symusic does not tell."""
    if not state:
        return EMPTY["tempos"]
    tempos = np.frombuffer(state, columns.TEMPOS)
    time, microseconds = tempos["time"], tempos["microseconds"]
    if time[0] < 0 or not microseconds.all():
        return None
    again = time[1:] == time[:-1]
    if again.any():
        if (again & (microseconds[1:] != microseconds[:-1])).any():
            return None
        tempos = tempos[np.append(True, ~again)]
        tempos.flags.writeable = False
    return tempos


@lru_cache(maxsize=512)
def _time_signatures(state: bytes) -> Array | None:
    """The time signatures; None where two differ at a tick, or one does not fit a byte."""
    stated: dict[int, tuple[int, int]] = {}
    for time, numerator, denominator in TIME_SIGNATURE.iter_unpack(state):
        signature = numerator, denominator  # symusic has 0 for what does not fit
        if time < 0 or not all(signature) or stated.setdefault(time, signature) != signature:
            return None
    return _column("time_signatures", [(time, *signature) for time, signature in stated.items()])


@lru_cache(maxsize=512)
def _keys(state: bytes) -> Array | None:
    """The key signatures; None where one has a mode or a number of fifths that there is not."""
    rows = list(dict.fromkeys(KEY_SIGNATURE.iter_unpack(state)))
    if any(time < 0 or mode > 1 or abs(fifths) > 7 for time, fifths, mode in rows):
        return None
    if len({time for time, *_ in rows}) == len(rows):
        return _column("key_signatures", rows)
    rows = list(KEY_SIGNATURE.iter_unpack(state))
    column = columns.ordered("key_signatures", np.array(rows, columns.KEY_SIGNATURES))
    column.flags.writeable = False
    return column


def _joined(kind: str, states: Sequence[bytes], dtype: np.dtype[Any]) -> Array:
    """One column of what each track has."""
    rows = np.frombuffer(b"".join(states), dtype)
    column = np.empty(len(rows), columns.DTYPES[kind])
    for name, given in zip(column.dtype.names or (), rows.dtype.names or (), strict=False):
        if name != "track":
            column[name] = rows[given]
    sizes = [len(state) // dtype.itemsize for state in states]
    column["track"] = np.arange(len(states)).repeat(sizes)
    column = columns.ordered(kind, column)
    column.flags.writeable = False
    return column


def _column(kind: str, rows: list[Any]) -> Array:
    """A read-only column of rows that are in order."""
    if not rows:
        return EMPTY[kind]
    column = np.array(rows, columns.DTYPES[kind])
    column.flags.writeable = False
    return column


def _state(events: Any, fields: tuple[str, ...]) -> bytes:
    """A column as rows of 32-bit words: numbers, then bytes packed into one, some of no meaning."""
    if PICKLED_AS_WORDS:
        state: bytes = events.__getstate__()[4:]
        return state
    return _packed(events.numpy(), fields)


def _packed(arrays: Mapping[str, Array], fields: tuple[str, ...]) -> bytes:
    words = [arrays[name].astype(np.int32) for name in fields]
    if len(fields) > 2:
        words[-2:] = [words[-2] & 0xFF | (words[-1] & 0xFF) << 8]
    return np.stack(words, axis=1).tobytes()


def _is_pickled_as_words() -> bool:
    """Whether this symusic pickles columns as a count and rows of words, as the above expects."""
    one, two = np.array([70_000, -1], np.int32), np.array([-9, 500_000], np.int32)
    low, high = np.array([60, 1], np.int8), np.array([127, -3], np.int8)
    samples: list[tuple[Any, tuple[str, ...]]] = [
        (symusic.core.NoteTickList.from_numpy(one, two, low, high), NOTE_FIELDS),
        (symusic.core.TempoTickList.from_numpy(one, two), TEMPO_FIELDS),
        (
            symusic.core.TimeSignatureTickList.from_numpy(
                one, low.astype(np.uint8), low.astype(np.uint8)
            ),
            TIME_FIELDS,
        ),
        (symusic.core.KeySignatureTickList.from_numpy(one, high, low.astype(np.uint8)), KEY_FIELDS),
        (
            symusic.core.ControlChangeTickList.from_numpy(
                one, low.astype(np.uint8), low.astype(np.uint8)
            ),
            CONTROL_FIELDS,
        ),
        (symusic.core.PitchBendTickList.from_numpy(one, two), BEND_FIELDS),
    ]
    for events, fields in samples:
        state = np.frombuffer(events.__getstate__(), np.uint8)
        packed = np.frombuffer(_packed(events.numpy(), fields), np.uint8)
        if len(state) != 4 + len(packed):
            return False
        used = np.ones((len(one), len(packed) // len(one)), bool)
        used[:, -2:] = len(fields) == 2  # the others end in two bytes of no meaning
        if not np.array_equal(state[4:][used.ravel()], packed[used.ravel()]):
            return False
    return True


PICKLED_AS_WORDS = _is_pickled_as_words()
