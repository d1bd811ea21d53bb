"""The loop: row after row from a model, several variations side by side, for as long as is asked.

The state of a variation depends on its own numbers alone. Each draws from a generator of its own,
prompts are read once for all, and decoders keep sequences apart (`musenet.decoding.engines`). So
variation k is the same whether it is made alone or as one of many.

A piece longer than the context is made in windows (Jukebox, Dhariwal et al. 2020, section 3.6):
when the cache is full, it is filled anew with the prefix and the last part of the music, whose
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
from tokenizer.encoding.structure import COLUMNS, StructureState, structure
from tokenizer.encoding.vocabulary import FIELDS, INSTRUMENT, PITCH, WAIT, Vocabulary
from tokenizer.typing import Floats, Ints, Logits, Mask, Structure, Tokens

from .filters import FieldSampling, draw
from .grammar import Grammar, Limits
from .instrument_balance import Balance
from .loop_penalty import Repetition
from .style_penalty import Manner

_DRAWN_AHEAD = 256


@dataclass(frozen=True)
class Plan:
    """What is to be sampled.

    Attributes:
        prefix: control rows `(P, 5)`.
        body: the prompt's rows `(T, 5)`, from its beginning.
        not_before: the first step at which a new note may start.
        until: the step at which the music is full; notes from there on are not made.
        sampling: how each field is drawn.
        limits: the composer's limits.
        seed: of all variations.
        variations: the numbers of the variations to make, each with its own generator.
        length: the piece's length in steps where it is to come to an end there, else None.
        may_end_at: the first step at which it may end by itself, or None.
        overlap: the share of the context that is kept when a window is full.
        balance: how strongly the instruments are kept to their shares in the prompt.
        manner: how strongly keys, lengths and rhythm are kept to the prompt's.
        keep_key: whether the prompt's pitch classes are part of its manner.
        asked: programs asked for beside the prompt's.
        repetition: how strongly loops are broken; 1 is not at all.
        engine: what makes the rows, see `musenet.decoding.engines`.
    """

    prefix: Tokens
    body: Tokens
    not_before: int
    until: int
    sampling: FieldSampling
    limits: Limits
    seed: int
    variations: tuple[int, ...]
    length: int | None = None
    may_end_at: int | None = None
    overlap: float = 0.5
    balance: float = 0.0
    manner: float = 0.0
    keep_key: bool = True
    asked: tuple[int, ...] = ()
    repetition: float = 1.0
    engine: str = "auto"


@dataclass(frozen=True)
class Step:
    """One row more.

    Attributes:
        rows: `(B, 5)`, one for each variation.
        times: `(B,)`, the step each has reached.
        live: `(B,)`, which of the rows belong to their piece; a piece once ended stays ended.
    """

    rows: Tokens
    times: Ints
    live: Mask


def rows_of(steps: Iterable[Step], index: int) -> Tokens:
    """The rows `(T, 5)` of one variation, by its place among them."""
    live = [step.rows[index] for step in steps if step.live[index]]
    return np.array(live, dtype=np.int16).reshape(-1, 5)


class Sampler:
    """A model at work on a plan; `steps` gives the rows as they come."""

    def __init__(self, model: Transformer, vocabulary: Vocabulary, plan: Plan) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._plan = plan
        self._batch = len(plan.variations)
        self._uniforms = _Uniforms(plan.seed, plan.variations)
        self._uniform = self._uniforms.next()
        whole = np.concatenate([plan.prefix, plan.body])
        self._place = _placed(whole, vocabulary, plan.length)
        self.grammar = Grammar(
            vocabulary,
            plan.limits,
            self._batch,
            time=int(self._place.time[0]),
            not_before=plan.not_before,
            heard=plan.body,
            may_end_at=plan.may_end_at,
        )
        self._balance = Balance(
            plan.body, plan.asked, plan.limits.programs, vocabulary, self._batch, plan.balance
        )
        self._manner = Manner(plan.body, vocabulary, self._batch, plan.manner, plan.keep_key)
        self._repetition = Repetition(plan.body, vocabulary, self._batch, plan.repetition)
        self._place.select(np.zeros(self._batch, dtype=np.int64))
        first = len(plan.body) - kept_rows(plan, model.config.context)
        self._prefix = plan.prefix if first == 0 else self._later_prefix()
        columns = structure(whole, vocabulary, plan.length)[len(plan.prefix) :]
        # Time first: a list of what each lane has at a row.
        self._rows = list(np.repeat(plan.body[first:, None], self._batch, axis=1))
        self._columns = list(np.repeat(columns[first:, None], self._batch, axis=1))

    @property
    def relaxed(self) -> Counter[str]:
        """How often each limit had to be let go."""
        return self.grammar.relaxed

    def steps(self) -> Iterator[Step]:
        """Row after row until every variation is full or has ended."""
        # One thread: so few rows gain nothing from two, which would wait for each other, and
        # where threads cut the batch would decide how sums are rounded.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield from self._steps()
        finally:
            torch.set_num_threads(threads)

    @torch.inference_mode()
    def _steps(self) -> Iterator[Step]:
        # Made where gradients are off, so that single steps go the fast way.
        self._decoder = make_decoder(self._model, self._batch, self._plan.engine)
        self._fill(slice(1))
        live = np.ones(self._batch, dtype=bool)
        while True:
            self._uniform = self._uniforms.next()
            rows = self._decoder.sample(self._choose, self._place.peek)
            new = rows.astype(np.int16)
            self.grammar.push(new)
            note = self._vocabulary.is_note(new)
            self._repetition.push(new)
            columns = self._place.push(new)
            times = self._place.time
            self._balance.push(new, note, times)
            self._manner.push(new, note, times)
            live = live & (times < self._plan.until) & (new[:, WAIT] != self._vocabulary.end)
            if not live.any():
                return
            yield Step(new, times, live)
            self._advance(new, columns)

    def _advance(self, new: Tokens, columns: Structure) -> None:
        """Take in new rows, in this window or in the next."""
        self._rows.append(new)
        self._columns.append(columns)
        if self._decoder.position < self._model.config.context:
            self._decoder.advance(new, columns)
            return
        self._prefix = self._later_prefix()
        room = self._model.config.context - len(self._prefix)
        keep = max(1, int(room * self._plan.overlap))
        del self._rows[:-keep], self._columns[:-keep]
        self._fill(slice(None))

    def _fill(self, lanes: slice) -> None:
        """Begin a window with the prefix and the kept rows of some lanes, one standing for all."""
        prefix = np.repeat(self._prefix[:, None], self._batch, axis=1)
        unknown = np.zeros((*prefix.shape[:2], len(COLUMNS)), dtype=np.int16)
        rows = np.concatenate([prefix, *(row[None] for row in self._rows)])
        columns = np.concatenate([unknown, *(row[None] for row in self._columns)])
        self._decoder.start(rows[:, lanes].swapaxes(0, 1), columns[:, lanes].swapaxes(0, 1))

    def _later_prefix(self) -> Tokens:
        """The prefix of a window that does not begin where the piece does, as in training."""
        prefix = self._plan.prefix
        return prefix[prefix[:, WAIT] != self._vocabulary.start]

    def _choose(self, field: int, scores: Logits, rows: Ints) -> Ints:
        allowed = self.grammar.allowed(field, rows)
        logits = scores[:, : allowed.shape[1]]
        if field == INSTRUMENT:
            logits = self._balance.applied(logits, allowed, rows, self._place.time)
        logits = self._manner.applied(field, logits, rows, self._place.time)
        if field == PITCH:
            logits = self._repetition.applied(logits, rows)
        return draw(logits, allowed, self._plan.sampling[field], self._uniform[:, field])


class _Uniforms:
    """Five uniform numbers a row for each variation, from a generator of its own."""

    def __init__(self, seed: int, variations: tuple[int, ...]) -> None:
        self._generators = [
            np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, k])))
            for k in variations
        ]
        self._drawn = np.empty((0, len(variations), len(FIELDS)))
        self._next = 0

    def next(self) -> Floats:
        """The numbers `(B, 5)` of the next row."""
        if self._next == len(self._drawn):
            ahead = [g.random((_DRAWN_AHEAD, len(FIELDS))) for g in self._generators]
            self._drawn = np.stack(ahead, axis=1)
            self._next = 0
        self._next += 1
        return self._drawn[self._next - 1]


def kept_rows(plan: Plan, context: int) -> int:
    """How many of the prompt's last rows the model hears; it keeps a quarter for what comes."""
    room = context - len(plan.prefix)
    return len(plan.body) if len(plan.body) <= room * 3 // 4 else room * 3 // 4


def _placed(tokens: Tokens, vocabulary: Vocabulary, length: int | None) -> StructureState:
    """The structure state of one piece after all of `tokens`."""
    state = StructureState(vocabulary, 1, length)
    for row in tokens:
        state.push(row[None])
    return state
