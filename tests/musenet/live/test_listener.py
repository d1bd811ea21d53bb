"""Keys as they come in, as notes in beats, and as the steps of a tokenizer."""

from __future__ import annotations

import mido
import pytest

from musenet.live.listener import Key, Listener
from musenet.live.notes import LiveNote, events_of_notes
from musenet.live.transport import Transport
from tokenizer.encoding.grid import Grid
from tokenizer.encoding.vocabulary import DURATION, INSTRUMENT, PITCH


def message(kind: str, note: int, channel: int = 0, velocity: int = 90) -> mido.Message:
    return mido.Message(kind, note=note, channel=channel, velocity=velocity)


def test_keys_begin_and_end() -> None:
    pressed: list[Key] = []
    listener = Listener()
    listener.on_key = pressed.append
    listener.hear(1.0, message("note_on", 60))
    listener.hear(1.2, message("note_on", 64))
    listener.hear(1.5, message("note_off", 60))
    listener.hear(2.0, message("note_on", 64, velocity=0))
    listener.hear(2.5, mido.Message("control_change", control=64, value=127))
    assert listener.keys() == [Key(1.0, 1.5, 60, 90, 0), Key(1.2, 2.0, 64, 90, 0)]
    assert [key.pitch for key in pressed] == [60, 64]
    assert (listener.held, listener.last) == (0, 2.0)


def test_a_key_struck_again_ends_the_first_and_an_unknown_release_nothing() -> None:
    listener = Listener()
    listener.hear(0.5, message("note_off", 60))
    listener.hear(1.0, message("note_on", 60))
    listener.hear(1.4, message("note_on", 60))
    assert listener.keys() == [Key(1.0, 1.4, 60, 90, 0), Key(1.4, None, 60, 90, 0)]
    assert listener.held == 1


def test_notes_are_in_beats_and_channel_ten_is_drums() -> None:
    transport = Transport()
    transport.start(1.0, 120)
    listener = Listener()
    for moment, kind, channel in ((1.5, "note_on", 0), (2.0, "note_off", 0), (2.0, "note_on", 9)):
        listener.hear(moment, message(kind, 60, channel))
    listener.hear(2.5, message("note_off", 60, 9))
    assert listener.notes(transport, 40) == [
        LiveNote(1.0, 2.0, 60, 90, 40),
        LiveNote(2.0, 3.0, 60, 90, 128),
    ]


@pytest.mark.parametrize(
    ("played", "meant"),
    [(0.03, 0), (0.97, 24), (0.52, 12), (0.3, 8), (0.24, 6), (1.68, 40), (3.76, 90)],
)
def test_what_people_play_is_heard_on_sixteenths_and_triplets(played: float, meant: int) -> None:
    events = events_of_notes(
        [LiveNote(played, played + 0.5, 60, 90, 0)], 0.0, Grid.beats(), quantised=True
    )
    assert events.times.tolist() == [meant]


def test_notes_become_rows_in_order() -> None:
    notes = [
        LiveNote(9.0, 10.0, 64, 90, 33),
        LiveNote(8.5, 9.0, 38, 90, 128),
        LiveNote(9.0, 9.5, 60, 90, 0),
    ]
    events = events_of_notes(notes, 8.0, Grid.beats())
    assert events.times.tolist() == [12, 24, 24]
    assert (events.notes[:, INSTRUMENT] - 1).tolist() == [128, 0, 33]
    assert (events.notes[:, PITCH] - 1).tolist() == [38, 60, 64]
    assert (events.notes[:, DURATION] - 1).tolist() == [12, 12, 24]
