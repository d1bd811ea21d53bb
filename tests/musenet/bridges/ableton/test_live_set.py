"""Clips are read as they sound, and written into slots that are free."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from musenet.bridges.ableton.live_set import LiveSet
from musenet.bridges.ableton.osc import connected
from musenet.bridges.song import ClipNote, ClipTrack
from tokenizer.errors import InputError

from .conftest import Live, LiveClip


@pytest.fixture
def live_set(live: Live) -> Iterator[LiveSet]:
    with connected(live.port, live.reply_port, seconds=0.5) as osc:
        yield LiveSet(osc)


def test_the_selected_clip_without_muted_notes(live_set: LiveSet) -> None:
    clip = live_set.selected()
    assert (clip.track, clip.scene, clip.name, clip.track_name) == (0, 0, "Groove", "Bass")
    assert clip.length == 16.0
    assert clip.notes[:2] == (
        ClipNote(0, 0.0, 0.5, 0, 36, 90),
        ClipNote(0, 1.0, 1.5, 0, 37, 90),
    )
    assert len(clip.notes) == 16


def test_a_loop_is_read_from_its_start(live: Live, live_set: LiveSet) -> None:
    notes = [(127, 1.0, 9.0, 64.4, False), (0, 4.0, 9.0, 130.0, False), (60, 8.0, 1.0, 1.0, False)]
    live.tracks[0].slots[0] = LiveClip("loop", 4.0, notes, loop_start=4.0)
    clip = live_set.selected()
    assert clip.notes == (ClipNote(0, 0.0, 4.0, 0, 0, 127),)
    live.tracks[0].slots[0] = LiveClip("once", 8.0, notes, looping=False, start_marker=1.0)
    assert [note.pitch for note in live_set.selected().notes] == [127, 0, 60]


def test_a_dense_clip_comes_in_datagrams_that_are_sent(live: Live, live_set: LiveSet) -> None:
    notes = [(n % 128, n * 0.02, 0.02, 64.0, False) for n in range(2000)]
    live.tracks[0].slots[0] = LiveClip("dense", 40.0, notes)
    assert len(live_set.selected().notes) == 2000


def test_a_scene_sounds_together(live_set: LiveSet) -> None:
    clip = live_set.selected()
    (other,) = live_set.others(clip)
    song = live_set.song([clip, other])
    assert song.tracks == (ClipTrack("Bass"), ClipTrack("Keys"))
    keys = [(note.start, note.pitch) for note in song.notes if note.track == 1]
    assert keys == [(n * 2.0, 60 + n % 4) for n in range(8)]  # two bars, twice
    assert (song.end, song.meters, song.tempos) == (16.0, ((0.0, 4, 4),), ((0.0, 120.0),))


def test_a_take_is_written_where_nothing_is(live: Live, live_set: LiveSet) -> None:
    live.tracks[1].slots[1] = LiveClip("other", 4.0)
    assert live_set.free_scene([0], 0) == 1
    assert live_set.free_scene([0, 1], 0) == 2
    notes = [ClipNote(0, n / 4, n / 4 + 0.3, 0, 40 + n % 3, 1 + n % 127) for n in range(250)]
    twice = [*notes, notes[7]._replace(velocity=3)]
    assert live_set.write(0, 2, "take", 63.0, twice) == 250
    clip = live.clip(0, 2)
    assert (clip.name, clip.length, len(clip.notes)) == ("take", 63.0, 250)
    assert live_set.free_scene([0, 1], 2) == 3
    assert len(live.tracks[0].slots) == 4
    with pytest.raises(InputError, match="slot 3 of track 1 was filled meanwhile"):
        live_set.write(0, 2, "take", 4.0, notes[:4])
    assert live_set.new_track("Strings") == 2
    live_set.osc.ask("/live/song/get/tempo")  # messages are taken in their order
    assert [track.name for track in live.tracks] == ["Bass", "Keys", "Strings"]


def test_what_live_does_not_do_is_said(live: Live, live_set: LiveSet) -> None:
    live.most_tracks = 2
    with pytest.raises(InputError, match=r"Live (made no new track|refuses)"):
        live_set.new_track("Strings")
    live.tracks[0].slots[1] = LiveClip("", 4.0)
    live.selected = (0, 2)
    with pytest.raises(InputError, match="the selected slot is empty"):
        live_set.selected()
    live.selected = (0, 1)
    with pytest.raises(InputError, match="has no notes"):
        live_set.selected()
    live.tracks[0].slots[1] = LiveClip("audio", 4.0, is_midi_clip=False)
    with pytest.raises(InputError, match="has no notes"):
        live_set.selected()
    live.tracks[0].slots[1] = LiveClip("long", 1e9)
    with pytest.raises(InputError, match="the clip lasts"):
        live_set.selected()
