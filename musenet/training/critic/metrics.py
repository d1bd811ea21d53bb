"""How well a critic tells real music from generated, in figures and in words.

AUC is the chance that a real piece gets more than a generated one, ties halved (Hanley & McNeil
1982). Its interval is a bootstrap over groups, because the music made from one prompt is alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from musenet.evaluation.bootstrap import Interval, interval, resamples
from musenet.evaluation.critic import WARM_UP
from tokenizer.typing import Floats, Ints, Mask

from .data import Sample

LENGTHS = (64, 256, 1024)
"""Rows behind the prompt after which the held-out AUC is reported."""


@dataclass(frozen=True)
class Answers:
    """The critic's answers on one sample: log-odds `(R,)` of its rows behind prompt and warm-up."""

    sample: Sample
    rows: Floats


def area(scores: Floats, real: Mask) -> float:
    """AUC of scores `(N,)`: how often a real piece's is the higher, ties counting half."""
    difference = scores[real][:, None] - scores[~real][None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def figures(found: Sequence[Answers], *, seed: int = 0) -> dict[str, Any]:
    """What is reported of held-out answers: AUC over pieces, with its interval, and by length."""
    return {
        **_figure(found, None, seed),
        "by_rows": {
            str(rows): _figure([a for a in found if _reaches(a, rows)], rows, seed)
            for rows in LENGTHS
        },
        "with_prompt": _figure([a for a in found if a.sample.first], None, seed),
        "without_prompt": _figure([a for a in found if not a.sample.first], None, seed),
    }


def _reaches(answer: Answers, rows: int) -> bool:
    """Whether a sample has about so many rows behind its prompt; writing may have cost it some."""
    return len(answer.rows) + WARM_UP >= 0.9 * rows


def _figure(found: Sequence[Answers], rows: int | None, seed: int) -> dict[str, Any]:
    real = np.array([a.sample.real for a in found], dtype=bool)
    counts = {"real": int(real.sum()), "generated": int((~real).sum())}
    if not all(counts.values()):
        return {"auc": None, "interval": None, **counts}
    stop = None if rows is None else rows - WARM_UP
    scores = np.array([a.rows[:stop].mean() for a in found])
    groups = np.array([a.sample.group for a in found])
    return {
        "auc": round(area(scores, real), 4),
        "interval": [round(end, 4) for end in _interval(scores, real, groups, seed)],
        **counts,
    }


def _interval(scores: Floats, real: Mask, groups: Ints, seed: int) -> Interval:
    """95 % of the AUC of as many groups drawn with replacement."""
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    areas = []
    for picks in resamples(len(members), draws=1000, seed=seed):
        chosen = np.concatenate([members[i] for i in picks])
        if 0 < real[chosen].sum() < len(chosen):
            areas.append(area(scores[chosen], real[chosen]))
    return interval(areas)


def table(held: Mapping[str, Any]) -> list[str]:
    """The held-out figures as lines to print."""
    parts: list[tuple[str, Mapping[str, Any]]] = [("all of a piece", held)]
    parts += [(f"its first {rows} rows", part) for rows, part in held["by_rows"].items()]
    parts += [
        ("without a prompt", held["without_prompt"]),
        ("behind a prompt", held["with_prompt"]),
    ]
    lines = [f"{'held out':<22}{'AUC':<24}{'real':>6}{'generated':>12}"]
    return lines + [
        f"{name:<22}{'-' if part['auc'] is None else _auc(part):<24}"
        f"{part['real']:>6}{part['generated']:>12}"
        for name, part in parts
    ]


_HEADING = "## Critic\n"


def with_section(card: str, text: str) -> str:
    """A card with the critic's section, in place of an earlier one, before what limits its use."""
    before, found, after = card.partition(f"\n{_HEADING}")
    if found:
        _, more, rest = after.partition("\n## ")
        card = f"{before}\n## {rest}" if more else f"{before}\n"
    first, limits, last = card.partition("\n## Limits")
    return f"{first.rstrip()}\n\n{text}{limits}{last}"


def section(facts: Mapping[str, Any], parameters: int) -> str:
    """What a card says of a critic."""
    held = facts["held_out"]
    by_rows = "; ".join(
        f"after {rows} notes {_auc(figure)}"
        for rows, figure in held["by_rows"].items()
        if figure["auc"] is not None
    )
    return (
        f"{_HEADING}\n"
        f"A head of {parameters:,} further parameters tells music by people from music by this "
        f"model; every other weight is as before. It learned from {facts['generated']} generated "
        f"and {facts['real']} real pieces. On held-out ones, with and without prompts that no "
        f"weight was trained on ({held['real']} real, {held['generated']} generated), the area "
        f"under its ROC curve is **{_auc(held)}**"
        f"{'; ' + by_rows if by_rows else ''} (95 % over prompts; 0.5 is chance). It reads notes "
        "and meter, nothing else, and knows no other model's music.\n"
    )


def _auc(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{figure['auc']:.3f} ({low:.3f}–{high:.3f})"
