"""Training data of the critic: pairs of real and generated music.

    group     a real piece          k rows of prompt (or none), then n rows
              other real pieces     the same, of other music
              generated             the first piece's prompt (or labels), then n rows by the model

Both halves of a group start at the beginning of a piece, are cut at a bar line and to the same
number of rows, and are scored only after the prompt. The critic reads both `as_written`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_prep.dataset.pieces import Pieces
from musenet.evaluation.critic import as_written
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer.encoding.compound import row_times
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.bars import Bars
from tokenizer.theory import Key
from tokenizer.typing import Steps, Tokens

VARIATIONS = 8
"""Pieces generated per prompt; more would be cheaper but more similar."""

PROMPT_ROWS = (24, 256)
LABEL_SHARE = 0.5
"""Probability of giving the model each label of a piece."""

_FOREVER = 10_000
"""Requested bars; generation stops after a number of rows, before any ending."""


@dataclass(frozen=True)
class Sample:
    """One piece for the critic.

    Attributes:
        tokens: from `as_written`, no more rows than are to be scored.
        first: the body row at which the scored part begins, after the prompt.
        real: whether it is real music.
        group: the number of its group.
        corpus: of the real piece or the prompt.
    """

    tokens: Tokens
    first: int
    real: bool
    group: int
    corpus: str


class RealMusic:
    """Pieces of a dataset's splits, from each corpus in turn, repeated only when all are used."""

    def __init__(self, splits: list[Pieces], random: np.random.Generator) -> None:
        self._splits = splits
        self._random = random
        self._queues: dict[str, list[tuple[int, int]]] = {}
        self._turn: list[str] = []

    @property
    def room(self) -> int:
        """The maximum number of body rows of the pieces of a group."""
        lengths = np.sort(np.concatenate([pieces.lengths for pieces in self._splits]))
        return int(lengths[-min(VARIATIONS, len(lengths))]) - 1

    def draw(self, rows: int) -> tuple[Pieces, int]:
        """A piece with `rows` body rows or more, at most `room`, and its number in its split.

        Raises:
            InputError: if there is none of that length.
        """
        for refilled in (False, True):
            if refilled:
                self._refill()
            for corpus in list(self._turn):
                for place, (split, piece) in enumerate(self._queues[corpus]):
                    # The last row is the end.
                    if self._splits[split].lengths[piece] > rows:
                        del self._queues[corpus][place]
                        self._turn.remove(corpus)
                        self._turn.append(corpus)
                        return self._splits[split], piece
        raise InputError(
            f"no piece of the split has {rows} notes; use a dataset with longer pieces"
        )

    def _refill(self) -> None:
        self._queues = {}
        for number, pieces in enumerate(self._splits):
            for piece in self._random.permutation(len(pieces)).tolist():
                self._queues.setdefault(pieces.corpora[piece], []).append((number, piece))
        self._turn = list(self._queues)
        self._random.shuffle(self._turn)


class Groups:
    """Makes groups of samples.

    Args:
        checkpoint: the model that generates.
        music: the source of real pieces.
        seed: of all random choices.
    """

    def __init__(self, checkpoint: Checkpoint, music: RealMusic, seed: int) -> None:
        self._checkpoint = checkpoint
        self._tokenizer = checkpoint.tokenizer
        self._music = music
        self._seed = seed

    def make(self, number: int, rows: int, *, prompted: bool) -> Iterator[Sample]:
        """The samples of one group, half real and half generated.

        Args:
            number: of the group.
            rows: n, how many rows are scored; fewer where the dataset's pieces are shorter.
            prompted: whether the model continues a prompt.
        """
        random = np.random.default_rng([self._seed, number])
        room = self._music.room
        prompt_rows = min(int(random.integers(*PROMPT_ROWS)), room // 4) if prompted else 0
        rows = min(rows, room - 2 * prompt_rows)
        for place in range(VARIATIONS):
            # A prompt ends at a bar line; if the first bar has many notes, at a later one.
            pieces, piece = self._music.draw(rows + 2 * prompt_rows)
            corpus = pieces.corpora[piece]
            labels = self._known(pieces.labels(piece))
            whole = self._opened(pieces.tokens(piece)[:-1], labels)
            boundary = self._bar_line(whole, prompt_rows)
            yield self._sample(whole, boundary, rows, (True, number, corpus))
            if place == 0:
                for made in self._generated(whole, labels, boundary, rows, random):
                    yield self._sample(made, boundary, rows, (False, number, corpus))

    def _generated(
        self,
        whole: Tokens,
        labels: Labels,
        boundary: int,
        rows: int,
        random: np.random.Generator,
    ) -> list[Tokens]:
        """Music generated from the beginning of a piece, or from its labels without a prompt."""
        keeps = random.random(5) < LABEL_SHARE
        options = GenerateOptions(
            bars=_FOREVER,
            composer=labels.composer if keeps[0] else None,
            styles=labels.styles if keeps[1] else (),
            seed=int(random.integers(1 << 31)),
            variations=tuple(range(1, VARIATIONS + 1)),
        )
        prompt, given = None, whole[:0]
        if boundary:
            prompt = self._prompt(whole, boundary)
            given = self._tokenizer.body(prompt.music)
        else:
            options = replace(
                options,
                instruments=labels.instruments if keeps[2] else (),
                tempo=labels.tempo if keeps[3] else None,
                meter=labels.time_signature,
                key=Key(*labels.key) if labels.key and keeps[4] else None,
            )
        continuation = Continuation(self._checkpoint, prompt, options)
        for done, _ in enumerate(continuation.steps(), 1):
            if done == rows:
                break
        bodies = [np.concatenate([given, continuation.rows(i)]) for i in range(VARIATIONS)]
        return [self._opened(body, labels) for body in bodies]

    def _known(self, labels: Labels) -> Labels:
        """Labels without those that the model does not know or that cannot be requested."""
        knows = self._tokenizer.vocabulary.control
        tempo = labels.tempo
        return replace(
            labels,
            composer=labels.composer if knows(f"composer:{labels.composer}") else None,
            styles=tuple(style for style in labels.styles if knows(f"style:{style}")),
            tempo=tempo if tempo is not None and 10 <= tempo <= 400 else None,
        )

    def _opened(self, body: Tokens, labels: Labels) -> Tokens:
        """A body after the row of its meter."""
        meter = Labels(time_signature=labels.time_signature)
        return np.concatenate([self._tokenizer.prefix(meter, start=False), body])

    def _prompt(self, whole: Tokens, boundary: int) -> Prompt:
        """The music before a bar line as a prompt."""
        score = self._tokenizer.decode(whole)
        bars = Bars(score.time_signatures, score.ticks_per_quarter)
        tick = boundary * self._tokenizer.vocabulary.grid.ticks_per_step
        return read_prompt(score, stop=Place(bar=bars.number(tick)))

    def _bar_line(self, whole: Tokens, rows: int) -> int:
        """The step of the last bar line at or before a body row, the second in the piece at least.

        It is 0 if `rows` is 0, or if there is nothing before that line.
        """
        if rows == 0:
            return 0
        score = self._tokenizer.decode(whole)
        times = self._times(whole)
        scale = self._tokenizer.vocabulary.grid.ticks_per_step
        bars = Bars(score.time_signatures, score.ticks_per_quarter)
        line = bars.tick(max(1, bars.number(int(times[rows]) * scale))) // scale
        return line if times[0] < line else 0

    def _sample(
        self, whole: Tokens, boundary: int, rows: int, origin: tuple[bool, int, str]
    ) -> Sample:
        """A piece cut to `rows` body rows from step `boundary` on, `as_written`."""
        prefix = self._tokenizer.vocabulary.prefix_length(whole)
        before = int((self._times(whole) < boundary).sum())
        tokens = as_written(whole[: prefix + before + rows], self._tokenizer)
        return Sample(tokens, int((self._times(tokens) < boundary).sum()), *origin)

    def _times(self, whole: Tokens) -> Steps:
        """The step of every body row."""
        vocabulary = self._tokenizer.vocabulary
        return row_times(whole, vocabulary)[vocabulary.prefix_length(whole) :]
