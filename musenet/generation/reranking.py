"""Best of N: ranks several continuations by evidence in one unit, with reasons.

Every finding is evidence in nats, so findings can be added:

- **measures** (pitch-class entropy, scale consistency, groove, density, polyphony) of the new music
  beside the prompt's. A difference of z deviations counts −2 log(1 + z²/3), a Student's t with
  three degrees of freedom: 1 gives 0.6, 3 gives 2.8, 10 gives 7. The deviation is how much real
  music changes from sixteen bars to the next; without a prompt, the spread among pieces (`USUAL`).
- **signs** of failure: a silence, a figure that loops, a density that runs away. They count if
  they are rarer than 1 in 100 in real music (`RARE`) and worse than in the prompt, 4.5 nats at
  twice that.
- **requests** that are not met: notes in other instruments, silent instruments, an ending that
  comes early or late or does not sound final (`musenet.sampling.ending`).
- single **parts**, where these are written, beside what their instruments usually play
  (`musenet.editing.usual_parts`).
- the **critic**'s log-odds that the music is real, where the checkpoint has one.

`ranked` takes the results of a continuation, and `table` shows what it found.
`benchmarks/ranges.py` gives the figures of `USUAL` and `RARE`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from musenet.evaluation import statistics
from musenet.export.hearing import as_heard
from musenet.export.parts import Part, places_of
from musenet.model.checkpoint import Checkpoint
from musenet.sampling.ending import ending_evidence
from musenet.sampling.processors.loop_penalty import longest_runs
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS
from tokenizer.instruments import name as instrument_name
from tokenizer.midi import events
from tokenizer.midi.read import read
from tokenizer.score.score import Score
from tokenizer.theory import Key

from .adherence import in_instruments
from .prompt import between
from .result import Result
from .session import Continuation

MOST = 4.5
"""The most nats that a sign, an unmet request or music without notes can count."""

_FEWEST_ROWS = 32
_WHY = 60
_SILENT_INSTRUMENT = 1.5


Finding = tuple[float, str]
"""Evidence in nats, and the words for it."""


class Usual(NamedTuple):
    """A measure in real music: mean and spread over passages, and how much it changes."""

    mean: float
    spread: float
    change: float


USUAL: dict[str, Usual] = {
    "entropy": Usual(2.92, 0.29, 0.23),
    "scale": Usual(0.91, 0.08, 0.065),
    "groove": Usual(0.95, 0.06, 0.024),
    "density": Usual(2.5, 1.0, 0.40),
    "polyphony": Usual(1.8, 0.55, 0.26),
}
"""From sixteen bars of 400 pieces of ten corpora; density and polyphony are base-2 logarithms."""

RARE: dict[str, float] = {"silence": 4.0, "loop": 3.0, "runaway": 2.0}
"""The 99th percentile of real passages of pitched instruments; see `signs` for the units."""

_MEASURES: dict[str, Callable[[statistics.BarGrid], float]] = {
    "entropy": statistics.pitch_class_entropy,
    "scale": statistics.scale_consistency,
    "groove": statistics.groove_consistency,
    "density": lambda grid: _log(statistics.notes_per_quarter(grid)),
    "polyphony": lambda grid: _log(statistics.polyphony(grid)),
}


@dataclass(frozen=True)
class Ranked:
    """One candidate with its score and reasons.

    Attributes:
        number: its number among the candidates, from 1.
        total: the sum of all evidence in nats; more is better.
        evidence: the nats of each finding, the critic's included.
        reasons: the findings in words, worst first.
    """

    number: int
    total: float
    evidence: dict[str, float]
    reasons: tuple[str, ...] = ()


@dataclass
class _Findings:
    evidence: dict[str, float] = field(default_factory=dict)
    reasons: list[tuple[float, str]] = field(default_factory=list)

    def add(self, name: str, nats: float, words: str) -> None:
        self.evidence[name] = self.evidence.get(name, 0.0) + nats
        if nats < -0.5:
            self.reasons.append((nats, words))


def unlike(z: float) -> float:
    """The nats of a difference of z deviations: Student's t with three degrees of freedom."""
    return -2 * math.log1p(z * z / 3)


def measures(score: Score) -> dict[str, float]:
    """The measures of a score; NaN where one is not defined (drums alone have no key)."""
    if not len(score.notes):
        return dict.fromkeys(_MEASURES, math.nan)
    grid = statistics.BarGrid.of(score)
    return {name: measure(grid) for name, measure in _MEASURES.items()}


def signs(score: Score, before: Score | None = None) -> dict[str, float]:
    """Signs of failure in a score.

    Args:
        score: new music, beginning at tick 0.
        before: the prompt, or None.

    Returns:
        silence: the longest silence in quarter notes, the beginning included.
        loop: how often a figure is repeated without a break, if that lasts for 32 notes.
        runaway: octaves (doublings or halvings) by which the last quarter of the music is denser or
            thinner than the prompt, or than the first half of the music without one.
    """
    return {
        "silence": _longest_silence(score),
        "loop": _most_rounds(score),
        "runaway": _runaway(score, before),
    }


def rank(
    scores: Sequence[Score],
    *,
    prompt: Score | None = None,
    wanted: Iterable[int] = (),
    bars_late: Sequence[float] | None = None,
    key: Key | None = None,
    critic: Sequence[float] | None = None,
    parts: Sequence[Iterable[Finding]] | None = None,
) -> list[Ranked]:
    """Rank candidates, best first; ties go to the earlier one.

    Args:
        scores: the new music of each candidate, beginning at tick 0.
        prompt: what it continues, or None.
        wanted: programs that were requested or are in the prompt; empty if any will do.
        bars_late: how many bars after the requested bar line each candidate ends (negative:
            before), if an ending was requested.
        key: the key to end in; by default estimated from each candidate.
        critic: the critic's log-odds for each candidate.
        parts: for each candidate, what was found of single parts.

    Raises:
        InputError: if `bars_late`, `critic` or `parts` is not as long as `scores`.
    """
    for name, given in (("bars_late", bars_late), ("critic", critic), ("parts", parts)):
        if given is not None and len(given) != len(scores):
            raise InputError(f"{name} has {len(given)} values for {len(scores)} candidates")
    before = None if prompt is None or not len(prompt.notes) else prompt
    wanted = tuple(wanted)
    ranked = []
    for index, score in enumerate(scores):
        found = _found(score, before, wanted)
        if bars_late is not None:
            for finding in ending_evidence(score.notes, key, bars_late[index]):
                found.add("ending", *finding)
        for finding in parts[index] if parts is not None else ():
            found.add("parts", *finding)
        if critic is not None:
            found.evidence = {"critic": critic[index], **found.evidence}
        words = tuple(words for _, words in sorted(found.reasons))
        ranked.append(Ranked(index + 1, sum(found.evidence.values()), found.evidence, words))
    return sorted(ranked, key=lambda one: (-one.total, one.number))


def _found(score: Score, before: Score | None, wanted: tuple[int, ...]) -> _Findings:
    """All findings on one candidate except its ending and the critic."""
    found = _Findings()
    if not len(score.notes):
        found.add("silence", -len(USUAL) * MOST, "no notes")
        return found
    _add_measures(found, measures(score), None if before is None else measures(before))
    _add_signs(found, signs(score, before), None if before is None else signs(before))
    _add_instruments(found, score, wanted)
    return found


def _add_measures(found: _Findings, new: dict[str, float], old: dict[str, float] | None) -> None:
    for name, usual in USUAL.items():
        known = old is not None and not math.isnan(old[name])
        centre = old[name] if old is not None and known else usual.mean
        z = (new[name] - centre) / (usual.change if known else usual.spread)
        z = 0.0 if math.isnan(z) else z
        # Two measures of the same thing, the notes of the key, count half each.
        half = 0.5 if name in ("entropy", "scale") else 1.0
        found.add(name, half * unlike(z), _WORDS[name][z > 0])


_WORDS = {
    "entropy": ("fewer different notes", "more different notes"),
    "scale": ("further from a scale", "closer to a scale"),
    "groove": ("less steady", "steadier"),
    "density": ("thinner", "denser"),
    "polyphony": ("fewer notes together", "more notes together"),
}


def _add_signs(found: _Findings, new: dict[str, float], old: dict[str, float] | None) -> None:
    words = {
        "silence": f"silent for {new['silence']:.0f} quarter notes",
        "loop": f"one figure repeated {new['loop']:.0f} times",
        "runaway": "its density runs away",
    }
    for name, most in RARE.items():
        limit = most if old is None or name == "runaway" else max(most, old[name])
        found.add(name, -min(MOST, MOST * max(0.0, new[name] / limit - 1)), words[name])


def _add_instruments(found: _Findings, score: Score, wanted: tuple[int, ...]) -> None:
    """Notes in instruments that were not requested, and requested ones that are silent."""
    inside, _, silent = in_instruments(score.notes, wanted)
    if inside is None:
        return
    outside = 1 - inside
    words = f"{outside:.0%} of the notes in other instruments"
    found.add("instruments", -MOST * outside, words)
    if silent:
        names = ", ".join(instrument_name(program) for program in silent)
        nats = -min(MOST, _SILENT_INSTRUMENT * len(silent))
        found.add("instruments", nats, f"{names} silent")


def _log(value: float) -> float:
    return math.log2(value) if value > 0 else math.nan


def _longest_silence(score: Score) -> float:
    start = score.notes["start"].astype(np.int64)
    stop = np.maximum.accumulate(np.concatenate([[0], start + score.notes["duration"]]))
    gap = float((start - stop[:-1]).max(initial=0))
    return gap / score.ticks_per_quarter


def _most_rounds(score: Score) -> float:
    notes = score.notes
    wait = np.diff(notes["start"].astype(np.int64), prepend=0)
    keys = (wait * (DRUMS + 1) + notes["program"]) * 128 + notes["pitch"]
    runs = longest_runs(keys)
    rounds = runs / np.arange(1, len(runs) + 1)
    return float(rounds[runs >= _FEWEST_ROWS].max(initial=0.0))


def _runaway(score: Score, before: Score | None) -> float:
    if not len(score.notes):
        return 0.0
    length = int(score.end)
    last = _density(score, length * 3 // 4, length)
    usual = _density(score, 0, length // 2) if before is None else _density(before, 0, before.end)
    return abs(math.log2(max(last, 1e-3) / max(usual, 1e-3)))


def _density(score: Score, start: int, stop: int) -> float:
    """Notes per quarter note between two ticks."""
    onsets = score.notes["start"]
    count = int(((onsets >= start) & (onsets < stop)).sum())
    return count * score.ticks_per_quarter / max(1, stop - start)


def ranked(
    checkpoint: Checkpoint, continuation: Continuation, results: Sequence[Result]
) -> list[tuple[Result, Ranked]]:
    """The results of a continuation, best first, each with its score and reasons.

    Args:
        checkpoint: the model; its critic is used if it has one.
        continuation: the continuation that made them.
        results: all of its results, in their order.
    """
    bars_late = [continuation.bars_late(result.score.end) for result in results]
    found = rank(
        [new_music(result, continuation.prompt.parts) for result in results],
        prompt=None if continuation.fresh else continuation.prompt.music,
        wanted=continuation.wanted,
        bars_late=bars_late if continuation.options.ending else None,
        key=continuation.key,
        critic=_critic(checkpoint, continuation, results),
    )
    return [(results[one.number - 1], one) for one in found]


def new_music(result: Result, parts: Sequence[Part] = ()) -> Score:
    """The new music of a result as a score that starts at its first bar line.

    Args:
        result: with the file.
        parts: those of the prompt, to give their notes the programs that they are heard as.
    """
    file, score = result.file, result.score
    bar, boundary = result.bar, result.boundary
    if result.timing is not None:
        file = result.timing.heard(file)
        score = result.timing.timed(read(events.dump(file)), score)
        bar, boundary = map(result.timing.heard_tick, (bar, boundary))
    score = as_heard(score, places_of(file), parts)
    music = between(score, bar, score.end + 1)
    new = music.notes["start"] >= boundary - bar
    return replace(music, notes=music.notes[new])


class Variation(Protocol):
    """What can be ranked: a finished variation of a request."""

    @property
    def variation(self) -> int:
        """Its number."""


def table(rows: Sequence[tuple[Variation, Ranked]], keep: int) -> str:
    """The ranking as a table: the nats of each finding, and the worst in words.

    Args:
        rows: from `ranked` or `ranked_takes`.
        keep: how many are kept; these are marked with a star.
    """
    names = list(dict.fromkeys(name for _, one in rows for name in one.evidence))
    # Columns of zeros are left out.
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
    checkpoint: Checkpoint, continuation: Continuation, results: Sequence[Result]
) -> list[float] | None:
    """The critic's log-odds of each result; one without notes gets the lowest."""
    if not checkpoint.config.critic:
        return None
    from musenet.evaluation.critic import log_odds

    indices = [i for i, result in enumerate(results) if result.notes]
    odds = np.full(len(results), -MOST)
    if indices:
        odds[indices] = log_odds(checkpoint, [continuation.piece(i) for i in indices])
    return odds.tolist()
