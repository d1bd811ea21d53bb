"""Endings: how real pieces end, and the best of several sampled endings.

Real pieces end on a sustained tonic triad with the tonic in the bass. Comparing the chord at the
last onset of a piece with the chords at all onsets gives the evidence, in nats, that a chord is a
final one. `benchmarks/ranges.py` measures the figures.

A small model sees a final chord once in a thousand notes. So the last bars are sampled several
times and the best ending is kept; every note is still the model's.

    prompt ─▶ one Sampler to eight quarters before the end ─▶ for each variation a Sampler that
    samples its ending many times side by side ─▶ the ending with the highest score
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from musenet.model.stored import AnyModel
from tokenizer.encoding.structure import WRITTEN
from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.instruments import DRUMS
from tokenizer.theory import Key, estimate_key, pitch_class_weights
from tokenizer.typing import Ints, Notes, Tokens

from .sampler import SampledRows, Sampler, SamplerConfig, roles_of, rows_of

QUARTERS = 8
"""Length of an ending in quarter notes (or half seconds)."""

CANDIDATES = 16
"""Endings sampled for each variation."""


class Chord(NamedTuple):
    """The chord at a point in time.

    Attributes:
        tonic_in_bass: whether its lowest note is the tonic.
        tonic_triad: whether all its notes belong to the major or minor triad of the tonic.
        held: its duration, until another note starts or it ends, over that of the median note,
            as a base-2 logarithm.
    """

    tonic_in_bass: bool
    tonic_triad: bool
    held: float


class Share(NamedTuple):
    """The share of final chords, and of all chords, that are of a kind."""

    last: float
    any: float


LAST_CHORDS: dict[tuple[bool, bool], Share] = {
    (True, True): Share(0.70, 0.13),
    (True, False): Share(0.03, 0.10),
    (False, True): Share(0.07, 0.11),
    (False, False): Share(0.19, 0.66),
}
"""By `tonic_in_bass` and `tonic_triad`."""

HELD_LAST, HELD_ANY, HELD_SPREAD = 1.5, -0.4, 1.2
"""Mean of `held` in final chords and in all chords, and its standard deviation in both."""

_MOST_HELD = 3.0
_BAR_OFF, _BARS_OFF = 1.5, 3.0
_TRIADS = (0, 3, 4, 7)


def chord_at(notes: Notes, tick: int, key: Key) -> Chord | None:
    """The chord that sounds at a tick, or None if no pitched note does.

    Args:
        notes: `tokenizer.score.score.NOTES`, of the whole piece.
        tick: the point in time.
        key: the key of the piece.
    """
    pitched = notes[notes["program"] != DRUMS]
    stops = pitched["start"].astype(np.int64) + pitched["duration"]
    sounding = (pitched["start"] <= tick) & (stops > tick)
    if not sounding.any():
        return None
    degrees = (pitched["pitch"][sounding].astype(np.int64) - key.tonic) % 12
    lowest = pitched["pitch"][sounding].argmin()
    later = pitched["start"][pitched["start"] > tick]
    over = min([int(stops[sounding].max()), *later[:1].tolist()])
    held = (over - tick) / max(1.0, float(np.median(pitched["duration"])))
    return Chord(
        tonic_in_bass=bool(degrees[lowest] == 0),
        tonic_triad=bool(np.isin(degrees, _TRIADS).all()),
        held=math.log2(held),
    )


def last_chord(notes: Notes, key: Key | None) -> Chord | None:
    """The chord at the last onset of a pitched note; None without such a note or a key.

    Args:
        notes: `tokenizer.score.score.NOTES`, of the whole piece.
        key: the key of the piece; by default estimated from the notes.
    """
    pitched = notes[notes["program"] != DRUMS]
    key = key or estimate_key(pitch_class_weights(pitched))
    if key is None or not len(pitched):
        return None
    return chord_at(pitched, int(pitched["start"].max()), key)


def ending_evidence(notes: Notes, key: Key | None, bars_late: float) -> list[tuple[float, str]]:
    """How well a piece ends, in nats, with reasons in words.

    Args:
        notes: `tokenizer.score.score.NOTES`.
        key: the key to end in; by default estimated from the notes.
        bars_late: how many bars after the requested bar line it ends; negative if before.
    """
    side = "late" if bars_late > 0 else "early"
    off = abs(bars_late)
    found = [(-_BAR_OFF * min(off, _BARS_OFF), f"ends {off:.1f} bars {side}")]
    chord = last_chord(notes, key)
    return found if chord is None else [*found, *chord_evidence(chord)]


def chord_evidence(chord: Chord) -> list[tuple[float, str]]:
    """How much likelier a chord is at the end than elsewhere, in nats, with reasons in words.

    The kind of chord and its duration are treated as independent.
    """
    share = LAST_CHORDS[chord.tonic_in_bass, chord.tonic_triad]
    held = min(max(chord.held, -_MOST_HELD), _MOST_HELD)
    middle = (HELD_LAST + HELD_ANY) / 2
    return [
        (math.log(share.last / share.any), "its last chord is not the tonic chord"),
        ((HELD_LAST - HELD_ANY) / HELD_SPREAD**2 * (held - middle), "its last chord is short"),
    ]


_Rows = tuple[Tokens, Ints]
"""Rows `(T, 5)` and their roles `(T,)`."""

EndingScore = Callable[[Tokens], float]
"""score(rows) rates how well the new rows `(T, 5)` of a variation end; higher is better."""


class EndingSampler:
    """A `Sampler` for pieces with an ending, which keeps the best of several endings.

    Args:
        model: of the vocabulary.
        vocabulary: of the rows.
        config: the configuration, with a `length`.
        score: rates endings.
    """

    def __init__(
        self, model: AnyModel, vocabulary: Vocabulary, config: SamplerConfig, score: EndingScore
    ) -> None:
        self._model, self._vocabulary, self._config, self._score = model, vocabulary, config, score
        length = config.until if config.length is None else config.length
        self._begin = max(config.not_before, length - QUARTERS * vocabulary.grid.beat)
        self.relaxed: Counter[str] = Counter()

    def sample(self) -> Iterator[SampledRows]:
        """Yield row after row; those of the endings once all candidates are sampled."""
        before = yield from self._before_the_ending()
        endings = [self._ending(*pair) for pair in enumerate(before)]
        yield from self._side_by_side([rows for rows, _ in before], endings)

    def _before_the_ending(self) -> Generator[SampledRows, None, list[_Rows]]:
        """Sample up to the ending; returns the rows of each variation."""
        sampled: list[SampledRows] = []
        if self._begin > self._config.not_before:
            before = replace(self._config, until=self._begin, may_end_at=None)
            sampler = Sampler(self._model, self._vocabulary, before)
            for new in sampler.sample():
                sampled.append(new)
                yield new
            self.relaxed += sampler.relaxed
        return [_of(sampled, index) for index in range(len(self._config.variations))]

    def _ending(self, index: int, before: _Rows) -> _Rows:
        """The best ending of a variation that has the rows `before` so far."""
        config, (rows, roles) = self._config, before
        prompt = np.concatenate([config.prompt, rows])
        own = np.full(len(config.prompt), WRITTEN) if config.roles is None else config.roles
        constraints = config.constraints
        playing = np.unique(prompt[self._vocabulary.is_note(prompt), INSTRUMENT] - 1)
        if constraints.programs is None and len(playing):  # no new instrument in an ending
            constraints = replace(constraints, programs=tuple(playing.tolist()))
        seeds = np.random.SeedSequence([config.seed, config.variations[index], QUARTERS])
        candidates = replace(
            config,
            prompt=prompt,
            roles=np.concatenate([own, roles]),
            stretches=tuple(stretch.after(self._begin) for stretch in config.stretches),
            constraints=constraints,
            not_before=self._begin,
            seed=int(seeds.generate_state(1, np.uint64)[0] >> 1),
            variations=tuple(range(1, CANDIDATES + 1)),
        )
        sampler = Sampler(self._model, self._vocabulary, candidates)
        sampled = list(sampler.sample())
        self.relaxed += sampler.relaxed
        endings = [_of(sampled, number) for number in range(CANDIDATES)]
        return max(endings, key=lambda ending: self._score(np.concatenate([rows, ending[0]])))

    def _side_by_side(self, rows: list[Tokens], endings: list[_Rows]) -> Iterator[SampledRows]:
        """Yield the endings of all variations in step, as one sampler would."""
        steps = self._vocabulary.steps
        begin = steps[self._config.prompt[:, 0]].sum()
        time = np.array([begin + steps[one[:, 0]].sum() for one in rows])
        for place in range(max(len(ending) for ending, _ in endings)):
            live = np.array([place < len(ending) for ending, _ in endings])
            new = np.zeros((len(endings), 5), dtype=np.int16)
            written = live.copy()
            for index in np.flatnonzero(live):
                ending, roles = endings[index]
                new[index], written[index] = ending[place], roles[place] == WRITTEN
            time = time + steps[new[:, 0]]
            yield SampledRows(new, time, live, written)


def _of(sampled: list[SampledRows], index: int) -> _Rows:
    """The rows of a variation, by its index."""
    return rows_of(sampled, index), roles_of(sampled, index)
