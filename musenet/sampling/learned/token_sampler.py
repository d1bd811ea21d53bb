"""Samples ids from weights of a learned encoding, and gives them as compound rows.

One variation after another is a line of ids, drawn under the encoding's grammar until its time is
over. Its notes are known once it can be read as a whole, because a chordwise note ends with a later
token; so the rows of a variation come together, in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from musenet.sampling.filters import FieldFilter, draw
from musenet.sampling.sampler import SampledRows, SamplerConfig
from tokenizer.encoding.compound import row_times
from tokenizer.encoding.holes import between, events_of, no_events, woven
from tokenizer.encoding.learned.learned import LearnedTokenizer
from tokenizer.encoding.structure import TIME, StructureState
from tokenizer.encoding.vocabulary import FIELDS, WAIT
from tokenizer.typing import Ints, Logits, Mask, Structure, Tokens

if TYPE_CHECKING:
    from musenet.model.transformer import Transformer

MOST_AT_ONCE = 256
"""So many ids may come before time goes on."""


class TokenSampler:
    """The interface of `Sampler` for weights of a learned encoding.

    Of the configuration it heeds the prefix, the prompt, the span, the seed, the variations, the
    overlap, and the filter of field 0. There are no constraints and no processors.
    """

    def __init__(
        self, model: Transformer, encoding: LearnedTokenizer, config: SamplerConfig
    ) -> None:
        self._model = model
        self._encoding = encoding
        self._config = config
        self.relaxed: Counter[str] = Counter()
        self._prefix = encoding.spelled(config.prefix)
        self._prompt = encoding.spelled(config.prompt, cut=True)

    @property
    def unread_notes(self) -> int:
        """How many of the prompt's first notes do not fit into the model's context."""
        early = len(self._prompt) - room(self._model, self._prefix)
        return int(self._encoding.notes_begun(self._prompt[: max(0, early)]).sum())

    def sample(self) -> Iterator[SampledRows]:
        """Yield row after row of one variation, then of the next."""
        count = len(self._config.variations)
        for place, variation in enumerate(self._config.variations):
            random = np.random.Generator(
                np.random.Philox(np.random.SeedSequence([self._config.seed, variation]))
            )
            rows = self._rows(_Line(self._model, self._encoding, self._config, random).drawn())
            reached = self._last() + np.cumsum(self._encoding.vocabulary.steps[rows[:, WAIT]])
            live = np.arange(count) == place
            for row, time in zip(rows, reached.tolist(), strict=True):
                yield SampledRows(
                    np.where(live[:, None], row, 0).astype(np.int16),
                    np.full(count, time),
                    live,
                    live,
                )

    def _last(self) -> int:
        """The step of the prompt's last row."""
        times = row_times(self._config.prompt, self._encoding.vocabulary)
        return int(times[-1]) if len(times) else 0

    def _rows(self, new: Tokens) -> Tokens:
        """The compound rows of what new ids `(N, 1)` begin, from the prompt's last row on.

        What still sounds at the end of the span ends there.
        """
        encoding, config = self._encoding, self._config
        vocabulary, told = encoding.vocabulary, np.concatenate([self._prompt, new])
        left = config.until - int(encoding.steps_of_id[told].sum())
        waits = np.array(encoding.symbols.waits(max(0, left)), dtype=np.int16)
        whole = encoding.rows_of(np.concatenate([told, waits[:, None]]))
        events = events_of(whole, row_times(whole, vocabulary), vocabulary)
        made = between(events, config.not_before, config.until)
        return woven(no_events(), made, self._last(), vocabulary)[0]


class _Line:
    """One variation, id after id."""

    def __init__(
        self,
        model: Transformer,
        encoding: LearnedTokenizer,
        config: SamplerConfig,
        random: np.random.Generator,
    ) -> None:
        from musenet.decoding.eager import EagerDecoder  # and with it PyTorch

        self._model, self._encoding, self._config, self._random = model, encoding, config, random
        self._filter: FieldFilter = config.filters[WAIT]
        self._prefix = encoding.spelled(config.prefix)
        self._later = self._prefix[self._prefix[:, 0] != encoding.vocabulary.start]
        prompt = encoding.spelled(config.prompt, cut=True)
        whole = np.concatenate([self._prefix, prompt])
        self._tokens: list[Tokens] = [*whole]
        self._columns: list[Structure] = [*encoding.structure(whole, config.length)]
        self._state = StructureState(encoding.vocabulary, 1, config.length)
        for row in encoding.pseudo_rows(whole[:, 0])[0]:
            self._state.push(row[None])
        self._decoder = EagerDecoder(model, 1)
        self._at_once = 0

    def drawn(self) -> Tokens:
        """The new ids `(N, 1)`, up to the end of the span."""
        begin = len(self._tokens)
        self._read(begin - len(self._prefix), self._prefix)
        while True:
            token = int(self._decoder.sample(self._choose, _nothing)[0, 0])
            before = int(self._state.time[0])
            columns = self._encoding.push(self._state, token)
            time = int(self._state.time[0])
            self._at_once = 0 if time > before else self._at_once + 1
            if time >= self._config.until or token == self._encoding.vocabulary.end:
                return np.array(self._tokens[begin:], dtype=np.int16).reshape(-1, 1)
            self._tokens.append(np.array([token], dtype=np.int16))
            self._columns.append(columns[0])
            if self._decoder.position < self._model.context_rows:
                self._decoder.advance(self._tokens[-1][None], columns)
            else:
                most = self._model.context_rows - len(self._later)
                self._read(max(1, int(most * self._config.overlap)), self._later)

    def _read(self, most: int, prefix: Tokens) -> None:
        """Start the cache with a prefix and the last ids, three quarters of the context at most."""
        kept = min(most, room(self._model, prefix), len(self._tokens) - len(self._prefix))
        tokens = [*prefix, *self._tokens[len(self._tokens) - kept :]]
        columns = np.array(
            [*self._columns[: len(prefix)], *self._columns[len(self._columns) - kept :]]
        )
        if kept:  # a prefix stands where the id behind it begins to wait
            first = int(tokens[len(prefix)][0])
            columns[: len(prefix), TIME] = columns[len(prefix), TIME]
            columns[: len(prefix), TIME] -= self._encoding.steps_of_id[first]
        self._decoder.start(np.array(tokens)[None], columns[None])

    def _choose(self, field: int, logits: Logits, rows: Ints) -> Ints:
        """One id `(1,)` under the grammar, from logits `(1, V)`."""
        del field, rows
        allowed = self._allowed()[None]
        return draw(logits, allowed, self._filter, self._random.random(len(FIELDS))[:1])

    def _allowed(self) -> Mask:
        encoding = self._encoding
        allowed = encoding.allowed_after(int(self._tokens[-1][0])).copy()
        if self._config.length is None:
            allowed[encoding.vocabulary.end] = False
        passing = allowed & (encoding.steps_of_id > 0)
        return passing if self._at_once >= MOST_AT_ONCE and passing.any() else allowed


def room(model: Transformer, prefix: Tokens) -> int:
    """How many ids are read behind a prefix: a quarter of the context is for new ones."""
    return max(1, model.context_rows * 3 // 4 - len(prefix))


def _nothing(_first: Ints) -> Structure:
    raise AssertionError("a head of one field asks for no structure")
