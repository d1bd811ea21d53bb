"""Best of N: ranks several takes of a fill by the evidence that continuations are ranked by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from musenet.generation.reranking import Ranked, rank
from tokenizer.midi import events
from tokenizer.score.score import Score

from .fill import Fill, Take


def ranked_takes(fill: Fill, takes: Sequence[Take]) -> list[tuple[Take, Ranked]]:
    """The takes of a fill, best first.

    All music in the holes is compared with the music around, the new parts with what is usual.
    The critic has no say: in holes it hardly tells real music from fills (`benchmarks/editing.py`).
    """
    around = _outside(fill.piece.score, fill.holes)
    players = {*np.unique(fill.piece.score.notes["program"]).tolist(), *fill.holed.programs}
    heard = [fill.piece.heard(events.parse(take.data), take.score) for take in takes]
    found = rank(
        [_inside(score, fill.holes) for score in heard],
        prompt=around,
        wanted=players,
        parts=[fill.found_in_parts(take.new) for take in takes],
    )
    return [(takes[one.number - 1], one) for one in found]


def _inside(score: Score, holes: Sequence[tuple[int, int]]) -> Score:
    """The music that begins in some stretches, one after another from tick 0."""
    parts = [score.slice(begin, end) for begin, end in holes]
    return _one_after_another(parts, [end - begin for begin, end in holes])


def _outside(score: Score, holes: Sequence[tuple[int, int]]) -> Score:
    """The music that begins outside of some stretches, one passage after another."""
    edges = [0, *(edge for hole in holes for edge in hole)]
    ends = [*edges[1:], max(score.end, edges[-1])]
    spans = list(zip(edges[::2], ends[::2], strict=True))
    return _inside(score, [span for span in spans if span[0] < span[1]] or [(0, 0)])


def _one_after_another(parts: Sequence[Score], lengths: Sequence[int]) -> Score:
    whole, at = parts[0], lengths[0]
    for part, length in zip(parts[1:], lengths[1:], strict=True):
        whole, at = whole.concatenate(part, at), at + length
    return whole
