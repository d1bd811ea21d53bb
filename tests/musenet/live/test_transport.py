"""Beats and seconds against the tempo that they were made from."""

from __future__ import annotations

import numpy as np
import pytest

from musenet.live.transport import ClockFollower, Taps, Transport
from tokenizer.errors import InputError


def test_a_beat_is_as_long_as_the_tempo_says() -> None:
    transport = Transport()
    transport.start(10.0, 120)
    assert transport.beat(10.5) == pytest.approx(1)
    assert transport.beat(9.0) == pytest.approx(-2)
    assert transport.seconds(8) == pytest.approx(14)


def test_tempo_changes_hold_from_their_moment_on() -> None:
    transport = Transport()
    transport.start(0.0, 60)
    transport.change(4.0, 4.0, 120)
    transport.change(6.0, 8.0, 30)
    moments = np.array([0, 1, 4, 5, 6, 8, 10])
    beats = [transport.beat(moment) for moment in moments]
    assert beats == pytest.approx([0, 1, 4, 6, 8, 9, 10])
    assert [transport.seconds(beat) for beat in beats] == pytest.approx(moments.tolist())


@pytest.mark.parametrize("tempo", [0, 10, 1000, -5])
def test_what_is_no_tempo_is_refused(tempo: float) -> None:
    with pytest.raises(InputError, match="no tempo"):
        Transport().start(0.0, tempo)


@pytest.mark.parametrize("tempo", [45, 90, 120, 171, 240])
def test_four_even_taps_are_a_tempo(tempo: float) -> None:
    random = np.random.default_rng(0)
    taps = Taps()
    times = 7 + np.arange(4) * 60 / tempo + random.normal(0, 0.005, 4)
    found = [taps.tap(float(time)) for time in times]
    assert found[:3] == [None] * 3
    assert found[3] == pytest.approx(tempo, rel=0.03)


def test_uneven_taps_are_none_until_four_are_even() -> None:
    taps = Taps()
    found = [taps.tap(time) for time in (0.0, 0.2, 1.4, 2.0, 2.6, 3.2)]
    assert found[:5] == [None] * 5
    assert found[5] == pytest.approx(100)


@pytest.mark.parametrize("tempo", [60, 128, 200])
def test_midi_clock_gives_beat_and_tempo_in_spite_of_jitter(tempo: float) -> None:
    random = np.random.default_rng(1)
    transport = Transport()
    follower = ClockFollower(transport)
    follower.start()
    gap = 60 / tempo / 24
    for number in range(24 * 16):
        follower.clock(5 + number * gap + abs(random.normal(0, 0.002)))
    assert transport.tempo == pytest.approx(tempo, rel=0.01)
    true = 5 + 15.5 * 60 / tempo
    assert transport.seconds(15.5) == pytest.approx(true, abs=0.005)


def test_midi_clock_follows_a_change_of_tempo_and_goes_on_after_a_stop() -> None:
    transport = Transport()
    follower = ClockFollower(transport)
    follower.start()
    now = 0.0
    for tempo in (100, 140):
        for _ in range(24 * 8):
            now += 60 / tempo / 24
            follower.clock(now)
    assert transport.tempo == pytest.approx(140, rel=0.01)
    follower.stop()
    follower.clock(now + 0.1)
    assert not transport.passes[1:]
    follower.resume()
    for _ in range(24):
        now += 60 / 140 / 24
        follower.clock(now)
    assert len(list(transport.passes)) == 2
    assert transport.beat(now) == pytest.approx(17, abs=0.1)
