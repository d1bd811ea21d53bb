"""From candidates to the best of them: what `ranking` is told about each, and the table it fills.

results ─▶ the new music of each ─▶ ranking.rank (with the critic, if any) ─▶ table, best first
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from musenet.model.checkpoint import Checkpoint
from tokenizer.score.score import Score

from .prompt import between
from .reranking import MOST, Ranked, rank
from .session import Composition, Result

_WHY = 60


def ranked(
    checkpoint: Checkpoint, composition: Composition, results: Sequence[Result]
) -> list[tuple[Result, Ranked]]:
    """The results of a composition, the best first, each with what speaks for and against it.

    Args:
        checkpoint: the model; its critic judges too, where it has one.
        composition: which made them.
        results: all of its results, in their order.
    """
    late = [composition.late(result.score.end) for result in results]
    found = rank(
        [new_music(result) for result in results],
        prompt=None if composition.fresh else composition.prompt.heard,
        wanted=composition.wanted,
        late=late if composition.options.ending else None,
        key=composition.key,
        critic=_critic(checkpoint, composition, results),
    )
    return [(results[one.number - 1], one) for one in found]


def new_music(result: Result) -> Score:
    """The new music of a result as a score that begins at its first bar line."""
    music = between(result.score, result.bar, result.score.end + 1)
    new = music.notes["start"] >= result.boundary - result.bar
    return replace(music, notes=music.notes[new])


def table(rows: Sequence[tuple[Result, Ranked]], keep: int) -> str:
    """The ranking in columns: what every finding counts, in nats, and the worst in words.

    Args:
        rows: from `ranked`.
        keep: how many of them are kept; a star marks those.
    """
    names = list(dict.fromkeys(name for _, one in rows for name in one.evidence))
    # A column of zeros says nothing.
    names = [n for n in names if any(abs(one.evidence.get(n, 0)) >= 0.05 for _, one in rows)]
    lines = ["  variation  total  " + "  ".join(f"{name:>9s}" for name in names) + "  why not"]
    for place, (result, one) in enumerate(rows):
        cells = "  ".join(_number(one.evidence.get(name, 0.0), 9) for name in names)
        mark = "*" if place < keep else " "
        why = ", ".join(one.reasons)
        why = why if len(why) <= _WHY else why[: _WHY - 1] + "…"
        lines.append(
            f"{mark} {result.variation:9d}  {_number(one.total, 5)}  {cells}  {why}".rstrip()
        )
    return "\n".join(lines)


def _number(value: float, width: int) -> str:
    return f"{round(value, 1) + 0.0:{width}.1f}"


def _critic(
    checkpoint: Checkpoint, composition: Composition, results: Sequence[Result]
) -> list[float] | None:
    """The critic's log-odds of each result; one without notes is as unreal as can be."""
    if checkpoint.model.critic is None:
        return None
    from musenet.evaluation.critic import log_odds

    indices = [i for i, result in enumerate(results) if result.notes]
    odds = np.full(len(results), -MOST)
    if indices:
        odds[indices] = log_odds(checkpoint, [composition.piece(i) for i in indices])
    return odds.tolist()
