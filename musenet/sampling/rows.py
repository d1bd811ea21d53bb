"""The loop: row after row from a model, several variations side by side, for as long as is asked.

The state of a variation depends on its own numbers alone. Each draws from a generator of its own,
prompts are read once and copied to every lane, and the lanes are a power of two and at least four,
because a matrix product of fewer rows is summed in another order. So variation k is the same
whether it is made alone or as one of many.

A piece longer than the context is made in windows (Jukebox, Dhariwal et al. 2020, section 3.6):
when the cache is full, it is filled anew with the prefix and the last part of the music, whose
structure (bar, position, elapsed time) stays that of the whole piece.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from musenet.cache import Cache
from musenet.transformer import Transformer
from tokenizer.structure import Structure, StructureState, structure
from tokenizer.vocabulary import FIELDS, INSTRUMENT, PITCH, WAIT, Tokens, Vocabulary

from .balance import Balance
from .grammar import Grammar, Limits
from .logits import FieldSampling, draw
from .repetition import Repetition
from .tonality import Tonality

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
        tonality: how strongly the pitches are kept to the prompt's pitch classes.
        asked: programs asked for beside the prompt's.
        repetition: how strongly loops are broken; 1 is not at all.
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
    tonality: float = 0.0
    asked: tuple[int, ...] = ()
    repetition: float = 1.0


@dataclass(frozen=True)
class Step:
    """One row more.

    Attributes:
        rows: `(B, 5)`, one for each variation.
        times: `(B,)`, the step each has reached.
        live: `(B,)`, which of the rows belong to their piece; a piece once ended stays ended.
    """

    rows: Tokens
    times: npt.NDArray[np.int64]
    live: npt.NDArray[np.bool_]


def lanes(variations: int) -> int:
    """How many sequences run side by side for a number of variations."""
    return max(4, 1 << (variations - 1).bit_length())


class Sampler:
    """A model at work on a plan; `steps` gives the rows as they come."""

    def __init__(self, model: Transformer, vocabulary: Vocabulary, plan: Plan) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._plan = plan
        self._batch = len(plan.variations)
        self._lanes = lanes(self._batch)
        self._copies = np.resize(np.arange(self._batch), self._lanes)
        self._device = next(model.parameters()).device
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
        self._tonality = Tonality(plan.body, vocabulary, self._batch, plan.tonality)
        self._repetition = Repetition(plan.body, vocabulary, self._batch, plan.repetition)
        self._place.select(np.zeros(self._batch, dtype=np.int64))
        first = len(plan.body) - kept_rows(plan, model.config.context)
        self._prefix = plan.prefix if first == 0 else self._later_prefix()
        columns = structure(whole, vocabulary, plan.length)[len(plan.prefix) :]
        self._rows = np.repeat(plan.body[None, first:], self._batch, axis=0)
        self._structure = np.repeat(columns[None, first:], self._batch, axis=0)

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
        self._cache = self._model.new_cache(self._lanes, self._model.config.context)
        hidden = self._fill(same=True)
        live = np.ones(self._batch, dtype=bool)
        while True:
            self._uniform = self._uniforms.next()
            rows = self._model.head.sample(hidden, self._choose, self._peek)
            new = rows[: self._batch].numpy(force=True).astype(np.int16)
            self.grammar.push(new)
            note = self._vocabulary.is_note(new)
            self._balance.push(new, note)
            self._tonality.push(new, note)
            self._repetition.push(new)
            columns = self._place.push(new)
            times = self._place.time
            live = live & (times < self._plan.until) & (new[:, WAIT] != self._vocabulary.end)
            if not live.any():
                return
            yield Step(new, times, live)
            hidden = self._advance(rows, new, columns)

    def _advance(self, rows: Tensor, new: Tokens, columns: Structure) -> Tensor:
        """The state `(lanes, D)` after new rows, in this window or in the next."""
        self._rows = np.concatenate([self._rows, new[:, None]], axis=1)
        self._structure = np.concatenate([self._structure, columns[:, None]], axis=1)
        if self._cache.position == self._model.config.context:
            self._prefix = self._later_prefix()
            room = self._model.config.context - len(self._prefix)
            keep = max(1, int(room * self._plan.overlap))
            self._rows = self._rows[:, -keep:]
            self._structure = self._structure[:, -keep:]
            return self._fill(same=False)
        columns_BTS = self._tensor(columns[self._copies][:, None])
        return self._model.trunk(rows[:, None], columns_BTS, self._cache)[:, -1]

    def _fill(self, *, same: bool) -> Tensor:
        """Read prefix and kept rows into the cache, lane by lane or once for all."""
        opening = np.zeros((len(self._prefix), self._structure.shape[2]), dtype=np.int16)
        hidden = []
        for lane in range(1 if same else self._batch):
            rows = np.concatenate([self._prefix, self._rows[lane]])
            columns = np.concatenate([opening, self._structure[lane]])
            single = self._model.new_cache(1, self._model.config.context)
            state = self._model.trunk(self._tensor(rows[None]), self._tensor(columns[None]), single)
            hidden.append(state[:, -1])
            where = np.arange(self._lanes) if same else np.flatnonzero(self._copies == lane)
            _copy(single, self._cache, torch.from_numpy(where))
        return torch.cat(hidden)[self._copies if not same else np.zeros(self._lanes, dtype=int)]

    def _later_prefix(self) -> Tokens:
        """The prefix of a window that does not begin where the piece does, as in training."""
        prefix = self._plan.prefix
        return prefix[prefix[:, WAIT] != self._vocabulary.start]

    def _tensor(self, array: npt.NDArray[np.int16]) -> Tensor:
        return torch.from_numpy(array.astype(np.int64)).to(self._device)

    def _choose(self, field: int, logits: Tensor, rows: Tensor) -> Tensor:
        so_far = rows[: self._batch].numpy(force=True)
        allowed = self.grammar.allowed(field, so_far)
        scores = logits[: self._batch].float().numpy(force=True)
        if field == INSTRUMENT:
            scores = self._balance.applied(scores, allowed)
        elif field == PITCH:
            scores = self._tonality.applied(scores, so_far)
            scores = self._repetition.applied(scores, so_far)
        values = draw(
            scores,
            allowed,
            self._plan.sampling[field],
            self._uniform[:, field],
        )
        return torch.from_numpy(values[self._copies]).to(self._device)

    def _peek(self, first: Tensor) -> Tensor:
        columns = self._place.peek(first[: self._batch].numpy(force=True))
        return self._tensor(columns[self._copies])


class _Uniforms:
    """Five uniform numbers a row for each variation, from a generator of its own."""

    def __init__(self, seed: int, variations: tuple[int, ...]) -> None:
        self._generators = [
            np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, k])))
            for k in variations
        ]
        self._drawn = np.empty((0, len(variations), len(FIELDS)))
        self._next = 0

    def next(self) -> npt.NDArray[np.float64]:
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


def _copy(single: Cache, cache: Cache, where: Tensor) -> None:
    """Copy the one sequence of a cache into some of another's."""
    for source, target in zip(single.layers, cache.layers, strict=True):
        target.keys[where] = source.keys
        target.values[where] = source.values
    cache.position = single.position
