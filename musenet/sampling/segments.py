"""Music in segments: each sampled under labels of its own, or an earlier one that comes again.

segment ─▶ one Sampler for all variations
segment ─▶ for each variation a Sampler that reads all before it as its prompt
segment ─▶ for each variation the notes of an earlier one, some of them written anew
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from musenet.model.stored import AnyModel
from tokenizer.encoding.compound import Events, row_times
from tokenizer.encoding.holes import between, events_of, merged, no_events, woven
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.typing import Ints, Mask, Tokens

from .constraints import Constraints
from .ending import EndingSampler, EndingScore
from .given import Stretch
from .processors.entrance import Entrance
from .processors.processor import ProcessorConfig
from .replacements import Refill, Replacements
from .sampler import SampledRows, Sampler, SamplerConfig, roles_of, rows_of


@dataclass(frozen=True)
class Segment:
    """A stretch of the music.

    Attributes:
        begin: its first step.
        end: the first step after it.
        model: in which blends of labels are embedded.
        prefix: control rows `(P, 5)` of its labels.
        constraints: on what may be sampled in it.
        processors: of its logits.
        source: the first step of the earlier stretch that comes again; None if it is new.
    """

    begin: int
    end: int
    model: AnyModel
    prefix: Tokens
    constraints: Constraints
    processors: tuple[ProcessorConfig, ...]
    source: int | None = None


class _Row(NamedTuple):
    """A row `(5,)` of one variation, the step it reaches, and whether it is new music."""

    row: Tokens
    time: int
    written: bool


class _Sofar(NamedTuple):
    """The rows `(T, 5)` of a variation from the beginning of its prompt, and their roles."""

    rows: Tokens
    roles: Ints

    def then(self, row: Tokens, role: int) -> _Sofar:
        """With one more row."""
        return _Sofar(np.concatenate([self.rows, row[None]]), np.append(self.roles, role))

    def after(self, sampled: Sequence[SampledRows], index: int) -> _Sofar:
        """With the rows that were sampled for a variation."""
        rows, roles = rows_of(sampled, index), roles_of(sampled, index)
        return _Sofar(np.concatenate([self.rows, rows]), np.concatenate([self.roles, roles]))


class SegmentSampler:
    """A sampler of music in segments.

    Args:
        vocabulary: of the rows.
        config: the configuration, but for what segments have of their own.
        segments: in order of time, without gaps.
        distance: the share of the notes that is written anew where an earlier stretch comes again.
        score: rates endings, where the last segment is to have one.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        config: SamplerConfig,
        segments: tuple[Segment, ...],
        distance: float = 0.0,
        score: EndingScore | None = None,
    ) -> None:
        self._vocabulary, self._config = vocabulary, config
        self._segments, self._distance, self._score = segments, distance, score
        given = [stretch.given for stretch in config.stretches]
        self._given = given[0] if given else no_events()
        self.relaxed: Counter[str] = Counter()

    def sample(self) -> Iterator[SampledRows]:
        """Yield row after row, those of all variations side by side."""
        config, batch = self._config, len(self._config.variations)
        own = np.full(len(config.prompt), WRITTEN) if config.roles is None else config.roles
        sofar = _Sofar(config.prompt, own)
        place = 0
        # Up to the first segment that is sampled all variations are the same.
        while place < len(self._segments) and self._is_copy(self._segments[place]):
            for row, role in self._again(self._segments[place], sofar):
                sofar = sofar.then(row.row, role)
                yield _for_all(row, batch)
            place += 1
        if place == len(self._segments):
            return
        sampled: list[SampledRows] = []
        for new in self._sampled(self._segments[place], sofar, config.variations):
            sampled.append(new)
            yield new
        lanes = [
            self._rest(place + 1, sofar.after(sampled, index), index) for index in range(batch)
        ]
        times = sampled[-1].times.copy() if sampled else np.zeros(batch, dtype=np.int64)
        yield from _side_by_side(lanes, times)

    def _is_copy(self, segment: Segment) -> bool:
        return segment.source is not None and self._distance == 0

    def _rest(self, place: int, sofar: _Sofar, index: int) -> Iterator[_Row]:
        """The rows of a variation from a segment on, by its index."""
        for segment in self._segments[place:]:
            if self._is_copy(segment):
                for row, role in self._again(segment, sofar):
                    sofar = sofar.then(row.row, role)
                    yield row
                continue
            sampled: list[SampledRows] = []
            for new in self._sampled(segment, sofar, (self._config.variations[index],)):
                sampled.append(new)
                yield _Row(new.rows[0], int(new.times[0]), bool(new.written[0]))
            sofar = sofar.after(sampled, 0)

    def _again(self, segment: Segment, sofar: _Sofar) -> Iterator[tuple[_Row, int]]:
        """The rows of an earlier stretch in the place of a segment, with their roles."""
        vocabulary = self._vocabulary
        reached = row_times(sofar.rows, vocabulary)
        time = int(reached[-1]) if len(reached) else 0
        given = between(self._given, segment.begin, segment.end)
        rows, stands = woven(given, self._source(segment, sofar), time, vocabulary)
        for row, step, fed in zip(rows, row_times(rows, vocabulary), stands, strict=True):
            yield _Row(row, time + int(step), not fed), GIVEN if fed else WRITTEN

    def _source(self, segment: Segment, sofar: _Sofar) -> Events:
        """The notes of the earlier stretch, at the time of a segment."""
        assert segment.source is not None
        music = events_of(sofar.rows, row_times(sofar.rows, self._vocabulary), self._vocabulary)
        length = segment.end - segment.begin
        found = between(music, segment.source, segment.source + length)
        none = no_events()
        times = found.times - segment.source + segment.begin
        return Events(times, found.notes, none.control_times, none.controls)

    def _sampled(
        self, segment: Segment, sofar: _Sofar, variations: tuple[int, ...]
    ) -> Iterator[SampledRows]:
        """The rows of a segment that is new or varied, for variations that are alike so far."""
        config, last = self._config, segment is self._segments[-1]
        first = segment is self._segments[0]
        seeds = np.random.SeedSequence([config.seed, segment.begin])
        stretch = self._stretch(segment, sofar)
        own = replace(
            config,
            prefix=segment.prefix,
            prompt=sofar.rows,
            roles=sofar.roles,
            not_before=config.not_before if first else segment.begin,
            until=config.until if last else segment.end,
            may_end_at=config.may_end_at if last else None,
            constraints=segment.constraints,
            processors=self._processors(segment),
            stretches=() if stretch is None else (stretch,),
            seed=config.seed if first else int(seeds.generate_state(1, np.uint64)[0] >> 1),
            variations=variations,
        )
        sampler: Sampler | EndingSampler = Sampler(segment.model, self._vocabulary, own)
        if last and (score := self._score) is not None:
            before = sofar.rows[len(config.prompt) :]
            sampler = EndingSampler(
                segment.model,
                self._vocabulary,
                own,
                lambda rows: score(np.concatenate([before, rows])),
            )
        kept = stretch is not None and stretch.own
        for new in sampler.sample():
            # The notes that stand in a section that returns are the piece's own.
            yield replace(new, written=new.written | (kept & (new.rows[:, INSTRUMENT] > 0)))
        self.relaxed += sampler.relaxed

    def _processors(self, segment: Segment) -> tuple[ProcessorConfig, ...]:
        """Those of a segment; in one that is varied the parts go on in the notes that stand."""
        if segment.source is None:
            return segment.processors
        kept = (each for each in segment.processors if not isinstance(each, Entrance))
        return (*kept, Refill())

    def _stretch(self, segment: Segment, sofar: _Sofar) -> Stretch | None:
        """What is given in a segment; None if nothing is."""
        last = segment is self._segments[-1]
        end = self._config.until if last else segment.end
        given = between(self._given, segment.begin, end)
        if segment.source is None:
            if not self._config.stretches:
                return None
            return Stretch(segment.begin, end, given)
        source = self._source(segment, sofar)
        gone = self._gone(len(source.times), segment.begin)
        instruments = source.notes[:, INSTRUMENT]
        places = {
            value: source.times[gone & (instruments == value)]
            for value in np.unique(instruments[gone]).tolist()
        }
        kept = replace(source, times=source.times[~gone], notes=source.notes[~gone])
        near = self._vocabulary.grid.beat
        return Stretch(
            segment.begin,
            end,
            merged(given, kept),
            replaced=Replacements(places, near, segment.end),
            own=True,
        )

    def _gone(self, count: int, begin: int) -> Mask:
        """Which of some notes are written anew, the same for all variations."""
        order = np.random.default_rng([self._config.seed, begin]).permutation(count)
        gone = np.zeros(count, dtype=bool)
        gone[order[: round(self._distance * count)]] = True
        return gone


def _for_all(row: _Row, batch: int) -> SampledRows:
    """One row for all of B variations."""
    rows = np.repeat(row.row[None], batch, axis=0)
    written = np.full(batch, row.written)
    return SampledRows(rows, np.full(batch, row.time), np.ones(batch, dtype=bool), written)


def _side_by_side(lanes: Sequence[Iterator[_Row]], times: Ints) -> Iterator[SampledRows]:
    """The rows of variations that go on alone, from the steps `(B,)` that they have reached."""
    batch = len(lanes)
    while True:
        rows, written = np.zeros((batch, 5), dtype=np.int16), np.zeros(batch, dtype=bool)
        live, times = written.copy(), times.copy()
        for index, lane in enumerate(lanes):
            if new := next(lane, None):
                rows[index], times[index], written[index] = new
                live[index] = True
        if not live.any():
            return
        yield SampledRows(rows, times, live, written)
