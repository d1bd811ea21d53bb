"""What is written beside a player: asked instruments, in the span that was asked for, in order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from musenet.live.notes import LiveNote
from musenet.live.writer import Writer
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.live_options import LiveOptions
from musenet.sampling import sampler
from tokenizer.chords.chord import CHORDS
from tokenizer.errors import InputError

TUNE = [LiveNote(b, b + 0.9, 60 + int(b) % 5, 80, 0) for b in np.arange(0.0, 40.0)]


def written(tiny: Checkpoint, begin: float, end: float, **given: Any) -> list[LiveNote]:
    players = given.pop("players", (128, 33))
    beside = given.pop("beside", True)
    own = given.pop("own", [])
    writer = Writer(tiny, LiveOptions(**given), players)
    heard = [note for note in TUNE if note.begin < begin]
    return list(writer.write(heard, own, begin, end, 120, beside=beside))


@pytest.mark.parametrize("begin", [0.0, 7.0, 9.25, 39.0])
@pytest.mark.parametrize("beside", [True, False])
def test_only_the_players_play_where_they_are_asked_to(
    tiny: Checkpoint, begin: float, beside: bool
) -> None:
    found = written(tiny, begin, begin + 6, beside=beside, own=[LiveNote(0, 1, 40, 80, 33)])
    assert found
    assert {note.program for note in found} <= {128, 33}
    assert all(begin <= note.begin < begin + 6 for note in found)
    assert all(note.end > note.begin for note in found)
    assert [note.begin for note in found] == sorted(note.begin for note in found)


def test_the_seed_decides_and_each_writing_differs(tiny: Checkpoint) -> None:
    assert written(tiny, 8, 16, seed=3) == written(tiny, 8, 16, seed=3)
    assert written(tiny, 8, 16, seed=3) != written(tiny, 8, 16, seed=4)
    writer = Writer(tiny, LiveOptions(seed=3), (33,))
    twice = [list(writer.write(TUNE, [], 40, 48, 120, beside=True)) for _ in range(2)]
    assert twice[0] != twice[1]


def test_a_long_past_is_read_from_a_bar_line_on(
    tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    made = sampler.Sampler

    def spy(model: Any, vocabulary: Any, config: Any) -> Any:
        seen.append(config)
        return made(model, vocabulary, config)

    monkeypatch.setattr("musenet.live.writer.Sampler", spy)
    writer = Writer(tiny, LiveOptions(), (33,))
    long = [LiveNote(b / 4, b / 4 + 0.2, 60, 80, 0) for b in range(1600)]
    found = list(writer.write(long, [], 400, 402, 120, beside=True))
    assert all(400 <= note.begin < 402 for note in found)
    assert seen[0].not_before % 96 == 400 * 24 % 96
    assert len(seen[0].prompt) < 400


def test_drums_heard_alone_make_no_chords() -> None:
    checkpoint = load_checkpoint("mini")
    writer = Writer(checkpoint, LiveOptions(seed=1), (33,))
    drums = [LiveNote(b, b + 0.1, 36, 80, 128) for b in range(8)]
    assert list(writer.write(drums, [], 8, 16, 120, beside=True))


@pytest.mark.slow
def test_a_chart_is_followed_by_the_bass() -> None:
    checkpoint = load_checkpoint("mini")
    writer = Writer(checkpoint, LiveOptions(seed=1, chords="C | F | G | C"), (33,))
    own: list[LiveNote] = []
    for begin in range(0, 32, 2):
        own += writer.write([], own, begin, begin + 2, 120, beside=True)
    tones = ({0, 4, 7}, {5, 9, 0}, {7, 11, 2}, {0, 4, 7})
    fits = [note.pitch % 12 in tones[int(note.begin // 4) % 4] for note in own]
    assert len(fits) > 16
    assert np.mean(fits) > 0.8  # by chance 0.25


def test_what_the_weights_do_not_know_is_refused(tiny: Checkpoint) -> None:
    with pytest.raises(InputError, match="composer"):
        Writer(tiny, LiveOptions(composer="mahler"), (33,))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"clock": True, "tempo": 120.0}, "exclude"),
        ({"tempo": 5.0}, "outside"),
        ({"ahead": 0.1}, "outside"),
        ({"takes": 9}, "outside"),
    ],
)
def test_options_out_of_range_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LiveOptions(**given)


def test_what_was_played_long_ago_costs_nothing_and_the_loop_is_found() -> None:
    """The chords of the last bars, in whatever bar they begin, are looped into the future."""
    checkpoint = load_checkpoint("mini")
    writer = Writer(checkpoint, LiveOptions(seed=1), (33,))
    roots = {0: 48, 1: 53, 2: 55, 3: 48}
    heard = [
        LiveNote(4.0 * bar, 4.0 * bar + 3.9, roots[bar % 4] + third, 80, 0)
        for bar in range(20, 30)
        for third in (0, 4, 7)
    ]
    timed = writer._heard_chords(heard, 120.0, 136 * 480)
    assert timed is not None
    at = {
        int(tick) // 1920: CHORDS[number].symbol
        for tick, number in zip(timed.ticks, timed.numbers, strict=True)
    }
    assert {bar: at[bar] for bar in (21, 22, 29, 30, 31, 33)} == {
        **{21: "F", 22: "G", 29: "F", 30: "G", 31: "C", 33: "F"}
    }


def test_a_melody_is_answered_by_a_melody_and_chords_by_chords() -> None:
    checkpoint = load_checkpoint("mini")
    legato = [LiveNote(b, b + 1.2, 60 + int(b) % 5, 80, 0) for b in np.arange(0.0, 16.0)]
    chords = [note._replace(pitch=note.pitch + up) for note in legato for up in (0, 7, 15)]
    for phrase, voices in ((legato, 1), (legato[:6], 1), (chords, 4)):
        writer = Writer(checkpoint, LiveOptions(seed=2), (0,))
        answer = list(writer.write(phrase, [], 16, 32, 120, beside=False))
        at_once = max(
            sum(other.begin <= note.begin < other.end for other in answer) for note in answer
        )
        assert at_once <= voices
    assert at_once > 1
