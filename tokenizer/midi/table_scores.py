"""From sound files to scores, many files at once.

Notes, tracks, tempos and signatures are there at once. The columns of controls, bends, pedals and
texts are put together when one of them is first used, from events that have been checked and timed
with all others; nothing of the files is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np

from tokenizer.instruments import DRUMS
from tokenizer.score import columns
from tokenizer.score.columns import NO_TRACK
from tokenizer.score.score import Score, Track
from tokenizer.typing import Array, Ints

from . import smf
from .event_table import EventTable, event_table
from .non_note_columns import Place, Text, non_notes
from .other_events import META, Others, others_of
from .sound_files import Joined, SoundFile
from .table_notes import table_notes
from .to_score import text_of

EMPTY = {kind: columns.prepared(kind, []) for kind in columns.DTYPES}
SOME = 32  # tempos a file: more are taken together
TEXTS = (smf.LYRIC, smf.MARKER, smf.TEXT)
WANTED = np.isin(np.arange(256), (smf.NAME, smf.PORT, smf.TEMPO, smf.TIME, smf.KEY, *TEXTS))


def scores_of(files: Sequence[SoundFile]) -> list[Score | None]:
    """The score of each file, or None where `tokenizer.midi.smf` has to read it."""
    scores: list[Score | None] = [None] * len(files)
    chosen = list(range(len(files)))
    while chosen:
        joined = Joined([files[index] for index in chosen])
        others, odd = others_of(joined)
        if not odd:
            for index, score in zip(chosen, _scores(joined, others), strict=True):
                scores[index] = score
            break
        for number, file in odd.items():
            if file is not None:
                (scores[chosen[number]],) = scores_of([file])
        chosen = [index for number, index in enumerate(chosen) if number not in odd]
    return scores


def _scores(joined: Joined, others: Others) -> list[Score | None]:
    table = event_table(joined, others)
    wrong = table.wrong | _changing_drums(joined, others)
    notes, tracks = table_notes(joined, table)
    metas = _Metas(joined, table)
    rest = non_notes(joined, table, metas.texts, metas.ports, tracks)
    scores: list[Score | None] = []
    for number, file in enumerate(joined.files):
        if number in wrong or len(tracks[number]) >= NO_TRACK:
            scores.append(None)
            continue
        named = tuple([_track(metas.names, place) for place in tracks[number]])
        known = {
            "notes": notes[number],
            "tempos": metas.tempos[number],
            "time_signatures": _stated("time_signatures", metas.time_signatures.get(number)),
            "key_signatures": _stated("key_signatures", metas.key_signatures.get(number)),
        }
        more = rest.get(number)
        if more is None:
            scores.append(Score.trusted(file.ticks_per_quarter, named, {**EMPTY, **known}))
        else:
            later = partial(more.columns, notes[number])
            scores.append(Score.trusted(file.ticks_per_quarter, named, known, later))
    return scores


def _track(names: dict[int, bytes], place: Place) -> Track:
    """A track of a score."""
    track, channel, program = place
    name = text_of(names.get(track, b""))
    if channel == smf.DRUM_CHANNEL:
        return Track(name, DRUMS, True, program)
    return Track(name, program)


def _changing_drums(joined: Joined, others: Others) -> set[int]:
    """The files with a System Exclusive that makes drums of a channel."""
    found = set()
    for index in (others.status & 0xF7 == 0xF0).nonzero()[0].tolist():
        if smf.changes_drums(joined.data[others.body[index] : others.stop[index]]):
            found.add(int(joined.file[others.track[index]]))
    return found


class _Metas:
    """The metas of joined files.

    Attributes:
        names: of each track that has one, by its number among all.
        ports: the same, of MIDI ports.
        texts: lyrics and markers of each file that has any, and the texts of karaoke files.
        time_signatures: those of each file that has any, as rows of the column.
        key_signatures: the same.
        tempos: the column of each file.
    """

    def __init__(self, joined: Joined, table: EventTable) -> None:
        self.names: dict[int, bytes] = {}
        self.ports: dict[int, int] = {}
        self.texts: defaultdict[int, list[Text]] = defaultdict(list)
        self.time_signatures: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
        self.key_signatures: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
        others, data = table.others, joined.data
        index = (others.status == META).nonzero()[0]
        index = index[WANTED.take(others.kind.take(index))]
        tempos: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
        is_tempo = others.kind.take(index) == smf.TEMPO
        many = np.count_nonzero(is_tempo) > SOME * len(joined.files)
        if many:
            self.tempos = _many_tempos(joined, table, index[is_tempo])
            index = index[~is_tempo]
        free: defaultdict[int, list[Text]] = defaultdict(list)
        time = table.time.take(others.row.take(index))
        fields = (others.kind, others.track, others.body, others.stop)
        columns_ = [time.tolist(), *(field.take(index).tolist() for field in fields)]
        file = joined.file.tolist()
        for at, kind, track, begin, stop in zip(*columns_, strict=True):
            body = data[begin:stop]
            if kind == smf.NAME:
                self.names[track] = body
            elif kind == smf.PORT:
                if len(body) == 1:
                    self.ports[track] = body[0]
            elif kind == smf.TEMPO:
                value = int.from_bytes(body, "big")
                if len(body) == 3 and value:
                    tempos[file[track]].append((at, value))
            elif kind in (smf.TIME, smf.KEY):
                signature = _signature(kind, body)
                if signature is not None:
                    rows = self.time_signatures if kind == smf.TIME else self.key_signatures
                    rows[file[track]].append((at, *signature))
            elif body:
                texts = free if kind == smf.TEXT else self.texts
                texts[file[track]].append((at, track, kind, body))
        for number, found in free.items():
            if any(text.startswith(smf.KARAOKE) for *_, text in found):
                self.texts[number] += found
        if not many:
            self.tempos = [_stated("tempos", tempos.get(n)) for n in range(len(joined.files))]


@lru_cache(maxsize=512)
def _signature(kind: int, body: bytes) -> tuple[int, ...] | None:
    """A time or key signature as in the column of a score but for its time; None if it is none."""
    events = smf.Events()
    smf.keep_meta(kind, body, 0, events)
    for row in (*events.time_signatures, *events.key_signatures):
        return row[1:]
    return None


def _many_tempos(joined: Joined, table: EventTable, index: Ints) -> list[Array]:
    """The tempos of each file, given which of the other events they are."""
    others, array = table.others, joined.array
    index = index[others.stop.take(index) - others.body.take(index) == 3]
    body = others.body.take(index)
    value = array.take(body).astype(np.int32) << 16
    value |= array.take(body + 1).astype(np.int32) << 8
    value |= array.take(body + 2)
    index, value = index[value > 0], value[value > 0]
    column = np.empty(len(index), columns.TEMPOS)
    column["time"] = table.time.take(others.row.take(index))
    column["microseconds"] = value
    column.flags.writeable = False
    bounds = others.track.take(index).searchsorted(joined.first_track).tolist()
    return [_ordered(column[a:b]) for a, b in pairwise(bounds)]


def _ordered(tempos: Array) -> Array:
    """A column of tempos in order."""
    if not len(tempos):
        return EMPTY["tempos"]
    tempos = columns.ordered("tempos", tempos)
    tempos.flags.writeable = False
    return tempos


def _stated(kind: str, rows: list[tuple[int, ...]] | None) -> Array:
    """A column of rows in the order of the file."""
    if not rows:
        return EMPTY[kind]
    return _kept(kind, tuple(rows))


@lru_cache(maxsize=512)  # most files state few, and many the same
def _kept(kind: str, rows: tuple[tuple[int, ...], ...]) -> Array:
    column = columns.ordered(kind, np.array(list(rows), columns.DTYPES[kind]))
    column.flags.writeable = False
    return column
