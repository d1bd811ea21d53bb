"""Filling holes: from a checkpoint, a user's file and options to files with new music in the holes.

    file ─▶ what is given ─▶ Sampler ─▶ rows ─▶ notes in the file's ticks ─▶ the user's file

All but the notes of the holes stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from musenet import __version__
from musenet.decoding.engines import resolve_engine
from musenet.export import merge
from musenet.export.change_notes import repitched, retimed
from musenet.export.recipe_event import recipe_event
from musenet.export.replace_notes import Edit, replaced
from musenet.export.retiming import found_beats
from musenet.generation.chords import knows_chords
from musenet.generation.conditions import DEFAULT_TEMPO, asked_labels, check_names, sampled_model
from musenet.generation.request import Request
from musenet.generation.reranking import Finding
from musenet.model.checkpoint import Checkpoint
from musenet.model.config import knows_roles
from musenet.model.stored import is_cascade
from musenet.options.fill_options import FillOptions
from musenet.options.shared_options import MOST_VARIATIONS, NATURAL
from musenet.sampling.constraints import Constraints, implied_by_prompt, usual_for
from musenet.sampling.processors.entrance import Entrance
from musenet.sampling.processors.instrument_balance import InstrumentBalance
from musenet.sampling.processors.loop_penalty import LoopPenalty
from musenet.sampling.processors.style_penalty import StylePenalty
from musenet.sampling.replacements import Refill
from musenet.sampling.sampler import SampledRows, Sampler, SamplerConfig
from tokenizer.encoding.compound import Events, row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.holes import events_of
from tokenizer.encoding.vocabulary import PITCH
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.instruments import name as instrument_name
from tokenizer.labels import Labels
from tokenizer.midi import events
from tokenizer.midi.events import File
from tokenizer.midi.read import read
from tokenizer.score.score import Score
from tokenizer.typing import Notes, Steps, Tokens

from .drafts import Draft, EdgeReader
from .fill_recipe import FillRecipe
from .hole_chords import chords_of_song, chords_with_holes
from .holed import HoledPiece
from .kept_notes import owners
from .piece import Piece
from .usual_parts import WrittenParts

MOST_INSTRUMENTS = 129

Edited = tuple[File, Edit, Notes]
"""A changed file, what was changed, and the new notes as written, in ticks of the file."""


@dataclass(frozen=True)
class Take:
    """One finished variation.

    Attributes:
        data: the MIDI file.
        variation: its number.
        new: the new notes, `tokenizer.score.score.NOTES` in the file's ticks.
        relaxed: how often each constraint had to be relaxed, over all variations.
        recipe: how it was made.
    """

    data: bytes
    variation: int
    new: Notes
    relaxed: dict[str, int]
    recipe: FillRecipe

    @property
    def notes(self) -> int:
        """The number of new notes."""
        return len(self.new)

    @cached_property
    def score(self) -> Score:
        """The whole file as a score."""
        return read(self.data)


class Fill(Request):
    """One request to fill holes, in progress.

    Args:
        checkpoint: the model, with its tokenizer.
        piece: the user's file.
        options: the request.

    Raises:
        InputError: if the checkpoint has not learned to fill, or does not know the composer or
            style, or a hole or a track is not there.
    """

    def __init__(self, checkpoint: Checkpoint, piece: Piece, options: FillOptions) -> None:
        check_roles(checkpoint)
        tokenizer = checkpoint.tokenizer
        check_names(options, tokenizer.vocabulary)
        if not piece.hearing.parts and options.hear_as != {}:
            piece = piece.as_heard(options.hear_as or {})
        self.holed = HoledPiece(piece, options)
        playing = {*piece.score.notes["program"].tolist()}
        new = not {*self.holed.programs} <= playing
        engine = resolve_engine(options.engine, checkpoint.network)
        chords = options.keep_chords is None and knows_chords(tokenizer.vocabulary)
        chords = chords and bool(chords_of_song(piece).numbers.any())
        options = options.completed(engine, drums=DRUMS in playing, new=new, chords=chords)
        if not is_cascade(checkpoint.config):
            options = replace(options, drafts=1)
        self.options = options
        self.piece, self.bars = piece, piece.bars
        self._chords = chords_with_holes(options, piece, self.holed.holes, tokenizer.vocabulary)
        self._checkpoint, self._tokenizer = checkpoint, tokenizer
        self._clock = GridClock(piece.score, tokenizer.vocabulary.grid)
        self._model = sampled_model(checkpoint, options)
        self._sampler = Sampler(self._model, tokenizer.vocabulary, self._config())
        self._sampled: list[SampledRows] = []
        self._off_beat = bool(found_beats(piece.score)[1])

    @property
    def words(self) -> tuple[str, ...]:
        """Sentences that say what was made of the request where that is not plain."""
        off = "The notes do not keep to the beats of the file; what is new keeps to them."
        return (*([off] if self._off_beat else []), *super().words)

    @property
    def title(self) -> str:
        """The title of the music."""
        return f"{self.piece.name}, {self.where} filled"

    @property
    def where(self) -> str:
        """The holes in words: "bars 1–2, 5–8 and 13"."""
        bars = self.bars
        spans = [(bars.number(begin) + 1, bars.number(end - 1) + 1) for begin, end in self.holes]
        words = [f"{first}–{last}" if first < last else f"{first}" for first, last in spans]
        many = len(spans) > 1 or spans[0][0] < spans[0][1]
        rest = ", ".join(words[:-1])
        return f"bar{'s' if many else ''} {rest}{' and ' if rest else ''}{words[-1]}"

    @property
    def players(self) -> str:
        """The instruments that are written, in words."""
        return ", ".join(instrument_name(program) for program in self.holed.programs)

    @property
    def holes(self) -> tuple[tuple[int, int], ...]:
        """The first tick of each hole and the first after it."""
        return self.holed.holes

    @property
    def span(self) -> tuple[int, int]:
        """The first tick of the first hole, and the first after the last one."""
        return self.holes[0][0], self.holes[-1][1]

    def latest(self) -> Notes:
        """The notes of the last step, of the first draft of each variation."""
        notes = super().latest()
        return notes[notes["track"] < len(self.options.variations)]

    def results(self) -> list[Take]:
        """The variations, each in its best draft; in the first if it was stopped early."""
        return [self._take(index) for index in range(len(self.options.variations))]

    def _take(self, index: int) -> Take:
        piece = self.piece
        file, edit, notes = self._best(index)
        recipe = FillRecipe(
            program=__version__,
            weights=self._checkpoint.hash,
            model=self._checkpoint.folder.name,
            digest=piece.digest,
            name=piece.name,
            options=replace(self.options, variations=(self.options.variations[index],)),
            edit=edit.to_text(),
            heard=tuple(part.program for part in piece.hearing.parts),
        )
        merge.insert(file, 0, [recipe_event(recipe)])
        return Take(
            data=events.dump_over(piece.data, file),
            variation=self.options.variations[index],
            new=notes,
            relaxed=dict(self._sampler.relaxed),
            recipe=recipe,
        )

    def _best(self, index: int) -> Edited:
        """The file with a variation in the draft that fits best.

        What counts is how it joins the music around, and whether its parts play what is usual.
        """
        drafts = range(index, len(self._drafts), len(self.options.variations))
        if len(drafts) == 1 or not self._finished:
            return self._edited(*self._written(index))
        vocabulary = self._tokenizer.vocabulary
        found = [self._written(draft) for draft in drafts]
        reader = EdgeReader(self._model, self.options.engine, vocabulary, self._prefix)
        fit = reader.fit(
            [Draft.of(self._stands, *written, vocabulary) for written in found],
            [(self._clock.step(begin), self._clock.step(end)) for begin, end in self.holes],
        )
        edited = [self._edited(*written) for written in found]
        parts = [sum(nats for nats, _ in self.found_in_parts(new)) for _, _, new in edited]
        return edited[int(np.argmax(fit + parts))]

    def _edited(self, rows: Tokens, times: Steps) -> Edited:
        """The user's file with the notes of rows (see `_written`) in its holes."""
        holed, piece = self.holed, self.piece
        if self.options.keep_rhythm:
            return repitched(piece.file, holed.gone, rows[:, PITCH] - 1)
        new = self._placed(rows, times)
        if self.options.keep_pitches:
            own = owners(holed.gone, rows, times, holed.holes, self._clock)
            return retimed(piece.file, own, new, holed.holes)
        return replaced(piece.file, piece.notes, holed.gone, new, holed.holes, holed.spots)

    def found_in_parts(self, new: Notes) -> list[Finding]:
        """What new notes play beside what is usual; nothing where how many is given."""
        options = self.options
        given = options.keep_rhythm or options.keep_pitches or options.distance is not None
        return [] if given else self._parts.findings(new)

    @cached_property
    def _parts(self) -> WrittenParts:
        return WrittenParts.of(self.holed)

    def _written(self, index: int) -> tuple[Tokens, Steps]:
        """The rows `(N, 5)` of the notes of a draft, and their times in steps."""
        vocabulary = self._tokenizer.vocabulary
        written = [
            (one.rows[index], one.times[index])
            for one in self._sampled
            if one.live[index] and one.written[index] and vocabulary.is_note(one.rows[index])
        ]
        rows = np.array([row for row, _ in written], dtype=np.int16).reshape(-1, 5)
        return rows, np.array([time for _, time in written], dtype=np.int64)

    def _placed(self, rows: Tokens, times: Steps) -> Notes:
        """The notes of rows, in ticks of the file."""
        notes = self._tokenizer.decode_notes(rows, times, self._clock)
        # Holes need not begin and end on the grid.
        for begin, end in self.holes:
            steps = self._clock.step(begin), self._clock.step(end)
            inside = (times >= steps[0]) & (times < max(steps[1], steps[0] + 1))
            notes["start"][inside] = np.clip(notes["start"][inside], begin, end - 1)
        return notes

    @cached_property
    def _drafts(self) -> tuple[int, ...]:
        """The numbers that seed the drafts: the first of all variations, the second, and so on."""
        drafts = range(self.options.drafts or 1)
        return tuple(v + MOST_VARIATIONS * d for d in drafts for v in self.options.variations)

    @cached_property
    def _prefix(self) -> Tokens:
        return self._tokenizer.prefix(self._labels())

    @cached_property
    def _stands(self) -> Events:
        """The music that stays, on the grid."""
        body, vocabulary = self._tokenizer.body(self.holed.given), self._tokenizer.vocabulary
        return events_of(body, row_times(body, vocabulary), vocabulary)

    def _config(self) -> SamplerConfig:
        options, tokenizer = self.options, self._tokenizer
        prompt, roles, stretches = self.holed.stretches(tokenizer, self._chords)
        # With a distance the parts go on playing, in the notes that stand.
        entering = self.holed.programs if options.distance is None else ()
        return SamplerConfig(
            prefix=self._prefix,
            prompt=prompt,
            roles=roles,
            not_before=stretches[0].begin,
            until=stretches[-1].end,
            filters=options.filters(NATURAL),  # all are stated by now
            constraints=self._constraints(),
            seed=options.seed_for(self.piece.digest),
            variations=self._drafts,
            processors=(
                InstrumentBalance(options.instrument_balance, beginning=self.holed.programs),
                StylePenalty(options.style_penalty, keep_key=options.chords is None),
                LoopPenalty(options.loop_penalty),
                Entrance(entering, tuple(one.begin for one in stretches)),
                *([Refill()] * any(one.replaced is not None for one in stretches)),
            ),
            stretches=stretches,
            chord_guidance=1.0 if self._chords is None else options.chord_guidance,
            overlap=options.overlap,
            engine=options.engine,
        )

    def _labels(self) -> Labels:
        """What the prefix says: what the music says of itself, and what was asked for."""
        found = self._tokenizer.labels(self.piece.score)
        composer, styles = asked_labels(self.options)
        return replace(
            found,
            composer=composer,
            styles=styles,
            instruments=tuple(dict.fromkeys((*found.instruments, *self.holed.programs))),
            tempo=found.tempo or DEFAULT_TEMPO,
        )

    def _constraints(self) -> Constraints:
        """The instruments to write; as many notes at once as in the song where it has them."""
        limits = replace(
            self.options.constraints(),
            programs=self.holed.programs,
            instruments=MOST_INSTRUMENTS,
        )
        score = self.piece.score
        present = set(score.notes["program"].tolist())
        if not present >= set(self.holed.programs):
            return usual_for(limits, len(present | set(self.holed.programs)))
        return implied_by_prompt(limits, score.notes, score.ticks_per_quarter)


def check_roles(checkpoint: Checkpoint) -> None:
    """Refuse weights that cannot tell given rows from written ones.

    Raises:
        InputError: with what to do.
    """
    if not knows_roles(checkpoint.config, checkpoint.tokenizer.vocabulary):
        raise InputError(
            f"the weights in {checkpoint.folder} were trained before there were holes and can only "
            "continue music; name others with --weights"
        )
