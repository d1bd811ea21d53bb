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
import torch

from musenet.decoding.engines import make_decoder
from musenet.model.transformer import Transformer
from tokenizer.encoding.structure import COLUMNS, TIME, StructureState, structure
from tokenizer.encoding.vocabulary import FIELDS, WAIT, Vocabulary
from tokenizer.typing import Floats, Ints, Logits, Mask, Structure, Tokens

from .constraints import Constraints
from .filters import FieldFilter, draw
from .grammar import Grammar
from .history import History
from .processor import ProcessorConfig, SamplerContext

_DRAWN_AHEAD = 256


@dataclass(frozen=True)
class SamplerConfig:
    """What to sample, and how.

    Attributes:
        prefix: control rows `(P, 5)`.
        prompt: the prompt's rows `(T, 5)`, from its beginning.
        not_before: the first step at which a new note may start.
        until: the step at which the music ends; no note starts at or after it.
        filters: how the logits of each field are filtered, in the order of `FIELDS`.
        constraints: on what may be sampled.
        processors: applied to the logits in this order.
        seed: of all variations.
        variations: the numbers of the variations, each with its own generator.
        length: the length of the piece in steps if it should end there, else None.
        may_end_at: the first step at which it may end, or None.
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
    length: int | None = None
    may_end_at: int | None = None
    overlap: float = 0.5
    engine: str = "auto"


@dataclass(frozen=True)
class SampledRows:
    """The next row of every variation.

    Attributes:
        rows: `(B, 5)`, one per variation.
        times: `(B,)`, the step that each has reached.
        live: `(B,)`, False for rows after the end of their piece.
    """

    rows: Tokens
    times: Ints
    live: Mask


def rows_of(sampled: Iterable[SampledRows], index: int) -> Tokens:
    """The rows `(T, 5)` of one variation, by its index."""
    live = [one.rows[index] for one in sampled if one.live[index]]
    return np.array(live, dtype=np.int16).reshape(-1, 5)


class Sampler:
    """Samples rows from a model; `sample` yields them as they come."""

    def __init__(self, model: Transformer, vocabulary: Vocabulary, config: SamplerConfig) -> None:
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
        context = SamplerContext(config.prompt, config.constraints, vocabulary, self._batch)
        processors = [processor.build(context) for processor in config.processors]
        whole = np.concatenate([config.prefix, config.prompt])
        state = _structure_after(whole, vocabulary, config.length)
        state.select(np.zeros(self._batch, dtype=np.int64))
        self._history = History(vocabulary, state, grammar, processors)
        first = len(config.prompt) - kept_rows(config, model.context_rows)
        self._prefix = config.prefix if first == 0 else self._later_prefix()
        columns = structure(whole, vocabulary, config.length)[len(config.prefix) :]
        # Time first: one entry per row, for all variations.
        self._rows = list(np.repeat(config.prompt[first:, None], self._batch, axis=1))
        self._columns = list(np.repeat(columns[first:, None], self._batch, axis=1))

    @property
    def relaxed(self) -> Counter[str]:
        """How often each constraint had to be relaxed."""
        return self._history.grammar.relaxed

    def sample(self) -> Iterator[SampledRows]:
        """Yield row after row until every variation is finished."""
        # One thread: so few rows gain nothing from two, and how threads split the batch would
        # decide how sums are rounded.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield from self._sample()
        finally:
            torch.set_num_threads(threads)

    @torch.inference_mode()
    def _sample(self) -> Iterator[SampledRows]:
        # Created with gradients off, so that single steps take the fast path.
        self._decoder = make_decoder(self._model, self._batch, self._config.engine)
        self._fill(slice(1))
        live = np.ones(self._batch, dtype=bool)
        while True:
            new = self._decoder.sample(self._choose, self._peek).astype(np.int16)
            columns = self._history.push(new)
            times = self._history.structure.time
            self._uniforms.next()
            live = live & (times < self._config.until) & (new[:, WAIT] != self._vocabulary.end)
            if not live.any():
                return
            yield SampledRows(new, times, live)
            self._advance(new, columns)

    def _choose(self, field: int, logits: Logits, rows: Ints) -> Ints:
        """Sample the values `(B,)` of a field from logits `(B, V)`."""
        flight = self._decoder.in_flight
        history = self._history.ahead(flight)
        logits, allowed = history.process(field, logits, rows, flight.next_first)
        uniform = self._uniforms.ahead(len(flight.before))[:, field]
        return draw(logits, allowed, self._config.filters[field], uniform)

    def _peek(self, first: Ints) -> Structure:
        """The structure `(B, 6)` of the row whose field 0 is `first`."""
        return self._history.ahead(self._decoder.in_flight).structure.peek(first)

    def _advance(self, new: Tokens, columns: Structure) -> None:
        """Append new rows, in this window or the next."""
        self._rows.append(new)
        self._columns.append(columns)
        if self._decoder.position < self._model.context_rows:
            self._decoder.advance(new, columns)
            return
        self._prefix = self._later_prefix()
        room = self._model.context_rows - len(self._prefix)
        keep = max(1, int(room * self._config.overlap))
        del self._rows[:-keep], self._columns[:-keep]
        self._fill(slice(None))

    def _fill(self, lanes: slice) -> None:
        """Start a window with the prefix and the kept rows of some lanes; one may serve all."""
        prefix = np.repeat(self._prefix[:, None], self._batch, axis=1)
        unknown = np.zeros((*prefix.shape[:2], len(COLUMNS)), dtype=np.int32)
        if self._columns:
            first, waits = self._columns[0][:, TIME], self._vocabulary.steps[self._rows[0][:, WAIT]]
            unknown[..., TIME] = first - waits
        rows = np.concatenate([prefix, *(row[None] for row in self._rows)])
        columns = np.concatenate([unknown, *(row[None] for row in self._columns)])
        self._decoder.start(rows[:, lanes].swapaxes(0, 1), columns[:, lanes].swapaxes(0, 1))

    def _later_prefix(self) -> Tokens:
        """The prefix of a window that does not start at the beginning, as in training."""
        prefix = self._config.prefix
        return prefix[prefix[:, WAIT] != self._vocabulary.start]


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


def _structure_after(tokens: Tokens, vocabulary: Vocabulary, length: int | None) -> StructureState:
    """The structure state of one piece after all of `tokens`."""
    state = StructureState(vocabulary, 1, length)
    for row in tokens:
        state.push(row[None])
    return state
