"""The pedal goes on as a prompt has it: against lines worked out by hand, and in whole files."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.export.parts import Part
from musenet.export.pedal import add_pedals, pedal_events, pedal_habits
from musenet.generation.prompt import read_prompt
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer.midi.events import Event, File
from tokenizer.score.bars import Bars
from tokenizer.score.columns import NOTES, TIME_SIGNATURES
from tokenizer.score.score import Score
from tokenizer.score.tracks import Track

QUARTER = 480
BAR = 4 * QUARTER
BARS = Bars(np.array([(0, 4, 4)], TIME_SIGNATURES), QUARTER)
LIVE = Path(__file__).parents[3] / "examples" / "user_prompts" / "live_piano.mid"


def pedalled(*spans: tuple[int, int], value: int = 127) -> File:
    """A track of pedal events, down and up at ticks."""
    events = []
    for down, up in spans:
        events.append(Event(down, bytes((0xB0, 64, value))))
        events.append(Event(up, bytes((0xB0, 64, 0))))
    return File(QUARTER, [[], events])


def music(first: int, bars: int, chords: tuple[int, ...] = (60,)) -> Score:
    """A triad every quarter, a new root every bar."""
    rows = [
        (first + bar * BAR + beat * QUARTER, QUARTER, chords[bar % len(chords)] + step, 80, 0, 0)
        for bar in range(bars)
        for beat in range(4)
        for step in (0, 4, 7)
    ]
    score = Score(QUARTER, notes=np.array(rows, NOTES))
    return replace(score, time_signatures=np.array([(0, 4, 4)], TIME_SIGNATURES))


def spans(events: list[Event]) -> list[tuple[int, int]]:
    """Down and up, which alternate."""
    assert [event.data[2] > 0 for event in events] == [True, False] * (len(events) // 2)
    ticks = [event.tick for event in events]
    assert ticks == sorted(ticks)
    return list(zip(ticks[::2], ticks[1::2], strict=True))


def test_a_bar_is_pedalled_as_in_the_prompt() -> None:
    lag, lead = 60, -20
    file = pedalled(*((bar * BAR + lag, (bar + 1) * BAR + lead) for bar in range(4)), value=90)
    (habit,) = pedal_habits(file, BARS, (0, 4 * BAR))
    assert (habit.track, habit.channel, habit.per_bar, habit.value) == (1, 0, 1.0, 90)
    new = music(4 * BAR, 2)
    events = pedal_events(habit, new.notes, BARS, (4 * BAR, 6 * BAR), new)
    assert spans(events) == [(4 * BAR + lag, 5 * BAR + lead), (5 * BAR + lag, 6 * BAR)]
    assert {event.data for event in events} == {b"\xb0\x40\x5a", b"\xb0\x40\x00"}


@pytest.mark.parametrize(("per_bar", "step"), [(2.0, BAR // 2), (4.0, QUARTER), (0.5, 2 * BAR)])
def test_other_paces(per_bar: float, step: int) -> None:
    file = pedalled(*((at + 40, at + step) for at in range(0, 8 * BAR, step)))
    (habit,) = pedal_habits(file, BARS, (0, 8 * BAR))
    assert habit.per_bar == per_bar
    new = music(8 * BAR, 4)
    found = spans(pedal_events(habit, new.notes, BARS, (8 * BAR, 12 * BAR), new))
    begins = range(8 * BAR, 12 * BAR, step)
    assert found == [(at + 40, at + step) for at in begins]


def test_it_changes_with_the_chords() -> None:
    file = pedalled(*((at, at + 2 * BAR - 10) for at in range(0, 8 * BAR, 2 * BAR)))
    (habit,) = pedal_habits(file, BARS, (0, 8 * BAR))
    new = music(8 * BAR, 4, (60, 65, 67, 60))
    found = spans(pedal_events(habit, new.notes, BARS, (8 * BAR, 12 * BAR), new))
    assert [down for down, _ in found] == [(8 + bar) * BAR for bar in range(4)]


def test_it_stays_up_where_nothing_is_played() -> None:
    file = pedalled(*((bar * BAR, (bar + 1) * BAR - 10) for bar in range(4)))
    (habit,) = pedal_habits(file, BARS, (0, 4 * BAR))
    new = music(5 * BAR, 1)
    found = spans(pedal_events(habit, new.notes, BARS, (4 * BAR, 8 * BAR), new))
    assert found == [(5 * BAR, 6 * BAR - 10)]


def test_a_pedal_that_does_not_keep_to_the_bars_keeps_its_pace() -> None:
    period = 2477
    file = pedalled(*((50 + n * period, (n + 1) * period - 38) for n in range(7)))
    (habit,) = pedal_habits(file, BARS, (0, 9 * BAR))
    assert habit.per_bar == 0
    new = music(9 * BAR, 8)
    found = spans(pedal_events(habit, new.notes, BARS, (9 * BAR, 17 * BAR), new))
    apart = np.diff([down for down, _ in found[1:]])
    assert set(apart.tolist()) == {period}
    assert (found[1][0] - 50) % period == 0


@pytest.mark.parametrize(
    "file",
    [
        pedalled(),
        pedalled((0, QUARTER)),
        pedalled((0, BAR), (BAR, 2 * BAR)),  # and none in the last six bars
    ],
)
def test_who_does_not_pedal_to_the_end_gets_none(file: File) -> None:
    assert not pedal_habits(file, BARS, (0, 8 * BAR))


def test_a_band_goes_on_pedalled_by_its_own_chords() -> None:
    drums, flute, piano = 128, 73, 0
    file = pedalled(*((bar * BAR, (bar + 1) * BAR - 20) for bar in range(4)))
    file.tracks += [[], []]
    prompt = Score(
        QUARTER,
        tracks=(Track("kit", drums, True), Track("keys", piano), Track("flute", flute)),
        notes=np.array([(0, BAR, 60, 80, piano, 1)], NOTES),
        time_signatures=np.array([(0, 4, 4)], TIME_SIGNATURES),
    )
    rows = [
        (4 * BAR + 2 * bar * QUARTER, 2 * QUARTER, 60 + root + step, 80, piano, 1)
        for bar, root in enumerate((0, 5))
        for step in (0, 4, 7)
    ]
    rows += [(4 * BAR, BAR, 84, 80, flute, 2), (4 * BAR, 10, 36, 80, drums, 0)]
    parts = [Part(1, 0, piano), Part(2, 1, flute), Part(0, 9, drums)]
    habits = pedal_habits(file, BARS, (0, 4 * BAR))
    add_pedals(file, habits, np.array(rows, NOTES), parts, prompt, (4 * BAR, 5 * BAR))
    new = [event for event in file.tracks[1] if event.tick >= 4 * BAR]
    half = 4 * BAR + BAR // 2
    assert spans(new) == [(4 * BAR, half - 20), (half, 5 * BAR)]


@pytest.mark.parametrize("ending", [False, True])
def test_a_file_goes_on_pedalled_and_nothing_hangs(tiny: Checkpoint, ending: bool) -> None:
    prompt = read_prompt(LIVE)
    results = []
    for pedal in (True, False):
        options = GenerateOptions(bars=4, seed=1, ending=ending, pedal=pedal)
        continuation = Continuation(tiny, prompt, options)
        for _ in continuation.steps():
            pass
        assert any("pedal goes on" in words for words in continuation.words) == pedal
        results.append(continuation.results()[0])
    found = []
    for result in results:
        down, now, after = False, 0, 0
        track = mido.MidiFile(file=io.BytesIO(result.data)).tracks[1]
        for message in track:
            now += message.time
            if message.type == "control_change" and message.control == 64:
                down = message.value >= 64
                after += now >= result.boundary and down
        assert not down
        found.append(after)
    assert found[0] > 0
    assert found[1] == 0
    notes = [result.score.notes for result in results]
    assert np.array_equal(notes[0], notes[1])
