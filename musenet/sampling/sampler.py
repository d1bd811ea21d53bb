"""The sampling loop: row after row from a model, for several variations in parallel.

Each variation has its own random generator, and nothing computed for one depends on the others. So
variation k is the same whether it is sampled alone or among others: bit for bit with the engine
`int8`, up to rounding with the others (`musenet.decoding`).

A piece longer than the context is sampled in windows (Jukebox, Dhariwal et al. 2020, section 3.6):
when the cache is full, it is refilled with the prefix and the last part of the music, whose
structure (bar, position, elapsed time) stays that of the whole piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from musenet.decoding.decoder import Decoder
from musenet.decoding.engines import make_decoder
from musenet.decoding.guided import Guide, GuidedDecoder
from musenet.model.stored import AnyModel
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.structure import GIVEN, POSITION, WRITTEN, StructureState, structure
from tokenizer.encoding.vocabulary import FIELDS, PITCH, WAIT, Vocabulary
from tokenizer.typing import Floats, Ints, Logits, Mask, Structure, Tokens

from .constraints import Constraints
from .filters import FieldFilter, draw
from .given import GivenRows, Stretch
from .grammar import Grammar
from .history import History
from .processors.processor import ProcessorConfig, SamplerContext
from .window import Window

_DRAWN_AHEAD = 256


@dataclass(frozen=True)
class SamplerConfig:
    """What to sample, and how.

    Attributes:
        prefix: control rows `(P, 5)`.
        prompt: the prompt's rows `(T, 5)`, from its beginning.
        roles: of the prompt's rows, `(T,)`; all are written if None.
        not_before: the first step at which a new note may start.
        until: the step at which the music ends; no note starts at or after it.
        filters: how the logits of each field are filtered, in the order of `FIELDS`.
        constraints: on what may be sampled.
        processors: applied to the logits in this order.
        seed: of all variations.
        variations: the numbers of the variations, each with its own generator.
        stretches: where rows are drawn and what is given there, in order of time; without any,
            everything from the prompt on is drawn and nothing is given.
        length: the length of the piece in steps if it should end there, else None.
        may_end_at: the first step at which it may end, or None.
        guidance: how strongly composer and styles guide, 1 as they are: `musenet.decoding.guided`.
        chord_guidance: how strongly chords guide the pitches.
        overlap: the share of the context that is kept when a window is full.
        engine: the decoder, see `musenet.decoding.engines`.
    """

    prefix: Tokens
    prompt: Tokens
    not_before: int
    until: int
    filters: tuple[FieldFilter, ...]
    constraints: Constraints
    seed: int
    variations: tuple[int, ...]
    processors: tuple[ProcessorConfig, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    roles: Ints | None = None
    length: int | None = None
    may_end_at: int | None = None
    guidance: float = 1.0
    chord_guidance: float = 1.0
    overlap: float = 0.5
    engine: str = "auto"


@dataclass(frozen=True)
class SampledRows:
    """The next row of every variation.

    Attributes:
        rows: `(B, 5)`, one per variation.
        times: `(B,)`, the step that each has reached.
        live: `(B,)`, False for rows after the end of their piece.
        written: `(B,)`, False for given rows: those stand already.
    """

    rows: Tokens
    times: Ints
    live: Mask
    written: Mask


def roles_of(sampled: Iterable[SampledRows], index: int) -> Ints:
    """The roles `(T,)` of the rows of one variation."""
    written = [bool(one.written[index]) for one in sampled if one.live[index]]
    return np.where(np.array(written, dtype=bool), WRITTEN, GIVEN)


def rows_of(sampled: Iterable[SampledRows], index: int) -> Tokens:
    """The rows `(T, 5)` of one variation, by its index, given ones included."""
    live = [one.rows[index] for one in sampled if one.live[index]]
    return np.array(live, dtype=np.int16).reshape(-1, 5)


class Sampler:
    """Samples rows from a model; `sample` yields them as they come."""

    def __init__(self, model: AnyModel, vocabulary: Vocabulary, config: SamplerConfig) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._config = config
        self._batch = len(config.variations)
        self._uniforms = _Uniforms(config.seed, config.variations)
        grammar = Grammar(
            vocabulary,
            config.constraints,
            self._batch,
            not_before=config.not_before,
            prompt=config.prompt,
            may_end_at=config.may_end_at,
        )
        whole = np.concatenate([config.prefix, config.prompt])
        # Half of what a refilled window keeps is for the music itself.
        self._most_told = self._kept() // 2
        opening, roles = self._opening(whole)
        roles = np.concatenate([_roles(config), roles])
        known = np.concatenate([whole, opening])
        state = _structure_after(known, roles, vocabulary, config.length)
        state.select(np.zeros(self._batch, dtype=np.int64))
        given = None
        if config.stretches:
            given = GivenRows(config.stretches, vocabulary, self._batch, self._most_told)
        columns = structure(known, vocabulary, config.length, roles=roles)[len(config.prefix) :]
        positions = columns[: len(config.prompt), POSITION]
        context = SamplerContext(
            config.prompt, config.constraints, vocabulary, self._batch, positions
        )
        processors = [processor.build(context) for processor in config.processors]
        self._history = History(vocabulary, state, grammar, processors, given)
        first = len(config.prompt) - kept_rows(config, model.context_rows - len(opening))
        rows = np.concatenate([config.prompt, opening])
        holes = any(stretch.hole for stretch in config.stretches)
        self._window = Window(
            vocabulary,
            config.prefix,
            rows,
            columns,
            first,
            self._batch,
            given.header if given is not None and holes else None,
        )

    def _opening(self, tokens: Tokens) -> tuple[Tokens, Ints]:
        """The header of the first hole after some tokens, with the roles of its rows."""
        if not self._config.stretches:
            return tokens[:0], np.empty(0, dtype=np.int64)
        reached = row_times(tokens, self._vocabulary)
        time = int(reached[-1]) if len(reached) else 0
        return self._config.stretches[0].opening(time, self._vocabulary, self._most_told)

    @property
    def relaxed(self) -> Counter[str]:
        """How often each constraint had to be relaxed."""
        return self._history.grammar.relaxed

    def sample(self) -> Iterator[SampledRows]:
        """Yield row after row until every variation is finished."""
        self._decoder = self._new_decoder()
        rows, columns = self._window.arrays()
        self._decoder.start(rows[:1], columns[:1])  # the same for all
        live = np.ones(self._batch, dtype=bool)
        while True:
            new = self._decoder.sample(self._choose, self._peek).astype(np.int16)
            columns = self._history.push(new)
            times = self._history.structure.time
            self._uniforms.next()
            written = self._history.written
            if written is None:
                written = np.ones(self._batch, dtype=bool)
            over = times >= self._config.until
            if self._history.given:
                # The header of a later hole passes over what is to be written.
                over &= ~self._history.given.told
            before, live = live, live & ~over & (new[:, WAIT] != self._vocabulary.end)
            if not live.any():
                return
            if (live != before).any():
                self._decoder.drop(~live)
            yield SampledRows(new, times, live, written)
            self._advance(new, columns)

    def _new_decoder(self) -> Decoder:
        config, vocabulary = self._config, self._vocabulary
        guides = [
            guide
            for guide in (
                Guide(vocabulary.guiding, config.guidance),
                Guide(vocabulary.chords, config.chord_guidance, (PITCH,)),
            )
            if guide.strength != 1
        ]
        if not guides:
            return make_decoder(self._model, self._batch, config.engine)
        all_ = make_decoder(self._model, (1 + len(guides)) * self._batch, config.engine)
        return GuidedDecoder(all_, guides)

    def _choose(self, field: int, logits: Logits, rows: Ints) -> Ints:
        """Sample the values `(B,)` of a field from logits `(B, V)`."""
        flight = self._decoder.in_flight
        history = self._history.ahead(flight)
        logits, allowed = history.process(field, logits, rows, flight.next_first)
        uniform = self._uniforms.ahead(len(flight.before))[:, field]
        values = draw(logits, allowed, self._config.filters[field], uniform)
        if field > WAIT or history.given is None or self._history.given is None:
            return values
        decision = history.given.decide(values, history.structure.time)
        self._history.given.decided.append(decision)
        return np.where(decision.fed, decision.rows[:, WAIT], values)

    def _peek(self, first: Ints) -> Structure:
        """The structure `(B, 8)` of the row whose field 0 is `first`."""
        return self._history.ahead(self._decoder.in_flight).structure.peek(first)

    def _advance(self, new: Tokens, columns: Structure) -> None:
        """Append new rows, in this window or the next."""
        self._window.append(new, columns)
        if self._decoder.position < self._model.context_rows:
            self._decoder.advance(new, columns)
            return
        self._decoder.start(*self._window.refill(self._kept()))

    def _kept(self) -> int:
        """How many rows a window keeps of the one before."""
        later = self._config.prefix[:, WAIT] != self._vocabulary.start
        room = self._model.context_rows - int(later.sum())
        return max(1, int(room * self._config.overlap))


class _Uniforms:
    """Five uniform numbers per row and variation, each variation with its own generator."""

    def __init__(self, seed: int, variations: tuple[int, ...]) -> None:
        self._generators = [
            np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, k])))
            for k in variations
        ]
        self._drawn = np.empty((0, len(variations), len(FIELDS)))
        self._row = 1  # the first row of numbers is unused; recipes depend on it

    def next(self) -> None:
        """Advance to the next row."""
        self._row += 1
        if self._row == _DRAWN_AHEAD:
            self._drawn, self._row = self._drawn[_DRAWN_AHEAD:], 0

    def ahead(self, rows: int) -> Floats:
        """The numbers `(B, 5)` of the row that is `rows` after this one."""
        if self._row + rows >= len(self._drawn):
            more = [g.random((_DRAWN_AHEAD, len(FIELDS))) for g in self._generators]
            self._drawn = np.concatenate([self._drawn, np.stack(more, axis=1)])
        return self._drawn[self._row + rows]


def kept_rows(config: SamplerConfig, context: int) -> int:
    """How many of the last prompt rows are read; a quarter of the context is for new ones."""
    room = context - len(config.prefix)
    return len(config.prompt) if len(config.prompt) <= room * 3 // 4 else room * 3 // 4


def _roles(config: SamplerConfig) -> Ints:
    """The roles of the prefix, where they say nothing, and of the prompt."""
    own = np.full(len(config.prompt), WRITTEN) if config.roles is None else config.roles
    return np.concatenate([np.full(len(config.prefix), WRITTEN), own])


def _structure_after(
    rows: Tokens, roles: Ints, vocabulary: Vocabulary, length: int | None
) -> StructureState:
    """The structure state of one piece after its first rows with their roles."""
    state = StructureState(vocabulary, 1, length)
    for row, role in zip(rows, roles, strict=True):
        state.push(row[None], role[None])
    return state
