"""How well a critic distinguishes real from generated music, in figures and in words.

AUC is the probability that a real piece scores higher than a generated one, ties counting half
(Hanley & McNeil 1982). Its interval is a bootstrap over groups, because music from one prompt is
similar.
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
"""Rows after the prompt at which the held-out AUC is reported."""


@dataclass(frozen=True)
class Answers:
    """The critic's answers on one sample: log-odds `(R,)` of its rows after prompt and warm-up."""

    sample: Sample
    rows: Floats


def area(scores: Floats, real: Mask) -> float:
    """The AUC of scores `(N,)`, ties counting half."""
    difference = scores[real][:, None] - scores[~real][None, :]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def figures(found: Sequence[Answers], *, seed: int = 0) -> dict[str, Any]:
    """The reported figures: AUC over pieces with its interval, and by length."""
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
    """Whether a sample has about `rows` rows after its prompt; `as_written` may drop some."""
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
    """The 95 % bootstrap interval of the AUC over groups."""
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    areas = []
    for picks in resamples(len(members), draws=1000, seed=seed):
        chosen = np.concatenate([members[i] for i in picks])
        if 0 < real[chosen].sum() < len(chosen):
            areas.append(area(scores[chosen], real[chosen]))
    return interval(areas)


def table(held: Mapping[str, Any]) -> list[str]:
    """The held-out figures as lines to print."""
    parts: list[tuple[str, Mapping[str, Any]]] = [("whole piece", held)]
    parts += [(f"first {rows} rows", part) for rows, part in held["by_rows"].items()]
    parts += [
        ("without a prompt", held["without_prompt"]),
        ("with a prompt", held["with_prompt"]),
    ]
    lines = [f"{'held out':<22}{'AUC':<24}{'real':>6}{'generated':>12}"]
    return lines + [
        f"{name:<22}{'-' if part['auc'] is None else _auc(part):<24}"
        f"{part['real']:>6}{part['generated']:>12}"
        for name, part in parts
    ]


_HEADING = "## Critic\n"


def with_section(card: str, text: str) -> str:
    """A card with the critic's section, replacing an earlier one, before the limits of use."""
    before, found, after = card.partition(f"\n{_HEADING}")
    if found:
        _, more, rest = after.partition("\n## ")
        card = f"{before}\n## {rest}" if more else f"{before}\n"
    first, limits, last = card.partition("\n## Limits")
    return f"{first.rstrip()}\n\n{text}{limits}{last}"


def section(facts: Mapping[str, Any], parameters: int) -> str:
    """The section of a card about the critic."""
    held = facts["held_out"]
    by_rows = "; ".join(
        f"after {rows} notes {_auc(figure)}"
        for rows, figure in held["by_rows"].items()
        if figure["auc"] is not None
    )
    return (
        f"{_HEADING}\n"
        f"A head of {parameters:,} additional parameters tells real music from music by this "
        f"model; all other weights are unchanged. It was trained on {facts['generated']} generated "
        f"and {facts['real']} real pieces. On held-out ones, with and without held-out "
        f"prompts ({held['real']} real, {held['generated']} generated), the area under its ROC "
        f"curve is **{_auc(held)}**"
        f"{'; ' + by_rows if by_rows else ''} (95 % over prompts; 0.5 is chance). It reads only "
        "notes and meter, and was not trained on music of other models.\n"
    )


def _auc(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{figure['auc']:.3f} ({low:.3f}–{high:.3f})"
