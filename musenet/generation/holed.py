"""A user's file with holes: which of its notes are taken out, and what a model is told of the rest.

    past │ header: what comes after the hole, who plays │ the hole, with what stands in it │ …

Notes that begin in a hole are taken out, of all parts or of those that are written anew. All others
are given: a note that begins before a hole sounds on.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from musenet.export.merge import track_name
from musenet.export.replace_notes import FileNotes, Spot, file_notes, spots_of, without_notes
from musenet.sampling.given import Stretch
from tokenizer.encoding.compound import Events, encode_events, row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.holes import Hole, between, events_of, told_after
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError, unknown
from tokenizer.midi import events
from tokenizer.midi.read import read, to_bytes
from tokenizer.score.bars import Bars
from tokenizer.score.score import Score
from tokenizer.typing import Array, Tokens

from .fill_options import FillOptions
from .prompt import plain_file, read_file, tick_of

AFTER_BARS = 2
"""How many bars after a hole are told, as many as training tells at most."""


@dataclass(frozen=True)
class Piece:
    """A user's file.

    Attributes:
        name: without suffix, for titles and file names.
        said: its name in error messages.
        data: its bytes, or those of its music where these have to be interpreted.
        digest: the first 12 hexadecimal digits of the SHA-256 of the file.
    """

    name: str
    said: str
    data: bytes
    digest: str

    @cached_property
    def file(self) -> events.File:
        """Its events."""
        return events.parse(self.data)

    @cached_property
    def score(self) -> Score:
        """Its music, in its ticks."""
        return read(self.data)

    @cached_property
    def notes(self) -> FileNotes:
        """Its notes as events."""
        return file_notes(self.file)

    @cached_property
    def bars(self) -> Bars:
        """Its bar lines."""
        return Bars(self.score.time_signatures, self.score.ticks_per_quarter)

    @property
    def end(self) -> int:
        """The tick at which its music or the file ends, whichever is later."""
        return max(self.score.end, self.file.end)


def read_piece(path: str | os.PathLike[str] | Score) -> Piece:
    """Read a MIDI file that is to be changed.

    Raises:
        MidiError: if it is no MIDI file, or a damaged one.
        InputError: if it cannot be read, or has no notes.
    """
    if isinstance(path, Score):
        data, score, name, said = to_bytes(path), path, "score", "the score"
    else:
        (data, score), name, said = read_file(path), Path(path).stem, str(path)
    if not len(score.notes):
        raise InputError(f"{said} has no notes; give a song with music around the hole")
    digest = hashlib.sha256(data).hexdigest()[:12]
    try:
        plain = events.parse(data).division == score.ticks_per_quarter
    except events.UnsupportedMidi:
        plain = False
    return Piece(name, said, data if plain else events.dump(plain_file(data, score)), digest)


class HoledPiece:
    """A piece with the holes of a request.

    Args:
        piece: the user's file.
        options: where the holes are, and which parts are written anew.

    Attributes:
        holes: the first tick of each and the first after it, in order.
        spots: the tracks and channels that new notes may go to, besides new tracks; None for all.
        programs: the instruments that are written.
        gone: the notes that are taken out, `FILE_NOTES`.

    Raises:
        InputError: if a hole lies outside of the piece, or a track is not there.
    """

    def __init__(self, piece: Piece, options: FillOptions) -> None:
        self.piece = piece
        self.holes = _holes(piece, options)
        found = piece.notes
        notes = found.notes
        inside = np.zeros(len(notes), dtype=bool)
        for begin, end in self.holes:
            inside |= (notes["start"] >= begin) & (notes["start"] < end)
        self.spots: tuple[Spot, ...] | None = None
        if options.tracks:
            self.spots = _spots(piece, options.tracks)
            places = notes[["track", "channel"]].tolist()
            inside &= np.array([place in self.spots for place in places], dtype=bool)
            begins = [begin for begin, _ in self.holes]
            programs = {found.program_at(spot, tick) for spot in self.spots for tick in begins}
        elif options.added:
            self.spots = ()
            inside[:] = False
            programs = set()
        elif options.instruments:
            inside &= np.isin(notes["program"], options.instruments)
            programs = set(options.instruments)
        else:
            playing = notes["program"][inside] if inside.any() else notes["program"]
            programs = set(playing.tolist())
        self.gone: Array = notes[inside]
        self.programs = tuple(sorted({*programs, *options.added}))

    @cached_property
    def given(self) -> Score:
        """The music that stays, in the ticks of the file."""
        return read(events.dump(without_notes(self.piece.file, self.gone)))

    def stretches(self, tokenizer: Tokenizer) -> tuple[Tokens, tuple[Stretch, ...]]:
        """What a sampler is told: the rows `(T, 5)` before the first hole, and the holes."""
        vocabulary = tokenizer.vocabulary
        clock = GridClock(self.piece.score, vocabulary.grid)
        body = tokenizer.body(self.given)
        music = events_of(body, row_times(body, vocabulary), vocabulary)
        found: list[Stretch] = []
        reached = 0
        past: Events | None = None
        for ticks in self.holes:
            begin, end = map(clock.step, ticks)
            end = max(end, begin + 1)
            before = between(music, reached, begin)
            told = told_after(music, end, max(end, clock.step(self._told_until(ticks[1]))))
            hole = Hole(begin, end, self.programs, between(music, begin, end), told)
            found.append(Stretch.of(hole, before if found else None))
            past, reached = past or before, end
        assert past is not None
        return encode_events(past, vocabulary), tuple(found)

    def _told_until(self, end: int) -> int:
        """The tick up to which the music after a hole is told: two whole bars at least."""
        bars = self.piece.bars
        last = bars.number(end)
        return bars.tick(last + AFTER_BARS + (bars.tick(last) < end))


def _holes(piece: Piece, options: FillOptions) -> tuple[tuple[int, int], ...]:
    """The first tick of each hole and the first after it."""
    bars, score = piece.bars, piece.score
    last = bars.number(max(piece.end - 1, 0)) + 1
    if options.bars:
        if options.bars[-1][1] > last:
            raise InputError(
                f"--bars {options.bars[-1][1]} lies beyond the end of {piece.said}, which has "
                f"{last} bars; `musenet generate` writes on after them"
            )
        return tuple((bars.tick(first - 1), bars.tick(stop)) for first, stop in options.bars)
    begin = tick_of(options.begin, score, bars, 0) if options.begin else 0
    end = bars.tick(last)
    if options.stop:
        end = min(end, tick_of(options.stop, score, bars, 1))
    if options.begin and begin >= piece.end:
        raise InputError(
            f"--from lies beyond the end of {piece.said}, which has {last} bars; "
            "`musenet generate` writes on after them"
        )
    if begin >= end:
        raise InputError("there is no time between --from and --to; --to must be the later one")
    return ((begin, end),)


def _spots(piece: Piece, wanted: tuple[str, ...]) -> tuple[Spot, ...]:
    """The tracks and channels of tracks given by name or number.

    Raises:
        InputError: if there is none of that name, or it has neither notes nor a program.
    """
    names = [track_name(track) for track in piece.file.tracks]
    found: list[Spot] = []
    for name in wanted:
        same = [n for n, own in enumerate(names) if own.casefold() == name.casefold()]
        if not same and name.isdecimal() and 1 <= int(name) <= len(names):
            same = [int(name) - 1]
        if not same:
            raise unknown("track", name, [own for own in names if own])
        spots = spots_of(piece.notes, same)
        if not spots:
            raise InputError(
                f"track '{name}' has no notes and no program; use --instruments to add a part"
            )
        found += spots
    return tuple(dict.fromkeys(found))
