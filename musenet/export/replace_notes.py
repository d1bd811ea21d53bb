"""Notes of a user's file taken out and others put in; every other event stays, byte for byte.

What was changed is an `Edit`, with which `undo` gives the old tracks again, event for event.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.midi.events import META, Event, File
from tokenizer.midi.smf import NOTE_OFF, NOTE_ON, PROGRAM
from tokenizer.score.columns import disjoint_notes
from tokenizer.typing import Array, Ints, Notes

from .file_notes import FileNotes, Spot
from .merge import new_part, note_events, shared_out
from .parts import Part

_NEAR = 64  # notes that show the register of a part
_CHANNEL = 0xFFFF  # port × 16 + channel


@dataclass(frozen=True)
class Edit:
    """What was changed in the tracks of a file.

    Attributes:
        tracks: how many tracks there were; later ones are new.
        removed: of each track, the number, tick and bytes (hexadecimal) of each removed event.
        added: of each track, the numbers that the added events have now.
    """

    tracks: int
    removed: dict[int, list[tuple[int, int, str]]]
    added: dict[int, list[int]]

    def to_text(self) -> str:
        """The edit as text without spaces."""
        data = json.dumps([self.tracks, [*self.removed.items()], [*self.added.items()]])
        return base64.b64encode(zlib.compress(data.encode(), 9)).decode()

    @classmethod
    def from_text(cls, text: str) -> Edit:
        """The inverse of `to_text`.

        Raises:
            ValueError: if the text is damaged.
        """
        try:
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(base64.b64decode(text, validate=True), 1 << 26)
            tracks, removed, added = json.loads(data)
            return cls(
                int(tracks),
                {int(t): [(int(n), int(at), str(h)) for n, at, h in rows] for t, rows in removed},
                {int(t): [int(number) for number in rows] for t, rows in added},
            )
        except (zlib.error, TypeError, RecursionError) as error:
            raise ValueError(str(error)) from error


def without_notes(file: File, notes: Array) -> File:
    """A file without some of its `FILE_NOTES`."""
    gone = events_of_notes(notes)
    tracks = [
        [event for n, event in enumerate(track) if n not in gone[t]] if t in gone else [*track]
        for t, track in enumerate(file.tracks)
    ]
    return File(file.division, tracks, file.end)


def replaced(
    file: File,
    here: FileNotes,
    gone: Array,
    new: Notes,
    stretches: Sequence[tuple[int, int]],
    spots: Sequence[Spot] | None = None,
) -> tuple[File, Edit, Notes]:
    """A file with other notes in some stretches of time.

    A note goes to the part that has its program where the stretch begins; of several, to the one in
    whose register it lies. It ends with the stretch at the latest. On a channel a pitch sounds
    once at a time: a new note ends where a note of the file begins, and one that begins in another
    starts where that ends, or is dropped.

    Args:
        file: the user's.
        here: its notes.
        gone: those that are taken out.
        new: `NOTES` that are put in, in ticks of the file.
        stretches: the first tick of each and the first after it, in order.
        spots: the tracks and channels that new notes may go to; None for all, and new ones.

    Returns:
        The changed file, what was changed, and the new notes as written, with their tracks.
    """
    changed = without_notes(file, gone)
    new = new[np.argsort(new["start"], kind="stable")]
    owners = np.zeros((len(new), 2), dtype=np.int64)  # track, and what `_place` gives
    inserted: dict[int, list[Event]] = defaultdict(list)
    places = here.spots if spots is None else spots
    own_parts: list[Part] = []  # on new tracks
    for begin, end in stretches:
        inside = np.flatnonzero((new["start"] >= begin) & (new["start"] < end))
        new["duration"][inside] = np.clip(new["duration"][inside], 1, end - new["start"][inside])
        parts = [_part(here, spot, begin) for spot in places] + own_parts
        for program in np.unique(new["program"][inside]).tolist():
            own = inside[new["program"][inside] == program]
            mine = [part for part in parts if part.program == program]
            if not mine:
                mine = [new_part(changed, parts, program)]
                own_parts += mine
                parts += mine
            for part, chosen in zip(mine, shared_out(new[own], mine), strict=True):
                owners[own[chosen]] = part.track, _place(here, part)
                if len(chosen):
                    inserted[part.track] += _first_program(here, part, begin)
    new["track"] = owners[:, 0]
    kept = _without(here, gone)
    places_kept = _places(here, kept)
    written = [new[:0]]
    for place in np.unique(owners[:, 1]).tolist():
        clear = _clear(new[owners[:, 1] == place], kept[places_kept == place], place, here.busy)
        written.append(clear)
        for track in np.unique(clear["track"]).tolist():
            inserted[track] += note_events(clear[clear["track"] == track], place & 15)
    added = {track: insert_events(changed, track, events) for track, events in inserted.items()}
    removed = removed_events(file, gone)
    notes = np.concatenate(written)
    edit = Edit(len(file.tracks), removed, added)
    return changed, edit, notes[np.argsort(notes["start"], kind="stable")]


def undo(file: File, edit: Edit) -> File:
    """The file before an edit.

    Raises:
        ValueError: if it is not the file that the edit made.
    """
    tracks = [[*track] for track in file.tracks[: edit.tracks]]
    try:
        for track, numbers in edit.added.items():
            if track < edit.tracks:
                for number in reversed(numbers):
                    del tracks[track][number]
        for track, rows in edit.removed.items():
            for number, tick, data in rows:
                if number > len(tracks[track]):
                    raise IndexError
                tracks[track].insert(number, Event(tick, bytes.fromhex(data)))
    except IndexError as error:
        raise ValueError("events are missing") from error
    return File(file.division, tracks, file.end)


def events_of_notes(notes: Array) -> dict[int, set[int]]:
    """The numbers of the events of notes, by track."""
    found: dict[int, set[int]] = defaultdict(set)
    for track, on, off in notes[["track", "on", "off"]].tolist():
        found[track] |= {on, off}
    return found


def removed_events(file: File, notes: Array) -> dict[int, list[tuple[int, int, str]]]:
    """The events of notes as an `Edit` has them."""
    return {
        track: [(n, file.tracks[track][n].tick, file.tracks[track][n].data.hex()) for n in numbers]
        for track, numbers in ((t, sorted(of)) for t, of in events_of_notes(notes).items())
    }


def _without(here: FileNotes, gone: Array) -> Array:
    """The notes of a file that are not among those taken out."""
    taken = set(gone[["track", "on"]].tolist())
    stays = [place not in taken for place in here.notes[["track", "on"]].tolist()]
    return here.notes[np.array(stays, dtype=bool)]


def _place(here: FileNotes, part: Part) -> int:
    """Port × 16 + channel; above it what a part is heard as, if that is not what the file states.

    Such parts may share a channel in the file, but each has its own in an audio workstation.
    """
    heard = here.heard.get((part.track, part.channel), -1)
    return (heard + 1) << 16 | part.port << 4 | part.channel


def _places(here: FileNotes, notes: Array) -> Ints:
    """The same `(N,)` of notes of the file."""
    places: Ints = notes["port"] << 4 | notes["channel"]
    for (track, channel), heard in here.heard.items():
        mine = (notes["track"] == track) & (notes["channel"] == channel)
        places[mine] |= (heard + 1) << 16
    return places


def _part(here: FileNotes, spot: Spot, tick: int) -> Part:
    """A track and channel as a part, with the pitches that it plays nearest to a tick."""
    track, channel = spot
    notes = here.notes[(here.notes["track"] == track) & (here.notes["channel"] == channel)]
    nearest = np.argsort(np.abs(notes["start"] - tick), kind="stable")[:_NEAR]
    pitches = notes["pitch"][nearest].tolist()
    return Part(
        track, channel, here.program_at(spot, tick), here.ports[track], pitches=tuple(pitches)
    )


def _first_program(here: FileNotes, part: Part, tick: int) -> list[Event]:
    """A program change for a part whose own first one comes after a tick."""
    changes = here.programs.get((part.track, part.channel), [])
    if not changes or changes[0][0] <= tick or part.program == DRUMS:
        return []
    return [Event(tick, bytes((PROGRAM | part.channel, changes[0][1])))]


def _clear(
    new: Notes, kept: Array, place: int, busy: dict[tuple[int, int], list[tuple[int, int]]]
) -> Notes:
    """New notes of one channel, shortened, moved or left out beside those of the file."""
    sounding: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for start, end, pitch in kept[["start", "end", "pitch"]].tolist():
        sounding[pitch].append((start, end))
    for (where, pitch), spans in busy.items():
        if where == place & _CHANNEL:
            sounding[pitch] += spans
    new = new[np.argsort(new["start"], kind="stable")].copy()
    begins, lengths = _beside(new, sounding)
    new["start"], new["duration"] = begins, lengths
    new = new[np.array(lengths, dtype=np.int64) > 0]
    clear, _ = disjoint_notes(new[np.argsort(new["start"], kind="stable")], {})
    return clear


def _beside(new: Notes, sounding: dict[int, list[tuple[int, int]]]) -> tuple[list[int], list[int]]:
    """The starts and durations of new notes beside others of their pitch; 0 where one is dropped.

    A repeated note may overlap by a few ticks of legato; one inside another is not heard.
    """
    begins, lengths = [], []
    for start, duration, pitch in new[["start", "duration", "pitch"]].tolist():
        begin, end = start, start + duration
        for other, until in sorted(sounding.get(pitch, ())):
            if other <= begin < until:
                worth = other < begin and (end - until) * 2 >= end - begin
                begin = until if worth else end
            elif begin < other < end:
                end = other
        begins.append(begin)
        lengths.append(max(end - begin, 0))
    return begins, lengths


def insert_events(file: File, track: int, events: Iterable[Event]) -> list[int]:
    """Insert events; returns their numbers in the track.

    Note-offs come before the events of the same tick, which a note may begin with; the others
    after them, a program change before note-ons.
    """
    rank = {NOTE_OFF: -1, META: 1, PROGRAM: 1, NOTE_ON: 2}
    keyed = [(e.tick, 0, n, e) for n, e in enumerate(file.tracks[track])]
    keyed += [(e.tick, rank[e.kind], n, e) for n, e in enumerate(events)]
    keyed.sort(key=lambda item: item[:3])
    file.tracks[track] = [event for *_, event in keyed]
    return [n for n, (_, order, _, _) in enumerate(keyed) if order]
