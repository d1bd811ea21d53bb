"""Continuations of held-out pieces, to compare with how those pieces really go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from musenet.evaluation.generated import NamedScore
from musenet.evaluation.similarity import (
    LagSums,
    bar_notes,
    lag_sums,
    similarity_by_lag,
    similarity_error,
)
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from musenet.options.parse import Place
from tokenizer.score.bars import Bars
from tokenizer.score.score import Score

from .prompt import read_prompt
from .session import Continuation

PROMPT_BARS, BARS = 16, 32
"""Bars of a prompt and of its continuation, so that bars up to 40 apart can be compared."""


@dataclass(frozen=True)
class HeldOut:
    """Bars of a piece that serve as a prompt, and how it goes on.

    Attributes:
        name: of the piece.
        score: the prompt and the real continuation, from tick 0.
        prompt_bars: bars of the prompt.
        bars: bars of the continuation.
    """

    name: str
    score: Score
    prompt_bars: int
    bars: int

    @property
    def boundary(self) -> int:
        """The tick of the bar line at which the prompt ends."""
        return _bars(self.score).tick(self.prompt_bars)

    def continued(self, checkpoint: Checkpoint, options: GenerateOptions) -> Score:
        """The prompt and a continuation of as many bars by a model; one variation.

        Raises:
            InputError: if the request cannot be met.
        """
        prompt = read_prompt(self.score, stop=Place(bar=self.prompt_bars))
        continuation = Continuation(checkpoint, prompt, replace(options, bars=self.bars))
        for _ in continuation.steps():
            pass
        return continuation.results()[0].score


def held_out(
    scores: Sequence[NamedScore],
    count: int,
    *,
    prompt_bars: int = PROMPT_BARS,
    bars: int = BARS,
    skip: int = 0,
    seed: int = 0,
    suits: Callable[[Score], bool] | None = None,
) -> list[HeldOut]:
    """The beginnings of pieces that are long enough, in random order.

    Args:
        scores: the pieces.
        count: how many to return at most.
        prompt_bars: bars of each prompt, from the first bar in which a note begins.
        bars: bars of each continuation.
        skip: bars to leave out before the prompt.
        seed: of the order.
        suits: whether a prompt is wanted; by default every one with notes.
    """
    found: list[HeldOut] = []
    for index in np.random.default_rng(seed).permutation(len(scores)).tolist():
        if len(found) == count:
            break
        name, score = scores[index]
        start = score.notes["start"]
        if not len(start):
            continue
        lines = _bars(score)
        first = lines.number(int(start.min())) + skip
        last = first + prompt_bars + bars
        if lines.number(int(start.max())) + 1 < last:
            continue
        begin, middle = lines.tick(first), lines.tick(first + prompt_bars)
        prompt = score.slice(begin, middle)
        if len(prompt.notes) and (suits is None or suits(prompt)):
            whole = score.slice(begin, lines.tick(last))
            found.append(HeldOut(name, whole, prompt_bars, bars))
    return found


def similarity_figures(
    checkpoint: Checkpoint,
    pieces: Sequence[HeldOut],
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """L(t) of continuations and of the real ones, and the similarity error, as plain data.

    Pairs of bars within the prompt do not count.

    Args:
        checkpoint: the model.
        pieces: what to continue, each once with the default options.
        seed: of the first piece; each later one has the next seed.
        progress: called with the number of pieces done since the last call.
    """
    made: list[LagSums] = []
    for index, piece in enumerate(pieces):
        score = piece.continued(checkpoint, GenerateOptions(seed=seed + index))
        made.append(_lags(piece, score))
        if progress is not None:
            progress(1)
    ours = similarity_by_lag(made)
    real = similarity_by_lag([_lags(piece, piece.score) for piece in pieces])
    return {
        "pieces": len(pieces),
        "prompt_bars": pieces[0].prompt_bars,
        "bars": pieces[0].bars,
        "seed": seed,
        "similarity": [_known(value) for value in ours.tolist()],
        "real_similarity": [_known(value) for value in real.tolist()],
        "similarity_error": similarity_error(ours, real),
    }


def _lags(piece: HeldOut, score: Score) -> LagSums:
    whole = piece.prompt_bars + piece.bars
    return lag_sums(bar_notes(score, whole), first=piece.prompt_bars)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _bars(score: Score) -> Bars:
    return Bars(score.time_signatures, score.ticks_per_quarter)
