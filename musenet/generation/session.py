"""From a checkpoint, a prompt and options to finished MIDI files.

    prompt ─▶ prefix + body ─▶ Sampler ─▶ rows ─▶ notes in the file's ticks ─▶ the user's file

A `Continuation` can be stopped after any step; `results` returns the music so far.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from musenet import __version__
from musenet.export import merge, piano_roll
from musenet.export.pedal import PedalHabit, add_pedals, pedal_habits
from musenet.export.recipe_event import recipe_event
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import composers
from musenet.sampling.ending import EndingSampler, ending_evidence
from musenet.sampling.learned.token_sampler import TokenSampler
from musenet.sampling.sampler import SampledRows, Sampler, SamplerConfig, kept_rows, rows_of
from musenet.sampling.segments import Segment, SegmentSampler
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.errors import InputError
from tokenizer.labels import composer_name
from tokenizer.midi import events
from tokenizer.theory import Key
from tokenizer.typing import Notes, Tokens

from .adherence import Adherence, adherence
from .chords import chords_for, with_chords, without_chords
from .conditions import (
    blank_prompt,
    check_labels,
    completed,
    constraints,
    for_encoding,
    labels,
    processors,
    sampled_model,
    wanted,
)
from .form import as_before, markers, sections, spans, with_returning_chords
from .prompt import Prompt
from .recipe import Recipe
from .request import AnySampler, Request
from .result import Result


class Continuation(Request):
    """One generation request in progress.

    Args:
        checkpoint: the model, with its tokenizer.
        prompt: the music to continue, or None.
        options: the request.

    Raises:
        InputError: if the checkpoint does not know the composer or style.
    """

    def __init__(
        self, checkpoint: Checkpoint, prompt: Prompt | None, options: GenerateOptions
    ) -> None:
        self.fresh = prompt is None
        if checkpoint.encoding is not None:
            options = for_encoding(options, checkpoint.encoding)
        self.options = options = completed(options, prompt, checkpoint)
        self.prompt = blank_prompt(options) if prompt is None else prompt
        self._checkpoint = checkpoint
        self._tokenizer = checkpoint.tokenizer
        if prompt is not None and options.meter is not None:
            raise InputError(
                "--meter works only without a prompt: the meter of the prompt continues"
            )
        self.bars = self.prompt.bars
        self.form = sections(options.form, self.prompt, fresh=self.fresh) if options.form else ()
        grid = self._tokenizer.vocabulary.grid
        if not grid.is_beat and (self.form or any(change.tempo for change in options.then)):
            raise InputError(
                "these weights count seconds, not beats: --form and a tempo in --then need others"
            )
        if self.prompt.timing is not None and any(change.tempo for change in options.then):
            raise InputError(
                "the prompt keeps a time of its own, which --then cannot change; leave out the "
                "tempo, or add --no-find-beats"
            )
        self._spans = spans(self.form, self.prompt, self.end, options)
        for span in self._spans:
            check_labels(span.options, self._tokenizer.vocabulary)
        self._clock = GridClock(self.prompt.score, grid, self.prompt.origin)
        self._timing = self.prompt.timing
        if self._timing is not None and options.tempo and self.prompt.own is not None:
            ends = (track[-1].tick for track in self.prompt.file.tracks if track)
            end = max(self.prompt.boundary, *ends)
            self._timing = self._timing.at_tempo(end, options.tempo, self.prompt.own)
        self._labels = [labels(each.options, self.prompt, self._tokenizer) for each in self._spans]
        last = self.bars.tick(self.bars.number(self.end) + 1) if options.ending else self.end
        chords = chords_for(options, self.prompt, last, self._tokenizer.vocabulary)
        self._chords = None if chords is None else with_returning_chords(chords, self.form)
        self._config = self._sampler_config()
        self._sampler = self._new_sampler()
        self._sampled: list[SampledRows] = []
        self._pedals: list[PedalHabit] = []
        if options.pedal and not self.fresh:
            played = self.prompt.origin, self.prompt.boundary
            self._pedals = pedal_habits(self.prompt.file, self.bars, played)

    @property
    def words(self) -> tuple[str, ...]:
        """Sentences that say what was made of the request where that is not plain."""
        beats = [self.prompt.beats] if self.prompt.beats else []
        return (*beats, *super().words, *dict.fromkeys(map(str, self._pedals)))

    @property
    def chord_symbols(self) -> list[tuple[int, str]]:
        """The ticks and symbols of the chords that the music follows; none if none are given."""
        return [(self._in_file(tick), symbol) for tick, symbol in super().chord_symbols]

    def latest(self) -> Notes:
        """The notes of the last step, in ticks of the file: see `Request.latest`."""
        notes = super().latest()
        if self._timing is not None:
            for note in notes:
                end = self._in_file(int(note["start"] + note["duration"]))
                note["start"] = self._in_file(int(note["start"]))
                note["duration"] = max(end - int(note["start"]), 1)
        return notes

    @property
    def title(self) -> str:
        """The title of the music in pictures."""
        if self.prompt.name:
            return f"{self.prompt.name}, continued"
        options = self.options
        who = " and ".join(composer_name(n) for one in composers(options.composer) for n in one)
        styles = " ".join(options.styles)
        return f"In the style of {who}" if who else f"New music {styles}".strip()

    @property
    def beyond_context(self) -> int:
        """How many of the prompt's first notes do not fit into the model's context."""
        if isinstance(self._sampler, TokenSampler):
            return self._sampler.unread_notes
        context = self._checkpoint.network.context_rows
        early = self._config.prompt[: len(self._config.prompt) - kept_rows(self._config, context)]
        return int(self._tokenizer.vocabulary.is_note(early).sum())

    @property
    def end(self) -> int:
        """The tick of the bar line (or time) at which the requested length ends."""
        options, prompt = self.options, self.prompt
        if self.form:
            return self.form[-1].end
        if options.bars is not None:
            first = self.bars.number(prompt.boundary)
            inside = prompt.boundary > self.bars.tick(first)
            return self.bars.tick(first + options.bars + inside)
        ticks = prompt.score.ticks(np.array([options.length]))
        end = self.bars.tick(self.bars.number(int(ticks[0])) + 1)
        if end <= prompt.boundary:
            has = f"which has {prompt.score.seconds(prompt.boundary):.1f} seconds"
            raise InputError(f"--length ends in the prompt, {has}; give more, or cut it with --to")
        return end

    @property
    def span(self) -> tuple[int, int]:
        """The ticks between which the new music lies as requested."""
        return self.prompt.boundary, self.end

    @property
    def key(self) -> Key | None:
        """The requested key that the piece ends in, or that of the prompt; None if unknown."""
        key = self._labels[-1].key
        return None if key is None else Key(*key)

    def bars_late(self, end: int) -> float:
        """How many bars after the requested bar line a piece with its end at a tick ends."""
        return self.bars.count(0, end) - self.bars.count(0, self.end)

    def results(self) -> list[Result]:
        """The variations as far as they have been generated."""
        return [self._result(index) for index in range(len(self.options.variations))]

    def piano_roll(self, result: Result, form: str) -> bytes:
        """The picture of a result as a PNG or SVG file ("png", "svg")."""
        score = result.score
        end = max(score.end, result.end)
        if self._timing is not None:
            end = self._timing.heard_tick(end)
        lines = [self._in_file(tick) for tick in self.bars.lines(0, end).tolist()]
        return piano_roll.render(
            score,
            np.array(lines, dtype=np.int64),
            form,
            boundary=None if self.fresh else result.boundary,
            title=self.title,
        )

    def rows(self, index: int) -> Tokens:
        """The new rows `(T, 5)` of a variation, by its index in the options."""
        return rows_of(self._sampled, index)

    def piece(self, index: int) -> Tokens:
        """A variation from the beginning of the prompt, with its prefix, `(T, 5)`.

        What says its chords is left out.
        """
        body = np.concatenate([self._config.prompt, self.rows(index)])
        if self._chords is not None:
            body = without_chords(body, self._tokenizer.vocabulary)
        return np.concatenate([self._config.prefix, body])

    @property
    def wanted(self) -> tuple[int, ...]:
        """The programs that were requested or are in the prompt; empty if any will do."""
        programs = [
            program for span in self._spans for program in wanted(span.options, self.prompt)
        ]
        return tuple(dict.fromkeys(programs))

    def _sampler_config(self) -> SamplerConfig:
        options, prompt = self.options, self.prompt
        vocabulary = self._tokenizer.vocabulary
        body = self._tokenizer.body(prompt.music)
        clock = self._clock
        until = clock.step(self.end)
        times = row_times(body, vocabulary)
        earliest = int(times[-1]) + 1 if len(times) else 0
        not_before = max(clock.step(prompt.boundary), earliest)
        # An ending may come two bars early, and its last chord start within the bar after.
        bar = self.bars.number(self.end)
        early, late = (clock.step(self.bars.tick(bar + off)) for off in (-2, 1))
        # In training loops of figures never know their length: a new piece that does is no loop.
        length = 2 * until if self.fresh else None
        first = self._spans[0]
        config = SamplerConfig(
            prefix=self._tokenizer.prefix(self._labels[0]),
            prompt=body,
            not_before=not_before,
            until=late if options.ending else until,
            filters=options.sampling(fresh=self.fresh),
            constraints=constraints(first.options, prompt),
            seed=options.seed_for(prompt.digest),
            variations=options.variations,
            length=until if options.ending else length,
            may_end_at=early if options.ending else None,
            guidance=options.guidance,
            chord_guidance=1.0 if self._chords is None else options.chord_guidance,
            overlap=options.overlap,
            processors=processors(
                first.options, prompt, (not_before, clock.step(first.end)), self._tokenizer
            ),
            engine=options.engine,
        )
        if self._chords is None:
            return config
        return with_chords(config, self._chords, clock, vocabulary)

    def _new_sampler(self) -> AnySampler:
        config, vocabulary = self._config, self._tokenizer.vocabulary
        options = self.options
        score = self._ending_score if options.ending else None
        if len(self._spans) > 1 or self._spans[0].source is not None:
            return SegmentSampler(
                vocabulary, config, self._segments(config), options.distance, score
            )
        if self._checkpoint.encoding is not None:
            return TokenSampler(self._checkpoint.model, self._checkpoint.encoding, config)
        model = sampled_model(self._checkpoint, self._spans[0].options)
        if score is None:
            return Sampler(model, vocabulary, config)
        return EndingSampler(model, vocabulary, config, score)

    def _segments(self, config: SamplerConfig) -> tuple[Segment, ...]:
        """The stretches of the music as a sampler takes them."""
        found: list[Segment] = []
        for span, said in zip(self._spans, self._labels, strict=True):
            begin, end = self._clock.step(span.begin), self._clock.step(span.end)
            found.append(
                Segment(
                    begin=begin if found else config.not_before,
                    end=end,
                    model=sampled_model(self._checkpoint, span.options),
                    prefix=self._tokenizer.prefix(said),
                    constraints=constraints(span.options, self.prompt, settled=bool(found)),
                    processors=processors(span.options, self.prompt, (begin, end), self._tokenizer),
                    source=None if span.source is None else self._clock.step(span.source),
                )
            )
        return tuple(found)

    def _result(self, index: int) -> Result:
        prompt = self.prompt
        file = events.File(
            prompt.file.division, [list(t) for t in prompt.file.tracks], prompt.file.end
        )
        notes = self._placed(self.rows(index))
        if not self.fresh:
            merge.release(file, prompt.boundary)
        if not self.fresh and self._timing is None:
            merge.set_tempo(file, prompt.boundary, self.options.tempo)
        for change in self.options.then:
            merge.set_tempo(file, self.bars.tick(change.bar - 1), change.tempo)
        new = merge.add_notes(file, notes, prompt.boundary, prompt.parts)
        last = self._made(index)
        if self._pedals:
            end = last
            if self.options.ending:
                end = max(end, int((new["start"] + new["duration"]).max(initial=0)))
            span = (prompt.boundary, end)
            add_pedals(file, self._pedals, new, prompt.parts, prompt.score, span)
        recipe = self.recipe(index)
        merge.insert(file, 0, [recipe_event(recipe)])
        made = (prompt.boundary, last)
        merge.add_texts(file, markers(self.form, self.bars, made, fresh=self.fresh))
        if not self.options.ending:
            file.end = last
        if self._timing is not None and prompt.own is not None:
            file = self._timing.original(file, prompt.own.ticks_per_quarter)
        return Result(
            file=file,
            variation=self.options.variations[index],
            boundary=self._in_file(prompt.boundary),
            end=self._in_file(last),
            notes=len(new),
            relaxed=dict(self._sampler.relaxed),
            adherence=self._adherence(new, last),
            recipe=recipe,
            bar=self._in_file(self.bars.tick(self.bars.number(prompt.boundary))),
            timing=self._timing,
        )

    def _made(self, index: int) -> int:
        """The tick of the bar line at which a variation ends, or has come to when it is stopped."""
        return self.end if self._finished else min(self.reached(index), self.end)

    def _in_file(self, tick: int) -> int:
        """The tick of the user's file of one as it is heard."""
        return tick if self._timing is None else self._timing.file_tick(tick)

    def _placed(self, rows: Tokens) -> Notes:
        """The notes of new rows, in ticks of the file; none lasts beyond the music's last bar."""
        vocabulary, body = self._tokenizer.vocabulary, self._config.prompt
        times = np.cumsum(vocabulary.steps[np.concatenate([body, rows])[:, 0]])[len(body) :]
        playing = vocabulary.is_note(rows)
        notes = self._tokenizer.decode_notes(rows[playing], times[playing], self._clock)
        notes["start"] = np.maximum(notes["start"], self.prompt.boundary)
        if self.form:
            own = notes, rows[playing], times[playing]
            as_before(*own, self.form, self.prompt, self._tokenizer, self._clock)
        last = self.end
        if self.options.ending:
            last = self.bars.tick(self.bars.number(self.end) + 2)
        notes["duration"] = np.clip(notes["duration"], 1, np.maximum(last - notes["start"], 1))
        return notes

    def _ending_score(self, rows: Tokens) -> float:
        """How well new rows end the piece, in nats."""
        notes = self._placed(rows)
        end = int((notes["start"] + notes["duration"]).max(initial=self.prompt.boundary))
        return sum(nats for nats, _ in ending_evidence(notes, self.key, self.bars_late(end)))

    def _adherence(self, new: Notes, last: int) -> Adherence:
        prompt = self.prompt
        end = last
        if self.options.ending and self._finished:
            end = max(end, int((new["start"] + new["duration"]).max(initial=0)))
        return adherence(
            new,
            self.bars.count(prompt.boundary, end),
            prompt.music.notes,
            self.bars.count(prompt.origin, prompt.boundary),
            self.wanted,
            None if any(change.key for change in self.options.then) else self.key,
            prompt.hearing,
        )

    def recipe(self, index: int) -> Recipe:
        """How a variation was made; `musenet replay` reproduces it."""
        prompt = self.prompt
        return Recipe(
            program=__version__,
            weights=self._checkpoint.hash,
            model=self._checkpoint.folder.name,
            fresh=self.fresh,
            digest=prompt.digest,
            name=prompt.name,
            origin=prompt.origin,
            boundary=prompt.boundary,
            tracks=len(prompt.file.tracks),
            end=prompt.file.end,
            options=replace(self.options, variations=(self.options.variations[index],)),
            heard=tuple(part.program for part in prompt.parts),
            beats=() if prompt.timing is None else prompt.timing.to_numbers(),
        )
