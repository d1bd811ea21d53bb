"""What the program plays next, from what was played so far: a beat or two at a time.

The model reads the last bars, the player's notes as given rows (`tokenizer.encoding.holes`) beside
those that the program wrote itself, each at its time, and writes on from a beat. Nothing of the
future is known; whoever plays something else is answered by writing anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from musenet.decoding.engines import resolve_engine
from musenet.editing.fill import check_roles
from musenet.generation.chords import (
    TimedChords,
    chart_chords,
    check_chords,
    chord_events,
    chords_of,
    kept_chords,
    knows_chords,
)
from musenet.generation.conditions import DEFAULT_TEMPO, asked_labels, check_names, sampled_model
from musenet.generation.prompt import blank
from musenet.model.checkpoint import Checkpoint
from musenet.options.live_options import LiveOptions
from musenet.options.shared_options import BAND, NATURAL
from musenet.sampling.constraints import (
    Constraints,
    implied_by_prompt,
    max_polyphony,
    usual_for,
)
from musenet.sampling.filters import FieldFilter
from musenet.sampling.given import Stretch
from musenet.sampling.processors.entrance import Entrance
from musenet.sampling.processors.instrument_balance import InstrumentBalance
from musenet.sampling.processors.loop_penalty import LoopPenalty
from musenet.sampling.processors.style_penalty import StylePenalty
from musenet.sampling.sampler import Sampler, SamplerConfig
from tokenizer.encoding.compound import Events
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.holes import Hole, between, merged, no_events, with_header, woven
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.vocabulary import WAIT
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.labels import Labels
from tokenizer.score.bars import Bars
from tokenizer.score.score import NOTES, TIME_SIGNATURES, Score
from tokenizer.typing import Ints, Tokens

from .notes import LiveNote, events_of_notes

_BARS, _NOTES = 16, 320  # of what was played that are read at most
_LEGATO = 0.25  # beats by which notes of a melody may overlap
_QUARTER = 480  # ticks


class Writer:
    """Writes what comes next.

    Args:
        checkpoint: the model, with its tokenizer.
        options: of the music.
        players: the programs that are written.

    Raises:
        InputError: if the weights have not learned to play beside others, count no beats, or do
            not know the composer, the style or the meter.
    """

    def __init__(
        self, checkpoint: Checkpoint, options: LiveOptions, players: Sequence[int]
    ) -> None:
        check_roles(checkpoint)
        self._vocabulary = vocabulary = checkpoint.tokenizer.vocabulary
        if not vocabulary.grid.is_beat:
            raise InputError("these weights count seconds, not beats; play with others")
        check_names(options, vocabulary)
        if options.chords is not None:
            check_chords(vocabulary)
        engine = resolve_engine(options.engine, checkpoint.network)
        self._options, self._tokenizer = replace(options, engine=engine), checkpoint.tokenizer
        self._model = sampled_model(checkpoint, self._options)
        self.players = tuple(players)
        numerator, denominator = options.meter
        self.bar = 4 * numerator / denominator
        meter = np.array([(0, numerator, denominator)], TIME_SIGNATURES)
        self._score = Score(ticks_per_quarter=_QUARTER, time_signatures=meter)
        self._bars = Bars(meter, _QUARTER)
        self._blank = blank(DEFAULT_TEMPO, options.meter, None)
        self._knows_chords = knows_chords(vocabulary)
        self._seeds = count(options.seed)

    def write(
        self,
        heard: Sequence[LiveNote],
        own: Sequence[LiveNote],
        begin: float,
        end: float,
        tempo: float,
        *,
        beside: bool,
    ) -> Iterator[LiveNote]:
        """New notes, as they are written, in order.

        Args:
            heard: the player's notes.
            own: those that the program has played, or will have before `begin`.
            begin: the first beat that is written.
            end: the first beat after that.
            tempo: quarter notes per minute.
            beside: whether the program plays beside the player, or goes on in the player's place.
        """
        first = self._first_beat([*heard, *own], begin)
        grid = self._vocabulary.grid
        start, stop = (round((beat - first) * grid.resolution) for beat in (begin, end))
        mine = [note for note in own if first <= note.begin < begin]
        theirs = [note for note in heard if note.begin >= first]
        given = events_of_notes(theirs, first, grid, quantised=True)
        written = events_of_notes(mine, first, grid)
        chords = self._chords(heard if beside else [], first, begin, end)
        config = self._config(
            self._music(given, written, between(chords, 0, start), stop, beside=beside),
            (start, stop),
            Stretch(start, stop, between(chords, start, stop)),
            self._labels(heard, tempo, beginning=first <= 0),
            BAND if beside else NATURAL,
            self._limits(None if beside else heard),
        )
        for new in Sampler(self._model, self._vocabulary, config).sample():
            if not (new.live[0] and new.written[0] and self._vocabulary.is_note(new.rows)[0]):
                continue
            clock = GridClock(self._score, grid)
            note = self._tokenizer.decode_notes(new.rows[:1], new.times[:1], clock)[0]
            yield LiveNote(
                first + float(note["start"]) / _QUARTER,
                first + float(note["start"] + note["duration"]) / _QUARTER,
                int(note["pitch"]),
                int(note["velocity"]),
                int(note["program"]),
            )

    def _first_beat(self, notes: Sequence[LiveNote], begin: float) -> float:
        """The bar line from which on is read: so many bars and notes at most."""
        starts = sorted(note.begin for note in notes if note.begin < begin)[-_NOTES:]
        earliest = starts[0] if len(starts) == _NOTES else min([0.0, *starts])
        bar = max(
            -(-earliest // self.bar) if len(starts) == _NOTES else earliest // self.bar,
            begin // self.bar - _BARS,
        )
        return bar * self.bar

    def _chords(self, heard: Sequence[LiveNote], first: float, begin: float, end: float) -> Events:
        """Chords as controls, in steps since the first beat that is read, up to one.

        They are those of the chart, which begins at beat 0; else those that the player's notes
        make, and their loop, once they have one.
        """
        if not self._knows_chords:
            return no_events()
        since, last = round(max(first, 0.0) * _QUARTER), round(end * _QUARTER)
        timed: TimedChords | None
        if self._options.chords is not None:
            timed = chart_chords(self._options.chords, self._bars, 0, last)
        else:
            timed = self._heard_chords(heard, begin, last)
        if timed is None or last <= since or not len(timed.ticks):
            return no_events()
        clock = GridClock(self._score, self._vocabulary.grid)
        events = chord_events(timed.since(since).before(last), clock, self._vocabulary)
        moved = round(first * self._vocabulary.grid.resolution)
        return replace(events, control_times=events.control_times - moved)

    def _heard_chords(
        self, heard: Sequence[LiveNote], begin: float, last: int
    ) -> TimedChords | None:
        """The chords of the player's last bars and their loop up to a tick, or None."""
        line = self._bars.tick(self._bars.number(round(max(begin, 0.0) * _QUARTER)))
        first = next((note.begin for note in heard if note.begin >= 0), begin)
        origin = self._bars.tick(self._bars.number(round(max(first, 0.0) * _QUARTER)))
        played = self._played(heard)
        if not len(played.notes) or played.notes["start"][0] >= line:
            return None
        prompt = replace(
            self._blank,
            score=played,
            music=self._played(heard, origin),
            origin=origin,
            boundary=line,
        )
        sounding = chords_of(prompt).before(line).numbers.any()
        return kept_chords(prompt, last, whole=False) if sounding else None

    def _played(self, heard: Sequence[LiveNote], origin: int = 0) -> Score:
        """The player's notes, drums left out, as a score whose tick 0 is at `origin`."""
        rows = [
            (
                round(note.begin * _QUARTER) - origin,
                max(round((note.end - note.begin) * _QUARTER), 1),
                *(note.pitch, note.velocity, note.program, 0),
            )
            for note in heard
            if note.begin >= 0 and note.program != DRUMS
        ]
        return replace(self._score, notes=np.array(rows, NOTES))

    def _music(
        self, given: Events, written: Events, chords: Events, stop: int, *, beside: bool
    ) -> tuple[Tokens, Ints]:
        """The rows `(T, 5)` of what was played, and their roles."""
        if beside:
            hole = Hole(0, stop, self.players, merged(chords, given), no_events())
            return with_header(hole, written, 0, self._vocabulary)
        rows, controls = woven(chords, merged(given, written), 0, self._vocabulary)
        return rows, np.where(controls, GIVEN, WRITTEN)

    def _labels(self, heard: Sequence[LiveNote], tempo: float, *, beginning: bool) -> Tokens:
        """The prefix."""
        composer, styles = asked_labels(self._options)
        own = self._tokenizer.labels(self._played(heard))
        programs = dict.fromkeys((*(note.program for note in heard), *self.players))
        labels = Labels(
            composer=composer,
            styles=styles,
            instruments=tuple(programs),
            tempo=tempo,
            time_signature=self._options.meter,
            key=own.key,
        )
        return self._tokenizer.prefix(labels, start=beginning)

    def _limits(self, phrase: Sequence[LiveNote] | None) -> Constraints:
        """Who may play, and how many notes at once: as in a phrase where one is answered."""
        limits = replace(self._options.constraints(), programs=self.players)
        if not phrase:
            return usual_for(limits, len(self.players) + 1)
        # The ends of a melody that is played legato overlap.
        apart = [note._replace(end=max(note.end - _LEGATO, note.begin)) for note in phrase]
        notes = self._played(apart).notes
        if not len(notes):
            return usual_for(limits, len(self.players))
        limits = replace(limits, polyphony=limits.polyphony or max_polyphony(notes))
        return implied_by_prompt(limits, notes, _QUARTER)

    def _config(
        self,
        music: tuple[Tokens, Ints],
        span: tuple[int, int],
        stretch: Stretch,
        prefix: Tokens,
        filters: tuple[FieldFilter, ...],
        limits: Constraints,
    ) -> SamplerConfig:
        options, players = self._options, self.players
        guided = bool(self._vocabulary.chords[music[0][:, WAIT]].any())
        return SamplerConfig(
            prefix=prefix,
            prompt=music[0],
            roles=music[1],
            not_before=span[0],
            until=span[1],
            filters=options.filters(filters),
            constraints=limits,
            seed=next(self._seeds),
            variations=(1,),
            processors=(
                InstrumentBalance(even=players),
                StylePenalty(keep_key=not guided),
                LoopPenalty(),
                Entrance(players),
            ),
            stretches=(stretch,),
            chord_guidance=options.chord_guidance if guided else 1.0,
            engine=options.engine,
        )
