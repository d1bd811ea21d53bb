"""The chords that music is to follow, from a chart or a prompt, as given controls at their times.

As in training (`data_prep.dataset.tasks`): a chord stands where it begins, before the notes there,
the first one where the music begins, and none a second time while it lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from musenet.options.generate_options import GenerateOptions
from musenet.sampling.given import Stretch
from musenet.sampling.sampler import SamplerConfig
from tokenizer.chords.chart import ChartChord, chart, nearest, parse_chart
from tokenizer.chords.chord import CHORDS, NO_CHORD
from tokenizer.encoding.compound import Events, encode_events, row_times
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.holes import between as between_steps
from tokenizer.encoding.holes import events_of, no_events, woven
from tokenizer.encoding.structure import GIVEN, WRITTEN
from tokenizer.encoding.vocabulary import Vocabulary
from tokenizer.errors import InputError
from tokenizer.score.bars import Bars
from tokenizer.score.chords import chart_ticks, file_chords, score_chart, score_chords
from tokenizer.typing import Ints, Ticks, Tokens

from .prompt import Prompt, between

MORE_AGREEMENT = 0.05
"""A longer loop is taken if its chords agree with those of one loop before in so much more time."""
LEAST_AGREEMENT = 0.6
"""The share of the time in which they must agree, or there is no loop."""
_PARTS = 24  # of a bar, in which the chords of two bars are compared
_MOST_WRITTEN = 16  # bars of chords in a sentence


@dataclass(frozen=True)
class TimedChords:
    """Chords in the time of a file.

    Attributes:
        ticks: where each begins, ascending.
        numbers: of the chords in `CHORDS`.
        words: sentences that tell the user what was made of the request.
    """

    ticks: Ticks
    numbers: Ints
    words: tuple[str, ...] = ()

    def before(self, tick: int) -> TimedChords:
        """The chords that begin before a tick."""
        earlier = self.ticks < tick
        return TimedChords(self.ticks[earlier], self.numbers[earlier], self.words)

    def since(self, tick: int) -> TimedChords:
        """The chords from a tick on; the one that sounds there begins there."""
        first = max(0, int(np.searchsorted(self.ticks, tick, side="right")) - 1)
        return TimedChords(np.maximum(self.ticks[first:], tick), self.numbers[first:], self.words)

    def then(self, later: TimedChords) -> TimedChords:
        """These chords and later ones, with the words of both."""
        return TimedChords(
            np.concatenate([self.ticks, later.ticks]),
            np.concatenate([self.numbers, later.numbers]),
            tuple(dict.fromkeys(self.words + later.words)),
        )


def chords_for(
    options: GenerateOptions, prompt: Prompt, end: int, vocabulary: Vocabulary
) -> TimedChords | None:
    """The chords of a prompt and, to tick `end`, those that are asked for; None if none are.

    Raises:
        InputError: if the vocabulary has no chords, or no chord sounds in a prompt that is to
            keep its own.
    """
    if options.chords is None and not options.keep_chords:
        return None
    check_chords(vocabulary)
    fresh = not len(prompt.music.notes)
    if options.chords is not None:
        asked = chart_chords(options.chords, prompt.bars, prompt.boundary, end)
        return asked if fresh else chords_of(prompt).before(prompt.boundary).then(asked)
    if fresh:
        raise InputError(
            "--keep-chords needs a prompt whose chords are kept; give one, or a chart with --chords"
        )
    return kept_chords(prompt, end)


def knows_chords(vocabulary: Vocabulary) -> bool:
    """Whether a model has chords in its vocabulary."""
    return vocabulary.control(NO_CHORD.control) is not None


def check_chords(vocabulary: Vocabulary) -> None:
    """Reject a model that knows no chords.

    Raises:
        InputError: if its vocabulary has none.
    """
    if not knows_chords(vocabulary):
        raise InputError(
            "these weights know no chords; use weights that were trained with chords, or leave out "
            "--chords and --keep-chords"
        )


def chart_chords(text: str, bars: Bars, begin: int, end: int) -> TimedChords:
    """A chart that begins at the first bar line from tick `begin` on, repeated up to tick `end`.

    Raises:
        InputError: if the text is no chart.
    """
    first = bars.number(begin)
    first += bars.tick(first) < begin
    found = _repeated(parse_chart(text), bars, first, begin, end)
    taken = [f"{symbol} as {chord.symbol}" for symbol, chord in nearest(text).items()]
    if not taken:
        return found
    words = f"Chords are taken for the nearest that the model knows: {', '.join(taken)}."
    return TimedChords(found.ticks, found.numbers, (words,))


def chords_of(prompt: Prompt) -> TimedChords:
    """The chords of a prompt: those that its texts name, else those estimated from its notes."""
    named = file_chords(between(prompt.score, 0, prompt.boundary))
    if named is not None:
        return TimedChords(*named)
    ticks, numbers = score_chords(prompt.music)
    return TimedChords(ticks + prompt.origin, numbers)


def kept_chords(prompt: Prompt, end: int, *, whole: bool = True) -> TimedChords:
    """The chords of a prompt, and its loop from the boundary on to tick `end`.

    The loop is a number of bars after which the chords come again: the shortest that fits about as
    well as any. Where none fits, it is all whole bars of the prompt.

    Args:
        prompt: with notes.
        end: the first tick after the music.
        whole: False leaves the chords open after the boundary where no loop fits.

    Raises:
        InputError: if no chord sounds in the prompt.
    """
    found = chords_of(prompt).before(prompt.boundary)
    if not found.numbers.any():
        raise InputError(
            "no chord sounds in the prompt, so none can be kept; give a chart with --chords"
        )
    bars = prompt.bars
    first, last = bars.number(prompt.origin), bars.number(prompt.boundary)
    first += bars.tick(first) < prompt.origin
    rows = score_chart(prompt.score, found.ticks, found.numbers)
    by_bar = [_chords_in(rows, bar) for bar in range(first, last) or [last]]
    length = _loop_length(by_bar)
    if length is None and not whole:
        return found
    own = by_bar[-(length or len(by_bar)) :]
    loop = [row._replace(bar=bar) for bar, chords in enumerate(own) for row in chords]
    again = _repeated(loop, bars, last, prompt.boundary, end)
    written = " | ".join(chart(loop).splitlines()).split(" | ")
    words = f"The chords go on in the prompt's loop of {_count(len(own))}: {' | '.join(written)}"
    if len(own) > _MOST_WRITTEN:
        words = f"The chords of the prompt's last {_count(len(own))} come again: " + " | ".join(
            [*written[:_MOST_WRITTEN], "…"]
        )
    return found.then(TimedChords(again.ticks, again.numbers, (words,)))


def chord_events(
    chords: TimedChords, clock: GridClock, vocabulary: Vocabulary, first: int = 0
) -> Events:
    """Chords as controls at their steps: each once while it lasts, the first not before `first`.

    Args:
        chords: in the ticks of the clock's file.
        clock: of the file.
        vocabulary: with chords.
        first: the step at which the music begins.
    """
    steps = np.array([max(first, clock.step(tick)) for tick in chords.ticks.tolist()], np.int64)
    kept = np.append(steps[1:] > steps[:-1], True)[: len(steps)]
    steps, numbers = steps[kept], chords.numbers[kept]
    new = np.append(True, numbers[1:] != numbers[:-1])[: len(steps)]
    values = vocabulary.known(CHORDS[number].control for number in numbers[new].tolist())
    none = no_events()
    return Events(none.times, none.notes, steps[new], np.array(values, np.int64))


def with_chords(
    config: SamplerConfig, chords: TimedChords, clock: GridClock, vocabulary: Vocabulary
) -> SamplerConfig:
    """What to sample, with chords in the prompt and in the music after it."""
    music = events_of(config.prompt, row_times(config.prompt, vocabulary), vocabulary)
    first = int(music.times[0]) if len(music.times) else 0
    events = chord_events(chords, clock, vocabulary, first)
    begin, end = config.not_before, config.until
    rows, given = woven(between_steps(events, 0, begin), music, 0, vocabulary)
    stretch = Stretch(begin, end, between_steps(events, begin, end))
    roles = np.where(given, GIVEN, WRITTEN)
    return replace(config, prompt=rows, roles=roles, stretches=(stretch,))


def without_chords(body: Tokens, vocabulary: Vocabulary) -> Tokens:
    """A body `(T, 5)` as it is where no chords are said."""
    events = events_of(body, row_times(body, vocabulary), vocabulary)
    music = ~vocabulary.chords[events.controls]
    plain = replace(
        events, control_times=events.control_times[music], controls=events.controls[music]
    )
    return encode_events(plain, vocabulary)


def _repeated(
    chords: Sequence[ChartChord], bars: Bars, first: int, begin: int, end: int
) -> TimedChords:
    """A chart again and again from bar `first` on; what sounds at tick `begin` begins there."""
    length = chords[-1].bar + 1
    rounds = -(-(bars.number(max(end - 1, 0)) + 1 - first) // length)
    rows = [
        row._replace(bar=first + time * length + row.bar)
        for time in range(max(rounds, 0))
        for row in chords
    ]
    ticks, numbers = chart_ticks(rows, bars)
    return TimedChords(ticks, numbers).since(begin).before(end)


def _chords_in(rows: Sequence[ChartChord], bar: int) -> list[ChartChord]:
    """The chords of a bar of a chart, with one at its beginning."""
    own = [row for row in rows if row.bar == bar]
    if own and own[0].place == 0:
        return own
    earlier = [row.chord for row in rows if row.bar < bar]
    return [ChartChord(bar, Fraction(0), earlier[-1] if earlier else NO_CHORD), *own]


def _loop_length(by_bar: Sequence[Sequence[ChartChord]]) -> int | None:
    """How many bars of a row of bars are a loop; None if there is none."""
    places = [Fraction(part, _PARTS) for part in range(_PARTS)]
    sounding = np.array(
        [
            [[row for row in own if row.place <= place][-1].chord.number for place in places]
            for own in by_bar
        ]
    )
    count = len(sounding)
    agreement = np.array(
        [(sounding[bars:] == sounding[:-bars]).mean() for bars in range(1, count // 2 + 1)]
    )
    if agreement.max(initial=0) < LEAST_AGREEMENT:
        return None
    return 1 + int(np.argmax(agreement >= agreement.max() - MORE_AGREEMENT))


def _count(bars: int) -> str:
    return "1 bar" if bars == 1 else f"{bars} bars"
