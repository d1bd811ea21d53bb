"""Windows past the context: what they say again of a hole and of chords, at its true time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from musenet.decoding.eager import EagerDecoder
from musenet.model.checkpoint import Checkpoint
from musenet.sampling.given import Stretch
from musenet.sampling.sampler import SamplerConfig
from tokenizer.chords.chord import Chord
from tokenizer.encoding.compound import Events, row_times
from tokenizer.encoding.holes import (
    Hole,
    between,
    header_mask,
    no_events,
    woven,
)
from tokenizer.encoding.structure import GIVEN, ROLE, WRITTEN, structure
from tokenizer.encoding.vocabulary import WAIT
from tokenizer.typing import Integers, Tokens

from .conftest import BAR, VOCABULARY, config_of, part, sampled


def inputs(
    checkpoint: Checkpoint, config: SamplerConfig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Tokens, Integers]]:
    """The windows that the decoder reads for the first variation, each whole."""
    windows: list[list[tuple[Integers, Integers]]] = []
    start, advance = EagerDecoder.start, EagerDecoder.advance

    def started(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        windows.append(list(zip(rows[0], columns[0], strict=True)))
        start(decoder, rows, columns)

    def advanced(decoder: EagerDecoder, rows: Integers, columns: Integers) -> None:
        windows[-1].append((rows[0], columns[0]))
        advance(decoder, rows, columns)

    monkeypatch.setattr(EagerDecoder, "start", started)
    monkeypatch.setattr(EagerDecoder, "advance", advanced)
    sampled(checkpoint, replace(config, engine="eager"))
    for window in windows:
        rows, columns = zip(*window, strict=True)
        yield np.array(rows, np.int16), np.array(columns)


def test_windows_past_the_context_say_the_header_again(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary = tiny.tokenizer.vocabulary
    end = 40 * BAR
    given = part(128, list(range(0, end, 24)), 38)
    after = part(0, [end, end + 24], 72)
    hole = Hole(0, end, (0,), given, after)
    config = config_of((Stretch.of(hole),), variations=(0, 1))
    windows = list(inputs(tiny, config, monkeypatch))
    assert len(windows) > 2
    for number, (rows, columns) in enumerate(windows):
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        backs = np.flatnonzero(rows[:, WAIT] == vocabulary.return_)
        assert len(marks) == len(backs) == 1
        told = slice(int(marks[0]), int(backs[0]) + 2)
        assert (columns[told, ROLE] == GIVEN).all()
        # True times: the mark stands where the clock stands, what comes after the hole behind it.
        assert columns[marks[0], -1] == columns[backs[0], -1]
        notes = np.arange(len(rows))[told][rows[told, 1] > 0]
        assert columns[notes, -1].tolist() == after.times.tolist()
        prefix = vocabulary.prefix_length(rows)
        music = rows[prefix:]
        origin = int(columns[prefix, -1] - vocabulary.steps[music[0, WAIT]])
        assert (columns[prefix:, -1] - origin).tolist() == row_times(music, vocabulary).tolist()
        if number == 0:  # from the beginning everything must be as the whole piece's structure
            roles = columns[:, ROLE]
            again = structure(rows, vocabulary, roles=roles[:])
            np.testing.assert_array_equal(again[:, :-1], columns[:, :-1])


def chords_at(times: list[int]) -> Events:
    """A chord of C at the first time, then up a semitone at each."""
    values = [VOCABULARY.control(Chord(n % 12, "maj").control) for n in range(len(times))]
    return replace(no_events(), control_times=np.array(times), controls=np.array(values))


@pytest.mark.parametrize("hole", [False, True])
@pytest.mark.parametrize("long_prompt", [False, True])
def test_windows_past_the_context_say_the_chord_that_holds(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch, hole: bool, long_prompt: bool
) -> None:
    """As training does with passages from the middle of a piece."""
    vocabulary = tiny.tokenizer.vocabulary
    begin, end = 4 * BAR, 60 * BAR
    changes = list(range(0, end, 7 * BAR))
    chords = chords_at(changes)
    past = part(0, list(range(0, begin, 1 if long_prompt else 24)))
    prompt, given = woven(between(chords, 0, begin), past, 0, vocabulary)
    drums = part(128, list(range(begin, end, 24)), 38)
    later = between(chords, begin, end)
    stands = replace(drums, control_times=later.control_times, controls=later.controls)
    after = part(0, [end, end + 24], 72)
    stretch = Stretch(begin, end, stands)
    if hole:
        stretch = Stretch.of(Hole(begin, end, (0,), stands, after))
    config = config_of(
        (stretch,), prompt=prompt, roles=np.where(given, GIVEN, WRITTEN), variations=(0,)
    )
    windows = list(inputs(tiny, config, monkeypatch))
    assert len(windows) > 2
    for rows, columns in windows:
        prefix = vocabulary.prefix_length(rows)
        music, places = rows[prefix:], columns[prefix:]
        origin = int(places[0, -1] - vocabulary.steps[music[0, WAIT]])
        # The rows alone say where everything stands.
        assert (places[:, -1] - origin).tolist() == row_times(music, vocabulary).tolist()
        said = np.flatnonzero(vocabulary.chords[music[:, WAIT]])
        assert (places[said, ROLE] == GIVEN).all()
        holds = -1
        told = header_mask(music, vocabulary)
        for row, place, inside in zip(music, places, told, strict=True):
            now = int(place[-1])
            if vocabulary.chords[row[WAIT]]:
                holds = int(row[WAIT])
            elif row[1] and not inside and now >= begin:
                index = np.searchsorted(changes, now, side="right") - 1
                assert holds == chords.controls[index]


@pytest.mark.parametrize("overlap", [0.1, 0.5])
def test_a_header_that_a_small_context_cannot_hold_tells_less(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch, overlap: float
) -> None:
    """All 128 notes after the hole would fill what a window of 256 rows keeps."""
    vocabulary = tiny.tokenizer.vocabulary
    end = 60 * BAR
    after = part(0, list(range(end, end + 128)), 72)
    given = part(128, list(range(0, end, 16)), 38)
    config = config_of(
        (Stretch.of(Hole(0, end, (0,), given, after)),), variations=(0,), overlap=overlap
    )
    windows = list(inputs(tiny, config, monkeypatch))
    assert len(windows) > 2
    for rows, columns in windows:
        assert len(rows) <= tiny.model.context_rows
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        backs = np.flatnonzero(rows[:, WAIT] == vocabulary.return_)
        assert len(marks) == len(backs) == 1
        told = np.arange(len(rows))[int(marks[0]) : int(backs[0])]
        notes = told[rows[told, 1] > 0]
        assert backs[0] - marks[0] < overlap * tiny.model.context_rows / 2
        # What is told are the first notes after the hole, none left out.
        assert columns[notes, -1].tolist() == after.times.tolist()[: len(notes)]


def test_the_header_of_a_later_hole_is_fed_once(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many windows the way to it takes."""
    vocabulary = tiny.tokenizer.vocabulary
    first = Hole(0, BAR, (0,), no_events(), no_events())
    second = Hole(20 * BAR, 21 * BAR, (0,), no_events(), part(0, [21 * BAR], 72))
    way = part(0, list(range(BAR, 20 * BAR, 4)), 72)
    stretches = (Stretch.of(first), Stretch.of(second, way))
    windows = list(inputs(tiny, config_of(stretches, variations=(0,)), monkeypatch))
    assert len(windows) > 2
    for rows, columns in windows:
        marks = np.flatnonzero(rows[:, WAIT] == vocabulary.mark)
        assert len(marks) <= 2
        assert columns[marks[1:], -1].tolist() == [20 * BAR - 4] * len(marks[1:])
    last = windows[-1][0]
    assert (last[:, WAIT] == vocabulary.mark).sum() == 1
