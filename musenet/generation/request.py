"""A request in progress: what a sampler writes, step by step, in the ticks of a user's file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from musenet.sampling.ending import EndingSampler
from musenet.sampling.learned.token_sampler import TokenSampler
from musenet.sampling.sampler import SampledRows, Sampler
from musenet.sampling.segments import SegmentSampler
from tokenizer.chords.chord import CHORDS
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.score.bars import Bars
from tokenizer.typing import Notes

from .chords import TimedChords

AnySampler = Sampler | EndingSampler | SegmentSampler | TokenSampler


class Request(ABC):
    """One request in progress; it can be stopped after any step.

    Attributes:
        bars: the bar lines of the file.
    """

    bars: Bars
    _tokenizer: Tokenizer
    _clock: GridClock
    _sampler: AnySampler
    _sampled: list[SampledRows]
    _chords: TimedChords | None
    _finished: bool = False

    @property
    @abstractmethod
    def span(self) -> tuple[int, int]:
        """The ticks between which the new music lies as requested."""

    @property
    def words(self) -> tuple[str, ...]:
        """Sentences that say what was made of the request where that is not plain."""
        return () if self._chords is None else self._chords.words

    @property
    def chord_symbols(self) -> list[tuple[int, str]]:
        """The ticks and symbols of the chords that the music follows; none if none are given."""
        if self._chords is None:
            return []
        rows = zip(self._chords.ticks.tolist(), self._chords.numbers.tolist(), strict=True)
        return [(tick, CHORDS[number].symbol) for tick, number in rows]

    def steps(self) -> Iterator[float]:
        """Generate step by step; each step yields the tick that all variations have reached."""
        for new in self._sampler.sample():
            self._sampled.append(new)
            behind = new.times[new.live].min()
            yield float(self._clock.ticks(np.array([behind]))[0])
        self._finished = True

    def reached(self, index: int) -> int:
        """The tick of the bar line after what a variation has come to."""
        times = [new.times[index] for new in self._sampled if new.live[index]]
        tick = int(self._clock.ticks(np.array(times[-1:]))[0]) if times else 0
        return self.bars.tick(self.bars.number(max(tick - 1, self.span[0])) + 1)

    def latest(self) -> Notes:
        """The notes of the last step, `tokenizer.score.score.NOTES` in the file's ticks.

        The column `track` is the index of each note's variation.
        """
        new = self._sampled[-1]
        playing = new.live & new.written & self._tokenizer.vocabulary.is_note(new.rows)
        notes = self._tokenizer.decode_notes(new.rows[playing], new.times[playing], self._clock)
        notes["track"] = np.flatnonzero(playing)
        return notes
