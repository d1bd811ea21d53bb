"""A user's file with holes: which of its notes are taken out, and what a model is told of the rest.

    past │ header: what comes after the hole, who plays │ the hole, with what stands in it │ …

Notes that begin in a hole are taken out, of all parts or of those that are written anew. All others
are given: a note that begins before a hole sounds on.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from musenet.export.file_notes import Spot, spots_of
from musenet.export.parts import name_of
from musenet.export.replace_notes import without_notes
from musenet.generation.chords import TimedChords, chord_events
from musenet.generation.prompt import tick_of
from musenet.options.fill_options import FillOptions
from musenet.sampling.given import Stretch
from tokenizer.encoding.compound import Events, row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.holes import (
    Hole,
    between,
    events_of,
    merged,
    no_events,
    told_after,
    woven,
)
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError, unknown
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.score.score import Score
from tokenizer.typing import Array, Ints, Tokens

from .kept_notes import order_of, replacements_of, rhythm_of, row_order
from .piece import Piece

AFTER_BARS = 2
"""How many bars after a hole are told, as many as training tells at most."""


class HoledPiece:
    """A piece with the holes of a request.

    Args:
        piece: the user's file.
        options: where the holes are, and which parts are written anew.

    Attributes:
        holes: the first tick of each and the first after it, in order.
        spots: the tracks and channels that new notes may go to, besides new tracks; None for all.
        programs: the instruments that are written.
        gone: the notes that are taken out or get other pitches, `FILE_NOTES`.

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
            programs = piece.hearing.meant(options.instruments)
            inside &= np.isin(notes["program"], list(programs))
        else:
            playing = notes["program"][inside] if inside.any() else notes["program"]
            programs = set(playing.tolist())
        self.gone: Array = _some(notes[inside], options, piece)
        self._keep_rhythm = options.keep_rhythm
        self._keep_pitches = options.keep_pitches
        self._replaces = options.distance is not None and not options.keep_rhythm
        if (options.keep_rhythm or options.keep_pitches) and not len(self.gone):
            kept = "rhythm" if options.keep_rhythm else "pitches"
            raise InputError(f"there are no notes in the hole whose {kept} could be kept")
        if options.keep_pitches:
            self.programs = tuple(sorted(set(self.gone["program"].tolist())))
            self.gone = self.gone[np.lexsort((self.gone["pitch"], self.gone["start"]))]
            return
        self.programs = tuple(sorted({*programs, *options.added}))

    @cached_property
    def given(self) -> Score:
        """The music that stays, in the ticks of the file."""
        file = without_notes(self.piece.file, self.gone)
        return self.piece.heard(file, read(events.dump(file)))

    def stretches(
        self, tokenizer: Tokenizer, chords: TimedChords | None = None
    ) -> tuple[Tokens, Ints, tuple[Stretch, ...]]:
        """What a sampler is told: the music before the first hole, and the holes.

        Args:
            tokenizer: of the model.
            chords: that are given, around the holes and in them.

        Returns:
            The rows `(T, 5)` before the first hole, their roles `(T,)`, and the holes.
        """
        vocabulary = tokenizer.vocabulary
        clock = GridClock(self.piece.score, vocabulary.grid)
        if self._keep_rhythm:
            self.gone = self.gone[row_order(self.piece, self.gone, tokenizer)]
        body = tokenizer.body(self.given)
        music = events_of(body, row_times(body, vocabulary), vocabulary)
        asked = no_events()
        if chords is not None:
            first = min([clock.step(self.holes[0][0]), *music.times[:1].tolist()])
            asked = chord_events(chords, clock, vocabulary, first)
        found: list[Stretch] = []
        reached = 0
        past: Events | None = None
        for ticks in self.holes:
            begin, end = map(clock.step, ticks)
            end = max(end, begin + 1)
            before = merged(between(asked, reached, begin), between(music, reached, begin))
            told = told_after(music, end, max(end, clock.step(self._told_until(ticks[1]))))
            given = merged(between(music, begin, end), between(asked, begin, end))
            hole = Hole(begin, end, self.programs, given, told)
            rhythm = None
            if self._keep_rhythm:
                mine = (self.gone["start"] >= ticks[0]) & (self.gone["start"] < ticks[1])
                rhythm = rhythm_of(self.piece, self.gone, mine, (begin, end), tokenizer)
            order = None
            if self._keep_pitches:
                order = order_of(self.piece, self.gone, ticks, (begin, end), tokenizer)
            replaced = None
            if self._replaces:
                replaced = replacements_of(self.piece, self.gone, ticks, end, tokenizer)
            found.append(Stretch.of(hole, before if found else None, rhythm, order, replaced))
            past, reached = past or before, end
        assert past is not None
        rows, controls = woven(no_events(), past, 0, vocabulary)
        return rows, np.where(controls, GIVEN, WRITTEN), tuple(found)

    def _told_until(self, end: int) -> int:
        """The tick up to which the music after a hole is told: two whole bars at least."""
        bars = self.piece.bars
        last = bars.number(end)
        return bars.tick(last + AFTER_BARS + (bars.tick(last) < end))


def _some(notes: Array, options: FillOptions, piece: Piece) -> Array:
    """The share of notes that is written anew, drawn from the request's seed."""
    if options.distance is None:
        return notes
    drawn = np.random.default_rng(options.seed_for(piece.digest)).permutation(len(notes))
    return notes[np.sort(drawn[: round(options.distance * len(notes))])]


def _holes(piece: Piece, options: FillOptions) -> tuple[tuple[int, int], ...]:
    """The first tick of each hole and the first after it."""
    bars, score = piece.bars, piece.score
    last = bars.number(max(piece.end - 1, 0)) + 1
    if options.bars:
        if options.bars[-1][1] > last:
            raise InputError(
                f"--bars {options.bars[-1][1]} lies beyond the end of {piece.display_name}, "
                f"which has {last} bars; `musenet generate` writes on after them"
            )
        return tuple((bars.tick(first - 1), bars.tick(stop)) for first, stop in options.bars)
    begin = tick_of(options.begin, score, bars, 0) if options.begin else 0
    end = bars.tick(last)
    if options.stop:
        end = min(end, tick_of(options.stop, score, bars, 1))
    if options.begin and begin >= piece.end:
        raise InputError(
            f"--from lies beyond the end of {piece.display_name}, which has {last} bars; "
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
    names = [name_of(track) for track in piece.file.tracks]
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
