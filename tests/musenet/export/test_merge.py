"""The continuation in the user's file, as mido and pretty_midi see it."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

from musenet.export import excerpts, merge, parts
from tokenizer.instruments import DRUMS
from tokenizer.midi.events import Event, File, dump, meta, parse, text
from tokenizer.midi.read import read
from tokenizer.score.score import NOTES

QUARTET = Path(__file__).parents[3] / "examples" / "prompts" / "quartet.mid"

QUARTER = 480
BAR = 4 * QUARTER
Added = tuple[int, int, int, int]


def on(tick: int, channel: int, pitch: int, velocity: int = 80) -> Event:
    return Event(tick, bytes((0x90 | channel, pitch, velocity)))


def off(tick: int, channel: int, pitch: int) -> Event:
    return Event(tick, bytes((0x80 | channel, pitch, 64)))


def note(start: int, stop: int, channel: int, pitch: int) -> list[Event]:
    return [on(start, channel, pitch), off(stop, channel, pitch)]


def track(name: str, channel: int, program: int, *events: Event) -> list[Event]:
    head = [Event(0, text(3, name))]
    if channel != 9:
        head.append(Event(0, bytes((0xC0 | channel, program))))
    return [*head, *sorted(events, key=lambda event: event.tick)]


def quartet() -> File:
    """Two violins and a cello for one bar, and a conductor's track."""
    conductor = [Event(0, meta(0x51, b"\x07\xa1\x20")), Event(0, meta(0x58, b"\x04\x02\x18\x08"))]
    return File(
        QUARTER,
        [
            conductor,
            track("Violin I", 0, 40, *note(0, BAR, 0, 76)),
            track("Violin II", 1, 40, *note(0, BAR, 1, 67)),
            track("Violoncello", 2, 42, *note(0, BAR, 2, 43)),
        ],
        BAR,
    )


def notes(*rows: tuple[int, int, int, int]) -> np.ndarray:
    """NOTES of (start, duration, pitch, program)."""
    array = np.zeros(len(rows), NOTES)
    for name, column in zip(
        ("start", "duration", "pitch", "program"), zip(*rows, strict=True), strict=True
    ):
        array[name] = column
    array["velocity"] = 70
    return array


def heard(file: File) -> dict[str, list[Added]]:
    """(start, end, channel, pitch) of every note by track name, as mido's messages give them."""
    found: dict[str, list[Added]] = {}
    for own in mido.MidiFile(file=io.BytesIO(dump(file))).tracks:
        now = 0
        sounding: dict[tuple[int, int], int] = {}
        for message in own:
            now += message.time
            if message.type == "note_on" and message.velocity > 0:
                key = (message.channel, message.note)
                assert key not in sounding, "a pitch was struck while it sounded"
                sounding[key] = now
            elif message.type in ("note_on", "note_off"):
                key = (message.channel, message.note)
                start = sounding.pop(key)
                assert now > start, "a note without length"
                found.setdefault(own.name, []).append((start, now, *key))
        assert not sounding, "a note that never ends"
    return found


def test_notes_go_to_the_tracks_of_their_instrument() -> None:
    file = quartet()
    merge.add_notes(file, notes((BAR, 480, 45, 42), (BAR, 480, 79, 40), (BAR, 480, 65, 40)), BAR)
    got = heard(file)
    assert got["Violin I"][1:] == [(BAR, BAR + 480, 0, 79)]
    assert got["Violin II"][1:] == [(BAR, BAR + 480, 1, 65)]
    assert got["Violoncello"][1:] == [(BAR, BAR + 480, 2, 45)]


def test_single_notes_go_to_the_part_of_their_register() -> None:
    file = quartet()
    merge.add_notes(file, notes((BAR, 240, 78, 40), (BAR + 240, 240, 66, 40)), BAR)
    got = heard(file)
    assert [n[3] for n in got["Violin I"]] == [76, 78]
    assert [n[3] for n in got["Violin II"]] == [67, 66]


def test_a_chord_goes_up_with_the_parts() -> None:
    file = quartet()
    chord = notes((BAR, 480, 70, 40), (BAR, 480, 74, 40), (BAR, 480, 81, 40), (BAR, 480, 86, 40))
    merge.add_notes(file, chord, BAR)
    got = heard(file)
    assert [n[3] for n in got["Violin II"]] == [67, 70, 74]
    assert [n[3] for n in got["Violin I"]] == [76, 81, 86]


def test_new_instruments_get_named_tracks_on_free_channels() -> None:
    file = quartet()
    merge.add_notes(file, notes((BAR, 480, 60, 73), (BAR, 120, 36, DRUMS)), BAR)
    got = heard(file)
    assert got["Flute"] == [(BAR, BAR + 480, 3, 60)]
    assert got["Drums"] == [(BAR, BAR + 120, 9, 36)]
    read = pretty_midi.PrettyMIDI(io.BytesIO(dump(file)))
    assert {(i.name, i.program, i.is_drum) for i in read.instruments} >= {
        ("Flute", 73, False),
        ("Drums", 0, True),
    }


def test_without_a_free_channel_a_near_instrument_is_shared() -> None:
    channels = [c for c in range(16) if c != 9]
    tracks = [track(f"part {c}", c, 8 * (c % 8), *note(0, 10, c, 60)) for c in channels]
    file = File(QUARTER, tracks, BAR)
    merge.add_notes(file, notes((BAR, 480, 60, 41)), BAR)
    assert heard(file)["part 5"][1:] == [(BAR, BAR + 480, 5, 60)]
    assert len(file.tracks) == 15


def test_notes_of_one_pitch_never_overlap() -> None:
    file = quartet()
    rows = [(BAR + 100 * i, 350, 43 + i % 2, 42) for i in range(12)]
    merge.add_notes(file, notes(*rows), BAR)
    own = heard(file)["Violoncello"][1:]
    assert [n[0] for n in own] == [BAR + 100 * i for i in range(12)]
    assert {n[1] - n[0] for n in own[:-2]} == {200}


def test_a_note_held_across_the_boundary_stays() -> None:
    file = quartet()
    file.tracks[3] = track("Violoncello", 2, 42, *note(0, BAR + 40, 2, 43))
    late = notes((BAR, 480, 43, 42), (BAR, 50, 48, 42))
    merge.add_notes(file, late, BAR)
    own = heard(file)["Violoncello"]
    assert own == [(0, BAR + 40, 2, 43), (BAR, BAR + 50, 2, 48), (BAR + 40, BAR + 480, 2, 43)]


def test_a_note_inside_a_held_one_is_left_out() -> None:
    file = quartet()
    file.tracks[3] = track("Violoncello", 2, 42, *note(0, 2 * BAR, 2, 43))
    merge.add_notes(file, notes((BAR, 480, 43, 42), (BAR + 480, 480, 45, 42)), BAR)
    assert sorted(heard(file)["Violoncello"]) == [
        (0, 2 * BAR, 2, 43),
        (BAR + 480, BAR + 960, 2, 45),
    ]


def test_pedal_and_bend_are_let_go_at_the_boundary() -> None:
    file = quartet()
    held = [Event(100, b"\xb0\x40\x7f"), Event(200, b"\xe0\x00\x60"), Event(50, b"\xb0\x07\x55")]
    file.tracks[1] = track("Violin I", 0, 40, *held, *note(0, 480, 0, 76))
    file.tracks[2] += [Event(100, b"\xb1\x40\x7f"), Event(300, b"\xb1\x40\x00")]
    merge.release(file, BAR)
    assert [e for e in file.tracks[1] if e.tick == BAR] == [
        Event(BAR, b"\xb0\x40\x00"),
        Event(BAR, b"\xe0\x00\x40"),
    ]
    assert not [e for e in file.tracks[2] if e.tick >= BAR and e.kind == 0xB0]


def test_what_was_there_stays_in_its_order() -> None:
    file = quartet()
    before = [list(events) for events in file.tracks]
    merge.release(file, BAR)
    merge.add_notes(file, notes((BAR, 480, 45, 42), (BAR, 480, 60, 0)), BAR)
    merge.add_texts(file, [(0, 1, "recipe"), (BAR, 6, "Continuation")])
    for old, new in zip(before, file.tracks, strict=False):
        left = Counter(new)
        left.subtract(old)
        assert min(left.values(), default=0) >= 0
        assert [event for event in new if event in set(old)] == old


def test_a_type_0_file_becomes_a_track_a_channel() -> None:
    events = [
        Event(0, meta(0x51, b"\x07\xa1\x20")),
        Event(0, b"\xf0\x05\x7e\x7f\x09\x01\xf7"),
        Event(0, b"\xc0\x28"),
        *note(0, 480, 0, 70),
        *note(0, 480, 9, 36),
        *note(0, 480, 4, 50),
    ]
    file = parts.one_part_a_track(File(QUARTER, [sorted(events, key=lambda e: e.tick)], 480, 0))
    file = parts.named(file, parts.parts_of(file))
    read = mido.MidiFile(file=io.BytesIO(dump(file)))
    assert read.type == 1
    assert [own.name for own in read.tracks] == ["", "Violin", "Acoustic Grand Piano", "Drums"]
    assert Counter(e for own in file.tracks for e in own if e.meta != 3) == Counter(events)


def test_tracks_of_one_channel_stay_as_they_are() -> None:
    assert parts.one_part_a_track(quartet()) == quartet()


def test_a_file_of_type_0_with_several_tracks_keeps_them() -> None:
    file = quartet()
    wrong = File(file.division, file.tracks, file.end, 0)
    assert parts.one_part_a_track(wrong) == wrong


def test_cut_keeps_what_sounds_to_its_end() -> None:
    file = quartet()
    file.tracks[1] = track("Violin I", 0, 40, *note(0, 960, 0, 76), *note(480, 600, 0, 79))
    short = excerpts.cut(file, 480)
    assert heard(short)["Violin I"] == [(0, 960, 0, 76)]
    assert heard(short)["Violin II"] == [(0, BAR, 1, 67)]


def test_tail_states_what_is_in_force() -> None:
    file = quartet()
    file.tracks[1] = track(
        "Violin I",
        0,
        40,
        Event(10, b"\xb0\x07\x20"),
        Event(20, b"\xb0\x07\x55"),
        *note(0, 960, 0, 76),
        *note(960, 1200, 0, 79),
    )
    rest = excerpts.tail(file, 480)
    assert heard(rest) == {"Violin I": [(480, 720, 0, 79)]}
    assert Event(0, b"\xb0\x07\x55") in rest.tracks[1]
    assert Event(0, b"\xb0\x07\x20") not in rest.tracks[1]
    assert rest.tracks[0] == [Event(0, e.data) for e in quartet().tracks[0]]
    assert rest.end == BAR - 480


@pytest.mark.parametrize("tempo", [60.0, 123.0])
def test_a_new_tempo_holds_from_the_boundary(tempo: float) -> None:
    file = quartet()
    merge.set_tempo(file, BAR, tempo)
    times, tempos = pretty_midi.PrettyMIDI(io.BytesIO(dump(file))).get_tempo_changes()
    assert times.tolist() == [0.0, 2.0]
    assert tempos == pytest.approx([120, tempo], rel=1e-5)


def test_parse_and_dump_are_inverse() -> None:
    assert parse(dump(quartet())) == quartet()


def test_stems_have_one_instrument_the_same_length_and_tempo_map() -> None:
    file = quartet()
    merge.set_tempo(file, 480, 90)
    merge.add_texts(file, [(480, 6, "half")])
    found = merge.stems(file)
    assert [name for name, _ in found] == ["Violin I", "Violin II", "Violoncello"]
    whole = mido.MidiFile(file=io.BytesIO(dump(file)))
    for (name, stem), program in zip(found, (40, 40, 42), strict=True):
        read = mido.MidiFile(file=io.BytesIO(dump(stem)))
        assert read.length == pytest.approx(whole.length)
        assert {sum(message.time for message in own) for own in read.tracks} == {BAR}
        assert list(heard(stem)) == [name]
        assert {m.program for own in read.tracks for m in own if m.type == "program_change"} == {
            program
        }
        assert "half" in [m.text for own in read.tracks for m in own if m.type == "marker"]


def test_what_was_added_is_what_the_file_holds() -> None:
    """Notes that meet held ones, collide or share another's channel, as the reader finds them."""
    file = parts.one_part_a_track(parse(QUARTET.read_bytes()))
    at = read(dump(file)).end
    random = np.random.default_rng(0)
    rows = [
        (
            at + 60 * int(random.integers(32)),
            int(random.integers(1, 900)),
            int(random.integers(55, 70)),
            p,
        )
        for p in (40, 41, 42, 73, *range(1, 30))
        for _ in range(12)
    ]
    added = merge.add_notes(file, notes(*rows), at)
    found = read(dump(file)).notes
    found = found[found["start"] >= at]
    fields = ["start", "duration", "pitch", "velocity", "program"]
    assert sorted(added[fields].tolist()) == sorted(found[fields].tolist())
    assert len(added) < len(rows)
