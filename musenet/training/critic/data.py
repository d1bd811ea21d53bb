"""Real and generated music, side by side: what a critic learns from.

    group     a real piece          k rows of prompt (or none), then n rows
              other real pieces     the same, of other music
              generated             the first piece's prompt (or labels), then n rows by the model

Both halves of a group begin where a piece begins, are cut at a bar line and after as many rows,
and are scored behind the prompt only. What a critic reads of either is `as_written`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from data_prep.dataset.pieces import Pieces
from musenet.evaluation.critic import as_written
from musenet.generation.options import GenerateOptions
from musenet.generation.parse import Place
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from tokenizer.encoding.compound import row_times
from tokenizer.errors import InputError
from tokenizer.labels import Labels
from tokenizer.score.bars import Bars
from tokenizer.theory import Key
from tokenizer.typing import Steps, Tokens

VARIATIONS = 8
"""Pieces that are generated side by side, with one prompt; more would be cheaper and more alike."""

PROMPT_ROWS = (24, 256)
LABEL_SHARE = 0.5
"""How often the model is told each of a piece's labels."""

_FOREVER = 10_000
"""Bars asked for; the music is stopped by its rows, so that it comes to no end."""


@dataclass(frozen=True)
class Sample:
    """One piece before the critic.

    Attributes:
        tokens: from `as_written`, no more rows than are to be scored.
        first: the body row at which the part to be scored begins; a prompt stands before it.
        real: whether people wrote it.
        group: the number of its group.
        corpus: where the real piece, or the prompt, comes from.
    """

    tokens: Tokens
    first: int
    real: bool
    group: int
    corpus: str


class RealMusic:
    """Pieces of a dataset's splits, each corpus in turn, none twice before all were drawn."""

    def __init__(self, splits: list[Pieces], random: np.random.Generator) -> None:
        self._splits = splits
        self._random = random
        self._queues: dict[str, list[tuple[int, int]]] = {}
        self._turn: list[str] = []

    @property
    def room(self) -> int:
        """A number of body rows that the pieces of a group can have."""
        lengths = np.sort(np.concatenate([pieces.lengths for pieces in self._splits]))
        return int(lengths[-min(VARIATIONS, len(lengths))]) - 1

    def draw(self, rows: int) -> tuple[Pieces, int]:
        """A piece of at least so many body rows, at most `room`, and its number in its split."""
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
        raise InputError(f"no piece of the split that is drawn from has {rows} notes")

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
        music: where real pieces come from.
        seed: of all that is drawn.
    """

    def __init__(self, checkpoint: Checkpoint, music: RealMusic, seed: int) -> None:
        self._checkpoint = checkpoint
        self._tokenizer = checkpoint.tokenizer
        self._music = music
        self._seed = seed

    def make(self, number: int, rows: int, *, prompted: bool) -> Iterator[Sample]:
        """The samples of one group, as many real as generated ones.

        Args:
            number: of the group.
            rows: n, how many rows are scored; fewer where the dataset's pieces are shorter.
            prompted: whether the model goes on from a prompt.
        """
        random = np.random.default_rng([self._seed, number])
        room = self._music.room
        prompt_rows = min(int(random.integers(*PROMPT_ROWS)), room // 4) if prompted else 0
        rows = min(rows, room - 2 * prompt_rows)
        for place in range(VARIATIONS):
            # A prompt ends at a bar line: in a first bar of many notes that is a later one.
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
        """What the model makes of a piece's beginning, or of its labels where it has no prompt."""
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
        """Labels less those that the model does not know, or that nobody can ask for."""
        knows = self._tokenizer.vocabulary.control
        tempo = labels.tempo
        return replace(
            labels,
            composer=labels.composer if knows(f"composer:{labels.composer}") else None,
            styles=tuple(style for style in labels.styles if knows(f"style:{style}")),
            tempo=tempo if tempo is not None and 10 <= tempo <= 400 else None,
        )

    def _opened(self, body: Tokens, labels: Labels) -> Tokens:
        """A body behind its meter's row."""
        meter = Labels(time_signature=labels.time_signature)
        return np.concatenate([self._tokenizer.prefix(meter, start=False), body])

    def _prompt(self, whole: Tokens, boundary: int) -> Prompt:
        """The music before a bar line, as if it came in a file."""
        score = self._tokenizer.decode(whole)
        bars = Bars(score.time_signatures, score.ticks_per_quarter)
        tick = boundary * self._tokenizer.vocabulary.grid.ticks_per_step
        return read_prompt(score, stop=Place(bar=bars.number(tick)))

    def _bar_line(self, whole: Tokens, rows: int) -> int:
        """The step of the last bar line at or before a body row, the second in the piece at least.

        It is 0 where `rows` is, or where nothing stands before that line.
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
        """A piece cut to `rows` body rows from step `boundary` on, as it is written."""
        prefix = self._tokenizer.vocabulary.prefix_length(whole)
        before = int((self._times(whole) < boundary).sum())
        tokens = as_written(whole[: prefix + before + rows], self._tokenizer)
        return Sample(tokens, int((self._times(tokens) < boundary).sum()), *origin)

    def _times(self, whole: Tokens) -> Steps:
        """The step of every body row."""
        vocabulary = self._tokenizer.vocabulary
        return row_times(whole, vocabulary)[vocabulary.prefix_length(whole) :]
