"""Files as audio workstations export them: every track is a player, and goes on in its own track.

mido judges the files; what the parts are is written here.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
import pytest

from musenet.editing.fill_recipe import read_recipe
from musenet.generation.adherence import adherence
from musenet.generation.prompt import Prompt, read_prompt
from musenet.generation.recipe import Recipe, prompt_in
from musenet.generation.reranking import new_music
from musenet.generation.result import Result
from musenet.generation.session import Continuation
from musenet.model.checkpoint import Checkpoint, load_checkpoint
from musenet.options.generate_options import GenerateOptions
from tokenizer.errors import InputError
from tokenizer.instruments import DRUMS

QUARTER = 96
BAR = 4 * QUARTER
Hit = tuple[int, int]  # start in sixteenths, pitch
KIT: list[Hit] = [
    *((i * 2, 42) for i in range(32)),
    *((i * 8, 36) for i in range(8)),
    *((i * 8 + 4, 38) for i in range(8)),
]
BASS: list[Hit] = [(i * 2, (33, 29, 36, 31)[i // 8]) for i in range(32)]
CHORDS: list[Hit] = [(i * 4, p) for i in range(16) for p in (57, 60, 64)]
TUNE: list[Hit] = [(i * 4, 69 + (0, 2, 3, 7, 5, 3, 2, 0)[i % 8]) for i in range(16)]
BAND = [("Drum Rack", KIT), ("Sub Bass", BASS), ("Keys", CHORDS), ("Lead Synth", TUNE)]


def track(
    name: str, hits: Sequence[Hit], *others: mido.Message, channel: int = 0
) -> mido.MidiTrack:
    """A named track; `others` have absolute times."""
    timed: list[mido.Message] = [*others]
    for start, pitch in hits:
        at = start * QUARTER // 4
        timed.append(mido.Message("note_on", channel=channel, note=pitch, velocity=90, time=at))
        timed.append(mido.Message("note_off", channel=channel, note=pitch, time=at + QUARTER // 4))
    own = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    now = 0
    for message in sorted(timed, key=lambda message: message.time):
        own.append(message.copy(time=message.time - now))
        now = message.time
    return own


def saved(path: Path, tracks: Sequence[mido.MidiTrack], kind: int = 1) -> Path:
    file = mido.MidiFile(type=kind, ticks_per_beat=QUARTER, charset="utf-8")
    file.tracks += tracks
    file.save(path)
    return path


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Four tracks on channel 1 without a program change."""
    return saved(tmp_path / "export.mid", [track(name, hits) for name, hits in BAND])


def continued(tiny: Checkpoint, prompt: Prompt, **options: object) -> tuple[Continuation, Result]:
    continuation = Continuation(tiny, prompt, GenerateOptions(bars=8, seed=3, **options))  # type: ignore[arg-type]
    for _ in continuation.steps():
        pass
    return continuation, continuation.results()[0]


def messages(data: bytes, boundary: int) -> dict[str, tuple[list[bytes], int]]:
    """By track name: the messages before the boundary, and the number of notes from it on."""
    found = {}
    for own in mido.MidiFile(file=io.BytesIO(data), charset="utf-8").tracks:
        now, before, after = 0, [], 0
        for message in own:
            now += message.time
            if now < boundary and message.type not in ("end_of_track", "text", "marker"):
                before.append(bytes(message.bytes()))
            after += now >= boundary and message.type == "note_on"
        found[own.name] = (before, after)
    return found


def test_each_track_is_heard_as_what_it_is(export: Path) -> None:
    prompt = read_prompt(export)
    assert [part.program for part in prompt.parts] == [DRUMS, 38, 4, 81]
    counts = dict(zip(*np.unique(prompt.music.notes["program"], return_counts=True), strict=True))
    assert counts == {DRUMS: len(KIT), 38: len(BASS), 4: len(CHORDS), 81: len(TUNE)}
    assert "Drum Rack as Drums (by its name)" in str(prompt.hearing)
    assert "To change it: --as 'Drum Rack=piano'" in str(prompt.hearing)


def test_new_notes_return_to_their_tracks_and_the_rest_stays(
    export: Path, tiny: Checkpoint
) -> None:
    prompt = read_prompt(export)
    continuation, result = continued(tiny, prompt)
    before = messages(export.read_bytes(), prompt.boundary)
    found = messages(result.data, prompt.boundary)
    assert list(found) == [name for name, _ in BAND]
    for name, (own, new) in found.items():
        assert [m for m in own if m[0] < 0xF0] == [m for m in before[name][0] if m[0] < 0xF0]
        assert new > 0
    assert continuation.wanted == (4, 38, 81, DRUMS)
    assert not result.adherence.unwanted
    assert result.adherence.in_instruments == 1
    heard = new_music(result, prompt.parts).notes["program"]
    assert set(heard.tolist()) <= {DRUMS, 38, 4, 81}
    assert len(heard) == result.notes


def test_a_guessed_piano_is_not_advised_again(tmp_path: Path) -> None:
    prompt = read_prompt(saved(tmp_path / "piano.mid", [track("Piano", CHORDS)]))
    assert "Piano as Acoustic Grand Piano (by its name)" in str(prompt.hearing)
    assert str(prompt.hearing).endswith("--as 'Piano=organ'")


def test_what_is_given_is_heard(export: Path) -> None:
    prompt = read_prompt(export, hear_as={"keys": 11, "4": 73})
    assert [part.program for part in prompt.parts] == [DRUMS, 38, 11, 73]
    with pytest.raises(InputError, match="no track called 'Kyes'; did you mean 'Keys'"):
        read_prompt(export, hear_as={"Kyes": 11})


def test_replay_hears_the_same(export: Path, tmp_path: Path, tiny: Checkpoint) -> None:
    _, result = continued(tiny, read_prompt(export, hear_as={"Keys": 16}))
    path = tmp_path / "made.mid"
    path.write_bytes(result.data)
    recipe, file = read_recipe(path)
    assert isinstance(recipe, Recipe)
    assert recipe.heard == (DRUMS, 38, 16, 81)
    again = prompt_in(file, recipe)
    assert again is not None
    assert [part.program for part in again.parts] == [DRUMS, 38, 16, 81]
    continuation = Continuation(tiny, again, recipe.options)
    for _ in continuation.steps():
        pass
    assert continuation.results()[0].data == result.data


def test_a_change_of_program_does_not_split_a_player(tmp_path: Path, tiny: Checkpoint) -> None:
    changes = [mido.Message("program_change", program=p, time=t) for p, t in ((4, 0), (16, BAR))]
    path = saved(tmp_path / "change.mid", [track("Keys", CHORDS, *changes), track("X", BASS)])
    prompt = read_prompt(path)
    assert (prompt.parts[0].track, prompt.parts[0].program) == (0, 16)
    assert int((prompt.music.notes["program"] == 16).sum()) == len(CHORDS)
    _, result = continued(tiny, prompt)
    assert list(messages(result.data, prompt.boundary)) == ["Keys", "X"]


@pytest.mark.parametrize("program", [None, 27])
def test_a_track_on_several_channels_is_one_player(
    tmp_path: Path, tiny: Checkpoint, program: int | None
) -> None:
    """As a controller writes that bends each note by itself."""
    others = []
    if program is not None:
        others = [mido.Message("program_change", channel=c, program=program) for c in (1, 2, 3)]
    for number, (start, pitch) in enumerate(CHORDS):
        at, channel = start * QUARTER // 4, 1 + number % 3
        others.append(mido.Message("note_on", channel=channel, note=pitch, time=at))
        others.append(mido.Message("note_off", channel=channel, note=pitch, time=at + 20))
    path = saved(tmp_path / "mpe.mid", [track("Gtr clean", [], *others), track("Bass", BASS)])
    prompt = read_prompt(path)
    first = prompt.parts[0]
    assert (first.track, first.program, first.channels) == (0, 27, (1, 2, 3))
    assert len(prompt.file.tracks) == 2
    _, result = continued(tiny, prompt)
    found = messages(result.data, prompt.boundary)
    assert list(found) == ["Gtr clean", "Bass"]
    assert all(new for _, new in found.values())


def test_a_setup_track_states_the_programs_of_all_channels(tmp_path: Path) -> None:
    setup = [mido.Message("program_change", channel=c, program=p) for c, p in ((0, 33), (1, 0))]
    tracks = [track("", [], *setup), track("a", BASS), track("b", CHORDS, channel=1)]
    prompt = read_prompt(saved(tmp_path / "setup.mid", tracks))
    assert [part.program for part in prompt.parts] == [33, 0]
    assert not str(prompt.hearing)


def test_all_in_one_track(tmp_path: Path) -> None:
    """A type 0 file has no names but the song's: register and texture tell."""
    parts = (KIT, 9), (BASS, 0), (CHORDS, 1), (TUNE, 2)
    timed = [
        mido.Message(kind, channel=channel, note=pitch, time=start * QUARTER // 4 + after)
        for hits, channel in parts
        for start, pitch in hits
        for kind, after in (("note_on", 0), ("note_off", 20))
    ]
    prompt = read_prompt(saved(tmp_path / "one.mid", [track("", [], *timed)], kind=0))
    assert [part.program for part in prompt.parts] == [33, 0, 81, DRUMS]
    names = [event.data for own in prompt.file.tracks[1:] for event in own if event.meta == 3]
    assert [data[3:].decode() for data in names] == [
        *("Electric Bass (finger)", "Acoustic Grand Piano", "Lead 2 (sawtooth)", "Drums")
    ]


def test_kits_on_several_tracks_share_by_key(tmp_path: Path, tiny: Checkpoint) -> None:
    kit = {name: [hit for hit in KIT if hit[1] == key] for name, key in (("Kick", 36), ("Hat", 42))}
    path = saved(tmp_path / "kit.mid", [track(name, hits) for name, hits in kit.items()])
    prompt = read_prompt(path)
    assert [part.program for part in prompt.parts] == [DRUMS, DRUMS]
    _, result = continued(tiny, prompt)
    for own in mido.MidiFile(file=io.BytesIO(result.data)).tracks:
        keys = {message.note for message in own if message.type == "note_on"}
        assert (42 in keys) == (own.name == "Hat")
        assert (36 in keys) == (own.name == "Kick")


def test_the_only_track_of_a_type_1_file_stays_one(tmp_path: Path, tiny: Checkpoint) -> None:
    """A zone split of a keyboard: two channels with programs of their own in one track."""
    own = mido.MidiTrack([mido.MetaMessage("track_name", name="Split")])
    for channel, program in ((0, 0), (1, 33)):
        own.append(mido.Message("program_change", channel=channel, program=program))
    for number, (start, pitch) in enumerate(CHORDS):
        channel = number % 2
        time = (start - (CHORDS[number - 1][0] if number else 0)) * QUARTER // 4
        time = max(time - 20 * (number > 0), 0)
        note = pitch - 24 * channel
        own.append(mido.Message("note_on", channel=channel, note=note, time=time))
        own.append(mido.Message("note_off", channel=channel, note=note, time=20))
    path = saved(tmp_path / "split.mid", [own])
    prompt = read_prompt(path)
    assert [(part.track, part.channel, part.program) for part in prompt.parts] == [
        (0, 0, 0),
        (0, 1, 33),
    ]
    _, result = continued(tiny, prompt)
    (made,) = mido.MidiFile(file=io.BytesIO(result.data)).tracks
    assert made.name == "Split"
    old = [bytes(m.bytes()) for m in own if not m.is_meta]
    assert [bytes(m.bytes()) for m in made if not m.is_meta][: len(old)] == old
    assert {m.channel for m in made[-20:] if m.type == "note_on"} == {0, 1}


def test_a_silent_part_is_named_by_its_track(export: Path, tiny: Checkpoint) -> None:
    prompt = read_prompt(export)
    _, result = continued(tiny, prompt)
    new = new_music(result, prompt.parts).notes
    assert not result.adherence.silent_tracks
    found = adherence(new[:0], 8, new, 8, (4, 38), None, prompt.hearing)
    assert found.silent_tracks == (("Sub Bass", 38), ("Keys", 4))
    assert str(found).startswith("Sub Bass silent, Keys silent, ")


PROMPTS = sorted((Path(__file__).parents[3] / "examples" / "user_prompts").iterdir())
NEAR = 14  # semitones between the mean pitches of a part before and after


@pytest.fixture(scope="module")
def mini() -> Checkpoint:
    return load_checkpoint("mini")


@pytest.mark.slow
@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_every_player_goes_on_in_his_own_track(mini: Checkpoint, path: Path) -> None:
    prompt = read_prompt(path)
    continuation = Continuation(mini, prompt, GenerateOptions())
    for _ in continuation.steps():
        pass
    (result,) = continuation.results()
    tracks = mido.MidiFile(file=io.BytesIO(result.data), charset="utf-8").tracks
    assert len(tracks) == len(prompt.file.tracks), "nobody is split, and nobody is new"
    for part, name in zip(prompt.parts, prompt.hearing.names, strict=True):
        before: list[int] = []
        after: list[int] = []
        now = 0
        for message in tracks[part.track]:
            now += message.time
            if message.type == "note_on" and message.velocity and message.channel in part.channels:
                (before if now < result.boundary else after).append(message.note)
        assert after, f"{name} is silent"
        if part.program != DRUMS:
            assert abs(np.mean(after) - np.mean(before)) < NEAR, name
