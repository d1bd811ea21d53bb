"""The selected clip continued, filled and accompanied; what is in the set stays."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from musenet.bridges.ableton.live_set import LiveSet
from musenet.bridges.ableton.osc import connected
from musenet.bridges.ableton.takes import Options, Written, read_clips, write_takes
from musenet.cli.main import main
from musenet.model.checkpoint import Checkpoint
from musenet.options.fill_options import AccompanyOptions, FillOptions
from musenet.options.generate_options import GenerateOptions

from .conftest import Live


@pytest.fixture
def live_set(live: Live) -> Iterator[LiveSet]:
    with connected(live.port, live.reply_port) as osc:
        yield LiveSet(osc)


def make(
    live_set: LiveSet, tiny: Checkpoint, options: Options, scene: bool = False
) -> list[Written]:
    asked = read_clips(live_set, options, scene=scene)

    def watch(_: object, steps: Iterator[float]) -> None:
        for _step in steps:
            pass

    return write_takes(live_set, asked, ("tiny", tiny), watch)


def test_takes_of_a_continuation_lie_below(live: Live, live_set: LiveSet, tiny: Checkpoint) -> None:
    before = copy.deepcopy([track.slots[0] for track in live.tracks])
    options = GenerateOptions(bars=2, seed=1, variations=(1, 2, 3))
    written = make(live_set, tiny, options)
    assert [(made.name, made.track, made.scene) for made in written] == [
        ("Groove 1", "Bass", 2),
        ("Groove 2", "Bass", 3),
        ("Groove 3", "Bass", 4),  # a new scene
    ]
    for made in written:
        clip = live.clip(0, made.scene - 1)
        assert (clip.name, clip.length, len(clip.notes)) == (made.name, 8.0, made.notes)
        assert all(0 <= start < 8 and start + length <= 8.01 for _, start, length, *_ in clip.notes)
    assert [track.slots[0] for track in live.tracks] == before


def test_a_fill_is_a_copy_with_other_bars(live: Live, live_set: LiveSet, tiny: Checkpoint) -> None:
    options = FillOptions.from_keywords(bars="2-3", seed=1, keep_chords=False)
    (made,) = make(live_set, tiny, options, scene=True)
    assert (made.track, made.scene) == ("Bass", 2)
    old = [note for note in live.clip(0, 0).notes if not note[4]]
    new = sorted(live.clip(0, 1).notes, key=lambda note: (note[1], note[0]))
    assert live.clip(0, 1).length == 16.0
    outside = [note for note in new if not 4 <= note[1] < 12]
    assert outside == [note for note in old if not 4 <= note[1] < 12]
    assert live.tracks[1].slots[1:] == [None, None]


def test_parts_come_on_tracks_of_their_own_beside_the_clip(
    live: Live, live_set: LiveSet, tiny: Checkpoint
) -> None:
    options = AccompanyOptions.from_keywords(instruments="flute", seed=2, variations=2)
    written = make(live_set, tiny, options)
    assert [track.name for track in live.tracks][:2] == ["Bass", "Keys"]
    assert len(live.tracks) == 3
    assert [made.scene for made in written] == [1, 2]
    assert {made.track for made in written} == {live.tracks[2].name}
    assert live.clip(2, 0).length == 16.0


def test_the_command_says_where_the_takes_are(
    live: Live, lively: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = ["--port", str(live.port), "--reply-port", str(live.reply_port)]
    weights = ["--weights", str(lively)]
    with pytest.raises(SystemExit) as stop:
        main(["bridge", "ableton", "continue", "--bars", "1", "--seed", "4", *ports, *weights])
    assert not stop.value.code
    said = capsys.readouterr().out
    assert said.startswith(f"Groove 1: {len(live.clip(0, 1).notes)} notes on Bass, scene 2\n")
    assert "(seed 4)" in said
    live.selected = (1, 2)
    with pytest.raises(SystemExit) as stop:
        main(["bridge", "ableton", "fill", "--bars", "1", *ports, *weights])
    assert stop.value.code == 2
    assert "the selected slot is empty" in capsys.readouterr().err
