"""Form: the sections of a piece in its file, and what makes one that returns the same again."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from musenet.options.generate_options import GenerateOptions
from tokenizer.encoding.grid import GridClock
from tokenizer.encoding.tokenizer import Tokenizer
from tokenizer.errors import InputError
from tokenizer.midi.smf import MARKER
from tokenizer.score.bars import Bars
from tokenizer.typing import Notes, Steps, Tokens

from .chords import TimedChords
from .conditions import changed
from .prompt import Prompt

DEFAULT_BARS = 8
"""Bars of a section, where neither the form nor a prompt says how many."""
_MOST_BARS = 10_000
_MARKER_BARS = 8


class Section(NamedTuple):
    """A section in the ticks of a file.

    Attributes:
        name: as the form names it.
        begin: its first tick.
        end: the first tick after it.
        source: the first tick of the section that it is again; None for a new one.
    """

    name: str
    begin: int
    end: int
    source: int | None = None


def sections(form: str, prompt: Prompt, *, fresh: bool) -> tuple[Section, ...]:
    """The sections of a form in the ticks of a prompt's file.

    A prompt is the first section: its last bars, if the form gives the section fewer; and what it
    lacks of a longer section is written. Sections without a length are as long as the first.

    Args:
        form: see `musenet.options.timeline.parse_form`.
        prompt: what the piece begins with, with nothing in it if `fresh`.
        fresh: whether there is no prompt.

    Raises:
        InputError: if the form ends before the new music begins, is too long, or a section that
            returns would do so in another meter.
    """
    bars = prompt.bars
    parts = [word.partition(":") for word in form.split()]
    lengths = {name: int(count) for name, _, count in parts if count}
    first, last = _prompt_bars(prompt)
    own = lengths.get(parts[0][0]) or (DEFAULT_BARS if fresh else last - first)
    begin = first if fresh or own >= last - first else last - own
    found: list[Section] = []
    begun: dict[str, Section] = {}
    for name, _, _ in parts:
        stop = begin + lengths.get(name, own)
        if stop > _MOST_BARS:
            raise InputError(f"the form is longer than {_MOST_BARS:,} bars; give shorter sections")
        earlier = begun.get(name)
        section = Section(
            name, bars.tick(begin), bars.tick(stop), None if earlier is None else earlier.begin
        )
        if earlier is not None and not _alike(bars, earlier, section):
            raise InputError(
                f"section {name} has other meters than bar {begin + 1}, where it should return; "
                "continue music in one meter, or cut it with --from"
            )
        begun.setdefault(name, section)
        found.append(section)
        begin = stop
    if found[-1].end <= prompt.boundary:
        raise InputError(
            "the form is no longer than the prompt, which is its first section; add sections"
        )
    return tuple(found)


class Span(NamedTuple):
    """A stretch of new music under the same labels, in the ticks of a file.

    Attributes:
        begin: its first tick.
        end: the first tick after it.
        options: the request as it is there.
        source: the first tick of the earlier stretch that it is again; None for a new one.
    """

    begin: int
    end: int
    options: GenerateOptions
    source: int | None = None


def spans(
    form: tuple[Section, ...], prompt: Prompt, end: int, options: GenerateOptions
) -> tuple[Span, ...]:
    """The stretches of the new music, in which neither section nor labels change.

    Args:
        form: the sections; none if the music has no form.
        prompt: what stands before the new music.
        end: the tick at which the new music ends.
        options: the request.

    Raises:
        InputError: if labels change outside of the new music.
    """
    whole = form or (Section("", prompt.boundary, end),)
    changes = {prompt.bars.tick(change.bar - 1): change for change in options.then}
    for tick, change in changes.items():
        if not prompt.boundary <= tick < end:
            # A bar that the prompt begins is no place for a change.
            first, last = (prompt.bars.number(t - 1) + 1 for t in (prompt.boundary, end))
            first += 1
            raise InputError(
                f"--then names bar {change.bar}, but the new music has bars {first} to {last}"
            )
    found: list[Span] = []
    for section in whole:
        begin = max(section.begin, prompt.boundary)
        edges = [begin, *(tick for tick in changes if begin < tick < section.end), section.end]
        for start, stop in pairwise(edges):
            if start >= stop:
                continue
            if start in changes:
                options = changed(options, changes[start])
            source = None if section.source is None else section.source + start - section.begin
            found.append(Span(start, stop, options, source))
    return tuple(found)


def _prompt_bars(prompt: Prompt) -> tuple[int, int]:
    """The first whole bar of a prompt, and the bar after its last one."""
    bars = prompt.bars
    first, last = bars.number(prompt.origin), bars.number(prompt.boundary)
    first += bars.tick(first) < prompt.origin
    last += bars.tick(last) < prompt.boundary
    return min(first, last), last


def _alike(bars: Bars, one: Section, other: Section) -> bool:
    """Whether all bar lines of two sections have the same places in them."""

    def lines(section: Section) -> list[int]:
        return [tick - section.begin for tick in bars.lines(section.begin, section.end).tolist()]

    return lines(one) == lines(other)


def with_returning_chords(chords: TimedChords, form: tuple[Section, ...]) -> TimedChords:
    """Chords, where a section returns those that it had before."""
    for section in form:
        if section.source is not None:
            again = chords.since(section.source)
            moved = TimedChords(again.ticks - section.source + section.begin, again.numbers)
            rest = chords.since(section.end)
            chords = chords.before(section.begin).then(moved.before(section.end)).then(rest)
    return chords


def markers(
    form: tuple[Section, ...], bars: Bars, span: tuple[int, int], *, fresh: bool
) -> list[tuple[int, int, str]]:
    """Ticks, kinds and words of the markers: sections, or where the new music and its bars begin.

    Args:
        form: the sections, if any.
        bars: of the file.
        span: the ticks between which the new music lies.
        fresh: whether nothing stands before it.
    """
    if form:  # a prompt is left as it is, so that it can be told from what was added
        made = (section for section in form if span[0] <= section.begin < span[1])
        named = [(section.begin, MARKER, section.name) for section in made]
        goes_on = [(span[0], MARKER, "Continuation")]
        return named if named and named[0][0] == span[0] else goes_on + named
    found = [(span[0], MARKER, "Beginning" if fresh else "Continuation")]
    first, last = bars.number(span[0]), bars.number(span[1])
    first += bars.tick(first) < span[0]  # phrases begin after a pick-up
    for bar in range(first + _MARKER_BARS, last, _MARKER_BARS):
        found.append((bars.tick(bar), MARKER, f"Bar {bar + 1}"))
    return found


def as_before(
    notes: Notes,
    rows: Tokens,
    times: Steps,
    form: tuple[Section, ...],
    prompt: Prompt,
    tokenizer: Tokenizer,
    clock: GridClock,
) -> None:
    """Give notes that are earlier ones again the very ticks and velocities of these, in place.

    Args:
        notes: new notes, in the ticks of the file.
        rows: of each, `(N, 5)`.
        times: the step of each.
        form: the sections.
        prompt: what stands before them.
        tokenizer: of the rows.
        clock: of the file.
    """
    earlier: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    fields = ("start", "duration", "velocity")
    old, steps, own_rows = _prompt_rows(prompt, tokenizer)
    both = np.concatenate([old[[*fields]], notes[[*fields]]])
    keys = _keys(np.concatenate([steps, times]), np.concatenate([own_rows, rows]))
    for key, played in zip(keys, both.tolist(), strict=True):
        earlier.setdefault(key, []).append(played)
    own = keys[len(old) :]
    for section in form:
        if section.source is None:
            continue
        shift = clock.step(section.begin) - clock.step(section.source)
        inside = (times >= clock.step(section.begin)) & (times < clock.step(section.end))
        used: dict[tuple[int, ...], int] = {}
        for index in np.flatnonzero(inside).tolist():
            key = (own[index][0] - shift, *own[index][1:])
            place = used.get(key, 0)
            if place < len(earlier.get(key, ())):
                start, duration, velocity = earlier[key][place]
                notes[index]["start"] = start + section.begin - section.source
                notes[index]["duration"] = duration
                notes[index]["velocity"] = velocity
                used[key] = place + 1


def _prompt_rows(prompt: Prompt, tokenizer: Tokenizer) -> tuple[Notes, Steps, Tokens]:
    """The notes of a prompt in the ticks of its file, with their steps and rows `(N, 5)`."""
    notes = prompt.music.notes.copy()
    steps, classes = tokenizer.steps_and_classes(prompt.music, notes)
    rows = np.zeros((len(notes), 5), dtype=np.int16)
    columns = (notes["program"], notes["pitch"], classes, notes["velocity"] >> 2)
    rows[:, 1:] = np.stack([column.astype(np.int16) + 1 for column in columns], axis=1)
    notes["start"] += prompt.origin
    return notes, steps, rows


def _keys(steps: Steps, rows: Tokens) -> list[tuple[int, ...]]:
    """Step, instrument, pitch, duration and velocity of each row."""
    return [(step, *row) for step, row in zip(steps.tolist(), rows[:, 1:].tolist(), strict=True)]
