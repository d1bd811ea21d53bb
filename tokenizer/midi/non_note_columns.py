"""The columns of a score for what tracks hold beside notes, tempos and signatures.

Whose a control is, see `tokenizer.midi.to_score`: this does the same for many events at once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tokenizer.score import columns
from tokenizer.score.columns import NO_TRACK
from tokenizer.typing import Array, Ints

from . import smf
from .event_table import EventTable
from .sound_files import Joined
from .to_score import pedals_of, text_of

Place = tuple[int, int, int]  # track of the joined files, channel, program
Text = tuple[int, int, int, bytes]  # ticks, track of the joined files, kind, text

KEPT = np.array([status & 0xF0 in (smf.CONTROL, smf.BEND) for status in range(256)])
NOBODY = -1


class NonNotes(NamedTuple):
    """The events of a file beside its notes, tempos and signatures.

    Attributes:
        row: controls and bends by their row in the table, `(C,)`.
        time: their ticks, `(C,)`.
        place: `track << 4 | channel` of each, `(C,)`.
        status: of each, `(C,)` uint8.
        first: the first data byte of each, `(C,)` uint8.
        second: the second, `(C,)` uint8.
        programs: changes of programs: their row, `track << 4 | channel`, and the program.
        texts: lyrics, texts and markers.
        ports: the MIDI port of each track that names one.
        places: what each track of the score is.
    """

    row: Ints
    time: Array
    place: Ints
    status: Array
    first: Array
    second: Array
    programs: list[tuple[int, int, int]]
    texts: list[Text]
    ports: dict[int, int]
    places: list[Place]

    def columns(self, notes: Array, _kind: str = "") -> dict[str, Array]:
        """The columns of a score that has these notes."""
        owner = self._owners()
        heard = (owner != NOBODY).nonzero()[0]
        owner, time, status = owner[heard], self.time[heard], self.status[heard]
        first, second = self.first[heard], self.second[heard]
        bends = status >= smf.BEND
        found = {
            "controls": _column(
                "controls",
                *(column[~bends] for column in (time, first, second, owner)),
            ),
            "pitch_bends": _column(
                "pitch_bends",
                time[bends],
                (first[bends] | second[bends].astype(np.int32) << 7) - 8192,
                owner[bends],
            ),
            **self._texts(),
        }
        found["pedals"] = pedals_of(found["controls"], columns.end(notes))
        return found

    def _owners(self) -> Ints:
        """The track of the score that each control and bend belongs to, or NOBODY."""
        first: dict[int, int] = {}
        on_channel: dict[tuple[int, int], int] = {}
        several: dict[int, dict[int, int]] = {}
        for number, (track, channel, program) in enumerate(self.places):
            place = track << 4 | channel
            first.setdefault(place, number)
            on_channel.setdefault((self.ports.get(track, 0), channel), number)
            several.setdefault(place, {})[program] = number
        owner = np.full(len(self.row), NOBODY)
        for place in np.unique(self.place).tolist():
            other = on_channel.get((self.ports.get(place >> 4, 0), place & 15), NOBODY)
            mine = self.place == place
            owner[mine] = first.get(place, other)
            numbers = several.get(place, {})
            if len(numbers) > 1:
                owner[mine] = [
                    numbers.get(program, first[place])
                    for program in self._programs(place, self.row[mine]).tolist()
                ]
        return owner

    def _programs(self, place: int, row: Ints) -> Ints:
        """The program of a track's channel at some rows."""
        changes = [(at, program) for at, where, program in self.programs if where == place]
        programs = np.array([0, *(program for _, program in changes)])
        found: Ints = programs[np.searchsorted([at for at, _ in changes], row)]
        return found

    def _texts(self) -> dict[str, Array]:
        """Lyrics, the sung texts of a karaoke file among them, and markers."""
        first: dict[int, int] = {}
        for number, (track, _, _) in enumerate(self.places):
            first.setdefault(track, number)
        karaoke = any(
            kind == smf.TEXT and text.startswith(smf.KARAOKE) for *_, kind, text in self.texts
        )
        sung = [smf.LYRIC, *([smf.TEXT] if karaoke else [])]
        lyrics = [
            (track, sung.index(kind), time, text)
            for time, track, kind, text in self.texts
            if kind == smf.LYRIC or (kind in sung and not text.startswith(b"@"))
        ]
        lyrics.sort(key=lambda row: row[:2])  # of each track, lyrics before texts
        markers = [
            (t, NO_TRACK, text_of(text)) for t, _, kind, text in self.texts if kind == smf.MARKER
        ]
        rows = [
            (time, first.get(track, NO_TRACK), text_of(text)) for track, _, time, text in lyrics
        ]
        return {"lyrics": _of_rows("lyrics", rows), "markers": _of_rows("markers", markers)}


def non_notes(
    joined: Joined,
    table: EventTable,
    texts: dict[int, list[Text]],
    ports: dict[int, int],
    places: list[list[Place]],
) -> dict[int, NonNotes]:
    """What each of some joined files has beside notes, by its number, if it has any."""
    row = KEPT.take(table.status).nonzero()[0]
    bounds = row.searchsorted(table.row.take(joined.first_track))
    with_rows = (bounds[1:] > bounds[:-1]).nonzero()[0].tolist()
    numbers = sorted({*with_rows, *texts})
    if not numbers:
        return {}
    track = table.row.searchsorted(row, side="right") - 1
    time, status = table.time.take(row), table.status.take(row)
    place = track << 4 | status & 15
    first, second = table.first.take(row), table.second.take(row)
    others = table.others
    changes = (others.status & 0xF0 == smf.PROGRAM).nonzero()[0]
    programs = list(
        zip(
            others.row[changes].tolist(),
            (others.track[changes] << 4 | others.status[changes] & 15).tolist(),
            others.kind[changes].tolist(),
            strict=True,
        )
    )
    begins = others.track[changes].searchsorted(joined.first_track).tolist()
    found = {}
    for number in numbers:
        mine = slice(bounds[number], bounds[number + 1])
        found[number] = NonNotes(
            row[mine],
            time[mine],
            place[mine],
            status[mine],
            first[mine],
            second[mine],
            programs[begins[number] : begins[number + 1]],
            texts.get(number, []),
            ports,
            places[number],
        )
    return found


def _column(kind: str, *fields: Array) -> Array:
    """A sorted, read-only column of fields."""
    column = np.empty(len(fields[0]), columns.DTYPES[kind])
    for name, values in zip(column.dtype.names or (), fields, strict=True):
        column[name] = values
    column = columns.ordered(kind, column)
    column.flags.writeable = False
    return column


def _of_rows(kind: str, rows: list[Any]) -> Array:
    """A sorted, read-only column of rows."""
    column = columns.ordered(kind, np.array(rows, columns.DTYPES[kind]))
    column.flags.writeable = False
    return column
