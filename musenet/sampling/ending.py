"""Endings: how real pieces close, and the best of several endings for a piece that is to close.

Real pieces close with the tonic in the bass, its triad and nothing else, and held. The chord at a
piece's last onset is compared with the chords at all of its onsets: evidence in nats that a chord
is a last one. `benchmarks/ranges.py` gives the figures.

A small model meets a last chord once in a thousand notes. So the last bars are sampled several
times, and what ends best is kept; nothing is written that the model did not write.

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

from musenet.model.transformer import Transformer
from tokenizer.encoding.vocabulary import INSTRUMENT, Vocabulary
from tokenizer.instruments import DRUMS
from tokenizer.theory import Key, estimate_key, pitch_class_weights
from tokenizer.typing import Notes, Tokens

from .sampler import SampledRows, Sampler, SamplerConfig, rows_of

QUARTERS = 8
"""Quarter notes (or half seconds) before the end at which an ending begins."""

CANDIDATES = 16
"""Endings that are sampled of each variation."""


class Chord(NamedTuple):
    """What sounds at a time.

    Attributes:
        tonic_in_bass: whether its lowest note is the tonic.
        tonic_triad: whether all its notes are of the tonic's triads, major and minor.
        held: by how many octaves (doublings) longer it lasts than the median note, until another
            note starts or it is over.
    """

    tonic_in_bass: bool
    tonic_triad: bool
    held: float


class Share(NamedTuple):
    """Of how many pieces the last chord is such a chord, and how many of all chords are."""

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
"""Means of `held` in last chords and in all, and the standard deviation in either."""

_MOST_HELD = 3.0
_BAR_OFF, _BARS_OFF = 1.5, 3.0
_TRIADS = (0, 3, 4, 7)


def chord_at(notes: Notes, tick: int, key: Key) -> Chord | None:
    """The chord that sounds at a tick, or None where no pitched note does.

    Args:
        notes: `tokenizer.score.score.NOTES`, of the whole piece.
        tick: when.
        key: in which.
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
    """The chord at the last beginning of a pitched note; None if there is none, or no key.

    Args:
        notes: `tokenizer.score.score.NOTES`, of the whole piece.
        key: in which; by default as the notes themselves say.
    """
    pitched = notes[notes["program"] != DRUMS]
    key = key or estimate_key(pitch_class_weights(pitched))
    if key is None or not len(pitched):
        return None
    return chord_at(pitched, int(pitched["start"].max()), key)


def ending_evidence(notes: Notes, key: Key | None, bars_late: float) -> list[tuple[float, str]]:
    """How well a piece ends, in nats, with words for where it does not.

    Args:
        notes: `tokenizer.score.score.NOTES`.
        key: in which it is to end; by default as the notes themselves say.
        bars_late: how many bars after the bar line asked for it ends; before it: negative.
    """
    side = "late" if bars_late > 0 else "early"
    off = abs(bars_late)
    found = [(-_BAR_OFF * min(off, _BARS_OFF), f"ends {off:.1f} bars {side}")]
    chord = last_chord(notes, key)
    return found if chord is None else [*found, *chord_evidence(chord)]


def chord_evidence(chord: Chord) -> list[tuple[float, str]]:
    """How much likelier a chord is as a piece's last than anywhere, in nats, and what if it is not.

    Which chord it is and how long it is held are taken for independent.
    """
    share = LAST_CHORDS[chord.tonic_in_bass, chord.tonic_triad]
    held = min(max(chord.held, -_MOST_HELD), _MOST_HELD)
    middle = (HELD_LAST + HELD_ANY) / 2
    return [
        (math.log(share.last / share.any), "its last chord is not the tonic's"),
        ((HELD_LAST - HELD_ANY) / HELD_SPREAD**2 * (held - middle), "its last chord is short"),
    ]


EndingScore = Callable[[Tokens], float]
"""score(rows) says how well the new rows `(T, 5)` of a variation end; more is better."""


class EndingSampler:
    """A sampler of pieces that are to end: a `Sampler` that keeps the best of several endings.

    Args:
        model: of the vocabulary.
        vocabulary: what rows mean.
        config: with a `length`.
        score: of endings.
    """

    def __init__(
        self, model: Transformer, vocabulary: Vocabulary, config: SamplerConfig, score: EndingScore
    ) -> None:
        self._model, self._vocabulary, self._config, self._score = model, vocabulary, config, score
        length = config.until if config.length is None else config.length
        self._begin = max(config.not_before, length - QUARTERS * vocabulary.grid.beat)
        self.relaxed: Counter[str] = Counter()

    def sample(self) -> Iterator[SampledRows]:
        """Row after row; those of the endings when all candidates are there."""
        rows = yield from self._before_the_ending()
        yield from self._side_by_side(rows, [self._ending(*pair) for pair in enumerate(rows)])

    def _before_the_ending(self) -> Generator[SampledRows, None, list[Tokens]]:
        """Sample to where the ending begins; returns the rows `(T, 5)` of each variation."""
        sampled: list[SampledRows] = []
        if self._begin > self._config.not_before:
            before = replace(self._config, until=self._begin, may_end_at=None)
            sampler = Sampler(self._model, self._vocabulary, before)
            for new in sampler.sample():
                sampled.append(new)
                yield new
            self.relaxed += sampler.relaxed
        return [rows_of(sampled, index) for index in range(len(self._config.variations))]

    def _ending(self, index: int, rows: Tokens) -> Tokens:
        """The best ending, rows `(T, 5)`, of a variation of which `rows` are there."""
        config = self._config
        prompt = np.concatenate([config.prompt, rows])
        constraints = config.constraints
        playing = np.unique(prompt[self._vocabulary.is_note(prompt), INSTRUMENT] - 1)
        if constraints.programs is None and len(playing):  # no new instrument in an ending
            constraints = replace(constraints, programs=tuple(playing.tolist()))
        seeds = np.random.SeedSequence([config.seed, config.variations[index], QUARTERS])
        candidates = replace(
            config,
            prompt=prompt,
            constraints=constraints,
            not_before=self._begin,
            seed=int(seeds.generate_state(1, np.uint64)[0] >> 1),
            variations=tuple(range(1, CANDIDATES + 1)),
        )
        sampler = Sampler(self._model, self._vocabulary, candidates)
        sampled = list(sampler.sample())
        self.relaxed += sampler.relaxed
        endings = [rows_of(sampled, number) for number in range(CANDIDATES)]
        return max(endings, key=lambda ending: self._score(np.concatenate([rows, ending])))

    def _side_by_side(self, rows: list[Tokens], endings: list[Tokens]) -> Iterator[SampledRows]:
        """The rows of all variations' endings, as one sampler would have sampled them."""
        steps = self._vocabulary.steps
        begin = steps[self._config.prompt[:, 0]].sum()
        time = np.array([begin + steps[one[:, 0]].sum() for one in rows])
        for place in range(max(map(len, endings))):
            live = np.array([place < len(ending) for ending in endings])
            new = np.zeros((len(endings), 5), dtype=np.int16)
            new[live] = [ending[place] for ending in endings if place < len(ending)]
            time = time + steps[new[:, 0]]
            yield SampledRows(new, time, live)
