"""Music that closes: its last bars are made several times, and the time that closes best is kept.

    prompt ─▶ one Sampler to eight quarters before the end ─▶ for each variation a Sampler of its
    own, which makes several ends side by side ─▶ the one that is judged best

What tells a last chord from others is known (`musenet.sampling.ending`), but a small model meets
it once in a thousand notes. To choose among its own ends puts nothing into its mouth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

import numpy as np

from musenet.model.transformer import Transformer
from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.typing import Tokens

from .sampler import Plan, Sampler, Step, rows_of

QUARTERS = 8
"""Quarter notes (or half seconds) before its end at which a piece begins to close."""

TRIES = 16
"""Ends that are made of each variation."""

Judge = Callable[[Tokens], float]
"""judge(rows) says how well the new rows `(T, 5)` of a variation close; more is better."""


class Finale:
    """A sampler of pieces that are to come to an end; it does what `Sampler` does, and chooses.

    Args:
        model: of the vocabulary.
        vocabulary: what rows mean.
        plan: with a `length`.
        judge: of ends.
    """

    def __init__(
        self, model: Transformer, vocabulary: Vocabulary, plan: Plan, judge: Judge
    ) -> None:
        self._model, self._vocabulary, self._plan, self._judge = model, vocabulary, plan, judge
        length = plan.until if plan.length is None else plan.length
        self._begin = max(plan.not_before, length - QUARTERS * vocabulary.grid.beat)
        self.relaxed: Counter[str] = Counter()

    def steps(self) -> Iterator[Step]:
        """Row after row; the last bars only when all ends are made."""
        rows = yield from self._until_the_end()
        yield from self._side_by_side(rows, [self._end(*pair) for pair in enumerate(rows)])

    def _until_the_end(self) -> Generator[Step, None, list[Tokens]]:
        """The steps to where the end begins; gives the rows `(T, 5)` of each variation."""
        steps: list[Step] = []
        if self._begin > self._plan.not_before:
            before = replace(self._plan, until=self._begin, may_end_at=None)
            sampler = Sampler(self._model, self._vocabulary, before)
            for step in sampler.steps():
                steps.append(step)
                yield step
            self.relaxed += sampler.relaxed
        return [rows_of(steps, index) for index in range(len(self._plan.variations))]

    def _end(self, index: int, rows: Tokens) -> Tokens:
        """The end, rows `(T, 5)`, of a variation that has come so far."""
        plan = self._plan
        body = np.concatenate([plan.body, rows])
        limits = plan.limits
        players = np.unique(body[self._vocabulary.is_note(body), INSTRUMENT] - 1)
        if limits.programs is None and len(players):
            limits = replace(limits, programs=tuple(players.tolist()))  # nobody new at the end
        own = np.random.SeedSequence([plan.seed, plan.variations[index], QUARTERS])
        tries = replace(
            plan,
            body=body,
            limits=limits,
            not_before=self._begin,
            seed=int(own.generate_state(1, np.uint64)[0] >> 1),
            variations=tuple(range(1, TRIES + 1)),
        )
        sampler = Sampler(self._model, self._vocabulary, tries)
        steps = list(sampler.steps())
        self.relaxed += sampler.relaxed
        ends = [rows_of(steps, number) for number in range(TRIES)]
        return max(ends, key=lambda end: self._judge(np.concatenate([rows, end])))

    def _side_by_side(self, rows: list[Tokens], ends: list[Tokens]) -> Iterator[Step]:
        """The steps of all variations' ends, as one sampler would have made them."""
        passed = self._vocabulary.steps
        heard = passed[self._plan.body[:, 0]].sum()
        time = np.array([heard + passed[some[:, 0]].sum() for some in rows])
        for place in range(max(map(len, ends))):
            live = np.array([place < len(end) for end in ends])
            new = np.zeros((len(ends), 5), dtype=np.int16)
            new[live] = [end[place] for end in ends if place < len(end)]
            time = time + passed[new[:, 0]]
            yield Step(new, time, live)
